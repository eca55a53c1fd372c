//! What a member does with answers.

use std::time::Duration;

use bytes::Bytes;
use tracing::{debug, info, warn};

use super::{Awaited, Member, State};
use crate::group::answers::{Meaning, meaning};
use crate::group::{GroupAssignor, MemberEvent};
use crate::log::{GroupError, GroupMembership, JoinResponse, Response, SyncRequest, SyncResponse};
use crate::{Error, ErrorKind, Result};

impl Member {
    pub(super) fn take(
        &mut self,
        response: Response,
        now: Duration,
        assignor: &mut dyn GroupAssignor,
        events: &mut Vec<MemberEvent>,
    ) -> Result<()> {
        if let Response::Join(result) = &response
            && self.is_leaving()
        {
            // Whatever the answer, it says as whom to leave.
            self.overtaken_join = false;
            let told = match result {
                Ok(joined) => Some(&joined.member_id),
                Err(error) => error.member_id.as_ref(),
            };
            if let Some(member_id) = told {
                self.member_id.clone_from(member_id);
            }
        }
        if let Response::Lost(error) = response {
            if self.awaited.take() == Some(Awaited::Heartbeat) {
                self.heartbeat_at = now;
            }
            self.unreachable(error, now)?;
            if let State::Joining = self.state {
                self.state = State::ToJoin;
            }
            return Ok(());
        }
        let answered = match &response {
            Response::Join(_) => Awaited::Join,
            Response::Sync(_) => Awaited::Sync,
            Response::Heartbeat(_) => Awaited::Heartbeat,
            Response::Leave(_) | Response::Lost(_) => Awaited::Leave,
        };
        if self.awaited != Some(answered) {
            debug!(group = self.options.group, ?answered, "an answer that nobody waits for");
            return Ok(());
        }
        self.awaited = None;
        match response {
            Response::Leave(result) => {
                self.left(result, now, events);
                Ok(())
            }
            // Whatever else was under way when this member decided to leave does not matter any more.
            _ if self.is_leaving() => Ok(()),
            Response::Join(Ok(joined)) => self.joined(joined, now, assignor),
            Response::Sync(Ok(synced)) => {
                self.synced(synced, now, events);
                Ok(())
            }
            Response::Heartbeat(Ok(())) => {
                self.backoff.reset();
                Ok(())
            }
            Response::Join(Err(error)) | Response::Sync(Err(error)) | Response::Heartbeat(Err(error)) => {
                self.refused(answered, error, now, events)
            }
            Response::Lost(_) => Ok(()),
        }
    }

    fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving { .. })
    }

    fn joined(&mut self, joined: JoinResponse, now: Duration, assignor: &mut dyn GroupAssignor) -> Result<()> {
        self.backoff.reset();
        self.ids_given = 0;
        self.leader = joined.leader == joined.member_id;
        self.member_id = joined.member_id;
        self.generation = joined.generation;
        info!(
            group = self.options.group,
            generation = self.generation,
            member = self.member_id,
            leader = self.leader,
            "joined"
        );
        // A static leader that comes back into a stable group leads it on, and everybody's assignment stands.
        let assignments = if self.leader && !joined.skip_assignment {
            match assignor.assign(&joined.members) {
                Ok(assignments) => assignments,
                Err(error) if matches!(error.kind(), ErrorKind::Retriable | ErrorKind::Unreachable) => {
                    self.state = State::ToJoin;
                    self.join_reason = format!("no assignment could be made: {error}");
                    self.not_before = now + self.backoff.next();
                    return Ok(());
                }
                Err(error) => {
                    self.end();
                    return Err(error);
                }
            }
        } else {
            Vec::new()
        };
        self.state = State::Syncing(Box::new(SyncRequest {
            generation: self.generation,
            member_id: self.member_id.clone(),
            instance_id: self.options.instance_id.clone(),
            protocol_type: self.options.protocol_type.clone(),
            protocol: joined.protocol,
            assignments,
        }));
        Ok(())
    }

    fn synced(&mut self, synced: SyncResponse, now: Duration, events: &mut Vec<MemberEvent>) {
        self.backoff.reset();
        self.state = State::Stable;
        self.schedule_heartbeat(now);
        self.hurried = false;
        let membership = GroupMembership {
            group: self.options.group.clone(),
            generation: self.generation,
            member_id: self.member_id.clone(),
            instance_id: self.options.instance_id.clone(),
        };
        self.assigned = Some(membership.clone());
        let assignment: Bytes = synced.assignment;
        events.push(MemberEvent::Assigned {
            generation: self.generation,
            membership,
            assignment,
            leader: self.leader,
        });
    }

    fn left(&mut self, result: Result<(), GroupError>, now: Duration, events: &mut Vec<MemberEvent>) {
        match (&self.state, result) {
            (State::Forgetting, Err(error))
                if matches!(meaning(error.clone(), &self.options.group), Meaning::Later) =>
            {
                self.not_before = now + self.backoff.next();
            }
            // Nobody to forget is as good.
            (State::Forgetting, _) => self.state = State::ToJoin,
            (_, Ok(())) => self.stop(MemberEvent::Left { confirmed: true }, events),
            (_, Err(error)) => match meaning(error, &self.options.group) {
                Meaning::Later | Meaning::Rebalance => self.not_before = now + self.backoff.next(),
                // The leave of an instance came before the join that it overtook.
                Meaning::Unknown if self.overtaken_join && self.member_id.is_empty() => {
                    self.not_before = now + self.backoff.next();
                }
                Meaning::Unknown => self.stop(MemberEvent::Left { confirmed: true }, events),
                _ => self.stop(MemberEvent::Left { confirmed: false }, events),
            },
        }
    }

    fn refused(
        &mut self,
        request: Awaited,
        error: GroupError,
        now: Duration,
        events: &mut Vec<MemberEvent>,
    ) -> Result<()> {
        let code = error.code;
        match meaning(error, &self.options.group) {
            Meaning::Later => {
                self.not_before = now + self.backoff.next();
                match request {
                    Awaited::Join => self.state = State::ToJoin,
                    Awaited::Heartbeat => self.heartbeat_at = now,
                    Awaited::Sync | Awaited::Leave => {}
                }
            }
            Meaning::Rebalance => match self.state {
                State::Stable => self.prepare(now, "the group rebalances".into(), events),
                State::Preparing { .. } => self.backoff.reset(),
                _ => {
                    self.join_reason = "the group rebalances again".into();
                    self.state = State::ToJoin;
                }
            },
            Meaning::Outdated => self.lose(
                format!(
                    "the group went on without generation {} (error {code})",
                    self.generation
                ),
                events,
            ),
            Meaning::Unknown => {
                let reason =
                    "the coordinator does not know this member any more: its session expired, or it was removed";
                self.member_id.clear();
                self.lose(reason.into(), events);
                // A fresh join may meet the same answer if the coordinator is moving: no busy loop.
                if events.is_empty() {
                    self.not_before = now + self.backoff.next();
                }
            }
            Meaning::ComeBackAs(member_id) => {
                self.member_id = member_id;
                self.state = State::ToJoin;
                self.ids_given += 1;
                if self.ids_given > 1 {
                    self.not_before = now + self.backoff.next();
                }
            }
            Meaning::Fenced => {
                let instance = self.options.instance_id.as_deref().unwrap_or_default();
                let reason = format!(
                    "another process joined group `{}` as instance `{instance}`: two processes must not share a group.instance.id",
                    self.options.group
                );
                self.stop(MemberEvent::Fenced { reason }, events);
            }
            Meaning::Fatal(error) => {
                self.end();
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn prepare(&mut self, now: Duration, reason: String, events: &mut Vec<MemberEvent>) {
        self.join_reason.clone_from(&reason);
        self.state = State::Preparing {
            ready: false,
            join_by: now + self.options.rebalance_timeout.mul_f64(0.75),
        };
        events.push(MemberEvent::Prepare { reason });
    }

    fn lose(&mut self, reason: String, events: &mut Vec<MemberEvent>) {
        self.state = State::ToJoin;
        self.join_reason.clone_from(&reason);
        self.generation = -1;
        if self.assigned.take().is_some() {
            warn!(group = self.options.group, reason, "membership lost");
            events.push(MemberEvent::Lost { reason });
        }
    }

    pub(super) fn stop(&mut self, event: MemberEvent, events: &mut Vec<MemberEvent>) {
        self.end();
        events.push(event);
    }

    /// For good: nobody may wait for a leave that will not come.
    fn end(&mut self) {
        self.state = State::Stopped;
        self.assigned = None;
    }

    /// A request or its answer did not get through.
    pub(super) fn unreachable(&mut self, error: Error, now: Duration) -> Result<()> {
        match error.kind() {
            ErrorKind::Authentication
            | ErrorKind::Handshake
            | ErrorKind::Unauthorized
            | ErrorKind::Config
            | ErrorKind::Fatal
            | ErrorKind::Fenced => {
                self.end();
                Err(error)
            }
            _ => {
                debug!(group = self.options.group, %error, "the coordinator cannot be reached");
                self.not_before = now + self.backoff.next();
                Ok(())
            }
        }
    }
}
