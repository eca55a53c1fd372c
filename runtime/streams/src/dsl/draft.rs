//! What all streams and tables of one builder write to: the plan so far, the code of its nodes, and what went wrong.

use std::any::{TypeId, type_name};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use millrace_topology::{Builder, FunctionId, NodeId, OnError, Repartition, SourceSpec, Stream};

use super::error::BuildFault;
use super::options::Consumed;
use crate::node::NodeTable;
use crate::serde::Serde;

/// A draft as its streams share it.
pub(super) type SharedDraft = Rc<RefCell<Draft>>;

/// The types that a source's records were read into.
struct Types {
    ids: (TypeId, TypeId),
    names: String,
}

impl Types {
    fn of<K: 'static, V: 'static>() -> Self {
        Self {
            ids: (TypeId::of::<K>(), TypeId::of::<V>()),
            names: format!("{}, {}", type_name::<K>(), type_name::<V>()),
        }
    }
}

/// An application under construction.
#[derive(Default)]
pub(super) struct Draft {
    pub builder: Builder,
    pub nodes: NodeTable,
    pub processing: BTreeMap<NodeId, OnError>,
    pub faults: Vec<BuildFault>,
    /// Whether the application was taken out.
    pub built: bool,
    functions: u32,
    sources: HashMap<NodeId, Types>,
    /// Timestamp extractors by their address, so that two reads by clones of one `Consumed` are the same read.
    extractors: HashMap<usize, FunctionId>,
}

impl Draft {
    /// An empty draft; or the mark that the application was taken out.
    pub fn new(builder: Builder, built: bool) -> Self {
        Self {
            builder,
            built,
            ..Self::default()
        }
    }

    /// The id of a new function.
    pub fn function(&mut self) -> FunctionId {
        let id = FunctionId(self.functions);
        self.functions += 1;
        id
    }

    /// Reads topics. A further read of the same topics is the first one's node; its types must be the first one's, too.
    pub fn source<K: 'static, V: 'static>(
        &mut self,
        topics: Vec<String>,
        consumed: Consumed<K, V>,
    ) -> Result<Stream, BuildFault> {
        let timestamp = consumed.timestamp.as_ref().map(|extractor| {
            let address = Arc::as_ptr(extractor).cast::<()>() as usize;
            match self.extractors.get(&address) {
                Some(known) => *known,
                None => {
                    let id = self.function();
                    self.extractors.insert(address, id);
                    id
                }
            }
        });
        let topic = topics.first().cloned().unwrap_or_default();
        let spec = SourceSpec {
            topics,
            key: consumed.key.format(),
            value: consumed.value.format(),
            timestamp,
            start_from: consumed.start_from,
            on_error: consumed.on_error,
        };
        let stream = self.builder.stream(spec)?;
        let types = Types::of::<K, V>();
        if stream.is_reread() {
            let first = &self.sources[&stream.node()];
            if first.ids != types.ids {
                return Err(BuildFault::DifferentTypes {
                    topic,
                    first: first.names.clone(),
                    second: types.names,
                });
            }
        } else {
            self.sources.insert(stream.node(), types);
            self.nodes
                .source(stream.node(), consumed.key, consumed.value, consumed.timestamp);
        }
        Ok(stream)
    }

    /// The code of the nodes around a repartition topic.
    pub fn repartition<K: 'static, V: 'static>(
        &mut self,
        nodes: Repartition,
        key: &Arc<dyn Serde<K>>,
        value: &Arc<dyn Serde<V>>,
    ) {
        self.nodes.repartition_filter::<K, V>(nodes.filter);
        self.nodes.sink(nodes.sink, Arc::clone(key), Arc::clone(value));
        self.nodes
            .source(nodes.source, Arc::clone(key), Arc::clone(value), None);
    }
}

/// Makes a call on the draft; what it finds wrong is kept, and what would come of it is nothing.
pub(super) fn attempt<T>(draft: &SharedDraft, call: impl FnOnce(&mut Draft) -> Result<T, BuildFault>) -> Option<T> {
    let mut draft = draft.borrow_mut();
    assert!(
        !draft.built,
        "the application is built already: add all steps before StreamsBuilder::build"
    );
    match call(&mut draft) {
        Ok(made) => Some(made),
        Err(fault) => {
            draft.faults.push(fault);
            None
        }
    }
}
