//! librdkafka behind small owners: each frees what it holds, and no pointer leaves this module but through them.

#![allow(
    unsafe_code,
    reason = "the boundary to the C library; each block says why it is sound"
)]

mod client;
mod context;
mod epoch;
mod errors;
mod messages;
mod partitions;
mod tokens;
mod transactions;

pub(crate) use client::{ClientType, Native, NativeTopic, NotTaken};

pub(crate) use errors::{kind_of_code, text_of_code};
pub(crate) use messages::{Message, MessageBuffer, NativeQueue, PARTITION_EOF};
pub(crate) use partitions::PartitionList;

use std::time::Duration;

/// A time-out as librdkafka takes it.
pub(crate) fn timeout_ms(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
