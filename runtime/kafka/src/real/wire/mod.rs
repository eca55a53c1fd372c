//! Our own client for Kafka's wire protocol: what librdkafka cannot say for us.
//!
//! Blocking, one request at a time per connection; every call has a deadline and retries what can be retried before it.

mod client;
mod connection;
mod errors;
mod login;
mod timing;
mod tls;
mod transport;

pub(crate) use client::{Client, CoordinatorKind, Settings, topic_name};
pub(crate) use connection::Connection;
pub(crate) use errors::{error_of, is_retriable, kind_of, name_of};
pub(crate) use timing::Timing;
use transport::Transport;

use std::time::{Duration, Instant};

/// Until when a call may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout)
    }

    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub(crate) fn passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of this deadline and `limit` from now.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        Self(self.0.min(Instant::now() + limit))
    }
}
