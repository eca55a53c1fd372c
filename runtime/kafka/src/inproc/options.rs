//! How a cluster in this process behaves.

use std::time::Duration;

use crate::clock::{SharedClock, SystemClock};

/// When the marker that ends a transaction reaches each of its partitions (and the group whose offsets it carries).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerPolicy {
    /// With the commit or abort itself.
    Immediate,
    /// Each after a random time up to this.
    Delayed(Duration),
    /// Each after a random number of calls, by any client, up to this.
    Steps(u64),
    /// When the test says so: `Cluster::deliver_markers`.
    Manual,
}

/// Options of `Cluster::new`. The default is a well-behaved broker on the machine's clock.
#[derive(Clone)]
pub struct ClusterOptions {
    /// Time: time-outs, append times, delays.
    pub clock: SharedClock,
    /// Feeds everything random: ids, marker delays, the order of arrival.
    pub seed: u64,
    /// When markers arrive.
    pub markers: MarkerPolicy,
    /// Whether producers send their partitions in random order, and some later than others. Within a partition order is kept.
    pub shuffle_sends: bool,
    /// Whether a read hands out a random part of what there is, and now and then nothing. Within a partition order is kept.
    pub split_reads: bool,
    /// The id that the cluster says it was formatted with; made from the seed if empty.
    pub cluster_id: String,
    /// Old records of a partition are dropped beyond this size (compacted topics are compacted).
    pub retention_bytes_per_partition: Option<usize>,
    /// `group.initial.rebalance.delay.ms`; Kafka's default is 3 s, here none.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout: Duration,
    /// `transaction.max.timeout.ms`.
    pub max_transaction_timeout: Duration,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            clock: std::sync::Arc::new(SystemClock::new()),
            seed: 0,
            markers: MarkerPolicy::Immediate,
            shuffle_sends: false,
            split_reads: false,
            cluster_id: String::new(),
            retention_bytes_per_partition: None,
            initial_rebalance_delay: Duration::ZERO,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(1_800),
            max_transaction_timeout: Duration::from_secs(900),
        }
    }
}

impl std::fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterOptions")
            .field("seed", &self.seed)
            .field("markers", &self.markers)
            .field("shuffle_sends", &self.shuffle_sends)
            .field("split_reads", &self.split_reads)
            .finish_non_exhaustive()
    }
}
