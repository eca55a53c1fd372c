//! The group coordinator and the group's offsets, as one client asks for them.

use std::collections::VecDeque;
use std::time::Duration;

use super::client::{After, Client};
use super::fault::Point;
use super::membership::{Mailbox, Outbox};
use crate::log::{
    CommittedOffset, Coordinator, GroupDescription, GroupMembership, MemberIdentity, OffsetAndMetadata, Offsets,
    Request, Response, TopicPartition,
};
use crate::{Error, ErrorKind, Result};

pub(super) struct InprocCoordinator {
    client: Client,
    group: String,
    mailbox: Mailbox,
    /// Answers that faults took.
    lost: VecDeque<Response>,
}

impl InprocCoordinator {
    pub fn new(client: Client, group: &str) -> Self {
        let mailbox = client.locked(|state| state.open_mailbox());
        Self {
            client,
            group: group.to_owned(),
            mailbox,
            lost: VecDeque::new(),
        }
    }
}

impl Drop for InprocCoordinator {
    fn drop(&mut self) {
        let mailbox = self.mailbox;
        self.client.cluster().change(|state| state.close_mailbox(mailbox));
    }
}

impl Coordinator for InprocCoordinator {
    fn send(&mut self, request: Request) -> Result<()> {
        let point = match &request {
            Request::Join(_) => Point::GroupJoin,
            Request::Sync(_) => Point::GroupSync,
            Request::Heartbeat(_) => Point::GroupHeartbeat,
            Request::Leave(_) => Point::GroupLeave,
        };
        let after = match self.client.enter(point) {
            Ok(after) => after,
            Err(error) if self.client.is_crashed() => return Err(error),
            Err(error) => {
                self.lost.push_back(Response::Lost(error));
                return Ok(());
            }
        };
        let keeps_answer = matches!(after, After::Nothing);
        let (group, mailbox, name) = (self.group.as_str(), self.mailbox, self.client.name());
        self.client.locked(|state| {
            // An answer that is to be lost goes to a mailbox that nobody reads.
            let to = if keeps_answer { mailbox } else { 0 };
            let (fresh, now) = (state.fresh_uuid(), state.now());
            let mut out = Outbox::new();
            state
                .group_entry(group)
                .group
                .handle(now, name, fresh, to, request, &mut out);
            state.deliver(out);
        });
        match self.client.leave(after, Ok(())) {
            Err(error) if !self.client.is_crashed() => {
                self.lost.push_back(Response::Lost(error));
                Ok(())
            }
            result => result,
        }
    }

    fn poll(&mut self, timeout: Duration) -> Result<Option<Response>> {
        let after = self.client.enter(Point::GroupPoll)?;
        if let Some(lost) = self.lost.pop_front() {
            return self.client.leave(after, Ok(Some(lost)));
        }
        let mailbox = self.mailbox;
        let answer = self.client.wait(timeout, |state| state.next_response(mailbox), |_| {});
        self.client.leave(after, answer)
    }
}

pub(super) struct InprocOffsets {
    client: Client,
    group: String,
}

impl InprocOffsets {
    pub fn new(client: Client, group: &str) -> Self {
        Self {
            client,
            group: group.to_owned(),
        }
    }
}

impl Offsets for InprocOffsets {
    fn fetch(
        &mut self,
        partitions: &[TopicPartition],
        require_stable: bool,
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>> {
        let after = self.client.enter(Point::OffsetsFetch)?;
        let group = self.group.as_str();
        let fetched = self.client.wait(
            timeout,
            |state| state.fetch_offsets(group, partitions, require_stable),
            |state| state.hurry_markers_to(group),
        );
        let fetched = fetched.and_then(|fetched| {
            fetched.ok_or_else(|| {
                let text = format!("group {group}: a transaction is still open on the offsets after {timeout:?}");
                Error::new(ErrorKind::Retriable, text)
            })
        });
        self.client.leave(after, fetched)
    }

    fn commit(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
        _timeout: Duration,
    ) -> Result<()> {
        self.client
            .call(Point::OffsetsCommit, |state| state.commit_offsets(offsets, member))
    }

    fn describe(&mut self, _timeout: Duration) -> Result<GroupDescription> {
        self.client
            .call(Point::OffsetsDescribe, |state| Ok(state.describe_group(&self.group)))
    }

    fn remove_members(&mut self, members: &[MemberIdentity], reason: &str, _timeout: Duration) -> Result<()> {
        let (group, name) = (self.group.as_str(), self.client.name());
        self.client.call(Point::GroupLeave, |state| {
            state.remove_members(group, name, members, reason);
            Ok(())
        })
    }
}
