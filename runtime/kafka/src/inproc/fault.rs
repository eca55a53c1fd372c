//! Faults on purpose: a plan is asked at every call of every client.

use crate::ErrorKind;

/// A call of the log's traits, as a fault plan sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is named after its call")]
pub enum Point {
    AdminCluster,
    AdminTopics,
    AdminCreateTopics,
    AdminDeleteTopics,
    AdminTopicConfig,
    AdminListOffsets,
    AdminDeleteRecords,
    AdminFenceProducer,
    ConsumerAssign,
    ConsumerUnassign,
    ConsumerPoll,
    ProducerPartitions,
    ProducerSend,
    ProducerPoll,
    ProducerFlush,
    ProducerInit,
    ProducerBegin,
    ProducerSendOffsets,
    ProducerCommit,
    ProducerAbort,
    GroupJoin,
    GroupSync,
    GroupHeartbeat,
    GroupLeave,
    GroupPoll,
    OffsetsFetch,
    OffsetsCommit,
    OffsetsDescribe,
}

impl Point {
    /// Every point, in declaration order.
    pub const ALL: &'static [Point] = &[
        Point::AdminCluster,
        Point::AdminTopics,
        Point::AdminCreateTopics,
        Point::AdminDeleteTopics,
        Point::AdminTopicConfig,
        Point::AdminListOffsets,
        Point::AdminDeleteRecords,
        Point::AdminFenceProducer,
        Point::ConsumerAssign,
        Point::ConsumerUnassign,
        Point::ConsumerPoll,
        Point::ProducerPartitions,
        Point::ProducerSend,
        Point::ProducerPoll,
        Point::ProducerFlush,
        Point::ProducerInit,
        Point::ProducerBegin,
        Point::ProducerSendOffsets,
        Point::ProducerCommit,
        Point::ProducerAbort,
        Point::GroupJoin,
        Point::GroupSync,
        Point::GroupHeartbeat,
        Point::GroupLeave,
        Point::GroupPoll,
        Point::OffsetsFetch,
        Point::OffsetsCommit,
        Point::OffsetsDescribe,
    ];
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call goes through.
    None,
    /// The request never arrives; the caller gets an error of this kind. On group requests the answer is [`crate::log::Response::Lost`].
    LoseRequest(ErrorKind),
    /// The request is carried out and its answer lost; the caller gets an error of this kind.
    LoseAnswer(ErrorKind),
    /// The client's process dies before the call.
    CrashBefore,
    /// The client's process dies once the call has been carried out.
    CrashAfter,
}

/// Decides the fate of calls. It runs outside the cluster's lock: it may panic to unwind a whole instance.
///
/// ```
/// use millrace_kafka::inproc::{Fault, FaultPlan, Point};
/// use millrace_kafka::ErrorKind;
///
/// struct CommitAnswersVanish;
/// impl FaultPlan for CommitAnswersVanish {
///     fn at(&self, _client: &str, point: Point) -> Fault {
///         match point {
///             Point::ProducerCommit => Fault::LoseAnswer(ErrorKind::OutcomeUnknown),
///             _ => Fault::None,
///         }
///     }
/// }
/// ```
pub trait FaultPlan: Send + Sync {
    /// The fate of the call that `client` (the name given to `Cluster::client`) is about to make.
    fn at(&self, client: &str, point: Point) -> Fault;
}

impl<F: Fn(&str, Point) -> Fault + Send + Sync> FaultPlan for F {
    fn at(&self, client: &str, point: Point) -> Fault {
        self(client, point)
    }
}
