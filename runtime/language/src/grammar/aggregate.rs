//! `aggregate`: grouping, window, store and changelog in one step.

use std::collections::BTreeMap;

use millrace_topology::Window;
use serde_json::Value;

use super::{
    Aggregate,
    duration::{duration, shown},
    names,
    reader::{At, Fields, Keys, join},
    steps::field_list,
    text::expression,
};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

const AGGREGATE: Keys = Keys {
    due: "an aggregation",
    known: &["name", "by", "window", "fields", "retention", "changelog", "store"],
    later: &["custom", "emit", "salt"],
};
const WINDOW: Keys = Keys {
    due: "a window",
    known: &["tumbling", "grace"],
    later: &["hopping", "advance", "sliding", "session"],
};
const STORE: Keys = Keys {
    due: "a store",
    known: &["cache"],
    later: &["kind", "versioned", "log"],
};

pub(crate) fn aggregate(at: &At<'_>, report: &mut Diagnostics) -> Option<Aggregate> {
    let before = report.0.len();
    let fields = Fields::read(at, AGGREGATE, report)?;
    let name = name(&fields, report);
    let by = fields.get("by").and_then(|at| expression(&at, report));
    let window = fields.get("window").and_then(|at| window(&at, report));
    let outputs = fields.require("fields", "the figures, e.g. - count: \"count()\"", report);
    let outputs = outputs.and_then(|at| field_list(&at, "figures", report));
    let retention_ms = fields
        .get("retention")
        .and_then(|at| retention(&at, fields.get("window").is_some(), window, report));
    let changelog = fields
        .get("changelog")
        .and_then(|at| changelog(&at, report))
        .unwrap_or_default();
    let cache = fields.get("store").and_then(|at| {
        let fields = Fields::read(&at, STORE, report)?;
        fields.get("cache").and_then(|at| at.boolean(report))
    });
    if report.0.len() > before {
        return None;
    }
    Some(Aggregate {
        name: name?,
        by,
        window,
        fields: outputs?,
        retention_ms,
        changelog,
        cache: cache.unwrap_or(true),
    })
}

/// The name of a stateful step: `Some(None)` if there is none.
pub(crate) fn name(fields: &Fields<'_>, report: &mut Diagnostics) -> Option<Option<String>> {
    let Some(at) = fields.get("name") else {
        return Some(None);
    };
    let name = names::topic_name(&at, "a stateful step", report)?;
    names::not_a_boolean(&name, &at.path, "a stateful step", report).then_some(Some(name))
}

fn window(at: &At<'_>, report: &mut Diagnostics) -> Option<Window> {
    let before = report.0.len();
    let fields = Fields::read(at, WINDOW, report)?;
    if report.0.len() > before {
        return None;
    }
    let size = fields.require("tumbling", "the window's size: {tumbling: 5m}", report);
    let size = size.and_then(|at| {
        let size = duration(&at, report)?;
        if size == 0 {
            report.push(Diagnostic::error(
                Code::BadValue,
                at.path,
                "a window of no length holds nothing",
            ));
            return None;
        }
        Some(size)
    });
    let grace = fields.get("grace").map(|at| duration(&at, report));
    Some(Window::Tumbling {
        size_ms: size?,
        grace_ms: grace.unwrap_or(Some(0))?,
    })
}

/// Java refuses a store that forgets windows which still take records (`TimeWindowedKStreamImpl`).
fn retention(at: &At<'_>, windowed: bool, window: Option<Window>, report: &mut Diagnostics) -> Option<i64> {
    let retention = duration(at, report)?;
    if !windowed {
        report.push(
            Diagnostic::error(
                Code::BadValue,
                &at.path,
                "only a windowed aggregation forgets: retention has no meaning here",
            )
            .hint("leave it out, or give a window"),
        );
    } else if let Some(Window::Tumbling { size_ms, grace_ms }) = window {
        let least = size_ms.saturating_add(grace_ms);
        if retention < least {
            let message = format!("{} is shorter than window and grace together", shown(retention));
            let hint = format!(
                "at least {}, so that a late record still finds its window",
                shown(least)
            );
            report.push(Diagnostic::error(Code::BadValue, &at.path, message).hint(hint));
        }
    }
    Some(retention)
}

/// Topic configs of Kafka: scalars stand for their text.
fn changelog(at: &At<'_>, report: &mut Diagnostics) -> Option<BTreeMap<String, String>> {
    let Value::Object(map) = at.value else {
        report.push(at.wrong_kind("a map of Kafka's topic configs, e.g. {retention.ms: 86400000},"));
        return None;
    };
    let mut configs = BTreeMap::new();
    for (key, value) in map {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => {
                let at = At {
                    value,
                    path: join(&at.path, key),
                };
                report.push(at.wrong_kind("the value of a topic config"));
                continue;
            }
        };
        configs.insert(key.clone(), text);
    }
    Some(configs)
}
