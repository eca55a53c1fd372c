//! Millrace: stateful stream processing on Kafka, with the semantics of Kafka Streams.
//!
//! An [`Application`] is a plan and the code of its nodes; an [`Instance`] runs its share of it: one member of the group, worker threads that
//! own tasks whole, state in RocksDB, changelogs in Kafka.

mod application;
pub mod config;
pub mod driver;
pub mod dsl;
mod error;
mod instance;
mod layout;
pub mod metrics;
#[cfg(test)]
mod mutant;
pub mod node;
pub mod partitioner;
mod record;
pub mod reset;
pub mod serde;
mod task;
mod worker;

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

pub use application::Application;
pub use error::{BoxError, Code, Error, Result};
pub use instance::{Instance, InstanceOptions};
pub use record::{Record, RecordContext, Windowed};
pub use task::Context;

pub use millrace_kafka as kafka;
pub use millrace_state as state;
pub use millrace_topology as topology;
