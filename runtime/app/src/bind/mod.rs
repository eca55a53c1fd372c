//! The only place that knows both the language and the engine: every node of a program's plan gets its code.
//!
//! Keys and values are the language's [`Value`]; keys behind a windowed aggregation are [`Windowed`] values, until something takes the
//! window away. A record without key or value shows as null to expressions, and a null that an expression gives is no key or no value.
//!
//! Record path: the closures made here borrow the record; only what an expression makes is allocated.

mod aggregate;
mod env;
mod formats;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace::node::NodeTable;
use millrace::{Application, BoxError, Windowed};
use millrace_language::expression::Expression;
use millrace_language::value::Value;
use millrace_language::{FunctionKind, KeySelector, Output, Program, timestamp_ms};
use millrace_topology::{FunctionId, Node, NodeId, NodeKind, OnError, Operation};

use self::aggregate::Aggregation;
use self::env::{Key, with_env};
use self::formats::{Coder, key_coder};

/// The program with its code, ready to run.
#[must_use]
pub fn application(program: Program) -> Application {
    let program = Arc::new(program);
    let mut table = NodeTable::new();
    let windowed = windowed_nodes(&program);
    for node in &program.plan.nodes {
        // What a node is fed decides how its code is typed; sources are fed nothing and aggregations are typed by themselves.
        let fed_windowed = node
            .predecessors
            .first()
            .is_some_and(|parent| windowed[parent.0 as usize]);
        if fed_windowed {
            bind::<Windowed<Value>>(&program, node, &mut table);
        } else {
            bind::<Value>(&program, node, &mut table);
        }
    }
    let processing: BTreeMap<NodeId, OnError> = program
        .nodes
        .iter()
        .filter_map(|(node, origin)| Some((*node, origin.on_error?)))
        .collect();
    Application::new(program.plan.clone(), table, processing)
}

/// For each node, whether the keys that it forwards carry windows. Parents stand before their children.
fn windowed_nodes(program: &Program) -> Vec<bool> {
    let mut windowed: Vec<bool> = Vec::with_capacity(program.plan.nodes.len());
    for node in &program.plan.nodes {
        let fed = node
            .predecessors
            .first()
            .is_some_and(|parent| windowed.get(parent.0 as usize) == Some(&true));
        windowed.push(match &node.kind {
            NodeKind::Source(_) | NodeKind::Sink(_) => false,
            NodeKind::Processor(operation) => match operation {
                Operation::Aggregate { window, .. } => window.is_some(),
                Operation::Map { .. } | Operation::SelectKey { .. } | Operation::UnwindowKey => false,
                Operation::Filter { .. }
                | Operation::MapValues { .. }
                | Operation::Merge
                | Operation::RepartitionFilter
                | Operation::TableFilter { .. }
                | Operation::TableMapValues { .. }
                | Operation::ToStream => fed,
            },
        });
    }
    windowed
}

/// Registers the code of one node that is fed keys of type `K`.
fn bind<K: Key>(program: &Program, node: &Node, table: &mut NodeTable) {
    let id = node.id;
    match &node.kind {
        NodeKind::Source(source) => {
            let paths = program.reads.get(&id).cloned().unwrap_or_default();
            let key = Coder::named(&source.key, paths.key_shape());
            let value = Coder::named(&source.value, paths.value_shape());
            let timestamp = source.timestamp.map(|function| timestamp(program, function));
            table.source::<Value, Value>(id, Arc::new(key), Arc::new(value), timestamp);
        }
        NodeKind::Sink(sink) => {
            let value = Arc::new(Coder::written(&sink.value));
            K::sink(table, id, &sink.key, value);
        }
        NodeKind::Processor(operation) => bind_operation::<K>(program, id, operation, table),
    }
}

fn bind_operation<K: Key>(program: &Program, id: NodeId, operation: &Operation, table: &mut NodeTable) {
    match operation {
        Operation::Filter {
            predicate: function,
            negate,
        } => {
            let predicate = predicate(program, *function);
            table.filter::<K, Value>(
                id,
                Arc::new(move |record, context| Ok(with_env(&record, context, |env| predicate.eval_bool(env))?)),
                *negate,
            );
        }
        Operation::TableFilter {
            predicate: function,
            negate,
        } => {
            let predicate = predicate(program, *function);
            table.table_filter::<K, Value>(
                id,
                Arc::new(move |record, context| Ok(with_env(&record, context, |env| predicate.eval_bool(env))?)),
                *negate,
            );
        }
        Operation::Map { function } => {
            let FunctionKind::KeyValue { key, value } = program.function(*function).kind.clone() else {
                unexpected(program, *function)
            };
            table.map::<K, Value, Value, Value>(
                id,
                Arc::new(move |record, context| {
                    with_env(&record, context, |env| {
                        Ok((some(key.eval(env)?), some(value.eval(env)?)))
                    })
                }),
            );
        }
        Operation::MapValues { function } => {
            let output = output(program, *function);
            table.map_values::<K, Value, Value>(
                id,
                Arc::new(move |record, context| Ok(some(with_env(&record, context, |env| output.eval(env))?))),
            );
        }
        Operation::TableMapValues { function } => {
            let output = output(program, *function);
            table.table_map_values::<K, Value, Value>(
                id,
                Arc::new(move |record, context| Ok(some(with_env(&record, context, |env| output.eval(env))?))),
            );
        }
        Operation::SelectKey { function } => {
            let key = key_selector(program, *function);
            table.select_key::<K, Value, Value>(
                id,
                Arc::new(move |record, context| Ok(some(with_env(&record, context, |env| key.eval(env))?))),
            );
        }
        Operation::UnwindowKey => table.unwindow_key::<Value, Value>(id),
        Operation::Merge => table.merge::<K, Value>(id),
        Operation::RepartitionFilter => table.repartition_filter::<K, Value>(id),
        Operation::ToStream => table.to_stream::<K, Value>(id),
        Operation::Aggregate {
            function,
            window,
            store,
        } => {
            let FunctionKind::Aggregate(aggregate) = program.function(*function).kind.clone() else {
                unexpected(program, *function)
            };
            let store = program.plan.store(*store);
            let (key, value) = (key_coder(&store.key), Arc::new(Coder::written(&store.value)));
            let aggregation = Arc::new(Aggregation(aggregate));
            if window.is_some() {
                table.aggregate_windowed::<Value, Value, Value, Value>(id, key, value, aggregation);
            } else {
                table.aggregate::<Value, Value, Value, Value>(id, key, value, aggregation);
            }
        }
    }
}

fn timestamp(program: &Program, function: FunctionId) -> millrace::node::TimestampFn<Value, Value> {
    let FunctionKind::Timestamp(expression) = program.function(function).kind.clone() else {
        unexpected(program, function)
    };
    Arc::new(move |record, context| {
        let value = with_env(&record, context, |env| expression.eval(env))?;
        timestamp_ms(&value).map_err(BoxError::from)
    })
}

fn predicate(program: &Program, function: FunctionId) -> Expression {
    match &program.function(function).kind {
        FunctionKind::Predicate(expression) => expression.clone(),
        _ => unexpected(program, function),
    }
}

fn output(program: &Program, function: FunctionId) -> Output {
    match &program.function(function).kind {
        FunctionKind::Value(output) => output.clone(),
        _ => unexpected(program, function),
    }
}

fn key_selector(program: &Program, function: FunctionId) -> KeySelector {
    match &program.function(function).kind {
        FunctionKind::Key(key) => key.clone(),
        _ => unexpected(program, function),
    }
}

/// Kafka's null is no value, and an expression that gives null gives none, be it JSON's.
fn some(value: Value) -> Option<Value> {
    (value.type_name() != "null").then_some(value)
}

fn unexpected(program: &Program, function: FunctionId) -> ! {
    panic!(
        "the function of {} is of another kind than its node: a defect of the lowering",
        program.function(function).path
    )
}
