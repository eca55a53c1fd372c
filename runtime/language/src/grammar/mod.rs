//! `spec.topology` as typed data: what is written, decoded and located, before its meaning is looked at.
//!
//! Decoded by hand, so that every mistake has a path, and all of them are found. What did not decode is `None` in the tree, and
//! said in the diagnostics; the rest is there, so that lowering finds the mistakes in it too.

mod aggregate;
mod duration;
mod names;
mod pipelines;
mod reader;
mod steps;
mod text;
mod topics;

use std::collections::BTreeMap;

use millrace_topology::{OnError, StartFrom, Window};
use serde_json::Value;

use crate::diagnostic::Diagnostics;

pub(crate) use names::nearest;
pub(crate) use reader::join;

/// A value and its JSON path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// Its JSON path.
    pub path: String,
    /// The value.
    pub value: T,
}

/// An expression, not yet compiled, with its place.
pub type ExpressionText = Located<String>;

/// All of `spec.topology`.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// Declared topics, sorted by short name.
    pub topics: Vec<Topic>,
    /// Pipelines in order.
    pub pipelines: Vec<Pipeline>,
    /// Whether stateful steps may go unnamed.
    pub allow_automatic_names: bool,
}

/// A declared topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// JSON path.
    pub path: String,
    /// The name used in the manifest.
    pub short: String,
    /// The name in Kafka.
    pub name: String,
    /// Format of the keys, as written.
    pub key: Located<String>,
    /// Format of the values, as written.
    pub value: Located<String>,
    /// Takes the timestamp out of the record.
    pub timestamp: Option<ExpressionText>,
    /// Where it is read from without committed offset.
    pub start_from: Option<StartFrom>,
    /// Of deserialization.
    pub on_error: Option<OnError>,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// JSON path.
    pub path: String,
    /// Its name.
    pub name: String,
    /// What it reads; several are merged.
    pub from: Vec<Origin>,
    /// Whether all of `from` decoded.
    pub from_is_whole: bool,
    /// Of processing, for its steps.
    pub on_error: Option<OnError>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Where its result goes; empty if only other pipelines read it.
    pub to: Vec<Target>,
    /// Whether all of `to` decoded.
    pub to_is_whole: bool,
}

/// What a pipeline reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A topic, by its short name, as a stream.
    Topic(Located<String>),
    /// Another pipeline's result.
    Pipeline(Located<String>),
}

/// Where a result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The topic's short name.
    pub topic: Located<String>,
    /// `key: windowed`: the key is written with its window, as Java does.
    pub windowed_key: bool,
}

/// A step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// JSON path with the operator, e.g. `spec.topology.pipelines[0].steps[0].filter`.
    pub path: String,
    /// The operator as written.
    pub word: String,
    /// `None`: it did not decode.
    pub operator: Option<Operator>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// `filter`, `filterNot`.
    Filter {
        /// Over key, value and the record's context.
        predicate: ExpressionText,
        /// `filterNot`.
        negate: bool,
    },
    /// `map`.
    Map {
        /// The new key.
        key: ExpressionText,
        /// The new value.
        value: Output,
    },
    /// `mapValues`.
    MapValues(Output),
    /// `selectKey`.
    SelectKey(ExpressionText),
    /// `repartition`.
    Repartition(Repartition),
    /// `aggregate`.
    Aggregate(Aggregate),
    /// `toStream`.
    ToStream,
}

/// A new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The expression's value.
    Expression(ExpressionText),
    /// An object of exactly these fields.
    Fields(Vec<Field>),
    /// The value's fields, and these: a field that is there is replaced in its place.
    Add(Vec<Field>),
    /// The value's fields without these.
    Drop(Vec<Located<String>>),
}

/// A field of an object and where its value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub expression: ExpressionText,
}

/// `repartition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repartition {
    /// Names the topic.
    pub name: Option<String>,
    /// The new key; `None`: the key as it is.
    pub by: Option<ExpressionText>,
    /// Partitions of the topic.
    pub partitions: Option<i32>,
}

/// `aggregate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Names store, changelog and repartition topic.
    pub name: Option<String>,
    /// The grouping key; `None`: the record's key.
    pub by: Option<ExpressionText>,
    /// `None`: over all time.
    pub window: Option<Window>,
    /// Output fields, each one aggregate call.
    pub fields: Vec<Field>,
    /// How long the store keeps a window, milliseconds; `None`: Java's default.
    pub retention_ms: Option<i64>,
    /// Topic configs of the changelog.
    pub changelog: BTreeMap<String, String>,
    /// Whether updates may wait in the record cache.
    pub cache: bool,
}

/// Decodes `spec.topology`; `path` is where it stands.
pub fn decode(topology: &Value, path: &str) -> (Topology, Diagnostics) {
    let mut report = Diagnostics::default();
    let at = reader::At {
        value: topology,
        path: path.to_owned(),
    };
    let topology = pipelines::topology(&at, &mut report);
    (topology, report)
}
