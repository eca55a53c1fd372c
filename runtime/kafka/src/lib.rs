//! Millrace's view of Kafka: what the engine asks of a log, and the two logs that answer.
//!
//! * [`log`] holds the traits: admin, consumer, producer, group coordinator. The engine knows nothing else.
//! * [`real`] answers them on a Kafka cluster: librdkafka moves the records, our own wire client speaks for the group and the admin.
//! * [`inproc`] answers them in this process, with transactions, markers, fencing and groups kept honestly.
//! * [`group`] is the member of a consumer group, a state machine over the coordinator trait.
//! * [`assignor`] decides which member runs which task.
//! * [`clock`] is time, for the logs and for the engine; `conformance` holds the scripts that both logs must pass.

pub mod assignor;
pub mod clock;
#[doc(hidden)]
pub mod conformance;
pub mod error;
pub mod group;
pub mod inproc;
pub mod log;
pub mod real;

pub use error::{Error, ErrorKind, Result};
