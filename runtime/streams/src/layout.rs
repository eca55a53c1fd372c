//! The plan under an application id: full topic names, and what a task of each sub-topology consists of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_kafka::assignor::TaskId;
use millrace_state::{StoreConfig, StoreKind as StateKind};
use millrace_topology::{
    Changelog, NodeId, NodeKind, OnError, Plan, StartFrom, StoreId, StoreKind, SubtopologyId, TopicName,
};

/// One topic that a sub-topology reads.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub topic: Arc<str>,
    pub node: NodeId,
    pub on_error: Option<OnError>,
    pub start_from: Option<StartFrom>,
    /// A repartition topic: ours to purge, and its timestamps are never doubted.
    pub internal: bool,
}

/// One store of a sub-topology.
#[derive(Clone, Debug)]
pub(crate) struct LocalStore {
    pub id: StoreId,
    pub config: StoreConfig,
    pub caching: bool,
    pub windowed: bool,
    /// The changelog's full name.
    pub changelog: Option<Arc<str>>,
}

/// What a task of a sub-topology consists of.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub nodes: Vec<NodeId>,
    pub inputs: Vec<Input>,
    pub stores: Vec<LocalStore>,
    pub outputs: Vec<(NodeId, Arc<str>)>,
}

/// The whole plan under its application id.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub application_id: String,
    pub parts: BTreeMap<u32, Part>,
}

impl Layout {
    pub(crate) fn new(plan: &Plan, application_id: &str) -> Self {
        let parts = plan
            .subtopologies
            .iter()
            .map(|part| (part.id.0, Part::new(plan, part.id, application_id)))
            .collect();
        Self {
            application_id: application_id.to_owned(),
            parts,
        }
    }

    pub(crate) fn part(&self, task: TaskId) -> &Part {
        &self.parts[&task.subtopology]
    }

    /// `<state.dir>/<application.id>/<task>`.
    pub(crate) fn task_dir(&self, state_dir: &Path, task: TaskId) -> PathBuf {
        state_dir.join(&self.application_id).join(task.to_string())
    }

    /// Topics of the user that are read.
    pub(crate) fn source_topics(&self) -> Vec<Arc<str>> {
        let inputs = self.parts.values().flat_map(|part| &part.inputs);
        dedup(
            inputs
                .filter(|input| !input.internal)
                .map(|input| Arc::clone(&input.topic)),
        )
    }

    /// Repartition topics.
    pub(crate) fn repartition_topics(&self) -> Vec<Arc<str>> {
        let inputs = self.parts.values().flat_map(|part| &part.inputs);
        dedup(
            inputs
                .filter(|input| input.internal)
                .map(|input| Arc::clone(&input.topic)),
        )
    }

    /// Topics of the user that are written.
    pub(crate) fn sink_topics(&self) -> Vec<Arc<str>> {
        let internal = self.repartition_topics();
        let outputs = self.parts.values().flat_map(|part| &part.outputs);
        dedup(
            outputs
                .map(|(_, topic)| Arc::clone(topic))
                .filter(|topic| !internal.contains(topic)),
        )
    }
}

fn dedup(topics: impl Iterator<Item = Arc<str>>) -> Vec<Arc<str>> {
    let mut topics: Vec<_> = topics.collect();
    topics.sort();
    topics.dedup();
    topics
}

impl Part {
    fn new(plan: &Plan, id: SubtopologyId, application_id: &str) -> Self {
        let full = |topic: &TopicName| -> (Arc<str>, bool) {
            match topic {
                TopicName::User(name) => (name.as_str().into(), false),
                TopicName::Internal(name) => (format!("{application_id}-{name}").into(), true),
            }
        };
        let nodes = plan.subtopologies[id.0 as usize].nodes.clone();
        let (mut inputs, mut outputs, mut stores) = (Vec::new(), Vec::new(), Vec::<LocalStore>::new());
        for node in nodes.iter().map(|id| &plan.nodes[id.0 as usize]) {
            match &node.kind {
                NodeKind::Source(source) => inputs.extend(source.topics.iter().map(|topic| {
                    let (topic, internal) = full(topic);
                    Input {
                        topic,
                        node: node.id,
                        on_error: source.on_error,
                        start_from: source.start_from,
                        internal,
                    }
                })),
                NodeKind::Sink(sink) => outputs.push((node.id, full(&sink.topic).0)),
                NodeKind::Processor(_) => {}
            }
            for store in &node.stores {
                if stores.iter().all(|known| known.id != *store) {
                    stores.push(local_store(plan, *store, application_id));
                }
            }
        }
        Self {
            nodes,
            inputs,
            stores,
            outputs,
        }
    }
}

fn local_store(plan: &Plan, id: StoreId, application_id: &str) -> LocalStore {
    let store = &plan.stores[id.0 as usize];
    let kind = match store.kind {
        StoreKind::KeyValue => StateKind::KeyValue,
        StoreKind::Window { size_ms, retention_ms } => StateKind::Window { size_ms, retention_ms },
    };
    let changelog = store
        .changelog
        .as_ref()
        .map(|_: &Changelog| format!("{application_id}-{}-changelog", store.name).into());
    LocalStore {
        id,
        config: StoreConfig {
            name: store.name.clone(),
            kind,
            logged: changelog.is_some(),
        },
        caching: store.caching,
        windowed: matches!(store.kind, StoreKind::Window { .. }),
        changelog,
    }
}
