//! A picture: Mermaid's flowchart.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{NodeKind, Plan, TopicName};

impl Plan {
    /// A Mermaid flowchart: a subgraph for each sub-topology, stores as cylinders, topics as stadium shapes.
    pub fn describe_mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        // Writing to a String cannot fail.
        let mut topics: BTreeMap<&TopicName, usize> = BTreeMap::new();
        let mut wires = String::new();
        for part in &self.subtopologies {
            let _ = writeln!(text, "  subgraph part{0}[\"Sub-topology {0}\"]", part.id.0);
            for &id in &part.nodes {
                let node = self.node(id);
                let _ = writeln!(text, "    n{}[\"{}\"]", id.0, node.name);
                for &store in &node.stores {
                    let _ = writeln!(text, "    s{}[(\"{}\")]", store.0, self.store(store).name);
                    let _ = writeln!(wires, "  n{} <--> s{}", id.0, store.0);
                }
                for successor in &node.successors {
                    let _ = writeln!(wires, "  n{} --> n{}", id.0, successor.0);
                }
                let (read, written): (&[TopicName], Option<&TopicName>) = match &node.kind {
                    NodeKind::Source(source) => (&source.topics, None),
                    NodeKind::Sink(sink) => (&[], Some(&sink.topic)),
                    NodeKind::Processor(_) => (&[], None),
                };
                for topic in read {
                    let count = topics.len();
                    let _ = writeln!(wires, "  t{} --> n{}", topics.entry(topic).or_insert(count), id.0);
                }
                if let Some(topic) = written {
                    let count = topics.len();
                    let _ = writeln!(wires, "  n{} --> t{}", id.0, topics.entry(topic).or_insert(count));
                }
            }
            text.push_str("  end\n");
        }
        let mut topics: Vec<(usize, &TopicName)> = topics.into_iter().map(|(topic, number)| (number, topic)).collect();
        topics.sort_unstable();
        for (number, topic) in topics {
            let _ = writeln!(text, "  t{number}([\"{}\"])", topic.plain());
        }
        text + &wires
    }
}
