//! What a feed says: topics, keys, fields, times, and how much of it is bad on purpose.

use serde_json::Value;

use super::reader::{At, Reader};
use crate::manifest::{Problem, parse_document};

/// A declared generator.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Decides every record.
    pub seed: u64,
    /// Records a second over all topics.
    pub rate: f64,
    /// The first record's timestamp, milliseconds since 1970; `None`: now.
    pub start: Option<i64>,
    /// How many times faster event time runs than the clock at the declared rate.
    pub speed: f64,
    /// What is written where.
    pub topics: Vec<Topic>,
}

/// Records of one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// Full name.
    pub name: String,
    /// Partitions that it is created with.
    pub partitions: i32,
    /// Its part of the rate, relative to the other topics'.
    pub share: f64,
    /// The keys.
    pub key: KeySpec,
    /// The value's fields, in order.
    pub fields: Vec<(String, Field)>,
    /// Late records.
    pub late: Vec<Late>,
    /// Bad records: what, and the share of it.
    pub bad: Vec<(Bad, f64)>,
}

/// Keys are a prefix and a number; small numbers come more often.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySpec {
    /// In front of the number.
    pub prefix: String,
    /// How many there are.
    pub count: usize,
    /// The exponent of Zipf's law; 0: all are as likely.
    pub skew: f64,
}

/// A generated field.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Between two bounds.
    Uniform { from: f64, to: f64, decimals: usize },
    /// Around a mean.
    Normal { mean: f64, deviation: f64, decimals: usize },
    /// One of these, as JSON.
    Choice(Vec<String>),
    /// Rising numbers.
    Sequence { from: i64 },
    /// A random UUID.
    Uuid,
    /// Always this, as JSON.
    Constant(String),
    /// The record's timestamp, as text.
    Timestamp,
}

/// A share of records whose timestamps lie back by up to so much.
#[derive(Clone, Debug, PartialEq)]
pub struct Late {
    /// Of all records, 0 to 1.
    pub share: f64,
    /// Milliseconds, at least.
    pub from_ms: i64,
    /// Milliseconds, at most.
    pub to_ms: i64,
}

/// What can be wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// The value is cut off: no JSON.
    Malformed,
    /// There is no value.
    NullValue,
    /// There is no key.
    NullKey,
    /// Numbers become negative.
    Negative,
    /// The timestamp is -1.
    NegativeTimestamp,
}

const BAD: [(&str, Bad); 5] = [
    ("malformed", Bad::Malformed),
    ("nullValue", Bad::NullValue),
    ("nullKey", Bad::NullKey),
    ("negative", Bad::Negative),
    ("negativeTimestamp", Bad::NegativeTimestamp),
];

const ANY: (f64, f64) = (f64::MIN, f64::MAX);

impl Feed {
    /// Reads a feed.
    ///
    /// # Errors
    /// Everything that is wrong with it, located.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let document = parse_document(file, text)?;
        let mut reader = Reader {
            source: &document.source,
            problems: Vec::new(),
        };
        let root = At {
            path: String::new(),
            value: &document.value,
        };
        reader.map(&root, &["seed", "rate", "start", "speed", "topics"]);
        let feed = Self {
            seed: reader.number_or(&root, "seed", (0.0, 9e15), 1.0) as u64,
            rate: reader.number_or(&root, "rate", (1.0, 1e9), 20_000.0),
            start: start(&mut reader, &root),
            speed: reader.number_or(&root, "speed", (0.001, 1e6), 1.0),
            topics: match reader.get(&root, "topics", true) {
                Some(topics) => reader
                    .list(&topics)
                    .iter()
                    .filter_map(|at| topic(&mut reader, at))
                    .collect(),
                None => Vec::new(),
            },
        };
        if reader.problems.is_empty() {
            Ok(feed)
        } else {
            Err(reader.problems)
        }
    }
}

fn start(reader: &mut Reader<'_>, root: &At<'_>) -> Option<i64> {
    let at = reader.get(root, "start", false)?;
    let text = reader.text(&at)?;
    if text == "now" {
        return None;
    }
    match chrono::DateTime::parse_from_rfc3339(&text) {
        Ok(time) => Some(time.timestamp_millis()),
        Err(_) => {
            let hint = Some("write now, or a time as 2026-01-01T00:00:00Z".to_owned());
            reader.problem(&at.path, false, format!("{text} is no time"), hint);
            None
        }
    }
}

fn topic(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Topic> {
    reader.map(at, &["topic", "partitions", "share", "key", "value", "late", "bad"])?;
    let name = reader.get(at, "topic", true).and_then(|name| reader.text(&name));
    let key = reader.get(at, "key", true).and_then(|key| key_spec(reader, &key));
    let fields = match reader.get(at, "value", true) {
        Some(fields) => reader.list(&fields).iter().filter_map(|at| field(reader, at)).collect(),
        None => Vec::new(),
    };
    let late = match reader.get(at, "late", false) {
        Some(late) => reader
            .list(&late)
            .iter()
            .filter_map(|at| late_spec(reader, at))
            .collect(),
        None => Vec::new(),
    };
    let bad = reader
        .get(at, "bad", false)
        .map(|bad| bad_shares(reader, &bad))
        .unwrap_or_default();
    Some(Topic {
        name: name?,
        partitions: reader.number_or(at, "partitions", (1.0, 1000.0), 4.0) as i32,
        share: reader.number_or(at, "share", (0.0, f64::MAX), 1.0),
        key: key?,
        fields,
        late,
        bad,
    })
}

fn key_spec(reader: &mut Reader<'_>, at: &At<'_>) -> Option<KeySpec> {
    reader.map(at, &["prefix", "count", "skew"])?;
    let prefix = match reader.get(at, "prefix", false) {
        Some(prefix) => reader.text(&prefix)?,
        None => "user-".to_owned(),
    };
    Some(KeySpec {
        prefix,
        count: reader.number_or(at, "count", (1.0, 1e7), 1000.0) as usize,
        skew: reader.number_or(at, "skew", (0.0, 10.0), 0.0),
    })
}

fn late_spec(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Late> {
    reader.map(at, &["share", "from", "to"])?;
    let share = reader
        .get(at, "share", true)
        .and_then(|share| reader.number(&share, 0.0, 1.0));
    let to = reader.get(at, "to", true).and_then(|to| reader.duration(&to));
    let from = match reader.get(at, "from", false) {
        Some(from) => reader.duration(&from)?,
        None => 0,
    };
    Some(Late {
        share: share?,
        from_ms: from,
        to_ms: to?.max(from),
    })
}

fn bad_shares(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<(Bad, f64)> {
    reader.map(at, &BAD.map(|(name, _)| name));
    let shares = BAD.map(|(name, bad)| (bad, reader.number_or(at, name, (0.0, 1.0), 0.0)));
    shares.into_iter().filter(|(_, share)| *share > 0.0).collect()
}

/// `- name: {uniform: ..}`, or a bare word.
fn field(reader: &mut Reader<'_>, at: &At<'_>) -> Option<(String, Field)> {
    let Value::Object(map) = at.value else {
        reader.problem(&at.path, false, "a field is a map of its name to how it is made", None);
        return None;
    };
    let mut entries = map.iter();
    let (Some((name, value)), None) = (entries.next(), entries.next()) else {
        let hint = Some("each is an item of its own, so that their order is kept".to_owned());
        reader.problem(
            &at.path,
            false,
            format!("a field has one name, and here are {}", map.len()),
            hint,
        );
        return None;
    };
    let at = At {
        path: crate::manifest::join(&at.path, name),
        value,
    };
    let known = [
        "uniform",
        "normal",
        "choice",
        "sequence",
        "uuid",
        "constant",
        "timestamp",
    ];
    let made = match value {
        Value::String(word) if word == "uuid" => Field::Uuid,
        Value::String(word) if word == "sequence" => Field::Sequence { from: 0 },
        Value::String(word) if word == "timestamp" => Field::Timestamp,
        Value::String(word) => {
            reader.problem(
                &at.path,
                false,
                format!("there is no generator {word}"),
                Some(format!("there are {}", known.join(", "))),
            );
            return None;
        }
        _ => {
            let map = reader.map(&at, &known)?;
            let kind = known.iter().find(|kind| map.contains_key(**kind))?;
            let inner = reader.get(&at, kind, true)?;
            generator(reader, kind, &inner)?
        }
    };
    Some((name.clone(), made))
}

fn generator(reader: &mut Reader<'_>, kind: &str, at: &At<'_>) -> Option<Field> {
    Some(match kind {
        "uniform" => {
            reader.map(at, &["from", "to", "decimals"])?;
            let from = reader.number_or(at, "from", ANY, 0.0);
            let to = reader
                .get(at, "to", true)
                .and_then(|to| reader.number(&to, from, f64::MAX))?;
            Field::Uniform {
                from,
                to,
                decimals: decimals(reader, at),
            }
        }
        "normal" => {
            reader.map(at, &["mean", "deviation", "decimals"])?;
            let mean = reader
                .get(at, "mean", true)
                .and_then(|mean| reader.number(&mean, f64::MIN, f64::MAX))?;
            let deviation = reader.number_or(at, "deviation", (0.0, f64::MAX), 1.0);
            Field::Normal {
                mean,
                deviation,
                decimals: decimals(reader, at),
            }
        }
        "choice" => {
            let items: Vec<String> = reader.list(at).iter().map(|at| at.value.to_string()).collect();
            if items.is_empty() {
                return None;
            }
            Field::Choice(items)
        }
        "sequence" => {
            reader.map(at, &["from"])?;
            Field::Sequence {
                from: reader.number_or(at, "from", (-9e15, 9e15), 0.0) as i64,
            }
        }
        "constant" => Field::Constant(at.value.to_string()),
        "timestamp" => Field::Timestamp,
        _ => Field::Uuid,
    })
}

fn decimals(reader: &mut Reader<'_>, at: &At<'_>) -> usize {
    reader.number_or(at, "decimals", (0.0, 15.0), 2.0) as usize
}
