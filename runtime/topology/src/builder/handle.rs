//! What the builder's calls give back: cheap values that know their node.

use std::sync::Arc;

use crate::{NodeId, StoreId};

/// A stream of records at one place of the graph.
#[derive(Clone, Debug)]
pub struct Stream {
    pub(super) node: NodeId,
    pub(super) key_changed: bool,
    pub(super) sources: Arc<[NodeId]>,
    pub(super) repartition: Option<Repartition>,
    pub(super) reread: Option<u32>,
}

impl Stream {
    /// The node that gives the records; for [`crate::Builder::repartition`] the source behind the topic.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Whether the key may have changed since the records were last partitioned, so that grouping by key repartitions first.
    pub fn key_changed(&self) -> bool {
        self.key_changed
    }

    /// The source nodes of this sub-topology that the records come from, by id.
    pub fn sources(&self) -> &[NodeId] {
        &self.sources
    }

    /// The nodes that [`crate::Builder::repartition`] made, on its own result only.
    pub fn repartition(&self) -> Option<Repartition> {
        self.repartition
    }

    /// Whether this is a further read of topics that an earlier call reads: the node is the earlier one's, and so is what the caller
    /// registered for it. Only on the result of [`crate::Builder::stream`].
    pub fn is_reread(&self) -> bool {
        self.reread.is_some()
    }
}

/// A table at one place of the graph, windowed or not.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) node: NodeId,
    pub(super) store: Option<StoreId>,
    pub(super) windowed: bool,
    pub(super) sources: Arc<[NodeId]>,
    pub(super) repartition: Option<Repartition>,
}

impl Table {
    /// The node that gives the changes.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The store that holds it; `None` after a step that keeps nothing.
    pub fn store(&self) -> Option<StoreId> {
        self.store
    }

    /// Whether its keys are windowed.
    pub fn windowed(&self) -> bool {
        self.windowed
    }

    /// The source nodes of this sub-topology that the changes come from, by id.
    pub fn sources(&self) -> &[NodeId] {
        &self.sources
    }

    /// The nodes that [`crate::Builder::aggregate`] put before the aggregation because the key had changed, on its own result only.
    pub fn repartition(&self) -> Option<Repartition> {
        self.repartition
    }
}

/// The three nodes around a repartition topic. All carry the formats of the repartitioned records; the caller registers
/// serializers under `sink` and deserializers under `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repartition {
    /// Where records leave the upstream part; drops null keys.
    pub filter: NodeId,
    /// Writes the topic.
    pub sink: NodeId,
    /// Reads the topic, in another sub-topology unless both are connected elsewhere.
    pub source: NodeId,
}
