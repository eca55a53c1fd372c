//! A member of a consumer group, on the classic protocol.
//!
//! [`Member`] is a state machine over [`crate::log::Coordinator`]: it is stepped by its owner, waits for nothing by itself and reads no
//! clock, so that a simulator can run a whole group under one seed. What is assigned is not its business: a [`GroupAssignor`] makes the
//! metadata of joins and, on the leader, the assignment.
//!
//! The life of a member:
//!
//! ```text
//!             join            sync             heartbeat: REBALANCE_IN_PROGRESS, or rejoin()
//!  [to join] ------> joining ------> syncing -------> stable ------------------------------> preparing
//!      ^                 ^                                                                       |
//!      | Lost: forgotten |  ready_to_join(), or three quarters of the rebalance time-out are over |
//!      | or outdated     +------------------------------------------------------------------------+
//! ```

mod answers;
mod backoff;
mod foreign;
mod member;
mod options;

use bytes::Bytes;

pub use foreign::name_foreign_group;
pub use member::Member;
pub use options::MemberOptions;

use crate::Result;
use crate::log::{GroupMembership, JoinedMember};

/// Makes what the members of a group tell each other.
pub trait GroupAssignor {
    /// This member's metadata, asked for right before each join.
    fn metadata(&mut self) -> Bytes;

    /// What each member gets: called on the leader between join and sync.
    ///
    /// It may call the cluster (topics to be created), but must return well within the session time-out, since nothing else goes on
    /// meanwhile. A failure that all members are to stop with (a missing topic) belongs **into the assignments**
    /// ([`crate::assignor::refuse_all`]).
    ///
    /// # Errors
    /// `Retriable` and `Unreachable` make the member join again after a while; all others come out of [`Member::step`].
    fn assign(&mut self, members: &[JoinedMember]) -> Result<Vec<(String, Bytes)>>;
}

/// What a step of a member brought about. To be acted upon before the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberEvent {
    /// A rebalance begins, or this member's own wish to rejoin takes effect: commit, then call [`Member::ready_to_join`]. From then
    /// on, until the next [`MemberEvent::Assigned`], commits of this generation may be refused.
    Prepare {
        /// Why, for logs.
        reason: String,
    },
    /// The assignment of a generation. Comes after every join, also if nothing changed.
    Assigned {
        /// The generation.
        generation: i32,
        /// For commits.
        membership: GroupMembership,
        /// What the leader's [`GroupAssignor::assign`] gave for this member; empty if it gave nothing.
        assignment: Bytes,
        /// Whether this member leads the group.
        leader: bool,
    },
    /// The coordinator went on without this member: drop all tasks without a commit. It joins again by itself.
    Lost {
        /// Why, for logs.
        reason: String,
    },
    /// Another process holds this instance id. The member has stopped for good.
    Fenced {
        /// What happened, for the operator.
        reason: String,
    },
    /// The end of [`Member::leave`]. The member has stopped for good.
    Left {
        /// Whether the coordinator confirmed it; if not, it waits for the session time-out.
        confirmed: bool,
    },
}

#[cfg(test)]
mod tests;
