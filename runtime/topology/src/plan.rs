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

impl From<&str> for FormatName {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl From<String> for FormatName {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl std::fmt::Display for FormatName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A whole application. Every id indexes the list it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// All nodes, in the order of the calls: parents before children, and the order in which Java calls a node's children.
    pub nodes: Vec<Node>,
    /// All state stores.
    pub stores: Vec<Store>,
    /// Repartition topics, by the order in which they were asked for.
    pub repartition_topics: Vec<RepartitionTopic>,
    /// Connected parts; each becomes one task per partition.
    pub subtopologies: Vec<Subtopology>,
}

/// Ids index the plan's lists, so these panic for an id of another plan.
impl Plan {
    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// A store.
    pub fn store(&self, id: StoreId) -> &Store {
        &self.stores[id.0 as usize]
    }

    /// A sub-topology.
    pub fn subtopology(&self, id: SubtopologyId) -> &Subtopology {
        &self.subtopologies[id.0 as usize]
    }

    /// The source nodes of a sub-topology, in its order of nodes.
    pub fn sources(&self, id: SubtopologyId) -> impl Iterator<Item = (NodeId, &Source)> {
        self.subtopology(id)
            .nodes
            .iter()
            .filter_map(|&node| match &self.node(node).kind {
                NodeKind::Source(source) => Some((node, source)),
                NodeKind::Processor(_) | NodeKind::Sink(_) => None,
            })
    }

    /// The sinks of a sub-topology, in its order of nodes.
    pub fn sinks(&self, id: SubtopologyId) -> impl Iterator<Item = (NodeId, &Sink)> {
        self.subtopology(id)
            .nodes
            .iter()
            .filter_map(|&node| match &self.node(node).kind {
                NodeKind::Sink(sink) => Some((node, sink)),
                NodeKind::Processor(_) | NodeKind::Source(_) => None,
            })
    }

    /// The stores of a sub-topology, by id.
    pub fn stores_of(&self, id: SubtopologyId) -> impl Iterator<Item = &Store> {
        let used = move |store: &&Store| {
            self.subtopology(id)
                .nodes
                .iter()
                .any(|&node| self.node(node).stores.contains(&store.id))
        };
        self.stores.iter().filter(used)
    }

    /// The source node that reads a topic; at most one does.
    pub fn reader(&self, topic: &TopicName) -> Option<NodeId> {
        let mut sources = self.subtopologies.iter().flat_map(|part| self.sources(part.id));
        sources
            .find(|(_, source)| source.topics.contains(topic))
            .map(|(node, _)| node)
    }
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
    /// Nodes that feed it, in Java's order.
    pub predecessors: Vec<NodeId>,
    /// Nodes that it feeds, in the order in which they get a record.
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
    /// The filter that Java puts before every repartition sink, explicit or not: drops null keys (to be relaxed where only joins
    /// that keep null keys follow).
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
    /// Its nodes, by id.
    pub nodes: Vec<NodeId>,
    /// Groups of topics that must have equal partition counts, each sorted.
    pub copartition_groups: Vec<Vec<TopicName>>,
}
