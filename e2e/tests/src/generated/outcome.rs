//! What came of a case, and whether two engines made the same of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::script::{Form, Script};
use crate::json::Json;

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The topology, as Kafka Streams describes it.
    pub describe: String,
    /// What each record of the input caused, until one ended the application.
    pub written: Vec<Vec<Written>>,
    /// Why it ended, if it did.
    pub failed: Option<String>,
}

/// A record of an output, changelog or repartition topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written { topic, timestamp, .. } = self;
        let (key, value) = (bytes(self.key.as_deref()), bytes(self.value.as_deref()));
        write!(f, "{topic} {key} {value} @{timestamp}")?;
        self.headers
            .iter()
            .try_for_each(|(name, value)| write!(f, " {name}={}", bytes(value.as_deref())))
    }
}

/// Bytes for people.
pub fn bytes(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "-".to_owned(),
        Some(bytes) => match str::from_utf8(bytes) {
            Ok(text) if !text.contains(char::is_control) && !text.is_empty() => text.to_owned(),
            _ => format!("\"{}\"", bytes.escape_ascii()),
        },
    }
}

/// Bytes as they are compared.
#[derive(Debug, PartialEq)]
enum Content {
    None,
    Bytes(Vec<u8>),
    Json(Json, Vec<u8>),
}

impl Content {
    fn of(bytes: Option<&[u8]>, form: Form) -> Content {
        let Some(bytes) = bytes else { return Content::None };
        match form {
            Form::Json { then } if bytes.len() > then => {
                let (json, rest) = bytes.split_at(bytes.len() - then);
                Json::parse(json).map_or_else(
                    |_| Content::Bytes(bytes.to_vec()),
                    |json| Content::Json(single(json), rest.to_vec()),
                )
            }
            _ => Content::Bytes(bytes.to_vec()),
        }
    }
}

/// Of fields of one name the last counts, in the place of the first: a document that passes may still have both.
fn single(json: Json) -> Json {
    match json {
        Json::Object(fields) => {
            let mut kept: Vec<(String, Json)> = Vec::new();
            for (name, value) in fields {
                let value = single(value);
                match kept.iter_mut().find(|(other, _)| *other == name) {
                    Some((_, before)) => *before = value,
                    None => kept.push((name, value)),
                }
            }
            Json::Object(kept)
        }
        Json::List(items) => Json::List(items.into_iter().map(single).collect()),
        other => other,
    }
}

/// How two outcomes differ, in words; empty: they do not.
pub fn differences(script: &Script, java: &Outcome, ours: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    if java.describe.trim_end() != ours.describe.trim_end() {
        found.push(format!(
            "the topologies differ\nJava:\n{}\nMillrace:\n{}",
            java.describe, ours.describe
        ));
    }
    for (at, (theirs, ours)) in java.written.iter().zip(&ours.written).enumerate() {
        if let Some(difference) = of_record(script, theirs, ours) {
            found.push(format!("record {at}: {difference}"));
        }
    }
    if java.failed.is_some() != ours.failed.is_some() || java.written.len() != ours.written.len() {
        let end = |outcome: &Outcome| match &outcome.failed {
            Some(why) => format!("ends at record {}: {why}", outcome.written.len()),
            None => "does not end".to_owned(),
        };
        found.push(format!("Java {}\nMillrace {}", end(java), end(ours)));
    }
    found
}

/// Per topic and key, in order.
fn of_record(script: &Script, java: &[Written], ours: &[Written]) -> Option<String> {
    let sorted = |records: &[Written]| {
        let mut by_topic: BTreeMap<String, Vec<Written>> = BTreeMap::new();
        for record in records {
            by_topic.entry(record.topic.clone()).or_default().push(record.clone());
        }
        by_topic
    };
    let (java, ours) = (sorted(java), sorted(ours));
    let topics: BTreeSet<&String> = java.keys().chain(ours.keys()).collect();
    for topic in topics {
        let (key_form, value_form) = *script.topics.get(topic).unwrap_or(&(Form::Bytes, Form::Bytes));
        let compared = |record: &Written| {
            let key = Content::of(record.key.as_deref(), key_form);
            let value = Content::of(record.value.as_deref(), value_form);
            (key, value, record.timestamp, record.headers.clone())
        };
        let none = Vec::new();
        let (java, ours) = (java.get(topic).unwrap_or(&none), ours.get(topic).unwrap_or(&none));
        let (a, b): (Vec<_>, Vec<_>) = (java.iter().map(compared).collect(), ours.iter().map(compared).collect());
        let of_key = |all: &[(Content, Content, i64, _)], key: &Content| -> Vec<usize> {
            (0..all.len()).filter(|&at| all[at].0 == *key).collect()
        };
        let equal = a.len() == b.len()
            && a.iter().all(|(key, ..)| {
                let (theirs, mine) = (of_key(&a, key), of_key(&b, key));
                theirs.len() == mine.len() && theirs.iter().zip(&mine).all(|(&x, &y)| a[x] == b[y])
            });
        if !equal {
            let list =
                |records: &[Written]| -> String { records.iter().map(|record| format!("\n    {record}")).collect() };
            return Some(format!("{topic}\n  Java:{}\n  Millrace:{}", list(java), list(ours)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> Script {
        let form = Form::Json { then: 0 };
        Script {
            calls: Vec::new(),
            topics: BTreeMap::from([("out".to_owned(), (form, form))]),
        }
    }

    fn written(key: &str, value: &str) -> Written {
        Written {
            topic: "out".to_owned(),
            key: Some(key.into()),
            value: Some(value.into()),
            timestamp: 5,
            headers: vec![("h".to_owned(), None)],
        }
    }

    fn outcome(records: Vec<Written>) -> Outcome {
        Outcome {
            describe: "Topologies:\n".to_owned(),
            written: vec![records],
            failed: None,
        }
    }

    #[test]
    fn every_planted_difference_is_found_and_no_other() {
        let base = || {
            vec![
                written("1", r#"{"a":1}"#),
                written("2", "[]"),
                written("1", r#"{"a":2}"#),
            ]
        };
        let differ = |ours: &Outcome| !differences(&script(), &outcome(base()), ours).is_empty();
        let with = |change: &dyn Fn(&mut Vec<Written>)| {
            let mut records = base();
            change(&mut records);
            outcome(records)
        };
        assert!(!differ(&with(&|_| {})));
        assert!(!differ(&with(&|r| r.swap(0, 1))), "order between keys");
        assert!(
            !differ(&with(&|r| r[0].value = Some(br#"{ "a":7, "a":1 }"#.to_vec()))),
            "spelling"
        );
        assert!(differ(&with(&|r| r.swap(0, 2))), "order within a key");
        assert!(
            differ(&with(&|r| r[0].value = Some(br#"{"a":1.0}"#.to_vec()))),
            "kind of number"
        );
        assert!(differ(&with(&|r| r[1].value = None)), "no value");
        assert!(differ(&with(&|r| r[1].key = Some(b"3".to_vec()))), "key");
        assert!(differ(&with(&|r| r[1].timestamp = 6)), "time");
        assert!(differ(&with(&|r| r[1].headers.clear())), "headers");
        assert!(differ(&with(&|r| drop(r.pop()))), "lost");
        assert!(differ(&with(&|r| r.push(written("9", "1")))), "one more");
        assert!(differ(&with(&|r| r[1].topic = "other".to_owned())), "topic");
        let failed = Outcome {
            failed: Some("x".to_owned()),
            ..outcome(base())
        };
        assert!(differ(&failed), "end");
        let other = Outcome {
            describe: "Topologies: none".to_owned(),
            ..outcome(base())
        };
        assert!(differ(&other), "topology");
    }
}
