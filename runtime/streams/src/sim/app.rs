//! The application of a history: some branches on one input, each with a topic of its own to write to.

use std::time::Duration;

use bytes::Bytes;

use crate::dsl::{Consumed, Grouped, KStream, Materialized, Produced, StreamsBuilder, TimeWindows};
use crate::serde::{Serde, StringSerde, TimeWindowedSerde};
use crate::{Application, BoxError};

/// The windows' size.
pub(super) const WINDOW_MS: i64 = 10_000;
/// The value that deletes its key's row.
const DELETES: i64 = 7;

/// What is done with the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Branch {
    /// The seed's: a filter, and sum and count per key and ten seconds.
    Windows,
    /// Sum and count per key; some values delete the row.
    Keys,
    /// Sum and count per class of keys, through a repartition topic.
    Classes,
    /// The highest count of each class's keys: two stores, with a repartition topic between them.
    Tops,
    /// No state: every value doubled.
    Copies,
}

impl Branch {
    pub(super) const ALL: [Self; 5] = [Self::Windows, Self::Keys, Self::Classes, Self::Tops, Self::Copies];

    /// The topic it writes.
    pub(super) fn output(self) -> &'static str {
        match self {
            Self::Windows => "out-windows",
            Self::Keys => "out-keys",
            Self::Classes => "out-classes",
            Self::Tops => "out-tops",
            Self::Copies => "out-copies",
        }
    }

    /// Whether records go through a repartition topic.
    pub(super) fn repartitions(self) -> bool {
        matches!(self, Self::Classes | Self::Tops)
    }
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct App {
    pub branches: Vec<Branch>,
    /// Of each input topic.
    pub partitions: i32,
    /// Two input topics instead of one.
    pub is_merged: bool,
}

impl App {
    pub(super) fn inputs(&self) -> &'static [&'static str] {
        if self.is_merged { &["in-a", "in-b"] } else { &["in-a"] }
    }

    /// Late records are dropped with one input only: with two, which records are late depends on how they are interleaved.
    fn grace(&self) -> Duration {
        Duration::from_secs(if self.is_merged { 100_000 } else { 0 })
    }

    pub(super) fn build(&self) -> Application {
        let mut builder = StreamsBuilder::new();
        let input: KStream<String, i64> = builder.stream(self.inputs().to_vec(), Consumed::with(StringSerde, Number));
        for branch in &self.branches {
            match branch {
                Branch::Windows => self.windows(&input),
                Branch::Keys => keys(&input),
                Branch::Classes => classes(&input),
                Branch::Tops => tops(&input),
                Branch::Copies => input
                    .map_values(|_, value| value.map(|value| value * 2))
                    .to(Branch::Copies.output(), Produced::with(StringSerde, Number)),
            }
        }
        builder.build().unwrap_or_else(|error| panic!("{error}"))
    }

    fn windows(&self, input: &KStream<String, i64>) {
        input
            .filter(|_, value| value.is_none_or(|value| *value > 0))
            .group_by_key(Grouped::with(StringSerde, Number))
            .windowed_by(TimeWindows::of_size_and_grace(
                Duration::from_millis(WINDOW_MS as u64),
                self.grace(),
            ))
            .aggregate(
                Totals::default,
                |_, value, totals| totals.plus(value.copied().unwrap_or_default()),
                Materialized::named("windows").with_value_serde(Number),
            )
            .to_stream()
            .to(
                Branch::Windows.output(),
                Produced::with(TimeWindowedSerde::new(StringSerde, WINDOW_MS), Number),
            );
    }
}

fn keys(input: &KStream<String, i64>) {
    input
        .group_by_key(Grouped::with(StringSerde, Number))
        .aggregate(
            Totals::default,
            |_, value, totals| (*value != DELETES).then(|| totals.plus(*value)),
            Materialized::named("keys").with_value_serde(Number),
        )
        .to_stream()
        .to(Branch::Keys.output(), Produced::with(StringSerde, Number));
}

fn classes(input: &KStream<String, i64>) {
    input
        .select_key(|key, _| key.map(|key| class(key)))
        .group_by_key(Grouped::with(StringSerde, Number))
        .aggregate(
            Totals::default,
            |_, value, totals| totals.plus(*value),
            Materialized::named("classes").with_value_serde(Number),
        )
        .to_stream()
        .to(Branch::Classes.output(), Produced::with(StringSerde, Number));
}

fn tops(input: &KStream<String, i64>) {
    input
        .group_by_key(Grouped::with(StringSerde, Number))
        .aggregate(
            Totals::default,
            |_, value, totals| totals.plus(*value),
            Materialized::named("counts").with_value_serde(Number),
        )
        .to_stream()
        .select_key(|key, _| key.map(|key| class(key)))
        .group_by_key(Grouped::with(StringSerde, Number))
        .aggregate(
            || 0,
            |_, totals: &Totals, top: i64| top.max(totals.count),
            Materialized::named("tops").with_value_serde(Number),
        )
        .to_stream()
        .to(Branch::Tops.output(), Produced::with(StringSerde, Number));
}

/// A key is `<topic><partition>-<letter>`; keys of one class come from one input partition, so that their order is that of the input.
fn class(key: &str) -> String {
    let (head, letter) = key.split_at(key.len() - 1);
    format!("{head}{}", if letter < "y" { "low" } else { "high" })
}

/// A sum and a count, as text `sum/count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub sum: i64,
    pub count: i64,
}

impl Totals {
    fn plus(self, value: i64) -> Self {
        Self {
            sum: self.sum + value,
            count: self.count + 1,
        }
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (sum, count) = std::str::from_utf8(text).ok()?.split_once('/')?;
        Some(Self {
            sum: sum.parse().ok()?,
            count: count.parse().ok()?,
        })
    }
}

/// Numbers as text, so that histories read well; what is no number cannot be read.
struct Number;

impl Serde<i64> for Number {
    fn deserialize(&self, _: &str, data: &Bytes) -> Result<i64, BoxError> {
        Ok(std::str::from_utf8(data)?.parse()?)
    }

    fn serialize(&self, _: &str, value: &i64, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }
}

impl Serde<Totals> for Number {
    fn deserialize(&self, _: &str, data: &Bytes) -> Result<Totals, BoxError> {
        Totals::parse(data).ok_or_else(|| "no totals".into())
    }

    fn serialize(&self, _: &str, value: &Totals, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend_from_slice(format!("{}/{}", value.sum, value.count).as_bytes());
        Ok(())
    }
}
