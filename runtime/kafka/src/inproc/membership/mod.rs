//! The classic group protocol as a broker runs it: a pure state machine over requests and time.
//!
//! Source: Kafka's `ClassicGroup` and the classic half of `GroupMetadataManager`; KIP-134 (initial delay), KIP-345 (static
//! members), KIP-394 (member ids), KIP-814 (skipped assignments). Answers go to an [`Outbox`], because a join or a sync waits for others.

mod join;
mod member;
mod rebalance;

use std::time::Duration;

use bytes::Bytes;
use indexmap::{IndexMap, IndexSet};
use uuid::Uuid;

use self::member::Member;
use crate::log::{
    DescribedMember, GroupDescription, GroupError, GroupKind, GroupMembership, HeartbeatRequest, LeaveRequest, Request,
    Response, SyncRequest, SyncResponse,
};

pub(super) const ILLEGAL_GENERATION: i16 = 22;
pub(super) const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
pub(super) const UNKNOWN_MEMBER_ID: i16 = 25;
pub(super) const INVALID_SESSION_TIMEOUT: i16 = 26;
pub(super) const REBALANCE_IN_PROGRESS: i16 = 27;
pub(super) const MEMBER_ID_REQUIRED: i16 = 79;
pub(super) const FENCED_INSTANCE_ID: i16 = 82;

/// Who waits for an answer.
pub(super) type Mailbox = u64;

/// Answers to be delivered.
pub(super) type Outbox = Vec<(Mailbox, Response)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl GroupState {
    fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
        }
    }
}

/// The broker's settings for groups.
#[derive(Clone, Debug)]
pub(super) struct GroupLimits {
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout: Duration,
}

/// How long a member that has just been added may wait in a join before it is given up.
const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Group {
    limits: GroupLimits,
    state: GroupState,
    /// The rebalance under way is the first after the group was empty.
    initial_rebalance: bool,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: Option<String>,
    /// In the order of joining.
    members: IndexMap<String, Member>,
    /// Instance id to member id.
    static_members: IndexMap<String, String>,
    /// Ids that were given out and have not joined yet, with their deadlines.
    pending_join: IndexMap<String, Duration>,
    /// Members that have not sent their SyncGroup in this generation.
    pending_sync: IndexSet<String>,
    join_deadline: Option<Duration>,
    sync_deadline: Option<Duration>,
    /// What the initial delay may still be extended by.
    initial_remaining: Duration,
    member_added: bool,
}

fn refuse(code: i16) -> GroupError {
    GroupError { code, member_id: None }
}

impl Group {
    pub fn new(limits: GroupLimits) -> Self {
        Self {
            limits,
            state: GroupState::Empty,
            initial_rebalance: false,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: None,
            members: IndexMap::new(),
            static_members: IndexMap::new(),
            pending_join: IndexMap::new(),
            pending_sync: IndexSet::new(),
            join_deadline: None,
            sync_deadline: None,
            initial_remaining: Duration::ZERO,
            member_added: false,
        }
    }

    pub fn state(&self) -> GroupState {
        self.state
    }

    /// Whether it ever made a generation.
    pub fn has_had_members(&self) -> bool {
        self.generation > 0
    }

    /// Takes a request of `client`; `fresh` makes the id of a member that has none yet.
    pub fn handle(
        &mut self,
        now: Duration,
        client: &str,
        fresh: Uuid,
        from: Mailbox,
        request: Request,
        out: &mut Outbox,
    ) {
        self.expire(now, out);
        match request {
            Request::Join(join) => self.join(now, client, fresh, from, join, out),
            Request::Sync(sync) => self.sync(now, from, sync, out),
            Request::Heartbeat(heartbeat) => {
                let answer = self.heartbeat(now, &heartbeat);
                out.push((from, Response::Heartbeat(answer)));
            }
            Request::Leave(leave) => {
                let answer = self.leave(now, &leave, out);
                out.push((from, Response::Leave(answer)));
            }
        }
        // An initial delay of nothing ends at once.
        self.expire(now, out);
    }

    /// Fires every time-out that is due.
    pub fn expire(&mut self, now: Duration, out: &mut Outbox) {
        let due: Vec<String> = self
            .pending_join
            .iter()
            .filter(|(_, deadline)| **deadline <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.pending_join.shift_remove(&id);
            self.maybe_complete_join(now, out);
        }
        if self.join_deadline.is_some_and(|deadline| deadline <= now) {
            self.join_deadline_passed(now, out);
        }
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.sync_deadline_passed(now, out);
        }
        let due: Vec<String> = self
            .members
            .values()
            .filter(|member| member.is_due(now))
            .map(|member| member.id.clone())
            .collect();
        for id in due {
            // A removal before it in this list may have ended its wait: its session starts anew then.
            let Some(member) = self.members.get_mut(&id).filter(|member| member.is_due(now)) else {
                continue;
            };
            member.deadline = None;
            if !member.satisfies_heartbeat() {
                self.remove_member(&id, out);
                self.after_removal(now, out);
            }
        }
    }

    fn sync(&mut self, now: Duration, from: Mailbox, request: SyncRequest, out: &mut Outbox) {
        if let Err(error) = self.validate_sync(&request) {
            out.push((from, Response::Sync(Err(error))));
            return;
        }
        match self.state {
            GroupState::Empty => out.push((from, Response::Sync(Err(refuse(UNKNOWN_MEMBER_ID))))),
            GroupState::PreparingRebalance => {
                out.push((from, Response::Sync(Err(refuse(REBALANCE_IN_PROGRESS)))));
            }
            GroupState::CompletingRebalance => {
                self.synced(&request.member_id);
                if let Some(member) = self.members.get_mut(&request.member_id) {
                    member.awaiting_sync = Some(from);
                }
                if self.leader.as_deref() == Some(&*request.member_id) {
                    for member in self.members.values_mut() {
                        let given = request.assignments.iter().find(|(id, _)| *id == member.id);
                        member.assignment = given.map_or_else(Bytes::new, |(_, assignment)| assignment.clone());
                    }
                    self.state = GroupState::Stable;
                    self.answer_syncs(now, None, out);
                }
            }
            GroupState::Stable => {
                self.synced(&request.member_id);
                let assignment = self.members[&request.member_id].assignment.clone();
                out.push((from, Response::Sync(Ok(SyncResponse { assignment }))));
            }
        }
    }

    fn validate_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        self.validate_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(refuse(ILLEGAL_GENERATION));
        }
        if request.protocol_type != self.protocol_type || request.protocol != self.protocol {
            return Err(refuse(INCONSISTENT_GROUP_PROTOCOL));
        }
        Ok(())
    }

    fn synced(&mut self, member_id: &str) {
        self.pending_sync.shift_remove(member_id);
        if self.pending_sync.is_empty() {
            self.sync_deadline = None;
        }
    }

    fn heartbeat(&mut self, now: Duration, request: &HeartbeatRequest) -> Result<(), GroupError> {
        self.validate_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(refuse(ILLEGAL_GENERATION));
        }
        if let Some(member) = self.members.get_mut(&request.member_id) {
            member.expect_heartbeat(now);
        }
        match self.state {
            GroupState::Empty => Err(refuse(UNKNOWN_MEMBER_ID)),
            GroupState::PreparingRebalance => Err(refuse(REBALANCE_IN_PROGRESS)),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    fn leave(&mut self, now: Duration, request: &LeaveRequest, out: &mut Outbox) -> Result<(), GroupError> {
        if self.pending_join.shift_remove(&request.member_id).is_some() {
            self.maybe_complete_join(now, out);
            return Ok(());
        }
        let id = if request.member_id.is_empty() {
            let instance = request.instance_id.as_deref().unwrap_or_default();
            self.static_members
                .get(instance)
                .cloned()
                .ok_or_else(|| refuse(UNKNOWN_MEMBER_ID))?
        } else {
            self.validate_member(&request.member_id, request.instance_id.as_deref())?;
            request.member_id.clone()
        };
        self.remove_member(&id, out);
        self.after_removal(now, out);
        Ok(())
    }

    fn validate_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(refuse(UNKNOWN_MEMBER_ID)),
                Some(known) if known != member_id => return Err(refuse(FENCED_INSTANCE_ID)),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(refuse(UNKNOWN_MEMBER_ID))
        }
    }

    /// Whether `member` may commit offsets; outside transactions a commit counts as a heartbeat.
    pub fn validate_commit(
        &mut self,
        now: Duration,
        member: &GroupMembership,
        transactional: bool,
    ) -> Result<(), GroupError> {
        if member.generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        if member.generation >= 0 || !member.member_id.is_empty() || member.instance_id.is_some() {
            self.validate_member(&member.member_id, member.instance_id.as_deref())?;
            if member.generation != self.generation {
                return Err(refuse(ILLEGAL_GENERATION));
            }
        } else if !transactional {
            return Err(refuse(UNKNOWN_MEMBER_ID));
        }
        if !transactional {
            if self.state == GroupState::CompletingRebalance {
                return Err(refuse(REBALANCE_IN_PROGRESS));
            }
            if let Some(member) = self.members.get_mut(&member.member_id) {
                member.expect_heartbeat(now);
            }
        }
        Ok(())
    }

    pub fn describe(&self) -> GroupDescription {
        let stable = self.state == GroupState::Stable;
        let members = self.members.values().map(|member| DescribedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            host: "in this process".to_owned(),
            metadata: if stable {
                member.metadata(&self.protocol)
            } else {
                Bytes::new()
            },
            assignment: if stable {
                member.assignment.clone()
            } else {
                Bytes::new()
            },
        });
        GroupDescription {
            kind: GroupKind::Classic,
            state: self.state.name().to_owned(),
            protocol_type: self.protocol_type.clone(),
            protocol: if stable { self.protocol.clone() } else { String::new() },
            members: members.collect(),
        }
    }
}
