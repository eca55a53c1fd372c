//! Cuts a case down while something still holds of it.

use std::time::{Duration, Instant};

use super::Case;
use super::app::{Output, Step};
use super::expression::Expr;

/// The smallest case found within the time for which `holds` is true, which it is for `case`.
pub fn shrink(case: Case, within: Duration, mut holds: impl FnMut(&Case) -> bool) -> Case {
    let deadline = Instant::now() + within;
    let mut smallest = fewer_records(case, deadline, &mut holds);
    loop {
        let found = smaller(&smallest)
            .into_iter()
            .take_while(|_| Instant::now() < deadline)
            .find(|candidate| holds(candidate));
        match found {
            Some(found) => smallest = found,
            None => return fewer_records(smallest, deadline, &mut holds),
        }
    }
}

/// Leaves out ever shorter stretches of the input.
fn fewer_records(mut case: Case, deadline: Instant, holds: &mut impl FnMut(&Case) -> bool) -> Case {
    let mut length = case.records.len();
    while length > 0 {
        let mut at = 0;
        while at < case.records.len() && Instant::now() < deadline {
            let mut fewer = case.clone();
            fewer.records.drain(at..(at + length).min(case.records.len()));
            if holds(&fewer) {
                case = fewer;
            } else {
                at += length;
            }
        }
        length /= 2;
    }
    case
}

/// Cases that are a little smaller; not all of them fit together.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut other = case.clone();
        change(&mut other);
        all.push(other);
    };
    for (p, pipeline) in case.app.pipelines.iter().enumerate() {
        with(&|case| drop(case.app.pipelines.remove(p)));
        for from in 0..pipeline.from.len() {
            if pipeline.from.len() > 1 {
                with(&|case| drop(case.app.pipelines[p].from.remove(from)));
            }
        }
        for to in 0..pipeline.to.len() {
            with(&|case| drop(case.app.pipelines[p].to.remove(to)));
            if pipeline.to[to].windowed {
                with(&|case| case.app.pipelines[p].to[to].windowed = false);
            }
        }
        for (s, step) in pipeline.steps.iter().enumerate() {
            with(&|case| drop(case.app.pipelines[p].steps.remove(s)));
            for cut in steps(step) {
                with(&|case| case.app.pipelines[p].steps[s] = cut.clone());
            }
        }
    }
    for (t, topic) in case.app.topics.iter().enumerate() {
        let used = case.app.pipelines.iter().any(|p| {
            p.to.iter().any(|target| target.topic == topic.name)
                || p.from.contains(&super::app::Origin::Topic(topic.name.clone()))
        });
        if !used {
            with(&|case| drop(case.app.topics.remove(t)));
        }
        if topic.timestamp.is_some() {
            with(&|case| case.app.topics[t].timestamp = None);
        }
    }
    if case.app.cache > 0 {
        with(&|case| case.app.cache = 0);
    }
    for (r, record) in case.records.iter().enumerate() {
        if !record.headers.is_empty() {
            with(&|case| case.records[r].headers.clear());
        }
        for value in fields_left_out(record.value.as_deref()) {
            with(&|case| case.records[r].value = Some(value.clone()));
        }
    }
    all
}

/// The object without one of its fields each.
fn fields_left_out(value: Option<&[u8]>) -> Vec<Vec<u8>> {
    let Some(Ok(serde_json::Value::Object(fields))) = value.map(serde_json::from_slice) else {
        return Vec::new();
    };
    let without = |name: &String| {
        let mut fewer = fields.clone();
        fewer.remove(name);
        serde_json::Value::Object(fewer).to_string().into_bytes()
    };
    fields.keys().map(without).collect()
}

fn steps(step: &Step) -> Vec<Step> {
    match step {
        Step::Filter { condition, negate } => condition
            .shrinks()
            .into_iter()
            .map(|condition| Step::Filter {
                condition,
                negate: *negate,
            })
            .collect(),
        Step::MapValues(output) => outputs(output).into_iter().map(Step::MapValues).collect(),
        Step::Map { key, value } => {
            let keys = key.shrinks().into_iter().map(|key| (key, value.clone()));
            let values = outputs(value).into_iter().map(|value| (key.clone(), value));
            keys.chain(values)
                .map(|(key, value)| Step::Map { key, value })
                .collect()
        }
        Step::SelectKey(key) => key.shrinks().into_iter().map(Step::SelectKey).collect(),
        Step::Repartition { name, by, partitions } => optional(by.as_ref())
            .into_iter()
            .map(|by| Step::Repartition {
                name: name.clone(),
                by,
                partitions: *partitions,
            })
            .collect(),
        Step::Aggregate(aggregate) => {
            let mut all = Vec::new();
            let mut with = |change: &dyn Fn(&mut super::app::Aggregate)| {
                let mut other = aggregate.clone();
                change(&mut other);
                all.push(Step::Aggregate(other));
            };
            for by in optional(aggregate.by.as_ref()) {
                with(&|other| other.by.clone_from(&by));
            }
            if aggregate.window.is_some() {
                with(&|other| (other.window, other.retention) = (None, None));
            }
            if aggregate.retention.is_some() {
                with(&|other| other.retention = None);
            }
            for (f, figure) in aggregate.figures.iter().enumerate() {
                if aggregate.figures.len() > 1 {
                    with(&|other| drop(other.figures.remove(f)));
                }
                for argument in figure.argument.iter().flat_map(Expr::shrinks) {
                    with(&|other| other.figures[f].argument = Some(argument.clone()));
                }
            }
            all
        }
        Step::ToStream => Vec::new(),
    }
}

fn optional(expr: Option<&Expr>) -> Vec<Option<Expr>> {
    let Some(expr) = expr else { return Vec::new() };
    std::iter::once(None)
        .chain(expr.shrinks().into_iter().map(Some))
        .collect()
}

fn outputs(output: &Output) -> Vec<Output> {
    let lists = |list: &[(String, Expr)]| -> Vec<Vec<(String, Expr)>> {
        let mut all = Vec::new();
        for (at, (_, expr)) in list.iter().enumerate() {
            if list.len() > 1 {
                let mut fewer = list.to_vec();
                fewer.remove(at);
                all.push(fewer);
            }
            for cut in expr.shrinks() {
                let mut other = list.to_vec();
                other[at].1 = cut;
                all.push(other);
            }
        }
        all
    };
    match output {
        Output::Expression(expr) => expr.shrinks().into_iter().map(Output::Expression).collect(),
        Output::Fields(list) => lists(list).into_iter().map(Output::Fields).collect(),
        Output::Add(list) => lists(list).into_iter().map(Output::Add).collect(),
        Output::Drop(_) => Vec::new(),
    }
}
