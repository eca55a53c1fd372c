//! The classic group protocol, request by request, and the group's committed offsets.

use std::time::Duration;

use bytes::Bytes;

use super::TopicPartition;
use crate::{Error, Result};

/// A member's identity within a generation, as commits carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMembership {
    /// The group (the application id).
    pub group: String,
    /// The generation; -1 outside any.
    pub generation: i32,
    /// The id that the coordinator gave; empty outside any generation.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
}

impl GroupMembership {
    /// Nobody: commits of this one are taken only while the group is empty.
    #[must_use]
    pub fn outside(group: &str) -> Self {
        Self {
            group: group.to_owned(),
            generation: -1,
            member_id: String::new(),
            instance_id: None,
        }
    }
}

/// A member as others name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberIdentity {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if static.
    pub instance_id: Option<String>,
}

/// JoinGroup (v9).
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// Empty at first.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// The member is dropped after so long without a heartbeat.
    pub session_timeout: Duration,
    /// How long the coordinator waits for members to rejoin.
    pub rebalance_timeout: Duration,
    /// One word per application kind ("consumer" for Kafka's own clients).
    pub protocol_type: String,
    /// Assignment protocols in order of preference, each with this member's metadata.
    pub protocols: Vec<(String, Bytes)>,
    /// Why it joins, for the broker's log.
    pub reason: String,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if static.
    pub instance_id: Option<String>,
    /// Its metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// The answer to [`JoinRequest`].
#[derive(Clone, Debug)]
pub struct JoinResponse {
    /// The generation.
    pub generation: i32,
    /// This member's id.
    pub member_id: String,
    /// The leader's id.
    pub leader: String,
    /// The protocol that all members know.
    pub protocol: String,
    /// All members: for the leader only.
    pub members: Vec<JoinedMember>,
    /// A static leader came back: it leads, but the assignment of the generation stands.
    pub skip_assignment: bool,
}

/// SyncGroup.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// The generation joined.
    pub generation: i32,
    /// This member.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// As in the join.
    pub protocol_type: String,
    /// As chosen.
    pub protocol: String,
    /// From the leader: what each member gets. Empty from the others.
    pub assignments: Vec<(String, Bytes)>,
}

/// The answer to [`SyncRequest`].
#[derive(Clone, Debug)]
pub struct SyncResponse {
    /// What this member gets.
    pub assignment: Bytes,
}

/// Heartbeat.
#[derive(Clone, Debug)]
pub struct HeartbeatRequest {
    /// The generation.
    pub generation: i32,
    /// This member.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
}

/// LeaveGroup for one member.
#[derive(Clone, Debug)]
pub struct LeaveRequest {
    /// This member; may be empty if the instance id is given.
    pub member_id: String,
    /// Of a static member.
    pub instance_id: Option<String>,
    /// Why, for the broker's log.
    pub reason: String,
}

/// A request of a group member.
#[derive(Clone, Debug)]
pub enum Request {
    /// Enter the group, or the next generation. The answer may take as long as the rebalance time-out.
    Join(JoinRequest),
    /// Hand in (leader) or fetch the assignment.
    Sync(SyncRequest),
    /// Stay.
    Heartbeat(HeartbeatRequest),
    /// Go.
    Leave(LeaveRequest),
}

/// The answer to a [`Request`]: the protocol's own error, by its number in Kafka's `Errors`, or the body.
#[derive(Clone, Debug)]
pub enum Response {
    /// To a join. Of errors, `MEMBER_ID_REQUIRED` (79) carries the id to come back with.
    Join(Result<JoinResponse, GroupError>),
    /// To a sync.
    Sync(Result<SyncResponse, GroupError>),
    /// To a heartbeat.
    Heartbeat(Result<(), GroupError>),
    /// To a leave.
    Leave(Result<(), GroupError>),
    /// No answer: the connection broke or the coordinator is moving. The implementation finds the coordinator anew by itself; the
    /// member decides what to send again.
    Lost(Error),
}

pub use group_error::GroupError;

mod group_error {
    /// An error code of the group protocol.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GroupError {
        /// The number in Kafka's `Errors`: 22 ILLEGAL_GENERATION, 25 UNKNOWN_MEMBER_ID, 27 REBALANCE_IN_PROGRESS, 79 MEMBER_ID_REQUIRED, 82 FENCED_INSTANCE_ID…
        pub code: i16,
        /// The member id that comes with MEMBER_ID_REQUIRED.
        pub member_id: Option<String>,
    }
}

/// A connection to a group's coordinator for one member. One request is under way at a time, except that a heartbeat or a leave may be sent
/// while a join waits.
pub trait Coordinator: Send {
    /// Sends; the answer comes from [`Coordinator::poll`].
    fn send(&mut self, request: Request) -> Result<()>;
    /// The next answer, waiting at most `timeout`; `None` if there is none yet.
    fn poll(&mut self, timeout: Duration) -> Result<Option<Response>>;
}

/// An offset to commit: the next record to be processed, and what Kafka Streams keeps beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetAndMetadata {
    /// The next offset to be read.
    pub offset: i64,
    /// Opaque to the broker.
    pub metadata: String,
}

/// A committed offset.
pub type CommittedOffset = Option<OffsetAndMetadata>;

/// Which group protocol a group runs. Only classic groups can be joined with [`JoinRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// JoinGroup and SyncGroup: Kafka Streams by default, older consumers, Millrace.
    Classic,
    /// KIP-848: `group.protocol=consumer`.
    Consumer,
    /// KIP-1071: Kafka Streams with `group.protocol=streams`.
    Streams,
    /// KIP-932: share consumers.
    Share,
}

/// A group as the brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its protocol.
    pub kind: GroupKind,
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`; of other kinds also `Assigning`, `Reconciling`, `NotReady`.
    pub state: String,
    /// The members' protocol type; empty where no member ever was, and for other kinds than classic.
    pub protocol_type: String,
    /// The chosen protocol; empty while rebalancing.
    pub protocol: String,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A member as the brokers describe it. Metadata and assignment are there for classic groups that are stable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if static.
    pub instance_id: Option<String>,
    /// The client id that its requests carry.
    pub client_id: String,
    /// The address that it came from.
    pub host: String,
    /// Its metadata for the chosen protocol.
    pub metadata: Bytes,
    /// What it was given.
    pub assignment: Bytes,
}

/// The committed offsets of a group.
pub trait Offsets: Send {
    /// What is committed, in the order asked; `require_stable` waits (within `timeout`) until no transaction is open on the offsets.
    fn fetch(
        &mut self,
        partitions: &[TopicPartition],
        require_stable: bool,
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>>;
    /// Commits outside a transaction, fenced by the member's generation; for [`GroupMembership::outside`], by the group being empty.
    fn commit(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
        timeout: Duration,
    ) -> Result<()>;
    /// Who is in the group.
    fn describe(&mut self, timeout: Duration) -> Result<GroupDescription>;
    /// Takes members out of the group whether they live or not (LeaveGroup for others, KIP-571); static ones by their instance id. Who is
    /// gone already is passed over. `reason` is for the broker's log.
    fn remove_members(&mut self, members: &[MemberIdentity], reason: &str, timeout: Duration) -> Result<()>;
}
