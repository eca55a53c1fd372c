//! Aggregates: the fields of an `aggregate` step, each one call such as `sum(value.amount)`. On the record path.
//!
//! | call | starts as | a record adds |
//! |---|---|---|
//! | `count()` | 0 | 1 |
//! | `count(x)` | 0 | 1 unless `x` is null |
//! | `sum(x)` | int 0 | `x`; int with int stays int (overflow is an error), else double |
//! | `min(x)`, `max(x)` | null | `x` if it is smaller, larger |
//! | `first(x)`, `last(x)` | null | the first, the last `x` |
//! | `avg(x)` | `{"sum": 0, "count": 0}`, seen downstream as null | `x`; downstream sees the quotient, a double |
//!
//! An argument that is null is ignored. One that is absent or of a wrong type is an error of the record, and the state stays.
//!
//! The state is an object with the fields in the manifest's order; as JSON it is what the store and its changelog hold. A state that
//! misses a field, because the manifest had fewer when it was written, starts that field anew; a field that the manifest no longer
//! has is dropped at the next record.

mod state;

#[cfg(test)]
mod tests;

use cel::common::ast::{CallExpr, Expr, IdedExpr};

use crate::expression::{
    AGGREGATES, Compiler, Env, EvalError, ExpressionError, Frame, Node, Paths, Scope, Type, Val, nearest, parse,
};
use crate::json::Shape;
use crate::value::{Map, Name, Str, Value};
use state::{Field, State};

/// The compiled fields of an aggregate step.
///
/// ```
/// use millrace_language::aggregate::Aggregate;
/// use millrace_language::expression::{Env, NoHeaders, Scope, Type};
/// use millrace_language::format::Format;
/// use millrace_language::value::Value;
///
/// let fields = [("total".to_owned(), "sum(value.amount)".to_owned()), ("mean".to_owned(), "avg(value.amount)".to_owned())];
/// let aggregate = Aggregate::compile(&fields, &Scope::new(Type::String, Type::Dyn)).unwrap();
///
/// let mut state = aggregate.initial();
/// for record in [r#"{"amount": 1}"#, r#"{"amount": 2.5}"#] {
///     let value = Format::Json.decode(record.into(), &aggregate.paths().value_shape()).unwrap();
///     let env =
///         Env { key: &Value::Null, value: &value, timestamp: 0, topic: "t", partition: 0, offset: 0, headers: &NoHeaders, window: None };
///     state = aggregate.add(&env, &state).unwrap();
/// }
/// assert_eq!(state.to_string(), r#"{"total":3.5,"mean":{"sum":3.5,"count":2}}"#);
/// assert_eq!(aggregate.result(&state).to_string(), r#"{"total":3.5,"mean":1.75}"#);
/// ```
#[derive(Debug)]
pub struct Aggregate {
    calls: Vec<Call>,
    paths: Paths,
    initial: Value,
}

#[derive(Debug)]
struct Call {
    field: Name,
    kind: Kind,
    /// None: `count()`.
    argument: Option<Node>,
    source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sum,
    Count,
    Min,
    Max,
    Avg,
    First,
    Last,
}

/// A field of an aggregate that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateError {
    /// Its place in the list of fields, from 0.
    pub index: usize,
    /// Its name.
    pub field: String,
    /// What is wrong with its expression.
    pub error: ExpressionError,
}

impl std::fmt::Display for AggregateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "field {}, {}", self.field, self.error)
    }
}

impl std::error::Error for AggregateError {}

impl Aggregate {
    /// Compiles fields, each a name and a call.
    ///
    /// # Errors
    /// If a call is no CEL, is no aggregate, or its argument cannot be compiled; or if two fields have one name.
    pub fn compile(fields: &[(String, String)], scope: &Scope) -> Result<Self, AggregateError> {
        let mut calls: Vec<Call> = Vec::with_capacity(fields.len());
        let mut paths = Paths::default();
        for (index, (field, source)) in fields.iter().enumerate() {
            let located = |error| AggregateError {
                index,
                field: field.clone(),
                error,
            };
            if fields[..index].iter().any(|(other, _)| other == field) {
                return Err(located(ExpressionError::new(
                    1,
                    format!("there are two fields {field}"),
                )));
            }
            let (call, read) = compile_call(field, source, scope).map_err(located)?;
            paths.union(&read);
            calls.push(call);
        }
        let initial = Map::from_iter(calls.iter().map(|call| (Str::from(call.field), call.kind.initial())));
        Ok(Aggregate {
            calls,
            paths,
            initial: Value::from(initial),
        })
    }

    /// The state before the first record.
    #[must_use]
    pub fn initial(&self) -> Value {
        self.initial.clone()
    }

    /// The state with one record more. `state` is what [`Aggregate::initial`] or this gave, or such a state read back from JSON.
    ///
    /// # Errors
    /// If an argument is absent or has a wrong type, a sum overflows, or `state` is no state of this aggregate; the message names
    /// the call.
    pub fn add(&self, env: &Env<'_>, state: &Value) -> Result<Value, EvalError> {
        let state = State::read(state, &self.calls)?;
        let frame = Frame::new(env);
        let mut next = Map::with_capacity(self.calls.len());
        for (index, call) in self.calls.iter().enumerate() {
            let value = call.add(frame, state.field(index)).map_err(|e| e.at(&call.source))?;
            next.push_new(Str::from(call.field), value);
        }
        Ok(Value::from(next))
    }

    /// What steps after the aggregation see of a state: averages as their quotient. Null stays null.
    #[must_use]
    pub fn result(&self, state: &Value) -> Value {
        if state.is_null() || self.calls.iter().all(|call| call.kind != Kind::Avg) {
            return state.clone();
        }
        let Ok(read) = State::read(state, &self.calls) else {
            return state.clone();
        };
        let mut view = Map::with_capacity(self.calls.len());
        for (index, call) in self.calls.iter().enumerate() {
            let value = match (call.kind, read.field(index)) {
                (Kind::Avg, field) => state::quotient(field),
                (_, Field::Absent) => call.kind.initial(),
                (_, field) => field.to_value().unwrap_or_default(),
            };
            view.push_new(Str::from(call.field), value);
        }
        Value::from(view)
    }

    /// The fields of records that the calls read.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The shape for decoding a stored state. There is none to note: a state is small, and is read in one go.
    #[must_use]
    pub fn state_shape(&self) -> Shape {
        Shape::empty()
    }

    /// All fields and calls in one spelling, e.g. `total: sum(value.amount), count: count()`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.calls
            .iter()
            .map(|call| format!("{}: {}", call.field.as_str(), call.source))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn compile_call(field: &str, source: &str, scope: &Scope) -> Result<(Call, Paths), ExpressionError> {
    let parsed = parse(source)?;
    let here = |expr: &IdedExpr, message: String| ExpressionError::new(parsed.column(expr.id), message);
    let call = match &parsed.root.expr {
        Expr::Call(call @ CallExpr { target: None, .. }) if call.func_name.chars().all(char::is_alphanumeric) => call,
        _ if mentions_aggregate(&parsed.root) => {
            let message = "a field is one aggregate call by itself".to_owned();
            return Err(here(&parsed.root, message)
                .hint("put a mapValues after the aggregation for what follows from its fields"));
        }
        _ => {
            return Err(here(&parsed.root, "a field is an aggregate call".to_owned())
                .hint("e.g. sum(value.amount) or last(value.amount)"));
        }
    };
    let kind = Kind::parse(&call.func_name).ok_or_else(|| {
        let error = here(&parsed.root, format!("there is no aggregate {}", call.func_name));
        match nearest(&call.func_name, AGGREGATES.iter().copied()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint(format!("there are {}", AGGREGATES.join(", "))),
        }
    })?;
    let mut compiler = Compiler::new(&parsed, scope);
    let argument = match call.args.as_slice() {
        [] if kind == Kind::Count => None,
        [argument] if mentions_aggregate(argument) => {
            return Err(here(argument, "an aggregate cannot stand inside of another".to_owned())
                .hint("put a second aggregate step after this one, or a mapValues"));
        }
        [argument] => {
            let typed = compiler.compile_root(argument)?;
            if matches!(kind, Kind::Sum | Kind::Avg) && !typed.ty.fits(Type::Int) && typed.ty != Type::Double {
                return Err(here(
                    argument,
                    format!("{} takes a number, and this is {}", call.func_name, typed.ty),
                ));
            }
            Some(typed.node)
        }
        arguments => {
            let count = if kind == Kind::Count {
                "no argument or one"
            } else {
                "one argument"
            };
            return Err(here(
                &parsed.root,
                format!("{} takes {count}, not {}", call.func_name, arguments.len()),
            ));
        }
    };
    let source = crate::expression::print(&parsed.root);
    Ok((
        Call {
            field: Name::new(field),
            kind,
            argument,
            source,
        },
        compiler.into_paths(),
    ))
}

/// Whether a call of an aggregate stands somewhere in `expr`.
fn mentions_aggregate(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Call(call) => {
            (call.target.is_none() && AGGREGATES.contains(&call.func_name.as_str()))
                || call.args.iter().chain(call.target.as_deref()).any(mentions_aggregate)
        }
        Expr::Select(select) => mentions_aggregate(&select.operand),
        Expr::List(list) => list.elements.iter().any(mentions_aggregate),
        _ => false,
    }
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "sum" => Kind::Sum,
            "count" => Kind::Count,
            "min" => Kind::Min,
            "max" => Kind::Max,
            "avg" => Kind::Avg,
            "first" => Kind::First,
            "last" => Kind::Last,
            _ => return None,
        })
    }

    fn initial(self) -> Value {
        match self {
            Kind::Sum | Kind::Count => Value::Int(0),
            Kind::Min | Kind::Max | Kind::First | Kind::Last => Value::Null,
            Kind::Avg => state::average(Value::Int(0), 0),
        }
    }
}

impl Call {
    /// The field's next state.
    fn add(&self, frame: Frame<'_>, state: Field<'_>) -> Result<Value, EvalError> {
        let argument = match &self.argument {
            Some(argument) => argument.eval(frame)?,
            None => Val::Bool(true),
        };
        if matches!(argument, Val::Null) {
            return match state {
                Field::Absent => Ok(self.kind.initial()),
                kept => kept.to_value(),
            };
        }
        match self.kind {
            Kind::Count => match state.number()? {
                Val::Int(n) => n
                    .checked_add(1)
                    .map(Value::Int)
                    .ok_or_else(|| EvalError::new("more than 64 bits can count")),
                other => Err(EvalError::new(format!(
                    "the state is {}, not a count",
                    other.described()
                ))),
            },
            Kind::Sum => state::sum(&state.number()?, &argument),
            Kind::Avg => {
                let (sum, count) = state.average()?;
                Ok(state::average(state::sum(&sum, &argument)?, count + 1))
            }
            Kind::Min => state.extreme(argument, std::cmp::Ordering::Less),
            Kind::Max => state.extreme(argument, std::cmp::Ordering::Greater),
            Kind::First => match state.val()? {
                Val::Null => Ok(argument.into_value()),
                _ => state.to_value(),
            },
            Kind::Last => Ok(argument.into_value()),
        }
    }
}
