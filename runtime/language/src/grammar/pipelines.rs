//! `topology` and its `pipelines`.

use serde_json::Value;

use super::{
    Located, Operator, Origin, Pipeline, Step, Target, Topology, names,
    reader::{At, Fields, Keys},
    steps::step,
    topics::{ON_ERROR, topics},
};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

const TOPOLOGY: Keys = Keys {
    due: "a topology",
    known: &["topics", "pipelines", "allowAutomaticNames"],
    later: &["types"],
};
const PIPELINE: Keys = Keys {
    due: "a pipeline",
    known: &["name", "from", "onError", "steps", "to"],
    later: &[],
};
const ORIGIN: Keys = Keys {
    due: "a topic's short name or another pipeline's result",
    known: &["pipeline"],
    later: &["table", "globalTable", "branch", "name"],
};
const TARGET: Keys = Keys {
    due: "a target",
    known: &["topic", "key"],
    later: &["partition", "dynamic"],
};

pub(crate) fn topology(at: &At<'_>, report: &mut Diagnostics) -> Topology {
    let mut result = Topology {
        topics: Vec::new(),
        pipelines: Vec::new(),
        allow_automatic_names: false,
    };
    let Some(fields) = Fields::read(at, TOPOLOGY, report) else {
        return result;
    };
    if let Some(at) = fields.require("topics", "every topic read or written, by a short name", report) {
        result.topics = topics(&at, report);
    }
    let list = fields
        .require("pipelines", "each reads topics, takes steps and writes topics", report)
        .and_then(|at| Some((at.list("a list of pipelines", report)?, at)));
    result.allow_automatic_names = fields
        .get("allowAutomaticNames")
        .and_then(|at| at.boolean(report))
        .unwrap_or_default();
    let Some((list, at)) = list else { return result };
    if list.is_empty() {
        report.push(Diagnostic::error(
            Code::BadValue,
            at.path,
            "there is no pipeline: the application would do nothing",
        ));
    }
    for at in &list {
        let Some(pipeline) = pipeline(at, report) else { continue };
        if let Some(first) = result.pipelines.iter().find(|other| other.name == pipeline.name) {
            let message = format!("two pipelines are called {}: {} too", pipeline.name, first.path);
            report.push(Diagnostic::error(
                Code::DuplicateName,
                format!("{}.name", pipeline.path),
                message,
            ));
        }
        result.pipelines.push(pipeline);
    }
    if !result.allow_automatic_names {
        result
            .pipelines
            .iter()
            .flat_map(|pipeline| &pipeline.steps)
            .for_each(|step| named(step, report));
    }
    result
}

/// A name made by counting steps would change with every step put in before it, and the state would be lost.
fn named(step: &Step, report: &mut Diagnostics) {
    let why = match &step.operator {
        Some(Operator::Aggregate(aggregate)) if aggregate.name.is_none() => {
            "it names the store and the changelog <applicationId>-<name>-changelog"
        }
        Some(Operator::Repartition(repartition)) if repartition.name.is_none() => {
            "it names the topic <applicationId>-<name>-repartition"
        }
        _ => return,
    };
    report.push(Diagnostic::error(Code::MissingKey, &step.path, "name is missing").hint(why));
}

fn pipeline(at: &At<'_>, report: &mut Diagnostics) -> Option<Pipeline> {
    let fields = Fields::read(at, PIPELINE, report)?;
    let name = fields.require(
        "name",
        "a word for it, used in errors, metrics and by other pipelines",
        report,
    );
    let name = name.and_then(|at| {
        let name = at.text("the pipeline's name", report)?.to_owned();
        names::word_name(&name, &at.path, "a pipeline", report);
        Some(name)
    });
    let from = fields.require(
        "from",
        "a topic's short name, a list of them, or {pipeline: name}",
        report,
    );
    let from = from.and_then(|at| some_or_list(&at, "the list of what is read", origin, report));
    let on_error = fields.get("onError").and_then(|at| at.word(&ON_ERROR, report));
    let mut steps = Vec::new();
    if let Some(at) = fields.get("steps") {
        for at in at.list("a list of steps", report).into_iter().flatten() {
            steps.extend(step(&at, report));
        }
    }
    let to = fields
        .get("to")
        .map(|at| some_or_list(&at, "the list of topics written", target, report));
    let to_is_whole = !matches!(to, Some(None));
    Some(Pipeline {
        // A name of its own, so that it is no duplicate.
        name: name.unwrap_or_else(|| format!("<{}>", at.path)),
        path: at.path.clone(),
        from_is_whole: from.is_some(),
        from: from.unwrap_or_default(),
        on_error,
        steps,
        to: to.flatten().unwrap_or_default(),
        to_is_whole,
    })
}

/// One, or a list that is not empty; `None` if one of them did not decode.
fn some_or_list<T>(
    at: &At<'_>,
    what: &str,
    one: fn(&At<'_>, &mut Diagnostics) -> Option<T>,
    report: &mut Diagnostics,
) -> Option<Vec<T>> {
    let Value::Array(items) = at.value else {
        return Some(vec![one(at, report)?]);
    };
    if items.is_empty() {
        report.push(Diagnostic::error(Code::BadValue, &at.path, format!("{what} is empty")));
        return None;
    }
    // All are read, so that all mistakes are found.
    let found: Vec<_> = at.list(what, report)?.iter().map(|at| one(at, report)).collect();
    found.into_iter().collect()
}

fn origin(at: &At<'_>, report: &mut Diagnostics) -> Option<Origin> {
    match at.value {
        Value::Object(_) => {
            let before = report.0.len();
            let fields = Fields::read(at, ORIGIN, report)?;
            if report.0.len() > before {
                return None;
            }
            let at = fields.require("pipeline", "a topic is named without a map: from: orders", report)?;
            let value = at.text("a pipeline's name", report)?.to_owned();
            Some(Origin::Pipeline(Located { path: at.path, value }))
        }
        _ => {
            let value = at
                .text("a topic's short name, a list of them, or {pipeline: name}", report)?
                .to_owned();
            Some(Origin::Topic(Located {
                path: at.path.clone(),
                value,
            }))
        }
    }
}

fn target(at: &At<'_>, report: &mut Diagnostics) -> Option<Target> {
    let Value::Object(_) = at.value else {
        let value = at
            .text(
                "a topic's short name, a list of them, or {topic: name, key: windowed}",
                report,
            )?
            .to_owned();
        return Some(Target {
            topic: Located {
                path: at.path.clone(),
                value,
            },
            windowed_key: false,
        });
    };
    let fields = Fields::read(at, TARGET, report)?;
    if fields.get("dynamic").is_some() {
        return None;
    }
    let topic = fields
        .require("topic", "the short name of the topic to write", report)
        .and_then(|at| {
            let value = at.text("a topic's short name", report)?.to_owned();
            Some(Located { path: at.path, value })
        });
    let windowed = fields.get("key").map(|at| at.word(&[("windowed", ())], report));
    Some(Target {
        topic: topic?,
        windowed_key: matches!(windowed, Some(Some(()))),
    })
}
