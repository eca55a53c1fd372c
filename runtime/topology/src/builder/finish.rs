//! From drafts to the plan: parents, children, sub-topologies, copartition groups.

use super::{Builder, Parent};
use crate::{Error, Node, NodeId, NodeKind, Plan, Subtopology, SubtopologyId, TopicName};

pub(super) fn finish(builder: Builder) -> Result<Plan, Error> {
    let Builder {
        nodes: drafts,
        stores,
        repartition_topics,
        copartitioned,
        node_names,
        ..
    } = builder;
    for (position, draft) in drafts.iter().enumerate() {
        // Names of the user can meet generated ones only in far-fetched cases, so this is checked once, here.
        if node_names
            .get(&draft.name)
            .is_some_and(|first| first.0 as usize != position)
        {
            return Err(Error::DuplicateName {
                what: "node",
                name: draft.name.clone(),
            });
        }
        let user_topic = match &draft.kind {
            NodeKind::Sink(sink) => Some(&sink.topic),
            NodeKind::Source(_) | NodeKind::Processor(_) => None,
        };
        if let Some(TopicName::User(topic)) = user_topic
            && repartition_topics.iter().any(|known| known.name == *topic)
        {
            return Err(Error::DuplicateName {
                what: "topic",
                name: topic.clone(),
            });
        }
    }

    let mut nodes: Vec<Node> = Vec::with_capacity(drafts.len());
    for (id, draft) in (0u32..).map(NodeId).zip(drafts) {
        let predecessors = predecessors(&draft.parents);
        for parent in &predecessors {
            nodes[parent.0 as usize].successors.push(id);
        }
        let (name, kind, stores) = (draft.name, draft.kind, draft.stores);
        nodes.push(Node {
            id,
            name,
            kind,
            predecessors,
            successors: Vec::new(),
            stores,
            subtopology: SubtopologyId(0),
        });
    }
    let mut subtopologies = number(&mut nodes);
    for (subtopology, topics) in copartition_groups(&nodes, &copartitioned) {
        subtopologies[subtopology.0 as usize].copartition_groups.push(topics);
    }
    Ok(Plan {
        nodes,
        stores,
        repartition_topics,
        subtopologies,
    })
}

/// Parents in Java's order: as given, without repetition; where a source was merged into an earlier read of the same topics, that
/// parent moves to the end, in the order of the reads.
fn predecessors(parents: &[Parent]) -> Vec<NodeId> {
    let mut rereads: Vec<&Parent> = parents.iter().filter(|parent| parent.reread.is_some()).collect();
    rereads.sort_by_key(|parent| parent.reread);
    let mut result: Vec<NodeId> = Vec::with_capacity(parents.len());
    for parent in parents.iter().filter(|parent| parent.reread.is_none()).chain(rereads) {
        if !result.contains(&parent.node) {
            result.push(parent.node);
        }
    }
    result
}

/// Connected nodes, and nodes that share a store, are one sub-topology; numbered by their first node.
fn number(nodes: &mut [Node]) -> Vec<Subtopology> {
    let mut root: Vec<usize> = (0..nodes.len()).collect();
    fn find(root: &mut [usize], mut node: usize) -> usize {
        while root[node] != node {
            root[node] = root[root[node]];
            node = root[node];
        }
        node
    }
    let mut store_user: Vec<Option<usize>> = Vec::new();
    for (position, node) in nodes.iter().enumerate() {
        for parent in &node.predecessors {
            let (a, b) = (find(&mut root, position), find(&mut root, parent.0 as usize));
            root[a] = b;
        }
        for store in &node.stores {
            let store = store.0 as usize;
            store_user.resize(store_user.len().max(store + 1), None);
            let (a, b) = (
                find(&mut root, position),
                find(&mut root, *store_user[store].get_or_insert(position)),
            );
            root[a] = b;
        }
    }
    let mut number_of_root: Vec<Option<SubtopologyId>> = vec![None; nodes.len()];
    let mut subtopologies: Vec<Subtopology> = Vec::new();
    for (position, node) in nodes.iter_mut().enumerate() {
        let id = *number_of_root[find(&mut root, position)].get_or_insert_with(|| {
            let id = SubtopologyId(u32::try_from(subtopologies.len()).expect("fewer parts than nodes"));
            subtopologies.push(Subtopology {
                id,
                nodes: Vec::new(),
                copartition_groups: Vec::new(),
            });
            id
        });
        node.subtopology = id;
        subtopologies[id.0 as usize].nodes.push(node.id);
    }
    subtopologies
}

/// Groups of topics that were asked to be copartitioned, joined where they share a topic (`InternalTopologyBuilder.copartitionGroups`).
fn copartition_groups(nodes: &[Node], copartitioned: &[Vec<NodeId>]) -> Vec<(SubtopologyId, Vec<TopicName>)> {
    let mut groups: Vec<(SubtopologyId, Vec<TopicName>)> = Vec::new();
    for sources in copartitioned {
        let Some(first) = sources.first() else { continue };
        let mut topics: Vec<TopicName> = Vec::new();
        for source in sources {
            if let NodeKind::Source(source) = &nodes[source.0 as usize].kind {
                topics.extend(source.topics.iter().cloned());
            }
        }
        // Groups that share a topic are one.
        groups.retain_mut(|(_, group)| {
            let meets = group.iter().any(|topic| topics.contains(topic));
            if meets {
                topics.append(group);
            }
            !meets
        });
        topics.sort();
        topics.dedup();
        groups.push((nodes[first.0 as usize].subtopology, topics));
    }
    groups
}
