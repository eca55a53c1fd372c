//! The same facts as JSON, for tools.

use serde::Serialize;

use crate::{FormatName, NodeKind, Operation, Plan, Store, TopicName};

#[derive(Serialize)]
struct Description<'a> {
    subtopologies: Vec<Part<'a>>,
    stores: &'a [Store],
    repartition_topics: &'a [crate::RepartitionTopic],
}

#[derive(Serialize)]
struct Part<'a> {
    id: u32,
    nodes: Vec<Step<'a>>,
    copartition_groups: &'a [Vec<TopicName>],
}

#[derive(Serialize)]
struct Step<'a> {
    name: &'a str,
    #[serde(flatten)]
    what: What<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stores: Vec<&'a str>,
    predecessors: Vec<&'a str>,
    successors: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum What<'a> {
    Source {
        topics: Vec<&'a TopicName>,
        key: &'a FormatName,
        value: &'a FormatName,
    },
    Processor {
        operation: &'a Operation,
    },
    Sink {
        topic: &'a TopicName,
        key: &'a FormatName,
        value: &'a FormatName,
    },
}

impl Plan {
    /// The plan as indented JSON: sub-topologies with their nodes in the order in which records could meet them, stores, repartition
    /// topics. Made for tools: nodes and their stores are given by name.
    pub fn describe_json(&self) -> String {
        let names = |ids: &[crate::NodeId]| ids.iter().map(|&id| &*self.node(id).name).collect();
        let step = |id: crate::NodeId| {
            let node = self.node(id);
            let what = match &node.kind {
                NodeKind::Source(source) => What::Source {
                    topics: source.topics.iter().collect(),
                    key: &source.key,
                    value: &source.value,
                },
                NodeKind::Processor(operation) => What::Processor { operation },
                NodeKind::Sink(sink) => What::Sink {
                    topic: &sink.topic,
                    key: &sink.key,
                    value: &sink.value,
                },
            };
            Step {
                name: &node.name,
                what,
                stores: node.stores.iter().map(|&store| &*self.store(store).name).collect(),
                predecessors: names(&node.predecessors),
                successors: names(&node.successors),
            }
        };
        let subtopologies = self.subtopologies.iter().map(|part| Part {
            id: part.id.0,
            nodes: part.nodes.iter().map(|&id| step(id)).collect(),
            copartition_groups: &part.copartition_groups,
        });
        let description = Description {
            subtopologies: subtopologies.collect(),
            stores: &self.stores,
            repartition_topics: &self.repartition_topics,
        };
        serde_json::to_string_pretty(&description).expect("names, numbers and lists are JSON")
    }
}
