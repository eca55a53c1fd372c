//! An application: a plan, and the code of its nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_topology::{NodeId, OnError, Plan};

use crate::node::NodeTable;

/// A plan with the code of its nodes: what an [`crate::Instance`] runs. Cheap to clone.
#[derive(Clone)]
pub struct Application {
    pub(crate) plan: Arc<Plan>,
    pub(crate) nodes: Arc<NodeTable>,
    pub(crate) processing: Arc<BTreeMap<NodeId, OnError>>,
}

impl Application {
    /// Joins a plan and its code. `processing` says, for nodes that differ from `processing.exception.handler`, what happens to records
    /// that they fail on.
    ///
    /// # Panics
    /// If a node of the plan has no code: a defect of the builder.
    #[must_use]
    pub fn new(plan: Plan, nodes: NodeTable, processing: BTreeMap<NodeId, OnError>) -> Self {
        let missing = nodes.missing(&plan);
        assert!(missing.is_empty(), "nodes without code: {}", missing.join(", "));
        Self {
            plan: Arc::new(plan),
            nodes: Arc::new(nodes),
            processing: Arc::new(processing),
        }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}
