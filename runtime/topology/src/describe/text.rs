//! Java's text, byte for byte (`InternalTopologyBuilder.describe`).
//!
//! Nodes of a part are sorted by the size of what hangs below them, then by name. Java keeps successors in sorted sets whose
//! sizes still grow while they fill, in the order of a hash map; so their order is followed step by step.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::java_order::{TreeOrder, copied_capacity, grown_capacity, hash_order, string_hash};
use crate::{Node, NodeId, NodeKind, Plan, Subtopology};

impl Plan {
    /// The text of Java's `Topology.describe().toString()` for the same calls.
    ///
    /// Repartition topics are without the application id, as Java prints them.
    pub fn describe(&self) -> String {
        let mut text = String::from("Topologies:\n ");
        for subtopology in &self.subtopologies {
            let _ = writeln!(text, "  Sub-topology: {}", subtopology.id.0);
            let drawn = Drawn::new(self, subtopology);
            for &position in &drawn.sorted {
                drawn.write(&mut text, position);
            }
            text.push('\n');
        }
        text
    }
}

/// A part with Java's orders. Positions are indexes of [`Subtopology::nodes`].
struct Drawn<'a> {
    plan: &'a Plan,
    nodes: Vec<&'a Node>,
    sorted: Vec<usize>,
    predecessors: Vec<TreeOrder>,
    successors: Vec<TreeOrder>,
}

impl<'a> Drawn<'a> {
    fn new(plan: &'a Plan, subtopology: &Subtopology) -> Self {
        let nodes: Vec<&Node> = subtopology.nodes.iter().map(|&id| plan.node(id)).collect();
        let position = |id: NodeId| {
            subtopology
                .nodes
                .binary_search(&id)
                .expect("predecessors are in the same part")
        };
        // Java's int, which wraps.
        let mut sizes = vec![1i32; nodes.len()];
        let mut predecessors: Vec<TreeOrder> = nodes.iter().map(|_| TreeOrder::default()).collect();
        let mut successors: Vec<TreeOrder> = nodes.iter().map(|_| TreeOrder::default()).collect();
        let mut linked: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];

        let mut order: Vec<usize> = (0..nodes.len()).collect();
        hash_order(&mut order, grown_capacity(nodes.len()), |&at| {
            string_hash(&nodes[at].name)
        });
        for &node in &order {
            for &predecessor in &nodes[node].predecessors {
                let predecessor = position(predecessor);
                predecessors[node].insert(predecessor, |a, b| compare(&nodes, &sizes, a, b));
                successors[predecessor].insert(node, |a, b| compare(&nodes, &sizes, a, b));
                linked[node].push(predecessor);
                let by = sizes[node];
                grow(&mut sizes, &linked, predecessor, by);
            }
        }
        let mut sorted: Vec<usize> = (0..nodes.len()).collect();
        sorted.sort_by(|&a, &b| compare(&nodes, &sizes, a, b));
        Self {
            plan,
            nodes,
            sorted,
            predecessors,
            successors,
        }
    }

    fn write(&self, text: &mut String, position: usize) {
        let node = self.nodes[position];
        let name = &node.name;
        // Writing to a String cannot fail.
        let _ = match &node.kind {
            NodeKind::Source(source) => {
                let mut topics: Vec<&str> = source.topics.iter().map(|topic| topic.plain()).collect();
                hash_order(&mut topics, copied_capacity(source.topics.len()), |topic| {
                    string_hash(topic)
                });
                writeln!(text, "    Source: {name} (topics: [{}])", topics.join(", "))
            }
            NodeKind::Processor(_) => {
                let mut stores: Vec<&str> = node.stores.iter().map(|&id| &*self.plan.store(id).name).collect();
                hash_order(&mut stores, grown_capacity(node.stores.len()), |store| {
                    string_hash(store)
                });
                writeln!(text, "    Processor: {name} (stores: [{}])", stores.join(", "))
            }
            NodeKind::Sink(sink) => writeln!(text, "    Sink: {name} (topic: {})", sink.topic.plain()),
        };
        if !matches!(node.kind, NodeKind::Sink(_)) {
            let _ = writeln!(text, "      --> {}", self.names(&self.successors[position]));
        }
        if !matches!(node.kind, NodeKind::Source(_)) {
            let _ = writeln!(text, "      <-- {}", self.names(&self.predecessors[position]));
        }
    }

    fn names(&self, positions: &TreeOrder) -> String {
        let names: Vec<&str> = positions.items().into_iter().map(|at| &*self.nodes[at].name).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    }
}

/// Larger first, then by name.
fn compare(nodes: &[&Node], sizes: &[i32], a: usize, b: usize) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    if sizes[a] != sizes[b] {
        return sizes[b].wrapping_sub(sizes[a]).cmp(&0);
    }
    nodes[a].name.cmp(&nodes[b].name)
}

/// Adds `by` to a node and, once for every path, to all that are linked above it. Predecessors have lower positions, so one sweep
/// downwards does what Java does by walking every path.
fn grow(sizes: &mut [i32], linked: &[Vec<usize>], node: usize, by: i32) {
    let mut additions = vec![0i32; node + 1];
    additions[node] = by;
    for at in (0..=node).rev() {
        let addition = additions[at];
        if addition != 0 {
            sizes[at] = sizes[at].wrapping_add(addition);
            for &above in &linked[at] {
                additions[above] = additions[above].wrapping_add(addition);
            }
        }
    }
}
