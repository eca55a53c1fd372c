//! What an application is made of, as pure data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A node of the plan: its index in [`Plan::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub u32);

/// A store of the plan: its index in [`Plan::stores`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StoreId(pub u32);

/// A sub-topology: its index in [`Plan::subtopologies`], which is Java's number too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubtopologyId(pub u32);

/// A user's function: an index into the table that the caller keeps beside the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionId(pub u32);

/// The name of a key or value format, e.g. `string`, `json`, `long`, `windowed(string)`: for people, diffs and the binder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FormatName(pub String);

/// A whole application. Every id indexes the list it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// All nodes.
    pub nodes: Vec<Node>,
    /// All state stores.
    pub stores: Vec<Store>,
    /// Repartition topics, by the order in which they were asked for.
    pub repartition_topics: Vec<RepartitionTopic>,
    /// Connected parts; each becomes one task per partition.
    pub subtopologies: Vec<Subtopology>,
}

/// One step of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its place in [`Plan::nodes`].
    pub id: NodeId,
    /// Its name as `describe` prints it, e.g. `KSTREAM-FILTER-0000000001`.
    pub name: String,
    /// What it does.
    pub kind: NodeKind,
    /// Nodes that feed it.
    pub predecessors: Vec<NodeId>,
    /// Nodes that it feeds.
    pub successors: Vec<NodeId>,
    /// The stores it reads or writes.
    pub stores: Vec<StoreId>,
    /// The part it belongs to.
    pub subtopology: SubtopologyId,
}

/// What a node does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeKind {
    /// Reads topics.
    Source(Source),
    /// Works on records.
    Processor(Operation),
    /// Writes a topic.
    Sink(Sink),
}

/// A topic by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TopicName {
    /// A topic of the user, by its full name.
    User(String),
    /// A repartition topic: `<application.id>-<this>`; this ends in `-repartition`.
    Internal(String),
}

/// What happens to a record that cannot be read or processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OnError {
    /// The application stops and names the record.
    Fail,
    /// The record is dropped, with a warning and a metric.
    Continue,
    /// The record goes to the dead-letter topic.
    DeadLetter,
}

/// Where a topic without committed offset is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StartFrom {
    /// Its start.
    Earliest,
    /// Its end.
    Latest,
}

/// A node that reads topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Topics read, at least one; more than one are one source node (Java: `stream(Collection)`).
    pub topics: Vec<TopicName>,
    /// Format of the keys.
    pub key: FormatName,
    /// Format of the values.
    pub value: FormatName,
    /// Takes the timestamp out of the record; `None`: `default.timestamp.extractor`.
    pub timestamp: Option<FunctionId>,
    /// `None`: `auto.offset.reset`.
    pub start_from: Option<StartFrom>,
    /// Of deserialization; `None`: `deserialization.exception.handler`.
    pub on_error: Option<OnError>,
}

/// A node that writes a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sink {
    /// The topic.
    pub topic: TopicName,
    /// Format of the keys.
    pub key: FormatName,
    /// Format of the values.
    pub value: FormatName,
}

/// A node that works on records. Function ids index the caller's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// `KStream.filter`, `filterNot`: (key, value) -> bool.
    Filter {
        /// The predicate.
        predicate: FunctionId,
        /// Keeps what does not match.
        negate: bool,
    },
    /// `KStream.map`: (key, value) -> (key, value).
    Map {
        /// The function.
        function: FunctionId,
    },
    /// `KStream.map` that takes the plain key out of a windowed key; no user function.
    UnwindowKey,
    /// `KStream.mapValues`: (key, value) -> value.
    MapValues {
        /// The function.
        function: FunctionId,
    },
    /// `KStream.selectKey`: (key, value) -> key.
    SelectKey {
        /// The function.
        function: FunctionId,
    },
    /// `KStream.merge`: passes on.
    Merge,
    /// The filter that Java puts before a repartition sink when it groups: drops null keys.
    RepartitionFilter,
    /// `KGroupedStream.aggregate`, windowed or not. Its store is the node's only one.
    Aggregate {
        /// Initial value and adder.
        function: FunctionId,
        /// `None`: over all time.
        window: Option<Window>,
        /// The store.
        store: StoreId,
    },
    /// `KTable.filter`, `filterNot`: tombstones for what is dropped.
    TableFilter {
        /// The predicate.
        predicate: FunctionId,
        /// Keeps what does not match.
        negate: bool,
    },
    /// `KTable.mapValues`.
    TableMapValues {
        /// The function.
        function: FunctionId,
    },
    /// `KTable.toStream`.
    ToStream,
}

/// How time is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Window {
    /// `TimeWindows.ofSizeAndGrace`: aligned to the epoch, `[start, start + size)`.
    Tumbling {
        /// Milliseconds, from 1.
        size_ms: i64,
        /// Milliseconds, from 0.
        grace_ms: i64,
    },
}

/// A state store and its changelog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// Its place in [`Plan::stores`].
    pub id: StoreId,
    /// Its name, e.g. `user-5min-totals`.
    pub name: String,
    /// How it is laid out.
    pub kind: StoreKind,
    /// Format of the keys (of the inner keys for a window store).
    pub key: FormatName,
    /// Format of the values.
    pub value: FormatName,
    /// Whether updates may wait in the record cache.
    pub caching: bool,
    /// Its changelog `<application.id>-<name>-changelog`; `None`: not logged.
    pub changelog: Option<Changelog>,
}

/// How a store is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StoreKind {
    /// Timestamped key-value: key -> timestamp, value.
    KeyValue,
    /// Timestamped windows: (key, window start) -> timestamp, value.
    Window {
        /// Length of a window, milliseconds.
        size_ms: i64,
        /// How long a window is kept after its start, in stream time, milliseconds; at least size + grace.
        retention_ms: i64,
    },
}

/// A changelog's topic configs, as the user gave them (they win over the derived ones).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changelog {
    /// Kafka's topic config names.
    pub config: BTreeMap<String, String>,
}

/// A repartition topic: `<application.id>-<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepartitionTopic {
    /// Ends in `-repartition`.
    pub name: String,
    /// A number the user gave; `None`: the most partitions of the writing sub-topology's sources.
    pub partitions: Option<i32>,
}

/// A connected part of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtopology {
    /// Its place in [`Plan::subtopologies`].
    pub id: SubtopologyId,
    /// Its nodes, in Java's order.
    pub nodes: Vec<NodeId>,
    /// Groups of topics that must have equal partition counts.
    pub copartition_groups: Vec<Vec<TopicName>>,
}
