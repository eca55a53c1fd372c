//! Kafka in this process: topics, transactions and groups behind the traits of [`crate::log`].
//!
//! It is the log of tests, of `millrace dev`, and of the simulator, and it keeps what makes Kafka hard: markers occupy offsets and may
//! arrive late, partition by partition; read-committed readers stop at the last stable offset and never see aborted records; producers are
//! fenced by epochs and by time-outs; a transactional id is busy until its markers have arrived; groups rebalance as the classic
//! protocol says. A [`Cluster`] is the broker; a [`Client`] is one process' view of it, which can crash on its own; a [`FaultPlan`]
//! decides over every call.
//!
//! ```
//! use std::time::Duration;
//! use millrace_kafka::inproc::{Cluster, ClusterOptions};
//! use millrace_kafka::log::{ConsumerSpec, Isolation, Log, Polled, TopicPartition};
//!
//! # fn main() -> millrace_kafka::Result<()> {
//! let cluster = Cluster::new(ClusterOptions::default());
//! cluster.create_topic("orders", 1)?;
//! cluster.append("orders", 0, Some(b"k"), Some(b"v"), 1_000, &[])?;
//!
//! let client = cluster.client("instance-0");
//! let spec = ConsumerSpec { client_id: "c".into(), isolation: Isolation::ReadCommitted, config: vec![] };
//! let mut consumer = client.consumer(&spec)?;
//! consumer.assign(&[(TopicPartition::new("orders", 0), 0)])?;
//! let mut polled = Vec::new();
//! consumer.poll(Duration::from_millis(10), 100, &mut polled)?;
//! let Polled::Records(batch) = &polled[0] else { panic!("{polled:?}") };
//! assert_eq!(batch.get(0).value_slice(), Some(&b"v"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! **What holds it to Kafka.** `crate::conformance` has a script for each behaviour that the traits show, and runs them here, under every way of
//! being late, and on a real broker of 4.3. What differs, knowingly:
//!
//! * *One transaction version.* A producer keeps its epoch from one transaction to the next, as it does for every client that speaks the first
//!   version of the transaction protocol: librdkafka does (EndTxn up to version 1), whatever `transaction.version` the cluster has. The epoch per
//!   transaction of KIP-890 would show in nothing that the traits tell.
//! * *No sequence numbers.* A producer writes under the cluster's lock, so that no batch is ever sent twice or out of order.
//! * *Records are refused one by one.* A broker refuses the whole batch that a bad record is in.
//! * *No retention by time.* `retention.ms` is kept as a setting and deletes nothing; [`ClusterOptions::retention_bytes_per_partition`] and
//!   DeleteRecords do. Committed offsets never expire, producer ids neither.
//! * *No cleaner of its own.* Compaction happens when a test says so ([`Cluster::compact`]), or to keep within the bound; what it leaves may
//!   be told from a broker's, which never compacts the active segment.
//! * *Only the topic's own bounds of time.* `message.timestamp.after.max.ms` counts where the topic sets it; the brokers' default of an hour
//!   does not.
//! * *One broker, one group protocol.* No leader elections, no KIP-848, KIP-1071 or share groups, no access control, no quotas,
//!   no `group.max.size`.
//!
//! With a clock that does not pass by itself ([`crate::clock::ManualClock`]) no call waits: reads return what is there, answers of a group come
//! when others have sent theirs, and a call that would wait for late markers lets them arrive, for its waiting stands for time.

mod admin;
mod client;
mod cluster;
mod consumer;
mod coordinator;
mod fault;
mod groups;
mod membership;
mod options;
mod outgoing;
mod partition;
mod producer;
mod segment;
mod state;
#[cfg(test)]
mod tests;
mod topic;
mod transactions;

pub use client::Client;
pub use cluster::{Cluster, StoredRecord};
pub use fault::{Fault, FaultPlan, Point};
pub use options::{ClusterOptions, MarkerPolicy};
