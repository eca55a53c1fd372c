//! Writing records, in transactions or without.

use std::fmt;
use std::time::Duration;

use super::{GroupMembership, Header, OffsetAndMetadata, TopicPartition};
use crate::{Error, Result};

/// How a producer is to be made.
#[derive(Clone)]
pub struct ProducerSpec {
    /// The client id, as brokers log it.
    pub client_id: String,
    /// Makes it transactional.
    pub transactional_id: Option<String>,
    /// Client properties by Java's names (`linger.ms`), prefixes already removed.
    pub config: Vec<(String, String)>,
}

/// Names of properties without their values: some are secrets.
impl fmt::Debug for ProducerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.config.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("ProducerSpec")
            .field("client_id", &self.client_id)
            .field("transactional_id", &self.transactional_id)
            .field("config", &names)
            .finish()
    }
}

/// A topic that a producer writes to; valid for the producer that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicHandle(pub u32);

/// A record on its way out, borrowed from its maker.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingRecord<'a> {
    /// From [`Producer::topic`].
    pub topic: TopicHandle,
    /// The partition, chosen by the caller.
    pub partition: i32,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since the epoch, 0 or more.
    pub timestamp: i64,
    /// Headers in order.
    pub headers: &'a [Header],
}

/// A record that was taken by [`Producer::send`] and could not be delivered.
#[derive(Debug)]
pub struct DeliveryFailure {
    /// Where it was to go.
    pub partition: TopicPartition,
    /// Why it did not.
    pub error: Error,
}

/// A writer. One thread uses it.
///
/// The order of calls in a transaction: `begin`, `send`…, `flush`, `send_offsets`, `commit` or `abort`. After an error of kind `Fenced`, `OutcomeUnknown` or
/// `Fatal` the producer is done for: drop it and make a new one, whose `init_transactions` settles what was open.
pub trait Producer: Send {
    /// Looks a topic up, once.
    fn topic(&mut self, name: &str) -> Result<TopicHandle>;
    /// The number of partitions of a topic that exists; `UnknownTopic` otherwise.
    fn partitions(&mut self, topic: TopicHandle, timeout: Duration) -> Result<i32>;
    /// Takes a record, waiting while the queue is full. An error of kind `RecordRejected` is about this record alone.
    fn send(&mut self, record: OutgoingRecord<'_>) -> Result<()>;
    /// Serves delivery reports without waiting.
    fn poll(&mut self) -> Result<()>;
    /// Waits until every record taken is delivered or has failed. Failures are in [`Producer::take_failures`].
    fn flush(&mut self, timeout: Duration) -> Result<()>;
    /// The failures since the last call.
    fn take_failures(&mut self) -> Vec<DeliveryFailure>;
    /// The highest acknowledged offset of a partition since this producer was made.
    fn acknowledged(&self, topic: TopicHandle, partition: i32) -> Option<i64>;
    /// Bytes taken and not yet acknowledged.
    fn in_flight_bytes(&self) -> usize;

    /// Claims the transactional id: fences its older holder and ends what it left open.
    fn init_transactions(&mut self, timeout: Duration) -> Result<()>;
    /// Opens a transaction.
    fn begin(&mut self) -> Result<()>;
    /// Puts consumed offsets into the transaction, under the group's member id and generation.
    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
        timeout: Duration,
    ) -> Result<()>;
    /// Commits. `OutcomeUnknown` if no answer came in time.
    fn commit(&mut self, timeout: Duration) -> Result<()>;
    /// Aborts; unsent records are dropped.
    fn abort(&mut self, timeout: Duration) -> Result<()>;
}
