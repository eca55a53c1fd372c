//! JoinGroup: who is let in, who starts a rebalance, who is only told where the group stands.

use std::time::Duration;

use uuid::Uuid;

use super::member::Member;
use super::{
    FENCED_INSTANCE_ID, Group, GroupState, INCONSISTENT_GROUP_PROTOCOL, INVALID_SESSION_TIMEOUT, MEMBER_ID_REQUIRED,
    Mailbox, NEW_MEMBER_JOIN_TIMEOUT, Outbox, UNKNOWN_MEMBER_ID, refuse,
};
use crate::log::{GroupError, JoinRequest, JoinResponse, Response};

impl Group {
    pub(super) fn join(
        &mut self,
        now: Duration,
        client: &str,
        fresh: Uuid,
        from: Mailbox,
        request: JoinRequest,
        out: &mut Outbox,
    ) {
        if let Err(error) = self.admit(&request) {
            out.push((from, Response::Join(Err(error))));
            return;
        }
        if !request.member_id.is_empty() {
            self.join_known(now, client, from, request, out);
        } else if let Some(instance_id) = request.instance_id.clone() {
            let id = format!("{instance_id}-{fresh}");
            match self.static_members.get(&instance_id).cloned() {
                Some(old) => self.replace_static(now, from, &instance_id, &old, id, &request, out),
                None => self.add_member(now, client, from, id, &request, out),
            }
        } else {
            let id = format!("{client}-{fresh}");
            self.pending_join.insert(id.clone(), now + request.session_timeout);
            let error = GroupError {
                code: MEMBER_ID_REQUIRED,
                member_id: Some(id),
            };
            out.push((from, Response::Join(Err(error))));
        }
    }

    fn admit(&self, request: &JoinRequest) -> Result<(), GroupError> {
        if !(self.limits.min_session_timeout..=self.limits.max_session_timeout).contains(&request.session_timeout) {
            return Err(refuse(INVALID_SESSION_TIMEOUT));
        }
        let supported = if self.state == GroupState::Empty {
            !request.protocol_type.is_empty() && !request.protocols.is_empty()
        } else {
            request.protocol_type == self.protocol_type
                && request
                    .protocols
                    .iter()
                    .any(|(name, _)| self.members.values().all(|member| member.supports(name)))
        };
        if supported {
            Ok(())
        } else {
            Err(refuse(INCONSISTENT_GROUP_PROTOCOL))
        }
    }

    fn join_known(&mut self, now: Duration, client: &str, from: Mailbox, request: JoinRequest, out: &mut Outbox) {
        if self.pending_join.shift_remove(&request.member_id).is_some() {
            self.add_member(now, client, from, request.member_id.clone(), &request, out);
            return;
        }
        if let Err(error) = self.validate_member(&request.member_id, request.instance_id.as_deref()) {
            out.push((from, Response::Join(Err(error))));
            return;
        }
        let unchanged = self.members[&request.member_id].protocols == request.protocols;
        let is_leader = self.leader.as_deref() == Some(&*request.member_id);
        match self.state {
            GroupState::Empty => out.push((from, Response::Join(Err(refuse(UNKNOWN_MEMBER_ID))))),
            // It may have missed the answer of this very generation.
            GroupState::CompletingRebalance if unchanged => self.tell_generation(&request.member_id, from, false, out),
            // A leader that rejoins asks for a rebalance; a follower only if it has something new.
            GroupState::Stable if unchanged && !is_leader => {
                self.tell_generation(&request.member_id, from, false, out);
            }
            _ => {
                if let Some(member) = self.members.get_mut(&request.member_id) {
                    member.update(&request);
                    member.awaiting_join = Some(from);
                }
                self.rebalance_or_complete(now, out);
            }
        }
    }

    fn add_member(
        &mut self,
        now: Duration,
        client: &str,
        from: Mailbox,
        id: String,
        request: &JoinRequest,
        out: &mut Outbox,
    ) {
        if self.members.is_empty() {
            self.protocol_type.clone_from(&request.protocol_type);
        }
        let mut member = Member::new(id.clone(), client, request);
        member.awaiting_join = Some(from);
        member.deadline = Some(now + NEW_MEMBER_JOIN_TIMEOUT);
        if self.state == GroupState::PreparingRebalance && self.initial_rebalance {
            self.member_added = true;
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.members.insert(id, member);
        self.rebalance_or_complete(now, out);
    }

    /// A static member came back without its id: it takes the place, and whoever still holds the old id is fenced.
    #[allow(clippy::too_many_arguments, reason = "the two identities, and where the answers go")]
    fn replace_static(
        &mut self,
        now: Duration,
        from: Mailbox,
        instance_id: &str,
        old: &str,
        id: String,
        request: &JoinRequest,
        out: &mut Outbox,
    ) {
        let Some(index) = self.members.get_index_of(old) else {
            return;
        };
        let Some(mut member) = self.members.shift_remove(old) else {
            return;
        };
        if let Some(waiting) = member.awaiting_join.take() {
            out.push((waiting, Response::Join(Err(refuse(FENCED_INSTANCE_ID)))));
        }
        if let Some(waiting) = member.awaiting_sync.take() {
            out.push((waiting, Response::Sync(Err(refuse(FENCED_INSTANCE_ID)))));
        }
        self.pending_sync.shift_remove(old);
        member.id.clone_from(&id);
        member.is_new = false;
        member.update(request);
        member.expect_heartbeat(now);
        member.awaiting_join = Some(from);
        self.members.shift_insert(index, id.clone(), member);
        self.static_members.insert(instance_id.to_owned(), id.clone());
        if self.leader.as_deref() == Some(old) {
            self.leader = Some(id.clone());
        }
        match self.state {
            GroupState::Stable if self.select_protocol() == self.protocol => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.awaiting_join = None;
                }
                let leads = self.leader.as_deref() == Some(&*id);
                self.tell_generation(&id, from, leads, out);
            }
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(now, out),
            GroupState::PreparingRebalance | GroupState::Empty => self.maybe_complete_join(now, out),
        }
    }

    /// Answers a join with the generation as it stands.
    fn tell_generation(&self, member_id: &str, to: Mailbox, skip_assignment: bool, out: &mut Outbox) {
        let is_leader = self.leader.as_deref() == Some(member_id);
        let tells_members = is_leader && (skip_assignment || self.state == GroupState::CompletingRebalance);
        out.push((
            to,
            Response::Join(Ok(self.join_response(member_id, tells_members, skip_assignment))),
        ));
    }

    pub(super) fn join_response(&self, member_id: &str, tells_members: bool, skip_assignment: bool) -> JoinResponse {
        let members = self
            .members
            .values()
            .map(|member| member.joined(member.metadata(&self.protocol)));
        JoinResponse {
            generation: self.generation,
            member_id: member_id.to_owned(),
            leader: self.leader.clone().unwrap_or_default(),
            protocol: self.protocol.clone(),
            members: if tells_members { members.collect() } else { Vec::new() },
            skip_assignment,
        }
    }
}
