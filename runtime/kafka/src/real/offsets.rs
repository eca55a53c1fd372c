//! A group's committed offsets, over the wire: librdkafka cannot commit into a group that it is no member of.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::leave_group_request::MemberIdentity as WireMember;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    GroupId, LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest, OffsetFetchResponse,
};
use kafka_protocol::protocol::StrBytes;
use rustc_hash::FxHashMap;

use super::groups::describe;
use super::wire::{Client, CoordinatorKind, Deadline, error_of, topic_name};
use crate::Result;
use crate::log::{
    CommittedOffset, GroupDescription, GroupMembership, MemberIdentity, OffsetAndMetadata, Offsets, TopicPartition,
};

/// [`Offsets`] of one group on a cluster.
pub(crate) struct KafkaOffsets {
    client: Client,
    group: String,
    /// The group's coordinator, while it is known to be.
    coordinator: Option<i32>,
}

impl KafkaOffsets {
    pub(crate) fn new(client: Client, group: &str) -> Self {
        Self {
            client,
            group: group.to_owned(),
            coordinator: None,
        }
    }

    /// Repeats `attempt` at the coordinator, which is looked up anew after every failure.
    fn at_coordinator<T>(
        &mut self,
        timeout: Duration,
        mut attempt: impl FnMut(&mut Client, i32, Deadline) -> Result<T>,
    ) -> Result<T> {
        let (group, known) = (&self.group, &mut self.coordinator);
        self.client.retrying(Deadline::after(timeout), |client, deadline| {
            let coordinator = match *known {
                Some(id) => id,
                None => client.coordinator(CoordinatorKind::Group, group, deadline)?,
            };
            *known = None;
            let answer = attempt(client, coordinator, deadline)?;
            *known = Some(coordinator);
            Ok(answer)
        })
    }
}

pub(super) fn group_id(name: &str) -> GroupId {
    GroupId(StrBytes::from_string(name.to_owned()))
}

fn by_topic<'a, T>(of: impl Iterator<Item = (&'a TopicPartition, T)>) -> BTreeMap<&'a str, Vec<(i32, T)>> {
    let mut grouped: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    for (at, what) in of {
        grouped.entry(&at.topic).or_default().push((at.partition, what));
    }
    grouped
}

/// One form for both shapes of the answer: topic, partition, offset, metadata, error.
type Fetched = (String, i32, i64, String, i16);

fn fetched(answer: &OffsetFetchResponse, group: &str) -> Result<Vec<Fetched>> {
    let refused = |code| Err(error_of(code, format_args!("offsets of group {group}"), None));
    if answer.error_code != 0 {
        return refused(answer.error_code);
    }
    let mut out = Vec::new();
    for group in &answer.groups {
        if group.error_code != 0 {
            return refused(group.error_code);
        }
        for topic in &group.topics {
            for p in &topic.partitions {
                let metadata = p.metadata.as_deref().unwrap_or_default().to_owned();
                out.push((
                    topic.name.0.to_string(),
                    p.partition_index,
                    p.committed_offset,
                    metadata,
                    p.error_code,
                ));
            }
        }
    }
    for topic in &answer.topics {
        for p in &topic.partitions {
            let metadata = p.metadata.as_deref().unwrap_or_default().to_owned();
            out.push((
                topic.name.0.to_string(),
                p.partition_index,
                p.committed_offset,
                metadata,
                p.error_code,
            ));
        }
    }
    Ok(out)
}

impl Offsets for KafkaOffsets {
    fn fetch(
        &mut self,
        partitions: &[TopicPartition],
        require_stable: bool,
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let group = self.group.clone();
        let topics = by_topic(partitions.iter().map(|at| (at, ())));
        let indexes = |of: &[(i32, ())]| of.iter().map(|(partition, ())| *partition).collect::<Vec<_>>();
        let found = self.at_coordinator(timeout, |client, coordinator, deadline| {
            let mut request = OffsetFetchRequest::default().with_require_stable(require_stable);
            if client.version::<OffsetFetchRequest>(coordinator, 9, deadline)? >= 8 {
                let topics = topics.iter().map(|(topic, of)| {
                    OffsetFetchRequestTopics::default()
                        .with_name(topic_name(topic))
                        .with_partition_indexes(indexes(of))
                });
                let of_group = OffsetFetchRequestGroup::default()
                    .with_group_id(group_id(&group))
                    .with_topics(Some(topics.collect()));
                request.groups = vec![of_group];
            } else {
                let topics = topics.iter().map(|(topic, of)| {
                    OffsetFetchRequestTopic::default()
                        .with_name(topic_name(topic))
                        .with_partition_indexes(indexes(of))
                });
                request = request
                    .with_group_id(group_id(&group))
                    .with_topics(Some(topics.collect()));
            }
            let answer = client.ask(coordinator, &request, 9, deadline)?;
            let mut found = FxHashMap::default();
            for (topic, partition, offset, metadata, code) in fetched(&answer, &group)? {
                if code != 0 {
                    let what = format_args!("offset of group {group} for {topic}-{partition}");
                    return Err(error_of(code, what, None));
                }
                if offset >= 0 {
                    found.insert((topic, partition), OffsetAndMetadata { offset, metadata });
                }
            }
            Ok(found)
        })?;
        Ok(partitions
            .iter()
            .map(|at| found.get(&(at.topic.to_string(), at.partition)).cloned())
            .collect())
    }

    fn commit(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
        timeout: Duration,
    ) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let topics = by_topic(offsets.iter().map(|(at, offset)| (at, offset)));
        let topics = topics
            .into_iter()
            .map(|(topic, of)| {
                let partitions = of
                    .into_iter()
                    .map(|(partition, at)| {
                        OffsetCommitRequestPartition::default()
                            .with_partition_index(partition)
                            .with_committed_offset(at.offset)
                            .with_committed_metadata(Some(StrBytes::from_string(at.metadata.clone())))
                    })
                    .collect();
                OffsetCommitRequestTopic::default()
                    .with_name(topic_name(topic))
                    .with_partitions(partitions)
            })
            .collect();
        let request = OffsetCommitRequest::default()
            .with_group_id(group_id(&member.group))
            .with_generation_id_or_member_epoch(member.generation)
            .with_member_id(StrBytes::from_string(member.member_id.clone()))
            .with_group_instance_id(member.instance_id.clone().map(StrBytes::from_string))
            .with_topics(topics);
        self.at_coordinator(timeout, |client, coordinator, deadline| {
            let answer = client.ask(coordinator, &request, 9, deadline)?;
            for topic in &answer.topics {
                if let Some(p) = topic.partitions.iter().find(|p| p.error_code != 0) {
                    let what = format!(
                        "commit of group {} (generation {}) for {}-{}",
                        member.group, member.generation, topic.name.0, p.partition_index
                    );
                    return Err(error_of(p.error_code, what, None));
                }
            }
            Ok(())
        })
    }

    fn describe(&mut self, timeout: Duration) -> Result<GroupDescription> {
        let group = self.group.clone();
        self.at_coordinator(timeout, |client, coordinator, deadline| {
            describe(client, coordinator, &group, deadline)
        })
    }

    fn remove_members(&mut self, members: &[MemberIdentity], reason: &str, timeout: Duration) -> Result<()> {
        /// `UNKNOWN_MEMBER_ID`.
        const GONE: i16 = 25;
        if members.is_empty() {
            return Ok(());
        }
        let group = self.group.clone();
        let identities = members.iter().map(|member| {
            // A static member may have come back under another id: its instance id holds.
            let id = member.instance_id.as_ref().map_or(&*member.member_id, |_| "");
            WireMember::default()
                .with_member_id(StrBytes::from_string(id.to_owned()))
                .with_group_instance_id(member.instance_id.clone().map(StrBytes::from_string))
                .with_reason(Some(StrBytes::from_string(reason.to_owned())))
        });
        let request = LeaveGroupRequest::default()
            .with_group_id(group_id(&group))
            .with_members(identities.collect());
        self.at_coordinator(timeout, |client, coordinator, deadline| {
            let answer = client.ask(coordinator, &request, 5, deadline)?;
            if !matches!(answer.error_code, 0 | GONE) {
                let what = format_args!("remove the members of group {group}");
                return Err(error_of(answer.error_code, what, None));
            }
            match answer.members.iter().find(|of| !matches!(of.error_code, 0 | GONE)) {
                None => Ok(()),
                Some(of) => {
                    let what = format!("remove member {} of group {group}", of.member_id.as_str());
                    Err(error_of(of.error_code, what, None))
                }
            }
        })
    }
}
