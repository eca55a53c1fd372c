//! The state machine of one member.

mod receive;
mod send;

use std::time::Duration;

use super::backoff::Backoff;
use super::{GroupAssignor, MemberEvent, MemberOptions};
use crate::Result;
use crate::log::{Coordinator, GroupMembership, SyncRequest};

/// One member of a group; see [`crate::group`] for its life.
///
/// Its owner calls [`Member::step`] again and again, acts on the events, and commits with [`Member::membership`].
pub struct Member {
    coordinator: Box<dyn Coordinator>,
    options: MemberOptions,
    state: State,
    /// The request whose answer is awaited: one, but for a leave that overtakes a join.
    awaited: Option<Awaited>,
    /// A join is under way that a leave has overtaken.
    overtaken_join: bool,
    member_id: String,
    generation: i32,
    leader: bool,
    /// The assignment that was handed out last and not taken back by [`MemberEvent::Lost`].
    assigned: Option<GroupMembership>,
    /// A wish to rejoin that has not become a join yet.
    rejoin: Option<String>,
    join_reason: String,
    heartbeat_sent: Duration,
    /// When the next heartbeat is due.
    heartbeat_at: Duration,
    hurried: bool,
    /// Nothing is sent before, after a failure.
    not_before: Duration,
    backoff: Backoff,
    /// How often the coordinator gave an id in a row.
    ids_given: u32,
}

#[derive(Clone, Debug)]
enum State {
    /// The coordinator is to forget an older holder of the instance id.
    Forgetting,
    ToJoin,
    Joining,
    Syncing(Box<SyncRequest>),
    Stable,
    /// A rebalance was announced; its end for those that do not join is near at `join_by`.
    Preparing {
        ready: bool,
        join_by: Duration,
    },
    Leaving {
        reason: String,
        deadline: Duration,
    },
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Join,
    Sync,
    Heartbeat,
    Leave,
}

impl Member {
    /// A member that will join at its first step.
    #[must_use]
    pub fn new(coordinator: Box<dyn Coordinator>, options: MemberOptions) -> Self {
        let forget = options.forget_instance && options.instance_id.is_some();
        Self {
            coordinator,
            state: if forget { State::Forgetting } else { State::ToJoin },
            awaited: None,
            overtaken_join: false,
            member_id: String::new(),
            generation: -1,
            leader: false,
            assigned: None,
            rejoin: None,
            join_reason: "it starts".into(),
            heartbeat_sent: Duration::ZERO,
            heartbeat_at: Duration::ZERO,
            hurried: false,
            not_before: Duration::ZERO,
            backoff: Backoff::new(options.retry_backoff, options.retry_backoff_max, options.seed),
            ids_given: 0,
            options,
        }
    }

    /// Sends what is due at `now` (monotonic) and takes in answers, waiting for the first at most `poll_timeout`, and never past the
    /// next thing that is due. Returns at the first events: act on them before the next step.
    ///
    /// # Errors
    /// What ends the member: refused by access control, a full group, a group of another protocol, a failing assignor. It is of no
    /// more use then.
    pub fn step(
        &mut self,
        now: Duration,
        assignor: &mut dyn GroupAssignor,
        poll_timeout: Duration,
    ) -> Result<Vec<MemberEvent>> {
        let mut events = Vec::new();
        let mut wait = poll_timeout;
        loop {
            self.send_what_is_due(now, assignor, &mut events)?;
            if !events.is_empty() || matches!(self.state, State::Stopped) {
                return Ok(events);
            }
            wait = wait.min(self.due_at().map_or(wait, |due| due.saturating_sub(now)));
            let Some(response) = self.coordinator.poll(wait)? else {
                return Ok(events);
            };
            wait = Duration::ZERO;
            self.take(response, now, assignor, &mut events)?;
            // Before anything else is sent: a join after `Lost` must not tell of tasks that the engine is about to drop.
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }

    /// When the next step has something to send, if no answer comes before; `None` if it only waits for an answer.
    #[must_use]
    pub fn due_at(&self) -> Option<Duration> {
        let send = |due: Duration| self.may_send().then_some(due.max(self.not_before));
        match &self.state {
            State::Stopped => None,
            State::Forgetting | State::ToJoin | State::Syncing(_) => send(Duration::ZERO),
            State::Joining => None,
            State::Stable if self.rejoin.is_some() => Some(Duration::ZERO),
            State::Preparing { ready: true, .. } => send(Duration::ZERO),
            State::Preparing { ready: false, join_by } => send((*join_by).min(self.heartbeat_due())),
            State::Stable => send(self.heartbeat_due()),
            State::Leaving { deadline, .. } => Some(send(Duration::ZERO).map_or(*deadline, |due| due.min(*deadline))),
        }
    }

    /// The engine has committed what it wanted to: the join may be sent. Without a [`MemberEvent::Prepare`] before, nothing happens.
    pub fn ready_to_join(&mut self) {
        if let State::Preparing { ready, .. } = &mut self.state {
            *ready = true;
        }
    }

    /// Asks for a rebalance: after a hand-over, or because the metadata changed. A [`MemberEvent::Prepare`] comes first.
    ///
    /// A static member in a stable group causes one only if the bytes of its metadata differ: count a number up in them.
    pub fn rejoin(&mut self, reason: impl Into<String>) {
        match self.state {
            // The join is still to be made, and will carry the new metadata.
            State::Forgetting | State::ToJoin | State::Preparing { .. } | State::Leaving { .. } | State::Stopped => {}
            State::Joining | State::Syncing(_) | State::Stable => self.rejoin = Some(reason.into()),
        }
    }

    /// Heartbeats every 100 ms instead of the configured interval: while an assignment names a pending hand-over.
    pub fn hurry(&mut self, hurried: bool) {
        self.hurried = hurried;
    }

    /// Leaves the group, so that nobody waits for the session time-out; a static member loses its place. Steps go on until
    /// [`MemberEvent::Left`]. Simply dropping the member keeps its place until the session time-out.
    pub fn leave(&mut self, now: Duration, reason: impl Into<String>) {
        if !matches!(self.state, State::Stopped | State::Leaving { .. }) {
            self.not_before = now;
            self.state = State::Leaving {
                reason: reason.into(),
                deadline: now + self.options.leave_timeout,
            };
        }
    }

    /// What commits carry: the last assigned generation; `None` before the first, and after [`MemberEvent::Lost`].
    #[must_use]
    pub fn membership(&self) -> Option<GroupMembership> {
        self.assigned.clone()
    }

    /// Whether the last assignment stands: no rebalance is known to be under way.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        matches!(self.state, State::Stable)
    }
}
