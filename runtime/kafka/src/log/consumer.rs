//! Reading partitions that one is told to read.

use std::fmt;
use std::time::Duration;

use super::{RecordBatch, TopicPartition};
use crate::{Error, Result};

/// Which records of transactions are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// All records, open and aborted transactions included; ends at the high watermark.
    ReadUncommitted,
    /// Committed records only, up to the last stable offset.
    ReadCommitted,
}

/// How a consumer is to be made.
#[derive(Clone)]
pub struct ConsumerSpec {
    /// The client id, as brokers log it.
    pub client_id: String,
    /// Which records of transactions are seen.
    pub isolation: Isolation,
    /// Client properties by Java's names (`fetch.max.bytes`), prefixes already removed.
    pub config: Vec<(String, String)>,
}

/// Names of properties without their values: some are secrets.
impl fmt::Debug for ConsumerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.config.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("ConsumerSpec")
            .field("client_id", &self.client_id)
            .field("isolation", &self.isolation)
            .field("config", &names)
            .finish()
    }
}

/// What a poll brought.
#[derive(Debug)]
pub enum Polled {
    /// Records of one partition.
    Records(RecordBatch),
    /// The position moved without records (markers, aborted records) and stands at the end that this isolation sees.
    End {
        /// The partition.
        partition: TopicPartition,
        /// The next offset to be read.
        position: i64,
    },
    /// A partition cannot be read on ([`crate::ErrorKind::OffsetOutOfRange`], `UnknownTopic`, `Unauthorized`); it is unassigned.
    Failed {
        /// The partition.
        partition: TopicPartition,
        /// Why.
        error: Error,
    },
}

/// A reader of assigned partitions.
pub trait Consumer: Send {
    /// Adds partitions, each from its offset (always absolute); one that is assigned already is moved there.
    fn assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<()>;
    /// Removes partitions; their buffered records are dropped.
    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<()>;
    /// Stops handing out records of these partitions; positions stay.
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()>;
    /// Undoes [`Consumer::pause`].
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()>;
    /// Appends what has arrived to `out`, waiting at most `timeout` for the first of it. At most about `max_records` records.
    fn poll(&mut self, timeout: Duration, max_records: usize, out: &mut Vec<Polled>) -> Result<()>;
    /// The next offset that will be handed out: after the last record handed out, and past markers once they were passed.
    /// Starts at the assigned offset. `None` if not assigned.
    fn position(&self, partition: &TopicPartition) -> Option<i64>;
    /// The partition's end as last heard from the broker, at this consumer's isolation; `None` before the first answer. Until
    /// [`Polled::End`] has told the last stable offset, it may be the high watermark, which bounds it.
    fn known_end(&self, partition: &TopicPartition) -> Option<i64>;
}
