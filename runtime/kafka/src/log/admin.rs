//! Topics, their configuration, and the ends of their partitions.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::{Isolation, Right, TopicPartition};
use crate::Result;

/// The cluster's identity and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterInfo {
    /// The id that the cluster was formatted with.
    pub cluster_id: String,
    /// How many brokers answer.
    pub brokers: usize,
}

/// A topic as the cluster's metadata gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its full name.
    pub name: String,
    /// Its id: a topic that was deleted and made anew has another.
    pub id: Uuid,
    /// The number of partitions.
    pub partitions: i32,
}

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its full name.
    pub name: String,
    /// The number of partitions, from 1.
    pub partitions: i32,
    /// Copies of each partition; -1 takes the broker's default.
    pub replication_factor: i16,
    /// Topic configs that differ from the broker's.
    pub config: BTreeMap<String, String>,
}

/// A topic's config entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The value in force.
    pub value: String,
    /// Whether the topic itself sets it.
    pub is_topic_override: bool,
}

/// Which offset of a partition is asked for (ListOffsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log's start.
    Earliest,
    /// The end: the high watermark under [`Isolation::ReadUncommitted`], the last stable offset under [`Isolation::ReadCommitted`].
    Latest(Isolation),
    /// The first offset whose timestamp (milliseconds) is at or after this; the end if there is none.
    Timestamp(i64),
}

/// Topics, configs, offsets. Each call waits at most `timeout`, retrying what can be retried within it.
pub trait Admin: Send {
    /// Who answers.
    fn cluster(&mut self, timeout: Duration) -> Result<ClusterInfo>;
    /// The named topics, in the order asked; `None` where a topic does not exist. Never creates one.
    fn topics(&mut self, names: &[&str], timeout: Duration) -> Result<Vec<Option<TopicInfo>>>;
    /// The names of all topics that this client may see, sorted.
    fn topic_names(&mut self, timeout: Duration) -> Result<Vec<String>>;
    /// Creates topics; `validate_only` asks the cluster to check and create nothing. The results are in the order asked.
    fn create_topics(&mut self, topics: &[NewTopic], validate_only: bool, timeout: Duration)
    -> Result<Vec<Result<()>>>;
    /// Deletes topics.
    fn delete_topics(&mut self, names: &[&str], timeout: Duration) -> Result<Vec<Result<()>>>;
    /// A topic's whole configuration.
    fn topic_config(&mut self, topic: &str, timeout: Duration) -> Result<BTreeMap<String, ConfigEntry>>;
    /// One offset per partition, in the order asked.
    fn list_offsets(&mut self, of: &[(TopicPartition, OffsetSpec)], timeout: Duration) -> Result<Vec<i64>>;
    /// Drops what is below each offset (DeleteRecords); the log's start moves up to it.
    fn delete_records(&mut self, before: &[(TopicPartition, i64)], timeout: Duration) -> Result<()>;
    /// Aborts whatever a vanished producer left open under this transactional id (InitProducerId).
    fn fence_producer(&mut self, transactional_id: &str, timeout: Duration) -> Result<()>;
    /// Those of `rights` that this process does not have; on a log without access control none. Of a topic that does not exist
    /// nothing is said, nor whether a transactional id may be written: that shows with its use.
    fn lacking(&mut self, rights: &[Right], timeout: Duration) -> Result<Vec<Right>> {
        let _ = (rights, timeout);
        Ok(Vec::new())
    }
}
