//! What a member sends, and when.

use std::time::Duration;

use tracing::warn;

use super::{Awaited, Member, State};
use crate::Result;
use crate::group::{GroupAssignor, MemberEvent};
use crate::log::{HeartbeatRequest, JoinRequest, LeaveRequest, Request};

/// How often a member asks for news while a hand-over is pending ([`Member::hurry`]).
const HURRIED_HEARTBEAT: Duration = Duration::from_millis(100);

impl Member {
    pub(super) fn heartbeat_due(&self) -> Duration {
        if self.hurried {
            self.heartbeat_at.min(self.heartbeat_sent + HURRIED_HEARTBEAT)
        } else {
            self.heartbeat_at
        }
    }

    pub(super) fn schedule_heartbeat(&mut self, now: Duration) {
        self.heartbeat_sent = now;
        self.heartbeat_at = now + self.options.heartbeat_interval;
    }

    /// One request at a time. Only a leave does not wait for the answer to a join, which may take as long as the rebalance: it goes
    /// out beside it, unless the coordinator would not know who leaves.
    pub(super) fn may_send(&self) -> bool {
        match self.awaited {
            None => true,
            Some(Awaited::Join) => {
                matches!(self.state, State::Leaving { .. })
                    && (!self.member_id.is_empty() || self.options.instance_id.is_some())
            }
            Some(Awaited::Sync | Awaited::Heartbeat | Awaited::Leave) => false,
        }
    }

    pub(super) fn send_what_is_due(
        &mut self,
        now: Duration,
        assignor: &mut dyn GroupAssignor,
        events: &mut Vec<MemberEvent>,
    ) -> Result<()> {
        if let State::Stable = self.state
            && let Some(reason) = self.rejoin.take()
        {
            self.prepare(now, reason, events);
            return Ok(());
        }
        if let State::Leaving { deadline, .. } = self.state
            && now >= deadline
        {
            self.stop(MemberEvent::Left { confirmed: false }, events);
            return Ok(());
        }
        if !self.may_send() || now < self.not_before {
            return Ok(());
        }
        match self.state.clone() {
            State::Forgetting => {
                let reason = "a new volume takes this instance's place".to_owned();
                self.send(Awaited::Leave, self.leave_request(reason), now)
            }
            State::ToJoin => self.join(now, assignor),
            State::Preparing { ready: true, .. } => self.join(now, assignor),
            State::Preparing { join_by, .. } if now >= join_by => {
                warn!(
                    group = self.options.group,
                    "joins before the commit is done: the rebalance time-out is near"
                );
                self.join(now, assignor)
            }
            State::Stable | State::Preparing { .. } if now >= self.heartbeat_due() => {
                self.schedule_heartbeat(now);
                let (member_id, instance_id) = (self.member_id.clone(), self.options.instance_id.clone());
                let heartbeat = HeartbeatRequest {
                    generation: self.generation,
                    member_id,
                    instance_id,
                };
                self.send(Awaited::Heartbeat, Request::Heartbeat(heartbeat), now)
            }
            State::Syncing(request) => self.send(Awaited::Sync, Request::Sync(*request), now),
            State::Leaving { .. } if self.member_id.is_empty() && self.options.instance_id.is_none() => {
                self.stop(MemberEvent::Left { confirmed: true }, events);
                Ok(())
            }
            State::Leaving { reason, .. } => {
                self.overtaken_join |= self.awaited == Some(Awaited::Join);
                self.send(Awaited::Leave, self.leave_request(reason), now)
            }
            State::Stable | State::Preparing { .. } | State::Joining | State::Stopped => Ok(()),
        }
    }

    fn send(&mut self, awaited: Awaited, request: Request, now: Duration) -> Result<()> {
        match self.coordinator.send(request) {
            Ok(()) => {
                self.awaited = Some(awaited);
                Ok(())
            }
            Err(error) => self.unreachable(error, now),
        }
    }

    fn join(&mut self, now: Duration, assignor: &mut dyn GroupAssignor) -> Result<()> {
        let request = JoinRequest {
            member_id: self.member_id.clone(),
            instance_id: self.options.instance_id.clone(),
            session_timeout: self.options.session_timeout,
            rebalance_timeout: self.options.rebalance_timeout,
            protocol_type: self.options.protocol_type.clone(),
            protocols: vec![(self.options.protocol.clone(), assignor.metadata())],
            reason: self.join_reason.clone(),
        };
        self.rejoin = None;
        self.state = State::Joining;
        self.send(Awaited::Join, Request::Join(request), now)?;
        if self.awaited.is_none() {
            self.state = State::ToJoin;
        }
        Ok(())
    }

    fn leave_request(&self, reason: String) -> Request {
        Request::Leave(LeaveRequest {
            member_id: self.member_id.clone(),
            instance_id: self.options.instance_id.clone(),
            reason,
        })
    }
}
