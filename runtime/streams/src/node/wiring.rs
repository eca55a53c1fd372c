//! From the plan to running nodes: factories that all tasks share, and the wiring of one task.
//!
//! Edges are typed: a factory asks for its children by their types, and the typed builders only ever register factories that fit. A mismatch is a
//! defect of a builder and panics when the first task is made, never on the record path.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use millrace_topology::{NodeId, NodeKind, Operation, Plan, StoreId, StoreKind, Window};

use super::aggregate::{Aggregate, Aggregator, Flush, Handle, Keying, PerWindow, Plain};
use super::sink::Sink;
use super::source::{InputReader, Reader, TimestampFn};
use super::stateless::{Filter, Map, MapValues, Pass, RepartitionFilter, SelectKey, UnwindowKey};
use super::table::{TableFilter, TableMapValues, ToStream};
use super::{Change, Children, Edge, KeyValueFn, PredicateFn, Process, ValueFn};
use crate::Windowed;
use crate::serde::Serde;
use crate::task::{OutputTopic, StoreSlot};

type Factory = Box<dyn Fn(NodeId, &mut Wiring<'_>) -> Box<dyn Any> + Send + Sync>;
type ReaderFactory = Box<dyn Fn(NodeId, &mut Wiring<'_>) -> Box<dyn Fn() -> Box<dyn InputReader>> + Send + Sync>;

/// The code of a plan's nodes, by their ids. Shared by all tasks.
#[derive(Default)]
pub struct NodeTable {
    nodes: BTreeMap<NodeId, Factory>,
    sources: BTreeMap<NodeId, ReaderFactory>,
}

impl NodeTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn node<K: 'static, V: 'static, N: Process<K, V> + 'static>(
        &mut self,
        id: NodeId,
        make: impl Fn(NodeId, &mut Wiring<'_>) -> N + Send + Sync + 'static,
    ) {
        self.nodes.insert(
            id,
            Box::new(move |id, wiring| {
                let node: Box<dyn Process<K, V>> = Box::new(make(id, wiring));
                Box::new(node)
            }),
        );
    }

    /// A source and its formats; `timestamp` takes the time out of the record.
    pub fn source<K: 'static, V: 'static>(
        &mut self,
        id: NodeId,
        key: Arc<dyn Serde<K>>,
        value: Arc<dyn Serde<V>>,
        timestamp: Option<TimestampFn<K, V>>,
    ) {
        self.sources.insert(
            id,
            Box::new(move |id, wiring| {
                let children = Rc::new(RefCell::new(wiring.children::<K, V>(id)));
                let (key, value, timestamp) = (Arc::clone(&key), Arc::clone(&value), timestamp.clone());
                Box::new(move || {
                    Box::new(Reader {
                        id,
                        key_serde: Arc::clone(&key),
                        value_serde: Arc::clone(&value),
                        timestamp: timestamp.clone(),
                        key: None,
                        value: None,
                        children: Rc::clone(&children),
                    })
                })
            }),
        );
    }

    /// A sink and its formats.
    pub fn sink<K: 'static, V: 'static>(&mut self, id: NodeId, key: Arc<dyn Serde<K>>, value: Arc<dyn Serde<V>>) {
        self.node(id, move |id, wiring| {
            let (topic, topic_name) = wiring.output(id);
            Sink {
                id,
                topic,
                topic_name,
                key_serde: Arc::clone(&key),
                value_serde: Arc::clone(&value),
                key_buffer: Vec::new(),
                value_buffer: Vec::new(),
            }
        });
    }

    /// `filter` or `filterNot`.
    pub fn filter<K: 'static, V: 'static>(&mut self, id: NodeId, predicate: PredicateFn<K, V>, negate: bool) {
        self.node(id, move |id, wiring| Filter {
            id,
            predicate: Arc::clone(&predicate),
            negate,
            children: wiring.children::<K, V>(id),
        });
    }

    /// `map`.
    pub fn map<K: 'static, V: 'static, K2: 'static, V2: 'static>(
        &mut self,
        id: NodeId,
        function: KeyValueFn<K, V, K2, V2>,
    ) {
        self.node(id, move |id, wiring| Map {
            id,
            function: Arc::clone(&function),
            children: wiring.children(id),
        });
    }

    /// `mapValues`.
    pub fn map_values<K: 'static, V: 'static, V2: 'static>(&mut self, id: NodeId, function: ValueFn<K, V, V2>) {
        self.node(id, move |id, wiring| MapValues {
            id,
            function: Arc::clone(&function),
            children: wiring.children(id),
        });
    }

    /// `selectKey`.
    pub fn select_key<K: 'static, V: 'static, K2: 'static>(&mut self, id: NodeId, function: ValueFn<K, V, K2>) {
        self.node(id, move |id, wiring| SelectKey {
            id,
            function: Arc::clone(&function),
            children: wiring.children(id),
        });
    }

    /// The `map` from a windowed key to the plain one.
    pub fn unwindow_key<K: 'static, V: 'static>(&mut self, id: NodeId) {
        self.node::<Windowed<K>, V, _>(id, move |id, wiring| UnwindowKey {
            children: wiring.children::<K, V>(id),
        });
    }

    /// `merge`.
    pub fn merge<K: 'static, V: 'static>(&mut self, id: NodeId) {
        self.node(id, move |id, wiring| Pass {
            children: wiring.children::<K, V>(id),
        });
    }

    /// The filter before a grouping's repartition sink.
    pub fn repartition_filter<K: 'static, V: 'static>(&mut self, id: NodeId) {
        self.node(id, move |id, wiring| RepartitionFilter {
            children: wiring.children::<K, V>(id),
        });
    }

    /// An aggregation over all time.
    pub fn aggregate<K: Clone + 'static, V: 'static, A: 'static, R: Clone + 'static>(
        &mut self,
        id: NodeId,
        key: Arc<dyn Serde<K>>,
        value: Arc<dyn Serde<A>>,
        aggregator: Arc<dyn Aggregator<K, V, A, R>>,
    ) {
        self.aggregate_by::<K, V, A, R, Plain>(id, key, value, aggregator);
    }

    /// An aggregation per window.
    pub fn aggregate_windowed<K: Clone + 'static, V: 'static, A: 'static, R: Clone + 'static>(
        &mut self,
        id: NodeId,
        key: Arc<dyn Serde<K>>,
        value: Arc<dyn Serde<A>>,
        aggregator: Arc<dyn Aggregator<K, V, A, R>>,
    ) {
        self.aggregate_by::<K, V, A, R, PerWindow>(id, key, value, aggregator);
    }

    fn aggregate_by<K: Clone + 'static, V: 'static, A: 'static, R: Clone + 'static, W: Keying<K>>(
        &mut self,
        id: NodeId,
        key: Arc<dyn Serde<K>>,
        value: Arc<dyn Serde<A>>,
        aggregator: Arc<dyn Aggregator<K, V, A, R>>,
    ) {
        self.node(id, move |id, wiring| {
            let (slot, window, store_name) = wiring.aggregation(id);
            let node = Rc::new(RefCell::new(Aggregate::<K, V, A, R, W> {
                id,
                slot,
                window,
                store_name,
                key_serde: Arc::clone(&key),
                value_serde: Arc::clone(&value),
                aggregator: Arc::clone(&aggregator),
                sends_old: wiring.sends_old(id),
                children: wiring.children(id),
                row_key: Vec::new(),
                row_value: Vec::new(),
                cached: Default::default(),
            }));
            wiring.flushers.push((id, Box::new(Handle(Rc::clone(&node)))));
            Handle(node)
        });
    }

    /// `KTable.filter` or `filterNot`.
    pub fn table_filter<K: 'static, V: Clone + 'static>(
        &mut self,
        id: NodeId,
        predicate: PredicateFn<K, V>,
        negate: bool,
    ) {
        self.node(id, move |id, wiring| TableFilter {
            id,
            predicate: Arc::clone(&predicate),
            negate,
            sends_old: wiring.sends_old(id),
            children: wiring.children::<K, Change<V>>(id),
        });
    }

    /// `KTable.mapValues`.
    pub fn table_map_values<K: 'static, V: 'static, V2: 'static>(&mut self, id: NodeId, function: ValueFn<K, V, V2>) {
        self.node(id, move |id, wiring| TableMapValues {
            id,
            function: Arc::clone(&function),
            sends_old: wiring.sends_old(id),
            children: wiring.children::<K, Change<V2>>(id),
        });
    }

    /// `KTable.toStream`.
    pub fn to_stream<K: 'static, V: 'static>(&mut self, id: NodeId) {
        self.node(id, move |id, wiring| ToStream {
            children: wiring.children::<K, V>(id),
        });
    }

    /// Nodes of the plan that have no code.
    pub(crate) fn missing(&self, plan: &Plan) -> Vec<String> {
        let has = |id: &NodeId| self.nodes.contains_key(id) || self.sources.contains_key(id);
        plan.nodes
            .iter()
            .filter(|node| !has(&node.id))
            .map(|node| node.name.clone())
            .collect()
    }
}

/// The wiring of one task's nodes.
pub struct Wiring<'a> {
    plan: &'a Plan,
    table: &'a NodeTable,
    /// Where a store stands in this task.
    slots: &'a BTreeMap<StoreId, StoreSlot>,
    /// Where a sink writes.
    outputs: &'a BTreeMap<NodeId, (OutputTopic, Arc<str>)>,
    shared: HashMap<NodeId, Box<dyn Any>>,
    flushers: Vec<(NodeId, Box<dyn Flush>)>,
}

/// A task's nodes: a maker of readers per source, and the nodes with a record cache in the order in which they are flushed.
pub(crate) struct Wired {
    pub sources: BTreeMap<NodeId, Box<dyn Fn() -> Box<dyn InputReader>>>,
    pub flushers: Vec<Box<dyn Flush>>,
}

impl<'a> Wiring<'a> {
    pub(crate) fn wire(
        plan: &'a Plan,
        table: &'a NodeTable,
        nodes: &[NodeId],
        slots: &'a BTreeMap<StoreId, StoreSlot>,
        outputs: &'a BTreeMap<NodeId, (OutputTopic, Arc<str>)>,
    ) -> Wired {
        let mut wiring = Self {
            plan,
            table,
            slots,
            outputs,
            shared: HashMap::new(),
            flushers: Vec::new(),
        };
        let mut sources = BTreeMap::new();
        for id in nodes {
            if let Some(factory) = table.sources.get(id) {
                sources.insert(*id, factory(*id, &mut wiring));
            }
        }
        // Upstream first: what a flush forwards may land in a cache further down.
        let order = topological(plan, nodes);
        let mut flushers = wiring.flushers;
        flushers.sort_by_key(|(id, _)| order.iter().position(|node| node == id));
        flushers.dedup_by_key(|(id, _)| *id);
        Wired {
            sources,
            flushers: flushers.into_iter().map(|(_, flusher)| flusher).collect(),
        }
    }

    /// The children of a node, in the plan's order.
    pub(super) fn children<K: 'static, V: 'static>(&mut self, id: NodeId) -> Children<K, V> {
        let plan = self.plan;
        let edges = plan.nodes[id.0 as usize]
            .successors
            .iter()
            .map(|child| self.edge::<K, V>(*child))
            .collect();
        Children { edges }
    }

    fn edge<K: 'static, V: 'static>(&mut self, id: NodeId) -> Edge<K, V> {
        let node = &self.plan.nodes[id.0 as usize];
        if node.predecessors.len() <= 1 {
            return Edge::Own(self.make::<K, V>(id));
        }
        if let Some(shared) = self.shared.get(&id) {
            let shared = shared.downcast_ref::<Rc<RefCell<dyn Process<K, V>>>>();
            return Edge::Shared(Rc::clone(shared.unwrap_or_else(|| self.mismatch(id))));
        }
        let made: Rc<RefCell<dyn Process<K, V>>> = Rc::new(RefCell::new(Boxed(self.make::<K, V>(id))));
        self.shared.insert(id, Box::new(Rc::clone(&made)));
        Edge::Shared(made)
    }

    fn make<K: 'static, V: 'static>(&mut self, id: NodeId) -> Box<dyn Process<K, V>> {
        let Some(factory) = self.table.nodes.get(&id) else {
            panic!("node {} of the plan has no code", self.plan.nodes[id.0 as usize].name);
        };
        let made = factory(id, self);
        *made
            .downcast::<Box<dyn Process<K, V>>>()
            .unwrap_or_else(|_| self.mismatch(id))
    }

    fn mismatch(&self, id: NodeId) -> ! {
        panic!(
            "node {} is wired to a parent of another type",
            self.plan.nodes[id.0 as usize].name
        )
    }

    /// Whether old values of a table's node are asked for: by a filter, or by one behind a mapValues (`enableSendingOldValues`).
    fn sends_old(&self, id: NodeId) -> bool {
        let node = |id: NodeId| &self.plan.nodes[id.0 as usize];
        node(id).successors.iter().any(|child| match &node(*child).kind {
            NodeKind::Processor(Operation::TableFilter { .. }) => true,
            NodeKind::Processor(Operation::TableMapValues { .. }) => self.sends_old(*child),
            _ => false,
        })
    }

    fn output(&self, id: NodeId) -> (OutputTopic, Arc<str>) {
        self.outputs[&id].clone()
    }

    fn aggregation(&self, id: NodeId) -> (StoreSlot, Option<(i64, i64)>, Arc<str>) {
        let NodeKind::Processor(Operation::Aggregate { window, store, .. }) = &self.plan.nodes[id.0 as usize].kind
        else {
            panic!("node {} is no aggregation", self.plan.nodes[id.0 as usize].name)
        };
        let spec = &self.plan.stores[store.0 as usize];
        debug_assert_eq!(window.is_some(), matches!(spec.kind, StoreKind::Window { .. }));
        let window = window.map(|Window::Tumbling { size_ms, grace_ms }| (size_ms, grace_ms));
        (self.slots[store], window, spec.name.as_str().into())
    }
}

struct Boxed<K, V>(Box<dyn Process<K, V>>);

impl<K, V> Process<K, V> for Boxed<K, V> {
    fn process(
        &mut self,
        record: crate::Record<'_, K, V>,
        context: &mut crate::task::Context<'_>,
    ) -> crate::Result<()> {
        self.0.process(record, context)
    }
}

fn topological(plan: &Plan, nodes: &[NodeId]) -> Vec<NodeId> {
    let mut order = Vec::with_capacity(nodes.len());
    let mut pending: Vec<NodeId> = nodes.to_vec();
    while !pending.is_empty() {
        let (ready, rest): (Vec<_>, Vec<_>) = pending.iter().copied().partition(|id| {
            plan.nodes[id.0 as usize]
                .predecessors
                .iter()
                .all(|parent| !pending.contains(parent))
        });
        assert!(!ready.is_empty(), "a plan has no cycles");
        order.extend(ready);
        pending = rest;
    }
    order
}
