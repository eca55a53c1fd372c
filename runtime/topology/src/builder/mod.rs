//! The one untyped builder. It names, numbers and orders nodes exactly as Kafka Streams 4.3 does (`InternalStreamsBuilder`,
//! `InternalTopologyBuilder`).
//!
//! Java builds a graph first and writes it to the topology by build priority, which is the order of the calls, because a node is
//! always added after its parents. So nodes are written here at once, and a [`NodeId`] is final when a call returns it.

mod checks;
mod finish;
mod handle;
mod spec;

use std::collections::HashMap;
use std::sync::Arc;

pub use handle::{Repartition, Stream, Table};
pub use spec::{AggregateSpec, RepartitionSpec, SinkSpec, SourceSpec};

use self::checks::store_kind;
use crate::naming::{looks_generated, repartition_name, validate_name};
use crate::{
    Error, FormatName, FunctionId, NodeId, NodeKind, Operation, Plan, RepartitionTopic, Sink, Source, Store, StoreId,
    TopicName,
};

/// Builds a [`Plan`] call by call. See the crate's example.
///
/// Handles belong to the builder that gave them; with another's they panic or give a senseless graph.
#[derive(Debug)]
pub struct Builder {
    allow_automatic_names: bool,
    /// Java's one counter, which every generated name takes a number of, used or not.
    counter: u64,
    nodes: Vec<Draft>,
    node_names: HashMap<String, NodeId>,
    stores: Vec<Store>,
    repartition_topics: Vec<RepartitionTopic>,
    /// The source that reads a user's topic.
    readers: HashMap<String, NodeId>,
    rereads: u32,
    /// Sources that must be copartitioned, as asked for.
    copartitioned: Vec<Vec<NodeId>>,
}

/// A node before the whole graph is known.
#[derive(Debug)]
struct Draft {
    name: String,
    kind: NodeKind,
    parents: Vec<Parent>,
    stores: Vec<StoreId>,
}

#[derive(Clone, Copy, Debug)]
struct Parent {
    node: NodeId,
    /// Set if the parent is a further read of topics: Java moves such parents to the end when it merges sources.
    reread: Option<u32>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// An empty application; automatic names are allowed, as in Java.
    pub fn new() -> Self {
        Self {
            allow_automatic_names: true,
            counter: 0,
            nodes: Vec::new(),
            node_names: HashMap::new(),
            stores: Vec::new(),
            repartition_topics: Vec::new(),
            readers: HashMap::new(),
            rereads: 0,
            copartitioned: Vec::new(),
        }
    }

    /// Whether stores and repartition topics may go unnamed. If not, each that does is an [`Error::AutomaticName`]: such a name
    /// changes whenever a step is added before it, and the state is lost.
    #[must_use]
    pub fn allow_automatic_names(mut self, allow: bool) -> Self {
        self.allow_automatic_names = allow;
        self
    }

    /// Reads topics: `StreamsBuilder.stream`. Several topics are one source node.
    ///
    /// Reading the same topics again gives the earlier source node (Java merges them when it builds); see [`Stream::is_reread`].
    ///
    /// # Errors
    /// Illegal topic names; topics that an earlier source reads together with others, or with other formats or settings.
    pub fn stream(&mut self, spec: SourceSpec) -> Result<Stream, Error> {
        let mut topics: Vec<String> = Vec::with_capacity(spec.topics.len());
        for topic in spec.topics {
            validate_name("topic", &topic)?;
            if self.repartition_topics.iter().any(|known| known.name == topic) {
                return Err(Error::DuplicateName {
                    what: "topic",
                    name: topic,
                });
            }
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        if topics.is_empty() {
            return Err(Error::NoTopics);
        }
        let source = Source {
            topics: topics.iter().cloned().map(TopicName::User).collect(),
            key: spec.key,
            value: spec.value,
            timestamp: spec.timestamp,
            start_from: spec.start_from,
            on_error: spec.on_error,
        };
        if let Some(known) = topics.iter().find_map(|topic| self.readers.get(topic)).copied() {
            self.check_same_read(known, &source)?;
            self.next_name("KSTREAM-SOURCE-");
            self.rereads += 1;
            let sources = Arc::from([known]);
            return Ok(Stream {
                node: known,
                key_changed: false,
                sources,
                repartition: None,
                reread: Some(self.rereads),
            });
        }
        let name = self.next_name("KSTREAM-SOURCE-");
        let node = self.add(name, NodeKind::Source(source), Vec::new(), Vec::new());
        for topic in topics {
            self.readers.insert(topic, node);
        }
        Ok(Stream {
            node,
            key_changed: false,
            sources: Arc::from([node]),
            repartition: None,
            reread: None,
        })
    }

    /// `KStream.filter`, or `filterNot` with `negate`.
    pub fn filter(&mut self, stream: &Stream, predicate: FunctionId, negate: bool) -> Stream {
        self.step(stream, "KSTREAM-FILTER-", Operation::Filter { predicate, negate })
    }

    /// `KStream.map`; the key counts as changed.
    pub fn map(&mut self, stream: &Stream, function: FunctionId) -> Stream {
        let mapped = self.step(stream, "KSTREAM-MAP-", Operation::Map { function });
        Stream {
            key_changed: true,
            ..mapped
        }
    }

    /// `KStream.map` that takes the plain key out of a windowed one; the key counts as changed.
    pub fn unwindow_key(&mut self, stream: &Stream) -> Stream {
        let mapped = self.step(stream, "KSTREAM-MAP-", Operation::UnwindowKey);
        Stream {
            key_changed: true,
            ..mapped
        }
    }

    /// `KStream.mapValues`.
    pub fn map_values(&mut self, stream: &Stream, function: FunctionId) -> Stream {
        self.step(stream, "KSTREAM-MAPVALUES-", Operation::MapValues { function })
    }

    /// `KStream.selectKey`; the key counts as changed. With [`Builder::aggregate`] after it, this is `groupBy`.
    pub fn select_key(&mut self, stream: &Stream, function: FunctionId) -> Stream {
        let selected = self.step(stream, "KSTREAM-KEY-SELECT-", Operation::SelectKey { function });
        Stream {
            key_changed: true,
            ..selected
        }
    }

    /// `stream.merge(other)`.
    pub fn merge(&mut self, stream: &Stream, other: &Stream) -> Stream {
        let name = self.next_name("KSTREAM-MERGE-");
        let node = self.add(
            name,
            NodeKind::Processor(Operation::Merge),
            vec![parent(stream), parent(other)],
            Vec::new(),
        );
        let mut sources: Vec<NodeId> = stream.sources.iter().chain(&*other.sources).copied().collect();
        sources.sort_unstable();
        sources.dedup();
        let key_changed = stream.key_changed || other.key_changed;
        Stream {
            node,
            key_changed,
            sources: Arc::from(sources),
            repartition: None,
            reread: None,
        }
    }

    /// `KStream.repartition`: through a topic of its own, always.
    ///
    /// # Errors
    /// An illegal or taken name, no name where automatic names are not allowed, fewer than 1 partition.
    pub fn repartition(&mut self, stream: &Stream, spec: RepartitionSpec) -> Result<Stream, Error> {
        let automatic = generated("KSTREAM-REPARTITION-", self.counter);
        let (prefix, numbers) = match spec.name {
            Some(name) => (name, self.counter),
            None => {
                self.refuse_automatic(&automatic, "repartition topic", &repartition_name(&automatic))?;
                (automatic, self.counter + 1)
            }
        };
        self.check_repartition(&prefix, spec.partitions)?;
        self.counter = numbers;
        let repartition = self.add_repartition(parent(stream), &prefix, spec.partitions, spec.key, spec.value);
        Ok(Stream {
            node: repartition.source,
            key_changed: false,
            sources: Arc::from([repartition.source]),
            repartition: Some(repartition),
            reread: None,
        })
    }

    /// `KStream.groupByKey(..).aggregate(..)`, with windows `windowedBy(..)` between them. A changed key goes through a repartition
    /// topic first, named after [`AggregateSpec::repartition`] or the store.
    ///
    /// # Errors
    /// Illegal or taken names, no name where automatic names are not allowed, windows or retention that cannot be.
    pub fn aggregate(&mut self, stream: &Stream, spec: AggregateSpec) -> Result<Table, Error> {
        let (store_name, operator) = match &spec.name {
            Some(name) => (name.clone(), generated("KSTREAM-AGGREGATE-", self.counter)),
            None => (
                generated("KSTREAM-AGGREGATE-STATE-STORE-", self.counter),
                generated("KSTREAM-AGGREGATE-", self.counter + 1),
            ),
        };
        if spec.name.is_none() {
            self.refuse_automatic(&operator, "store", &store_name)?;
        }
        validate_name("store", &store_name)?;
        if self.stores.iter().any(|store| store.name == store_name) {
            return Err(Error::DuplicateName {
                what: "store",
                name: store_name,
            });
        }
        let kind = store_kind(&store_name, spec.window, spec.retention_ms)?;
        let prefix = spec.repartition.as_deref().unwrap_or(&store_name);
        if stream.key_changed {
            self.check_repartition(prefix, None)?;
        }

        // From here on nothing fails.
        self.counter += if spec.name.is_some() { 1 } else { 2 };
        let mut from = parent(stream);
        let mut sources = Arc::clone(&stream.sources);
        let mut repartition = None;
        if stream.key_changed {
            let nodes = self.add_repartition(from, prefix, None, spec.key.clone(), spec.value);
            from = Parent {
                node: nodes.source,
                reread: None,
            };
            sources = Arc::from([nodes.source]);
            repartition = Some(nodes);
        }
        let store = StoreId(index(self.stores.len()));
        self.stores.push(Store {
            id: store,
            name: store_name,
            kind,
            key: spec.key,
            value: spec.stored,
            caching: spec.caching,
            changelog: spec.changelog,
        });
        let operation = Operation::Aggregate {
            function: spec.function,
            window: spec.window,
            store,
        };
        let node = self.add(operator, NodeKind::Processor(operation), vec![from], vec![store]);
        Ok(Table {
            node,
            store: Some(store),
            windowed: spec.window.is_some(),
            sources,
            repartition,
        })
    }

    /// `KTable.filter`, or `filterNot` with `negate`; keeps nothing itself.
    pub fn table_filter(&mut self, table: &Table, predicate: FunctionId, negate: bool) -> Table {
        self.table_step(table, "KTABLE-FILTER-", Operation::TableFilter { predicate, negate })
    }

    /// `KTable.mapValues`; keeps nothing itself.
    pub fn table_map_values(&mut self, table: &Table, function: FunctionId) -> Table {
        self.table_step(table, "KTABLE-MAPVALUES-", Operation::TableMapValues { function })
    }

    /// `KTable.toStream`; the key counts as unchanged.
    pub fn to_stream(&mut self, table: &Table) -> Stream {
        let Table { node, sources, .. } = self.table_step(table, "KTABLE-TOSTREAM-", Operation::ToStream);
        Stream {
            node,
            key_changed: false,
            sources,
            repartition: None,
            reread: None,
        }
    }

    /// `KStream.to`; gives the sink's node.
    ///
    /// # Errors
    /// An illegal topic name.
    pub fn to(&mut self, stream: &Stream, spec: SinkSpec) -> Result<NodeId, Error> {
        validate_name("topic", &spec.topic)?;
        let sink = Sink {
            topic: TopicName::User(spec.topic),
            key: spec.key,
            value: spec.value,
        };
        let name = self.next_name("KSTREAM-SINK-");
        Ok(self.add(name, NodeKind::Sink(sink), vec![parent(stream)], Vec::new()))
    }

    /// Asks that the streams' sources have equal partition counts, as a join of them needs; adds no node.
    pub fn copartition(&mut self, streams: &[&Stream]) {
        let mut sources: Vec<NodeId> = streams
            .iter()
            .flat_map(|stream| stream.sources.iter().copied())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        self.copartitioned.push(sources);
    }

    /// The name of a node, as `describe` will print it.
    ///
    /// # Panics
    /// If the node is not of this builder.
    pub fn node_name(&self, node: NodeId) -> &str {
        &self.nodes[node.0 as usize].name
    }

    /// The finished plan; node and store ids are those that the calls gave.
    ///
    /// # Errors
    /// A user's topic that has the name of a repartition topic.
    pub fn build(self) -> Result<Plan, Error> {
        finish::finish(self)
    }

    fn step(&mut self, stream: &Stream, prefix: &str, operation: Operation) -> Stream {
        let name = self.next_name(prefix);
        let node = self.add(name, NodeKind::Processor(operation), vec![parent(stream)], Vec::new());
        let sources = Arc::clone(&stream.sources);
        Stream {
            node,
            key_changed: stream.key_changed,
            sources,
            repartition: None,
            reread: None,
        }
    }

    fn table_step(&mut self, table: &Table, prefix: &str, operation: Operation) -> Table {
        let name = self.next_name(prefix);
        let from = Parent {
            node: table.node,
            reread: None,
        };
        let node = self.add(name, NodeKind::Processor(operation), vec![from], Vec::new());
        Table {
            node,
            store: None,
            windowed: table.windowed,
            sources: Arc::clone(&table.sources),
            repartition: None,
        }
    }

    /// Filter, sink and source around a repartition topic; Java takes a number for each, in the order sink, filter, source, and
    /// uses them only where the topic's name was made by it too.
    fn add_repartition(
        &mut self,
        from: Parent,
        prefix: &str,
        partitions: Option<i32>,
        key: FormatName,
        value: FormatName,
    ) -> Repartition {
        let topic = repartition_name(prefix);
        let numbered = ["KSTREAM-SINK-", "KSTREAM-FILTER-", "KSTREAM-SOURCE-"].map(|prefix| self.next_name(prefix));
        let [sink, filter, source] = if looks_generated(prefix) {
            numbered
        } else {
            ["sink", "filter", "source"].map(|role| format!("{topic}-{role}"))
        };
        self.repartition_topics.push(RepartitionTopic {
            name: topic.clone(),
            partitions,
        });
        let topic = TopicName::Internal(topic);
        let filter = self.add(
            filter,
            NodeKind::Processor(Operation::RepartitionFilter),
            vec![from],
            Vec::new(),
        );
        let sink_kind = NodeKind::Sink(Sink {
            topic: topic.clone(),
            key: key.clone(),
            value: value.clone(),
        });
        let sink = self.add(
            sink,
            sink_kind,
            vec![Parent {
                node: filter,
                reread: None,
            }],
            Vec::new(),
        );
        let read = Source {
            topics: vec![topic],
            key,
            value,
            timestamp: None,
            start_from: None,
            on_error: None,
        };
        let source = self.add(source, NodeKind::Source(read), Vec::new(), Vec::new());
        Repartition { filter, sink, source }
    }

    fn next_name(&mut self, prefix: &str) -> String {
        let name = generated(prefix, self.counter);
        self.counter += 1;
        name
    }

    fn add(&mut self, name: String, kind: NodeKind, parents: Vec<Parent>, stores: Vec<StoreId>) -> NodeId {
        let node = NodeId(index(self.nodes.len()));
        self.node_names.entry(name.clone()).or_insert(node);
        self.nodes.push(Draft {
            name,
            kind,
            parents,
            stores,
        });
        node
    }
}

fn parent(stream: &Stream) -> Parent {
    Parent {
        node: stream.node,
        reread: stream.reread,
    }
}

fn generated(prefix: &str, number: u64) -> String {
    format!("{prefix}{number:010}")
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("fewer than 2^32 nodes and stores")
}
