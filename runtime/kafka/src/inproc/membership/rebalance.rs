//! A rebalance: wait for the members, make the generation, wait for the assignment.

use std::time::Duration;

use super::{Group, GroupState, Outbox, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID, refuse};
use crate::log::{Response, SyncResponse};

impl Group {
    pub(super) fn rebalance_or_complete(&mut self, now: Duration, out: &mut Outbox) {
        match self.state {
            GroupState::PreparingRebalance => self.maybe_complete_join(now, out),
            _ => self.prepare_rebalance(now, out),
        }
    }

    pub(super) fn prepare_rebalance(&mut self, now: Duration, out: &mut Outbox) {
        if self.state == GroupState::CompletingRebalance {
            for member in self.members.values_mut() {
                member.assignment.clear();
            }
            self.answer_syncs(now, Some(REBALANCE_IN_PROGRESS), out);
        }
        self.pending_sync.clear();
        self.sync_deadline = None;
        self.initial_rebalance = self.state == GroupState::Empty;
        self.state = GroupState::PreparingRebalance;
        if self.initial_rebalance {
            let delay = self.limits.initial_rebalance_delay;
            self.member_added = false;
            self.initial_remaining = self.rebalance_timeout().saturating_sub(delay);
            self.join_deadline = Some(now + delay);
        } else if self.all_joined() {
            self.complete_join(now, out);
        } else {
            self.join_deadline = Some(now + self.rebalance_timeout());
        }
    }

    /// Completes the join once all are there; an initial rebalance waits for its delay.
    pub(super) fn maybe_complete_join(&mut self, now: Duration, out: &mut Outbox) {
        if self.state == GroupState::PreparingRebalance && !self.initial_rebalance && self.all_joined() {
            self.complete_join(now, out);
        }
    }

    pub(super) fn join_deadline_passed(&mut self, now: Duration, out: &mut Outbox) {
        self.join_deadline = None;
        if self.state != GroupState::PreparingRebalance {
            return;
        }
        if self.initial_rebalance && self.member_added && !self.initial_remaining.is_zero() {
            let delay = self.limits.initial_rebalance_delay.min(self.initial_remaining);
            self.member_added = false;
            self.initial_remaining = self
                .initial_remaining
                .saturating_sub(self.limits.initial_rebalance_delay);
            self.join_deadline = Some(now + delay);
        } else {
            self.complete_join(now, out);
        }
    }

    pub(super) fn sync_deadline_passed(&mut self, now: Duration, out: &mut Outbox) {
        self.sync_deadline = None;
        for id in std::mem::take(&mut self.pending_sync) {
            self.remove_member(&id, out);
        }
        self.prepare_rebalance(now, out);
    }

    fn all_joined(&self) -> bool {
        self.pending_join.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some())
    }

    fn rebalance_timeout(&self) -> Duration {
        self.members
            .values()
            .map(|member| member.rebalance_timeout)
            .max()
            .unwrap_or_default()
    }

    /// Makes the next generation of those who joined. Static members that did not are kept: they may be bouncing.
    fn complete_join(&mut self, now: Duration, out: &mut Outbox) {
        self.join_deadline = None;
        let missing: Vec<String> = self
            .members
            .values()
            .filter(|member| member.awaiting_join.is_none() && member.instance_id.is_none())
            .map(|member| member.id.clone())
            .collect();
        for id in missing {
            self.remove_member(&id, out);
        }
        if !self.members.is_empty() && !self.elect_joined_leader() {
            self.join_deadline = Some(now + self.rebalance_timeout());
            return;
        }
        self.initial_rebalance = false;
        self.generation += 1;
        self.pending_sync.clear();
        if self.members.is_empty() {
            self.protocol.clear();
            self.state = GroupState::Empty;
            return;
        }
        self.protocol = self.select_protocol();
        self.state = GroupState::CompletingRebalance;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let response = self.join_response(&id, self.leader.as_deref() == Some(&*id), false);
            if let Some(member) = self.members.get_mut(&id) {
                if let Some(waiting) = member.awaiting_join.take() {
                    out.push((waiting, Response::Join(Ok(response))));
                }
                member.expect_heartbeat(now);
                member.is_new = false;
            }
            self.pending_sync.insert(id);
        }
        self.sync_deadline = Some(now + self.rebalance_timeout());
    }

    /// Makes sure that the leader is one who joined; false if none did.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &String| {
            self.members
                .get(id)
                .is_some_and(|member| member.awaiting_join.is_some())
        };
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let next = self
            .members
            .values()
            .find(|member| member.awaiting_join.is_some())
            .map(|member| member.id.clone());
        let found = next.is_some();
        if found {
            self.leader = next;
        }
        found
    }

    /// Of the protocols that all know, the one that most prefer; the earlier member's preference breaks a tie.
    pub(super) fn select_protocol(&self) -> String {
        let mut votes: Vec<(&str, usize)> = Vec::new();
        for member in self.members.values() {
            let choice = member
                .protocols
                .iter()
                .map(|(name, _)| name.as_str())
                .find(|name| self.members.values().all(|other| other.supports(name)));
            let Some(choice) = choice else { continue };
            match votes.iter_mut().find(|(name, _)| *name == choice) {
                Some((_, count)) => *count += 1,
                None => votes.push((choice, 1)),
            }
        }
        votes
            .into_iter()
            .rev()
            .max_by_key(|(_, count)| *count)
            .map_or_else(String::new, |(name, _)| name.to_owned())
    }

    /// Answers all who wait for the assignment; with `error`, they are told to rejoin.
    pub(super) fn answer_syncs(&mut self, now: Duration, error: Option<i16>, out: &mut Outbox) {
        for member in self.members.values_mut() {
            if let Some(waiting) = member.awaiting_sync.take() {
                let answer = match error {
                    Some(code) => Err(refuse(code)),
                    None => Ok(SyncResponse {
                        assignment: member.assignment.clone(),
                    }),
                };
                out.push((waiting, Response::Sync(answer)));
                member.expect_heartbeat(now);
            }
        }
    }

    pub(super) fn remove_member(&mut self, id: &str, out: &mut Outbox) {
        let Some(member) = self.members.shift_remove(id) else {
            return;
        };
        if let Some(waiting) = member.awaiting_join {
            out.push((waiting, Response::Join(Err(refuse(UNKNOWN_MEMBER_ID)))));
        }
        if let Some(waiting) = member.awaiting_sync {
            out.push((waiting, Response::Sync(Err(refuse(UNKNOWN_MEMBER_ID)))));
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.shift_remove(instance_id);
        }
        self.pending_sync.shift_remove(id);
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// What the others do about a removal.
    pub(super) fn after_removal(&mut self, now: Duration, out: &mut Outbox) {
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(now, out),
            GroupState::PreparingRebalance => self.maybe_complete_join(now, out),
            GroupState::Empty => {}
        }
    }
}
