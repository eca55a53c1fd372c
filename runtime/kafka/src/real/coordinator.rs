//! A member's conversation with its group's coordinator.
//!
//! Two lanes, each a thread with a connection of its own, because a broker answers one connection's requests in order: heartbeats
//! and a leave must get through while a join waits for the other members.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest as WireHeartbeat, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::{Request as WireRequest, StrBytes};

use super::admin::millis;
use super::wire::{Client, Connection, CoordinatorKind, Deadline, is_retriable, name_of};
use crate::log::{
    Coordinator, GroupError, HeartbeatRequest, JoinRequest, JoinResponse, JoinedMember, LeaveRequest, Request,
    Response, SyncRequest, SyncResponse,
};
use crate::{Error, ErrorKind, Result};

/// How long the coordinator is looked for before a request is given up as lost.
const LOOKUP: Duration = Duration::from_secs(5);
/// How long an answer may take that the coordinator gives at once.
const PROMPT: Duration = Duration::from_secs(10);
/// A join is answered when the rebalance ends; this is added for the way (as in Java's client).
const JOIN_MARGIN: Duration = Duration::from_secs(5);
/// How often a waiting lane looks whether its owner is gone.
const GLANCE: Duration = Duration::from_millis(200);

/// [`Coordinator`] of one group on a cluster.
pub(crate) struct KafkaCoordinator {
    /// Joins and syncs, whose answers wait for other members.
    rebalance: Sender<Request>,
    /// Heartbeats and leaves, which are answered at once.
    prompt: Sender<Request>,
    answers: Receiver<Response>,
    closed: Arc<AtomicBool>,
}

impl KafkaCoordinator {
    /// Starts the lanes; `client` makes a client for each.
    pub(crate) fn start(client: impl Fn() -> Client, group: &str) -> Result<Self> {
        let closed = Arc::new(AtomicBool::new(false));
        let (to_owner, answers) = unbounded();
        let lane = |name: &str| {
            let (sender, requests) = unbounded();
            let mut lane = Lane {
                client: client(),
                group: group.to_owned(),
                connection: None,
                closed: Arc::clone(&closed),
            };
            let to_owner = to_owner.clone();
            std::thread::Builder::new()
                .name(format!("group-{name}"))
                .spawn(move || lane.run(&requests, &to_owner))
                .map_err(|error| Error::new(ErrorKind::Fatal, format!("cannot start a thread: {error}")))?;
            Ok(sender)
        };
        Ok(Self {
            rebalance: lane("rebalance")?,
            prompt: lane("prompt")?,
            answers,
            closed,
        })
    }
}

impl Drop for KafkaCoordinator {
    fn drop(&mut self) {
        // The lanes end by themselves, soon; a leave that was just sent still goes out.
        self.closed.store(true, Ordering::Relaxed);
    }
}

impl Coordinator for KafkaCoordinator {
    fn send(&mut self, request: Request) -> Result<()> {
        let lane = match request {
            Request::Heartbeat(_) | Request::Leave(_) => &self.prompt,
            Request::Join(_) | Request::Sync(_) => &self.rebalance,
        };
        lane.send(request)
            .map_err(|_| Error::new(ErrorKind::Fatal, "the group's thread has ended"))
    }

    fn poll(&mut self, timeout: Duration) -> Result<Option<Response>> {
        match self.answers.recv_timeout(timeout) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Error::new(ErrorKind::Fatal, "the group's threads have ended")),
        }
    }
}

/// One connection to the coordinator and what it takes to find it again.
struct Lane {
    client: Client,
    group: String,
    connection: Option<Connection>,
    closed: Arc<AtomicBool>,
}

impl Lane {
    fn run(&mut self, requests: &Receiver<Request>, answers: &Sender<Response>) {
        for request in requests {
            let answer = self.answer(request).unwrap_or_else(|error| {
                self.connection = None;
                tracing::debug!(group = %self.group, %error, "a group request was lost");
                Response::Lost(error)
            });
            if answers.send(answer).is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, request: Request) -> Result<Response> {
        match request {
            Request::Join(join) => {
                let patience = join.rebalance_timeout + JOIN_MARGIN;
                let answer = self.ask(&self.join(join), 9, patience)?;
                let member_id = answer.member_id.to_string();
                if let Some(error) = self.refused(answer.error_code, Some(member_id.clone()))? {
                    return Ok(Response::Join(Err(error)));
                }
                let members = answer.members.into_iter().map(|member| JoinedMember {
                    member_id: member.member_id.to_string(),
                    instance_id: member.group_instance_id.map(|id| id.to_string()),
                    metadata: member.metadata,
                });
                Ok(Response::Join(Ok(JoinResponse {
                    generation: answer.generation_id,
                    member_id,
                    leader: answer.leader.to_string(),
                    protocol: answer.protocol_name.map(|name| name.to_string()).unwrap_or_default(),
                    members: members.collect(),
                    skip_assignment: answer.skip_assignment,
                })))
            }
            Request::Sync(sync) => {
                let answer = self.ask(&self.sync(sync), 5, PROMPT.max(Duration::from_secs(60)))?;
                Ok(Response::Sync(match self.refused(answer.error_code, None)? {
                    Some(error) => Err(error),
                    None => Ok(SyncResponse {
                        assignment: answer.assignment,
                    }),
                }))
            }
            Request::Heartbeat(heartbeat) => {
                let answer = self.ask(&self.heartbeat(heartbeat), 4, PROMPT)?;
                Ok(Response::Heartbeat(
                    self.refused(answer.error_code, None)?.map_or(Ok(()), Err),
                ))
            }
            Request::Leave(leave) => {
                let answer = self.ask(&self.leave(leave), 5, PROMPT)?;
                let of_member = answer.members.first().map_or(0, |member| member.error_code);
                let code = if answer.error_code == 0 {
                    of_member
                } else {
                    answer.error_code
                };
                Ok(Response::Leave(self.refused(code, None)?.map_or(Ok(()), Err)))
            }
        }
    }

    /// A coordinator that moves or loads loses the request; every other code is the member's to judge.
    fn refused(&self, code: i16, member_id: Option<String>) -> Result<Option<GroupError>> {
        const COORDINATOR_LOADING: i16 = 14;
        const COORDINATOR_NOT_AVAILABLE: i16 = 15;
        const NOT_COORDINATOR: i16 = 16;
        match code {
            0 => Ok(None),
            COORDINATOR_LOADING | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => {
                debug_assert!(is_retriable(code));
                Err(Error::new(
                    ErrorKind::Retriable,
                    format!("group {}: {}", self.group, name_of(code)),
                ))
            }
            code => Ok(Some(GroupError {
                code,
                member_id: member_id.filter(|id| !id.is_empty()),
            })),
        }
    }

    fn ask<R: WireRequest>(&mut self, request: &R, newest: i16, patience: Duration) -> Result<R::Response> {
        self.connection.take_if(|connection| !connection.is_current());
        if self.connection.is_none() {
            let (group, closed) = (&self.group, &self.closed);
            self.connection = Some(self.client.retrying(Deadline::after(LOOKUP), |client, deadline| {
                if closed.load(Ordering::Relaxed) {
                    return Err(Error::new(ErrorKind::Fatal, "the member is gone"));
                }
                let id = client.coordinator(CoordinatorKind::Group, group, deadline)?;
                client.open(id, deadline)
            })?);
        }
        let Some(connection) = &mut self.connection else {
            return Err(Error::new(ErrorKind::Fatal, "no connection"));
        };
        let deadline = Deadline::after(patience);
        let sent = connection.send(request, newest, deadline.at_most(PROMPT))?;
        loop {
            if let Some(answer) = connection.receive::<R>(sent, deadline.at_most(GLANCE))? {
                return Ok(answer);
            }
            let late = || format!("group {}: {} did not answer in time", self.group, connection.address());
            if deadline.passed() {
                return Err(Error::new(ErrorKind::Retriable, late()));
            }
            if self.closed.load(Ordering::Relaxed) && deadline.remaining() + Duration::from_secs(1) < patience {
                return Err(Error::new(ErrorKind::Fatal, "the member is gone"));
            }
        }
    }

    fn group_id(&self) -> GroupId {
        GroupId(StrBytes::from_string(self.group.clone()))
    }

    fn join(&self, join: JoinRequest) -> JoinGroupRequest {
        let protocols = join
            .protocols
            .into_iter()
            .map(|(name, metadata)| {
                JoinGroupRequestProtocol::default()
                    .with_name(name.into())
                    .with_metadata(metadata)
            })
            .collect();
        JoinGroupRequest::default()
            .with_group_id(self.group_id())
            .with_session_timeout_ms(millis(join.session_timeout))
            .with_rebalance_timeout_ms(millis(join.rebalance_timeout))
            .with_member_id(join.member_id.into())
            .with_group_instance_id(join.instance_id.map(Into::into))
            .with_protocol_type(join.protocol_type.into())
            .with_protocols(protocols)
            .with_reason(Some(shortened(join.reason)))
    }

    fn sync(&self, sync: SyncRequest) -> SyncGroupRequest {
        let assignments = sync
            .assignments
            .into_iter()
            .map(|(member, assignment)| {
                SyncGroupRequestAssignment::default()
                    .with_member_id(member.into())
                    .with_assignment(assignment)
            })
            .collect();
        SyncGroupRequest::default()
            .with_group_id(self.group_id())
            .with_generation_id(sync.generation)
            .with_member_id(sync.member_id.into())
            .with_group_instance_id(sync.instance_id.map(Into::into))
            .with_protocol_type(Some(sync.protocol_type.into()))
            .with_protocol_name(Some(sync.protocol.into()))
            .with_assignments(assignments)
    }

    fn heartbeat(&self, heartbeat: HeartbeatRequest) -> WireHeartbeat {
        WireHeartbeat::default()
            .with_group_id(self.group_id())
            .with_generation_id(heartbeat.generation)
            .with_member_id(heartbeat.member_id.into())
            .with_group_instance_id(heartbeat.instance_id.map(Into::into))
    }

    fn leave(&self, leave: LeaveRequest) -> LeaveGroupRequest {
        let member = MemberIdentity::default()
            .with_member_id(leave.member_id.into())
            .with_group_instance_id(leave.instance_id.map(Into::into))
            .with_reason(Some(shortened(leave.reason)));
        LeaveGroupRequest::default()
            .with_group_id(self.group_id())
            .with_members(vec![member])
    }
}

/// Brokers take reasons of up to 255 characters.
fn shortened(reason: String) -> StrBytes {
    if reason.chars().count() > 255 {
        reason.chars().take(255).collect::<String>().into()
    } else {
        reason.into()
    }
}
