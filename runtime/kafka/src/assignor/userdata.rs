//! What members tell the leader, and what the leader tells them: a versioned wire format.
//!
//! `u16 version`, then fields of `varint tag | varint length | bytes`, all integers unsigned LEB128 unless said otherwise. A reader
//! skips tags it does not know, so a newer member may add fields; a missing field has its default. Tasks are runs of partitions per
//! sub-topology: a few bytes for a member's whole share. Reading never panics and never allocates more than the input warrants.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use uuid::Uuid;

use super::TaskId;

mod wire;

use wire::{Reader, Writer};

/// The version that this build writes. Versions that only add fields keep being readable by older builds.
const VERSION: u16 = 1;

/// The first word of an owner: what runs this application.
pub const OWNER: &str = "millrace/";

/// What a member brings to a join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The fingerprint of the plan that this member runs.
    pub fingerprint: Vec<u8>,
    /// Who runs the application: `millrace/` and what the deployment adds (namespace, name).
    pub owner: String,
    /// The identity of the member's volume.
    pub process_id: Uuid,
    /// The tasks that it runs now.
    pub owned: BTreeSet<TaskId>,
    /// Tasks whose state it has on disk, with the offsets that are missing in it; -1 where that is unknown.
    pub lags: BTreeMap<TaskId, i64>,
    /// Where it runs; empty if unknown.
    pub zone: String,
    /// Each worker's transactional id, for whoever has to fence them; empty under at_least_once.
    pub transactional_ids: Vec<String>,
    /// It is about to stop for a moment.
    pub draining: bool,
    /// Counts this member's wishes to rejoin: changed bytes are what makes a coordinator rebalance for a static member.
    pub rejoins: u32,
    /// Its worker threads.
    pub workers: u32,
}

/// What the leader hands to a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Why there is no assignment: the member stops with this.
    pub failure: Option<AssignmentFailure>,
    /// The tasks to run.
    pub active: BTreeSet<TaskId>,
    /// The tasks to keep a copy of.
    pub standby: BTreeSet<TaskId>,
    /// A hand-over is under way: another round follows as soon as the owners have let go, so heartbeats are to be quick.
    pub followup: bool,
    /// Transactional ids of members that are gone: to be fenced before offsets are fetched.
    pub fence: Vec<String>,
    /// The group as the leader saw it.
    pub group: GroupInfo,
}

/// Why a leader could not give an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentFailure {
    /// What kind of failure.
    pub code: FailureCode,
    /// What to do about it, for the operator.
    pub message: String,
}

/// The kinds of [`AssignmentFailure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// A source topic does not exist, or internal topics do not fit the plan.
    Topics,
    /// The leader failed otherwise.
    Assign,
    /// The member's plan numbers tasks or stores differently from the leader's.
    Plan,
    /// The member was started by another owner, or sent what cannot be read.
    Foreign,
    /// Somebody asked the whole application to stop.
    Shutdown,
    /// A code of a newer leader.
    Other(u16),
}

/// The group at one generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupInfo {
    /// The process id of the leader.
    pub leader: Uuid,
    /// How many members.
    pub members: u32,
    /// How many workers they have together.
    pub workers: u32,
    /// How many tasks there are.
    pub tasks: u32,
}

/// Why bytes are no [`Subscription`] or [`Assignment`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserdataError {
    /// The bytes end early.
    #[error("the {0} ends in the middle of a field")]
    Truncated(&'static str),
    /// A field holds what it cannot.
    #[error("the {0} has an invalid field {1}")]
    Invalid(&'static str, &'static str),
    /// The member belongs to somebody else.
    #[error(
        "a member of the group is owned by `{0}`, not by millrace: another application runs under this application id"
    )]
    ForeignOwner(String),
}

impl FailureCode {
    fn number(self) -> u16 {
        match self {
            Self::Topics => 1,
            Self::Assign => 2,
            Self::Plan => 3,
            Self::Foreign => 4,
            Self::Shutdown => 5,
            Self::Other(number) => number,
        }
    }

    fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Topics,
            2 => Self::Assign,
            3 => Self::Plan,
            4 => Self::Foreign,
            5 => Self::Shutdown,
            other => Self::Other(other),
        }
    }
}

impl AssignmentFailure {
    /// A failure with its advice.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl Subscription {
    /// The bytes for a join.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new(VERSION);
        out.field(1, |out| out.bytes(&self.fingerprint));
        out.field(2, |out| out.bytes(self.owner.as_bytes()));
        out.field(3, |out| out.bytes(self.process_id.as_bytes()));
        out.field(4, |out| out.tasks(&self.owned));
        out.field(5, |out| {
            out.tasks(&self.lags.keys().copied().collect());
            self.lags.values().for_each(|lag| out.signed(*lag));
        });
        out.field(6, |out| out.bytes(self.zone.as_bytes()));
        out.field(7, |out| out.strings(&self.transactional_ids));
        out.field(8, |out| out.flag(self.draining));
        out.field(9, |out| out.number(self.rejoins.into()));
        out.field(10, |out| out.number(self.workers.into()));
        out.finish()
    }

    /// Reads what [`Subscription::encode`] of this or another version wrote.
    ///
    /// # Errors
    /// If the bytes are cut or damaged, or the owner does not begin with [`OWNER`].
    pub fn decode(bytes: &[u8]) -> Result<Self, UserdataError> {
        let mut subscription = Self::default();
        let mut reader = Reader::new(bytes, "subscription")?;
        while let Some((tag, mut field)) = reader.next_field()? {
            match tag {
                1 => subscription.fingerprint = field.rest().to_vec(),
                2 => subscription.owner = field.text("owner")?,
                3 => subscription.process_id = field.uuid("process id")?,
                4 => subscription.owned = field.tasks()?,
                5 => {
                    for task in field.tasks()? {
                        subscription.lags.insert(task, field.signed()?);
                    }
                }
                6 => subscription.zone = field.text("zone")?,
                7 => subscription.transactional_ids = field.strings("transactional ids")?,
                8 => subscription.draining = field.flag()?,
                9 => subscription.rejoins = field.number_u32("rejoins")?,
                10 => subscription.workers = field.number_u32("workers")?,
                _ => {}
            }
        }
        if !subscription.owner.starts_with(OWNER) {
            return Err(UserdataError::ForeignOwner(subscription.owner));
        }
        Ok(subscription)
    }
}

impl Assignment {
    /// An assignment that stops its member.
    #[must_use]
    pub fn failed(failure: AssignmentFailure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::default()
        }
    }

    /// The bytes for a sync.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new(VERSION);
        if let Some(failure) = &self.failure {
            out.field(1, |out| {
                out.number(failure.code.number().into());
                out.bytes(failure.message.as_bytes());
            });
        }
        out.field(2, |out| out.tasks(&self.active));
        out.field(3, |out| out.tasks(&self.standby));
        out.field(4, |out| out.flag(self.followup));
        out.field(5, |out| out.strings(&self.fence));
        out.field(6, |out| {
            out.bytes(self.group.leader.as_bytes());
            out.number(self.group.members.into());
            out.number(self.group.workers.into());
            out.number(self.group.tasks.into());
        });
        out.finish()
    }

    /// Reads what [`Assignment::encode`] of this or another version wrote.
    ///
    /// # Errors
    /// If the bytes are cut or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, UserdataError> {
        let mut assignment = Self::default();
        let mut reader = Reader::new(bytes, "assignment")?;
        while let Some((tag, mut field)) = reader.next_field()? {
            match tag {
                1 => {
                    let number = field.number()?;
                    let number = u16::try_from(number).map_err(|_| field.invalid("failure code"))?;
                    let message = field.text("failure")?;
                    assignment.failure = Some(AssignmentFailure {
                        code: FailureCode::from_number(number),
                        message,
                    });
                }
                2 => assignment.active = field.tasks()?,
                3 => assignment.standby = field.tasks()?,
                4 => assignment.followup = field.flag()?,
                5 => assignment.fence = field.strings("fenced ids")?,
                6 => {
                    assignment.group = GroupInfo {
                        leader: field.take_uuid()?,
                        members: field.number_u32("members")?,
                        workers: field.number_u32("workers")?,
                        tasks: field.number_u32("tasks")?,
                    };
                }
                _ => {}
            }
        }
        Ok(assignment)
    }
}

#[cfg(test)]
mod tests;
