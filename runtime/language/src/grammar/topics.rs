//! `topics`: every topic that is read or written, by a short name.

use millrace_topology::{OnError, StartFrom};
use serde_json::Value;

use super::{
    Located, Topic, names,
    reader::{At, Fields, Keys, join},
    text::expression,
};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

const TOPIC: Keys = Keys {
    due: "a topic",
    known: &["name", "key", "value", "timestamp", "startFrom", "onError"],
    later: &[],
};

pub(crate) const ON_ERROR: [(&str, OnError); 3] = [
    ("fail", OnError::Fail),
    ("continue", OnError::Continue),
    ("deadLetter", OnError::DeadLetter),
];

pub(crate) fn topics(at: &At<'_>, report: &mut Diagnostics) -> Vec<Topic> {
    let Value::Object(map) = at.value else {
        let problem = at.wrong_kind("a map from short names to topics");
        report.push(problem.hint("e.g. orders: {name: orders-topic, key: string, value: json}"));
        return Vec::new();
    };
    let mut found: Vec<Topic> = Vec::new();
    for (short, value) in map {
        let at = At {
            value,
            path: join(&at.path, short),
        };
        names::word_name(short, &at.path, "a topic", report);
        let topic = topic(&at, short, report);
        if let Some(first) = found.iter().find(|other| other.name == topic.name) {
            let message = format!("{} is declared twice: as {} and as {short}", topic.name, first.short);
            report.push(
                Diagnostic::error(Code::DuplicateName, join(&topic.path, "name"), message)
                    .hint("one topic has one key format, one value format and one short name"),
            );
        }
        found.push(topic);
    }
    found
}

fn topic(at: &At<'_>, short: &str, report: &mut Diagnostics) -> Topic {
    // What does not decode is declared nevertheless.
    let Some(fields) = Fields::read(at, TOPIC, report) else {
        return undecoded(at, short);
    };
    let name = fields.require("name", "the topic's name in Kafka", report);
    let name = name.and_then(|at| names::topic_name(&at, "a topic in Kafka", report));
    let mut format = |key: &str| {
        let at = fields.require(key, "a format, e.g. string or json", report)?;
        let value = at.text("the name of a format", report)?.trim().to_owned();
        Some(Located { path: at.path, value })
    };
    let (key, value) = (format("key"), format("value"));
    let timestamp = fields.get("timestamp").map(|at| expression(&at, report));
    let start_from = fields.get("startFrom").map(|at| {
        at.word(
            &[("earliest", StartFrom::Earliest), ("latest", StartFrom::Latest)],
            report,
        )
    });
    let on_error = fields.get("onError").map(|at| at.word(&ON_ERROR, report));
    let blank = undecoded(at, short);
    Topic {
        name: name.unwrap_or(blank.name),
        key: key.unwrap_or(blank.key),
        value: value.unwrap_or(blank.value),
        timestamp: timestamp.flatten(),
        start_from: start_from.flatten(),
        on_error: on_error.flatten(),
        path: blank.path,
        short: blank.short,
    }
}

/// Has a legal name of its own, so that what is said of it is its real fault alone.
fn undecoded(at: &At<'_>, short: &str) -> Topic {
    Topic {
        path: at.path.clone(),
        short: short.to_owned(),
        name: stand_in(short),
        key: unknown(at),
        value: unknown(at),
        timestamp: None,
        start_from: None,
        on_error: None,
    }
}

fn stand_in(short: &str) -> String {
    let legal = short.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    legal.take(200).chain("..unnamed".chars()).collect()
}

/// Stands for a format that did not decode; lowering asks no more of it.
fn unknown(at: &At<'_>) -> Located<String> {
    Located {
        path: at.path.clone(),
        value: String::new(),
    }
}
