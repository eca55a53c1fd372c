//! Who runs which task.
//!
//! The leader of a group reads every member's [`Subscription`], lets [`balance()`] decide, and hands each member an [`Assignment`].
//! All of it is pure: bytes in, bytes out, no clock and no I/O.
//!
//! * [`userdata`] is the wire format of subscriptions and assignments.
//! * [`mod@balance`] spreads tasks evenly, moves as few as it can, and never gives a task away before its owner let go of it.
//! * [`leader`] joins the two, for the [`crate::group::GroupAssignor`] of the engine.

pub mod balance;
pub mod leader;
pub mod userdata;

use std::fmt;

pub use balance::{BalanceMember, Balanced, balance};
pub use leader::{Refusal, assign_members, refuse_all};
pub use userdata::{Assignment, AssignmentFailure, FailureCode, GroupInfo, Subscription, UserdataError};

/// A task: one partition of one sub-topology, in Kafka Streams' numbering.
///
/// ```
/// use millrace_kafka::assignor::TaskId;
/// assert_eq!(TaskId::new(1, 12).to_string(), "1_12");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The sub-topology, from 0.
    pub subtopology: u32,
    /// The partition, from 0.
    pub partition: i32,
}

impl TaskId {
    /// The task of this partition of this sub-topology.
    #[must_use]
    pub fn new(subtopology: u32, partition: i32) -> Self {
        Self { subtopology, partition }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}
