//! What is measured: one row is one application on one kind of data.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// An application and its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// Five-minute totals per user, exactly_once_v2, 10 MB of cache, a commit a second.
    Sum,
    /// The same under at_least_once.
    SumAlo,
    /// The sum with a million users: hardly a row is touched twice, so the cache does not help.
    #[value(name = "sum-1m")]
    #[serde(rename = "sum-1m")]
    Sum1m,
    /// The same under at_least_once.
    #[value(name = "sum-1m-alo")]
    #[serde(rename = "sum-1m-alo")]
    Sum1mAlo,
    /// JSON in, a predicate on one field, the same JSON out; at_least_once, a commit a second.
    Filter,
    /// The sum's state from its changelog, on an empty disk: a million users in each of two windows.
    Restore,
}

/// Different users of the rows that have many.
const MANY_KEYS: usize = 1_000_000;

impl Row {
    /// `processing.guarantee`.
    pub fn guarantee(self) -> &'static str {
        match self {
            Row::Sum | Row::Sum1m | Row::Restore => "exactly_once_v2",
            Row::SumAlo | Row::Sum1mAlo | Row::Filter => "at_least_once",
        }
    }

    /// Different users in its input; `usual` where it says nothing of its own.
    pub fn keys(self, usual: usize) -> usize {
        match self {
            Row::Sum1m | Row::Sum1mAlo => MANY_KEYS,
            _ => usual,
        }
    }

    /// Whether it counts what is processed, not what is restored.
    pub fn is_throughput(self) -> bool {
        self != Row::Restore
    }
}

/// As `--row` takes it.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no row is hidden");
        f.pad(value.get_name())
    }
}

/// Who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Kafka Streams 4.3.1.
    Java,
    /// Us.
    Millrace,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Engine::Java => "java 4.3.1",
            Engine::Millrace => "millrace",
        })
    }
}

/// The properties that both engines are given.
pub fn config(row: Row) -> [(&'static str, &'static str); 3] {
    [
        ("processing.guarantee", row.guarantee()),
        ("statestore.cache.max.bytes", "10485760"),
        ("commit.interval.ms", "1000"),
    ]
}
