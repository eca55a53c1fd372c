//! What the engine asks of a log.
//!
//! Every trait here is synchronous: workers call them from their own threads, the simulator calls them from one. A call either
//! answers at once or waits no longer than the time-out it was given. Implementations: [`crate::real`], [`crate::inproc`].

mod access;
mod admin;
mod batch;
mod consumer;
mod coordinator;
mod producer;

use std::sync::Arc;

pub use access::{Operation, Resource, Right};
pub use admin::{Admin, ClusterInfo, ConfigEntry, NewTopic, OffsetSpec, TopicInfo};
pub use batch::{BatchBuilder, Header, RecordBatch, RecordView};
pub use consumer::{Consumer, ConsumerSpec, Isolation, Polled};
pub use coordinator::{
    CommittedOffset, Coordinator, DescribedMember, GroupDescription, GroupError, GroupKind, GroupMembership,
    HeartbeatRequest, JoinRequest, JoinResponse, JoinedMember, LeaveRequest, MemberIdentity, OffsetAndMetadata,
    Offsets, Request, Response, SyncRequest, SyncResponse,
};
pub use producer::{DeliveryFailure, OutgoingRecord, Producer, ProducerSpec, TopicHandle};

use crate::Result;

/// One cluster, as one process sees it: the factory of every client.
///
/// Clones of the `Arc` share connections and, in process, the log itself.
pub trait Log: Send + Sync {
    /// A client for topics, configs and offsets.
    fn admin(&self) -> Result<Box<dyn Admin>>;
    /// A reader that is told what to read; it is in no group.
    fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>>;
    /// A reader of changelogs that stores are restored from: it reads further ahead, and records may come without their headers.
    fn restore_consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        self.consumer(spec)
    }
    /// A writer, transactional if the spec says so.
    fn producer(&self, spec: &ProducerSpec) -> Result<Box<dyn Producer>>;
    /// The requests of a group member: join, sync, heartbeat, leave.
    fn coordinator(&self, group: &str) -> Result<Box<dyn Coordinator>>;
    /// The committed offsets of a group.
    fn offsets(&self, group: &str) -> Result<Box<dyn Offsets>>;
    /// Counts the changes of what clients are made of (credentials, certificates). A consumer or producer that was made under a
    /// lower number goes on for now, and is to be made anew soon; the other clients do that by themselves.
    fn epoch(&self) -> u64 {
        0
    }
}

/// A shared log.
pub type SharedLog = Arc<dyn Log>;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's full name.
    pub topic: Arc<str>,
    /// The partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// `topic`-`partition`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
