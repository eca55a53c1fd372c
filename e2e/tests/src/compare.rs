//! Did two applications do the same? Pure functions over what they left in their topics.
//!
//! The first argument is always the oracle's. A difference is told so that a reader finds the record: key, update, both values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::admin::Position;
use crate::json::Json;
use crate::read::Record;

/// What differs: how many things, and the first of them in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differences {
    pub count: usize,
    pub first: Vec<String>,
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} differences, the first of them:", self.count)?;
        self.first.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for Differences {}

/// How many things were compared and found equal. Check that it is as many as the test means: nothing equals nothing.
pub type Compared = Result<usize, Differences>;

#[derive(Default)]
struct Report {
    count: usize,
    first: Vec<String>,
}

impl Report {
    fn differs(&mut self, line: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < 10 {
            self.first.push(line());
        }
    }

    fn result(self, compared: usize) -> Compared {
        match self.count {
            0 => Ok(compared),
            count => Err(Differences {
                count,
                first: self.first,
            }),
        }
    }
}

/// One update as it is compared: value by meaning, time, place.
#[derive(Clone, PartialEq)]
struct Update {
    /// `Err` holds bytes that are no JSON; they are compared as they are.
    value: Option<Result<Json, Vec<u8>>>,
    timestamp: i64,
    partition: i32,
}

impl Update {
    fn of(record: &Record) -> Update {
        let value = record
            .value
            .as_ref()
            .map(|bytes| Json::parse(bytes).map_err(|_| bytes.clone()));
        Update {
            value,
            timestamp: record.timestamp,
            partition: record.partition,
        }
    }
}

impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => f.write_str("deleted")?,
            Some(Ok(json)) => write!(f, "{json:?}")?,
            Some(Err(bytes)) => write!(f, "\"{}\"", bytes.escape_ascii())?,
        }
        write!(f, " at {} in partition {}", self.timestamp, self.partition)
    }
}

type Key = Option<Vec<u8>>;

fn by_key(records: &[Record]) -> BTreeMap<Key, Vec<Update>> {
    let mut updates: BTreeMap<Key, Vec<Update>> = BTreeMap::new();
    for record in records {
        updates.entry(record.key.clone()).or_default().push(Update::of(record));
    }
    updates
}

/// A key in words; of a windowed changelog key (`key | start | sequence`) the parts cannot be told from the bytes alone, so the bytes are shown.
fn show(key: &Key) -> String {
    match key {
        None => "no key".to_owned(),
        Some(bytes) => match str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => format!("key {text:?}"),
            _ => format!("key \"{}\"", bytes.escape_ascii()),
        },
    }
}

/// The key and window start of a window store's changelog key: `key | i64 start | i32 sequence`.
pub fn windowed_key(bytes: &[u8]) -> Option<(&[u8], i64)> {
    let (rest, _sequence) = bytes.split_last_chunk::<4>()?;
    let (key, start) = rest.split_last_chunk::<8>()?;
    Some((key, i64::from_be_bytes(*start)))
}

/// The last value of every key (of a changelog: of every key and window), its time and its partition. Deleted keys count as absent.
///
/// # Errors
/// The keys whose last values differ.
pub fn same_final_state(expected: &[Record], actual: &[Record]) -> Compared {
    let last = |records: &[Record]| -> BTreeMap<Key, Update> {
        let mut last = BTreeMap::new();
        for record in records {
            last.insert(record.key.clone(), Update::of(record));
        }
        last.retain(|_, update| update.value.is_some());
        last
    };
    let (expected, actual) = (last(expected), last(actual));
    let mut report = Report::default();
    for key in union(&expected, &actual) {
        match (expected.get(key), actual.get(key)) {
            (Some(e), Some(a)) if e == a => {}
            (e, a) => report.differs(|| format!("{}: expected {}, got {}", show(key), or_nothing(e), or_nothing(a))),
        }
    }
    report.result(expected.len())
}

/// Every update of every key, in order: value, time, partition. Between keys no order is compared.
///
/// # Errors
/// For each key that differs, its first differing update.
pub fn same_updates(expected: &[Record], actual: &[Record]) -> Compared {
    let total = expected.len();
    let (expected, actual) = (by_key(expected), by_key(actual));
    let mut report = Report::default();
    for key in union(&expected, &actual) {
        let e = expected.get(key).map_or(&[][..], Vec::as_slice);
        let a = actual.get(key).map_or(&[][..], Vec::as_slice);
        if e != a {
            let at = e
                .iter()
                .zip(a)
                .position(|(e, a)| e != a)
                .unwrap_or_else(|| e.len().min(a.len()));
            report.differs(|| {
                let (e_at, a_at) = (or_nothing(e.get(at)), or_nothing(a.get(at)));
                format!(
                    "{}, update {at} of {} and {}: expected {e_at}, got {a_at}",
                    show(key),
                    e.len(),
                    a.len()
                )
            });
        }
    }
    report.result(total)
}

/// The law of the record cache: per key, what was forwarded is a subsequence of all updates, and ends with the last one.
///
/// # Errors
/// For each key that breaks the law, how.
pub fn subsequence(all: &[Record], forwarded: &[Record]) -> Compared {
    let total = forwarded.len();
    let (all, forwarded) = (by_key(all), by_key(forwarded));
    let mut report = Report::default();
    for key in union(&all, &forwarded) {
        let all = all.get(key).map_or(&[][..], Vec::as_slice);
        let forwarded = forwarded.get(key).map_or(&[][..], Vec::as_slice);
        let mut rest = all.iter();
        if let Some(odd) = forwarded.iter().find(|update| !rest.any(|u| u == *update)) {
            report.differs(|| {
                format!(
                    "{}: forwarded {odd}, which is no update, or not in this order",
                    show(key)
                )
            });
        } else if all.last() != forwarded.last() {
            let (e, a) = (or_nothing(all.last()), or_nothing(forwarded.last()));
            report.differs(|| format!("{}: the last update is {e}, the last forwarded {a}", show(key)));
        }
    }
    report.result(total)
}

/// The partitions in which each key occurs.
///
/// # Errors
/// The keys that lie elsewhere.
pub fn same_partitions(expected: &[Record], actual: &[Record]) -> Compared {
    let places = |records: &[Record]| -> BTreeMap<Key, BTreeSet<i32>> {
        let mut places: BTreeMap<Key, BTreeSet<i32>> = BTreeMap::new();
        for record in records {
            places.entry(record.key.clone()).or_default().insert(record.partition);
        }
        places
    };
    let (expected, actual) = (places(expected), places(actual));
    let mut report = Report::default();
    for key in union(&expected, &actual) {
        if expected.get(key) != actual.get(key) {
            report.differs(|| {
                format!(
                    "{}: expected in {:?}, is in {:?}",
                    show(key),
                    expected.get(key),
                    actual.get(key)
                )
            });
        }
    }
    report.result(expected.len())
}

/// The settings of a topic.
///
/// # Errors
/// The settings that differ, or that only one has.
pub fn same_configs(expected: &BTreeMap<String, String>, actual: &BTreeMap<String, String>) -> Compared {
    let mut report = Report::default();
    for key in union(expected, actual) {
        if expected.get(key) != actual.get(key) {
            report.differs(|| format!("{key}: expected {:?}, is {:?}", expected.get(key), actual.get(key)));
        }
    }
    report.result(expected.len())
}

/// Committed offsets and partition times. The names of further times are each engine's own.
///
/// # Errors
/// The partitions that differ.
pub fn same_positions(expected: &BTreeMap<i32, Position>, actual: &BTreeMap<i32, Position>) -> Compared {
    let mut report = Report::default();
    for partition in union(expected, actual) {
        let place = |p: Option<&Position>| p.map(|p| (p.offset, p.partition_time));
        let (e, a) = (place(expected.get(partition)), place(actual.get(partition)));
        if e != a {
            report.differs(|| format!("partition {partition}: expected (offset, time) {e:?}, is {a:?}"));
        }
    }
    report.result(expected.len())
}

fn union<'a, K: Ord, V, W>(a: &'a BTreeMap<K, V>, b: &'a BTreeMap<K, W>) -> BTreeSet<&'a K> {
    a.keys().chain(b.keys()).collect()
}

fn or_nothing(update: Option<&Update>) -> String {
    update.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &str, timestamp: i64) -> Record {
        let key = Some(key.as_bytes().to_vec());
        let value = (!value.is_empty()).then(|| value.as_bytes().to_vec());
        Record {
            partition: 0,
            offset: 0,
            key,
            value,
            timestamp,
            headers: Vec::new(),
        }
    }

    fn script() -> Vec<Record> {
        vec![
            record("a", r#"{"total":1,"count":1}"#, 10),
            record("b", r#"{"total":2.5,"count":1}"#, 11),
            record("a", r#"{"total":3,"count":2}"#, 12),
            record("a", r#"{"total":4,"count":3}"#, 13),
        ]
    }

    /// Every way in which a record can differ, planted into the last update of `a`.
    fn planted() -> Vec<(&'static str, Vec<Record>)> {
        let with = |change: &dyn Fn(&mut Vec<Record>)| {
            let mut records = script();
            change(&mut records);
            records
        };
        vec![
            (
                "value",
                with(&|r| r[3].value = Some(br#"{"total":5,"count":3}"#.to_vec())),
            ),
            (
                "kind of number",
                with(&|r| r[3].value = Some(br#"{"total":4.0,"count":3}"#.to_vec())),
            ),
            (
                "order of fields",
                with(&|r| r[3].value = Some(br#"{"count":3,"total":4}"#.to_vec())),
            ),
            ("broken value", with(&|r| r[3].value = Some(b"{".to_vec()))),
            ("no value", with(&|r| r[3].value = None)),
            ("timestamp", with(&|r| r[3].timestamp = 14)),
            ("partition", with(&|r| r[3].partition = 1)),
            ("key", with(&|r| r[3].key = Some(b"c".to_vec()))),
            ("no key", with(&|r| r[3].key = None)),
            ("lost", with(&|r| drop(r.pop()))),
            (
                "one more",
                with(&|r| r.push(record("a", r#"{"total":9,"count":4}"#, 15))),
            ),
        ]
    }

    #[test]
    fn equal_is_equal_whatever_the_spacing_and_the_order_between_keys() {
        let mut other = script();
        other.swap(0, 1);
        other[0].value = Some(br#"{ "total" : 25e-1, "count" : 1 }"#.to_vec());
        for compare in [same_final_state, same_updates, same_partitions, subsequence] {
            compare(&script(), &other).unwrap();
        }
        assert_eq!(same_updates(&script(), &other), Ok(4));
        assert_eq!(same_final_state(&script(), &other), Ok(2));
    }

    #[test]
    fn every_planted_difference_is_found() {
        for (what, other) in planted() {
            assert!(same_updates(&script(), &other).is_err(), "updates: {what}");
            assert!(same_final_state(&script(), &other).is_err(), "final state: {what}");
            assert!(subsequence(&script(), &other).is_err(), "subsequence: {what}");
        }
        let mut twice = script();
        twice.push(twice[3].clone());
        assert!(
            same_updates(&script(), &twice).is_err(),
            "a duplicate is an update too many"
        );
        assert!(subsequence(&script(), &twice).is_err(), "a duplicate is no subsequence");
    }

    #[test]
    fn a_difference_says_where() {
        let mut other = script();
        other[2].timestamp = 99;
        let differences = same_updates(&script(), &other).unwrap_err();
        assert_eq!(differences.count, 1);
        assert!(
            differences.first[0].starts_with("key \"a\", update 1 of 3 and 3: expected {\"total\": 3"),
            "{differences}"
        );
    }

    #[test]
    fn a_cache_may_skip_updates_but_not_reorder_or_lose_the_last() {
        let all = script();
        assert_eq!(subsequence(&all, &[all[1].clone(), all[3].clone()]), Ok(2));
        assert_eq!(
            subsequence(&all, &[all[1].clone(), all[0].clone(), all[3].clone()]),
            Ok(3)
        );
        assert!(
            subsequence(&all, &[all[1].clone(), all[2].clone(), all[0].clone(), all[3].clone()]).is_err(),
            "order"
        );
        assert!(subsequence(&all, &[all[1].clone(), all[2].clone()]).is_err(), "last");
        assert!(subsequence(&all, &[all[3].clone()]).is_err(), "b");
    }

    #[test]
    fn partitions_configs_and_positions_that_differ_are_found() {
        let mut moved = script();
        moved[1].partition = 3;
        assert!(same_partitions(&script(), &moved).is_err());

        let configs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (a, b) = (configs(&[("x", "1")]), configs(&[("x", "2")]));
        assert_eq!(same_configs(&a, &a), Ok(1));
        assert!(same_configs(&a, &b).is_err() && same_configs(&a, &configs(&[])).is_err());
        assert!(same_configs(&a, &configs(&[("x", "1"), ("y", "1")])).is_err());

        let position = |offset, partition_time, processor_times: BTreeMap<String, i64>| {
            BTreeMap::from([(
                0,
                Position {
                    offset,
                    partition_time,
                    processor_times,
                },
            )])
        };
        let ours = BTreeMap::from([("ours".to_owned(), 5)]);
        assert_eq!(
            same_positions(
                &position(1, Some(2), BTreeMap::new()),
                &position(1, Some(2), ours.clone())
            ),
            Ok(1)
        );
        assert!(same_positions(&position(1, Some(2), ours.clone()), &position(1, Some(3), ours.clone())).is_err());
        assert!(same_positions(&position(1, Some(2), ours.clone()), &position(2, Some(2), ours.clone())).is_err());
        assert!(same_positions(&position(1, Some(2), ours.clone()), &position(1, None, ours.clone())).is_err());
        assert!(same_positions(&position(1, Some(2), ours), &BTreeMap::new()).is_err());
    }

    #[test]
    fn windowed_keys_come_apart() {
        let bytes = [b"user".as_slice(), &300_000_i64.to_be_bytes(), &0_i32.to_be_bytes()].concat();
        assert_eq!(windowed_key(&bytes), Some((b"user".as_slice(), 300_000)));
        assert_eq!(windowed_key(b"short"), None);
    }
}
