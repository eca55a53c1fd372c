//! A group as the cluster keeps it: its members and its committed offsets, those of open transactions apart.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use super::membership::{FENCED_INSTANCE_ID, Group, GroupLimits, GroupState, Outbox};
use super::options::MarkerPolicy;
use super::state::State;
use super::transactions::Target;
use crate::log::{
    CommittedOffset, GroupDescription, GroupError, GroupKind, GroupMembership, LeaveRequest, MemberIdentity,
    OffsetAndMetadata, Request, TopicPartition,
};
use crate::{Error, ErrorKind, Result};

pub(super) struct GroupEntry {
    pub group: Group,
    committed: FxHashMap<TopicPartition, Written>,
    /// By producer: offsets whose transaction has not ended here yet.
    staged: IndexMap<i64, BTreeMap<TopicPartition, Written>>,
    /// Commits so far, transactional ones included: the order in which they were written.
    writes: u64,
}

/// An offset as it was written. Of a transaction's and another commit the one that was written last stands, whichever ended last.
struct Written {
    number: u64,
    offset: OffsetAndMetadata,
}

impl GroupEntry {
    fn written(&mut self, offsets: &[(TopicPartition, OffsetAndMetadata)]) -> Vec<(TopicPartition, Written)> {
        self.writes += 1;
        let number = self.writes;
        let written = offsets
            .iter()
            .cloned()
            .map(|(at, offset)| (at, Written { number, offset }));
        written.collect()
    }
}

/// `offset.metadata.max.bytes`
const LONGEST_METADATA: usize = 4_096;

/// How the engine should take a refusal of the group coordinator.
fn group_error(group: &str, error: &GroupError) -> Error {
    let (kind, why) = match error.code {
        FENCED_INSTANCE_ID => (ErrorKind::Fenced, "another member holds the instance id"),
        super::membership::UNKNOWN_MEMBER_ID => (ErrorKind::Rejoin, "the member is unknown"),
        super::membership::ILLEGAL_GENERATION => (ErrorKind::Rejoin, "the generation is over"),
        _ => (ErrorKind::Rejoin, "a rebalance is under way"),
    };
    Error::new(
        kind,
        format!("group {group} refused an offset commit: {why} (error {})", error.code),
    )
}

fn check_metadata(offsets: &[(TopicPartition, OffsetAndMetadata)], kind: ErrorKind) -> Result<()> {
    match offsets
        .iter()
        .find(|(_, offset)| offset.metadata.len() > LONGEST_METADATA)
    {
        None => Ok(()),
        Some((at, offset)) => {
            let length = offset.metadata.len();
            let text =
                format!("the offset of {at} carries {length} bytes of metadata, and {LONGEST_METADATA} are allowed");
            Err(Error::new(kind, text))
        }
    }
}

impl State {
    pub fn group_entry(&mut self, group: &str) -> &mut GroupEntry {
        let limits = GroupLimits {
            initial_rebalance_delay: self.options.initial_rebalance_delay,
            min_session_timeout: self.options.min_session_timeout,
            max_session_timeout: self.options.max_session_timeout,
        };
        self.groups.entry(group.to_owned()).or_insert_with(|| GroupEntry {
            group: Group::new(limits),
            committed: FxHashMap::default(),
            staged: IndexMap::new(),
            writes: 0,
        })
    }

    /// Offsets of a transaction: seen by nobody before its marker arrives.
    pub fn stage_offsets(
        &mut self,
        producer: i64,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
    ) -> Result<()> {
        let now = self.now();
        let entry = self.group_entry(&member.group);
        entry
            .group
            .validate_commit(now, member, true)
            .map_err(|error| group_error(&member.group, &error))?;
        check_metadata(offsets, ErrorKind::Abortable)?;
        let written = entry.written(offsets);
        entry.staged.entry(producer).or_default().extend(written);
        Ok(())
    }

    /// The marker of `producer`'s transaction has reached the group.
    pub fn settle_offsets(&mut self, group: &str, producer: i64, commit: bool) {
        let Some(entry) = self.groups.get_mut(group) else {
            return;
        };
        if let Some(staged) = entry.staged.shift_remove(&producer)
            && commit
        {
            for (at, written) in staged {
                let newer = |known: &Written| known.number > written.number;
                if !entry.committed.get(&at).is_some_and(newer) {
                    entry.committed.insert(at, written);
                }
            }
        }
    }

    pub fn commit_offsets(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
    ) -> Result<()> {
        let now = self.now();
        let missing = offsets.iter().find_map(|(at, _)| self.topic(&at.topic).err());
        let there = |(at, _): &&(TopicPartition, OffsetAndMetadata)| self.topics.contains_key(&at.topic);
        let offsets: Vec<_> = offsets.iter().filter(there).cloned().collect();
        let entry = self.group_entry(&member.group);
        entry
            .group
            .validate_commit(now, member, false)
            .map_err(|error| group_error(&member.group, &error))?;
        check_metadata(&offsets, ErrorKind::Config)?;
        let written = entry.written(&offsets);
        entry.committed.extend(written);
        missing.map_or(Ok(()), Err)
    }

    /// What is committed; `None` while a transaction is open on one of the partitions and `require_stable` asks to wait for it.
    pub fn fetch_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        require_stable: bool,
    ) -> Option<Vec<CommittedOffset>> {
        let Some(entry) = self.groups.get(group) else {
            return Some(vec![None; partitions.len()]);
        };
        let unstable = |at: &TopicPartition| entry.staged.values().any(|staged| staged.contains_key(at));
        if require_stable && partitions.iter().any(unstable) {
            return None;
        }
        let committed = |at| entry.committed.get(at).map(|written| written.offset.clone());
        Some(partitions.iter().map(committed).collect())
    }

    /// Whoever waits for a group's offsets stands for time that passes; see [`State::hurry_markers_of`].
    pub fn hurry_markers_to(&mut self, group: &str) {
        if self.options.markers != MarkerPolicy::Manual {
            self.deliver_markers_where(|marker| marker.target == Target::Group(group.to_owned()));
        }
    }

    /// Forgets offsets of a topic that is deleted.
    pub fn forget_offsets(&mut self, topic: &str) {
        for entry in self.groups.values_mut() {
            entry.committed.retain(|at, _| &*at.topic != topic);
            for staged in entry.staged.values_mut() {
                staged.retain(|at, _| &*at.topic != topic);
            }
        }
    }

    /// Others take these members out; who waits for the group hears of it, who was removed does not.
    pub fn remove_members(&mut self, group: &str, client: &str, members: &[MemberIdentity], reason: &str) {
        /// Nobody reads it.
        const NOWHERE: u64 = 0;
        let now = self.now();
        let mut out = Outbox::new();
        for member in members {
            let fresh = self.fresh_uuid();
            let leave = LeaveRequest {
                member_id: member
                    .instance_id
                    .as_ref()
                    .map_or(&*member.member_id, |_| "")
                    .to_owned(),
                instance_id: member.instance_id.clone(),
                reason: reason.to_owned(),
            };
            let group = &mut self.group_entry(group).group;
            group.handle(now, client, fresh, NOWHERE, Request::Leave(leave), &mut out);
        }
        self.deliver(out);
    }

    pub fn describe_group(&self, group: &str) -> GroupDescription {
        match self.groups.get(group) {
            Some(entry)
                if entry.group.state() != GroupState::Empty
                    || entry.group.has_had_members()
                    || !entry.committed.is_empty() =>
            {
                entry.group.describe()
            }
            _ => GroupDescription {
                kind: GroupKind::Classic,
                state: "Dead".to_owned(),
                protocol_type: String::new(),
                protocol: String::new(),
                members: Vec::new(),
            },
        }
    }
}
