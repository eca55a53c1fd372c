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
