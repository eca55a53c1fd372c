//! What a plan becomes on a cluster: tasks, repartition topics and changelogs with their partition counts and configs, as Java makes
//! them (`RepartitionTopics`, `CopartitionedTopicsEnforcer`, `PartitionGrouper`, `ChangelogTopics`, `InternalTopicConfig`). Pure.

mod config;

use std::collections::BTreeMap;

pub use config::{InternalTopicSettings, changelog_config, repartition_config};

use crate::describe::java_order::{grown_capacity, hash_order, string_hash};
use crate::naming::{changelog_topic, validate_name};
use crate::{Error, Plan, Store, StoreId, StoreKind, SubtopologyId, TopicName};

/// A plan on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// All tasks, by sub-topology, then partition.
    pub tasks: Vec<Task>,
    /// Repartition topics in the plan's order, then changelogs in the order of stores.
    pub internal_topics: Vec<InternalTopic>,
}

/// One partition of a sub-topology: the unit of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The sub-topology.
    pub subtopology: SubtopologyId,
    /// The partition.
    pub partition: i32,
    /// What it reads: full topic names with this partition, in the order of source nodes. A topic with fewer partitions is not in it.
    pub sources: Vec<(String, i32)>,
    /// Its logged stores, with the full names of the changelogs; their partition is the task's.
    pub changelogs: Vec<(StoreId, String)>,
}

/// A topic that the application creates, or checks if it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    /// Its full name.
    pub name: String,
    /// What for.
    pub role: InternalTopicRole,
    /// How many partitions.
    pub partitions: i32,
    /// Its configs, by Kafka's names.
    pub config: BTreeMap<String, String>,
}

/// What an internal topic is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InternalTopicRole {
    /// Carries records from one sub-topology to another; this is the plan's name of it.
    Repartition(TopicName),
    /// The changelog of a store.
    Changelog(StoreId),
}

impl Plan {
    /// Tasks and internal topics for an application id and the partition counts of the user's topics (others may be in it).
    ///
    /// # Errors
    /// Topics that are missing, joined topics of different partition counts, names that become too long.
    pub fn layout(
        &self,
        application_id: &str,
        partitions: &BTreeMap<String, i32>,
        settings: &InternalTopicSettings,
    ) -> Result<Layout, Error> {
        validate_name("application id", application_id)?;
        for topic in &self.repartition_topics {
            validate_name(
                "repartition topic",
                &TopicName::Internal(topic.name.clone()).full(application_id),
            )?;
        }
        for store in self.stores.iter().filter(|store| store.changelog.is_some()) {
            validate_name("changelog", &changelog_topic(application_id, &store.name))?;
        }
        let mut counts = Counts::new(self, application_id, partitions)?;
        counts.derive()?;
        for group in self.subtopologies.iter().flat_map(|part| &part.copartition_groups) {
            counts.copartition(group)?;
        }
        Ok(counts.into_layout(settings))
    }
}

struct Counts<'a> {
    plan: &'a Plan,
    application_id: &'a str,
    known: BTreeMap<TopicName, i32>,
}

impl<'a> Counts<'a> {
    fn new(plan: &'a Plan, application_id: &'a str, partitions: &BTreeMap<String, i32>) -> Result<Self, Error> {
        let mut known = BTreeMap::new();
        let mut missing = BTreeMap::new();
        for part in &plan.subtopologies {
            for topic in plan.sources(part.id).flat_map(|(_, source)| &source.topics) {
                let TopicName::User(name) = topic else { continue };
                match partitions.get(name) {
                    None => _ = missing.insert(name.clone(), part.id.0),
                    Some(&partitions) if partitions < 1 => {
                        return Err(Error::Partitions {
                            topic: name.clone(),
                            partitions,
                        });
                    }
                    Some(&partitions) => _ = known.insert(topic.clone(), partitions),
                }
            }
        }
        if !missing.is_empty() {
            return Err(Error::MissingTopics { topics: missing });
        }
        for topic in &plan.repartition_topics {
            if let Some(partitions) = topic.partitions {
                known.insert(TopicName::Internal(topic.name.clone()), partitions);
            }
        }
        Ok(Self {
            plan,
            application_id,
            known,
        })
    }

    /// Gives every repartition topic the most partitions that the sources of its writers are known to have, until all have one.
    ///
    /// Where sources are repartition topics too, the result can depend on the order in which topics are looked at; Java's is the order
    /// of hash sets, which is followed, so that the topics of a running Java application fit.
    fn derive(&mut self) -> Result<(), Error> {
        let mut order: Vec<SubtopologyId> = self.plan.subtopologies.iter().map(|part| part.id).collect();
        hash_order(&mut order, grown_capacity(self.plan.subtopologies.len()), |&part| {
            self.java_hash(part)
        });
        loop {
            let mut unknown: Vec<String> = Vec::new();
            let mut progress = false;
            for &part in &order {
                for topic in self.repartition_sources(part) {
                    if self.known.contains_key(&topic) {
                        continue;
                    }
                    match self.most_upstream(&topic) {
                        Some(partitions) => {
                            self.known.insert(topic, partitions);
                            progress = true;
                        }
                        None => unknown.push(topic.full(self.application_id)),
                    }
                }
            }
            if unknown.is_empty() {
                return Ok(());
            }
            if !progress {
                unknown.sort();
                return Err(Error::UnknownPartitions { topics: unknown });
            }
        }
    }

    /// The repartition topics that a part reads, in Java's order.
    fn repartition_sources(&self, part: SubtopologyId) -> Vec<TopicName> {
        let mut topics: Vec<TopicName> = self
            .topics(part)
            .filter(|topic| matches!(topic, TopicName::Internal(_)))
            .cloned()
            .collect();
        let capacity = grown_capacity(topics.len());
        hash_order(&mut topics, capacity, |topic| {
            string_hash(&topic.full(self.application_id))
        });
        topics
    }

    fn most_upstream(&self, topic: &TopicName) -> Option<i32> {
        let writes = |part: SubtopologyId| self.plan.sinks(part).any(|(_, sink)| sink.topic == *topic);
        let writers = self
            .plan
            .subtopologies
            .iter()
            .map(|part| part.id)
            .filter(|&part| writes(part));
        writers
            .flat_map(|part| self.topics(part))
            .filter_map(|source| self.known.get(source).copied())
            .max()
    }

    fn topics(&self, part: SubtopologyId) -> impl Iterator<Item = &'a TopicName> {
        self.plan.sources(part).flat_map(|(_, source)| &source.topics)
    }

    /// User's topics of a group must agree, and its repartition topics follow them; without any, those with a number of the user must
    /// agree, else the most partitions win.
    fn copartition(&mut self, group: &[TopicName]) -> Result<(), Error> {
        let fixed = |topic: &&TopicName| match topic {
            TopicName::User(_) => true,
            TopicName::Internal(name) => self
                .plan
                .repartition_topics
                .iter()
                .any(|known| known.name == *name && known.partitions.is_some()),
        };
        let mut deciding = group.iter().filter(fixed).filter_map(|topic| self.known.get(topic));
        let count = match deciding.next() {
            Some(&first) if deciding.all(|&other| other == first) => first,
            Some(_) => {
                let topics = group.iter().filter(fixed);
                let counts = topics
                    .map(|topic| (topic.full(self.application_id), self.known[topic]))
                    .collect();
                return Err(Error::NotCopartitioned { topics: counts });
            }
            None => group
                .iter()
                .filter_map(|topic| self.known.get(topic))
                .copied()
                .max()
                .unwrap_or(1),
        };
        for topic in group {
            self.known.insert(topic.clone(), count);
        }
        Ok(())
    }

    fn into_layout(self, settings: &InternalTopicSettings) -> Layout {
        let mut tasks = Vec::new();
        let mut internal_topics: Vec<InternalTopic> = Vec::new();
        for topic in &self.plan.repartition_topics {
            let topic = TopicName::Internal(topic.name.clone());
            internal_topics.push(InternalTopic {
                name: topic.full(self.application_id),
                partitions: self.known[&topic],
                config: repartition_config(settings),
                role: InternalTopicRole::Repartition(topic),
            });
        }
        let mut changelogs: Vec<InternalTopic> = Vec::new();
        for part in &self.plan.subtopologies {
            let partitions = self.topics(part.id).map(|topic| self.known[topic]).max().unwrap_or(0);
            let logged = |store: &&Store| store.changelog.is_some();
            let stores: Vec<(StoreId, String)> = self
                .plan
                .stores_of(part.id)
                .filter(logged)
                .map(|store| (store.id, changelog_topic(self.application_id, &store.name)))
                .collect();
            for (store, name) in &stores {
                changelogs.push(InternalTopic {
                    name: name.clone(),
                    role: InternalTopicRole::Changelog(*store),
                    partitions,
                    config: changelog_config(self.plan.store(*store), settings),
                });
            }
            tasks.extend((0..partitions).map(|partition| {
                Task {
                    subtopology: part.id,
                    partition,
                    sources: self
                        .topics(part.id)
                        .filter(|&topic| partition < self.known[topic])
                        .map(|topic| (topic.full(self.application_id), partition))
                        .collect(),
                    changelogs: stores.clone(),
                }
            }));
        }
        changelogs.sort_by_key(|topic| match topic.role {
            InternalTopicRole::Changelog(store) => store.0,
            InternalTopicRole::Repartition(_) => 0,
        });
        internal_topics.extend(changelogs);
        Layout { tasks, internal_topics }
    }

    /// `InternalTopologyBuilder.TopicsInfo.hashCode`.
    fn java_hash(&self, part: SubtopologyId) -> i32 {
        let sources = self
            .topics(part)
            .map(|topic| string_hash(&topic.full(self.application_id)));
        let sources = sources.fold(0i32, i32::wrapping_add);
        let changelogs = self.plan.stores_of(part).filter_map(|store| {
            let overrides = &store.changelog.as_ref()?.config;
            let name = string_hash(&changelog_topic(self.application_id, &store.name));
            let configs = overrides
                .iter()
                .map(|(name, value)| string_hash(name) ^ string_hash(value))
                .fold(0i32, i32::wrapping_add);
            let mut fields = vec![name, configs];
            if let StoreKind::Window { retention_ms, .. } = store.kind {
                // As Long.hashCode does.
                fields.push((retention_ms ^ (retention_ms.cast_unsigned() >> 32).cast_signed()) as i32);
            }
            // Boolean.FALSE.hashCode(): its partition count is not enforced.
            fields.push(1237);
            let value = fields
                .iter()
                .fold(1i32, |hash, &field| hash.wrapping_mul(31).wrapping_add(field));
            Some(name ^ value)
        });
        let changelogs = changelogs.fold(0i32, i32::wrapping_add);
        let both = (i64::from(sources) << 32) | i64::from(changelogs);
        (both % 0xFFFF_FFFF) as i32
    }
}
