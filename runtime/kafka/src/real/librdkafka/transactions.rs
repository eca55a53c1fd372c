//! The transactional calls.

use std::time::{Duration, Instant};

use rdkafka_sys::bindings as native;

use super::client::{Native, c_string};
use super::errors::{NativeError, local};
use super::{PartitionList, timeout_ms};
use crate::log::GroupMembership;
use crate::{Error, ErrorKind, Result};

impl Native {
    pub(crate) fn init_transactions(&self, timeout: Duration) -> Result<()> {
        // Without a connected broker librdkafka looks again only after half a second: so wait for one first.
        let start = Instant::now();
        self.await_broker(timeout)?;
        let timeout = timeout.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        // SAFETY: the client is alive.
        let error = unsafe { native::rd_kafka_init_transactions(self.pointer, timeout_ms(timeout)) };
        self.done(error, "init transactions")
    }

    pub(crate) fn begin_transaction(&self) -> Result<()> {
        // SAFETY: the client is alive.
        self.done(
            unsafe { native::rd_kafka_begin_transaction(self.pointer) },
            "begin transaction",
        )
    }

    pub(crate) fn send_offsets(
        &self,
        offsets: &PartitionList,
        member: &GroupMembership,
        timeout: Duration,
    ) -> Result<()> {
        let (group, id) = (c_string(&member.group)?, c_string(&member.member_id)?);
        let instance = member.instance_id.as_deref().map(c_string).transpose()?;
        let instance = instance.as_ref().map_or(std::ptr::null(), |instance| instance.as_ptr());
        // SAFETY: all strings are alive and copied; the metadata is freed once, after its use; client and list are alive.
        let error = unsafe {
            let metadata = native::rd_kafka_consumer_group_metadata_new_with_genid(
                group.as_ptr(),
                member.generation,
                id.as_ptr(),
                instance,
            );
            let error = native::rd_kafka_send_offsets_to_transaction(
                self.pointer,
                offsets.pointer,
                metadata,
                timeout_ms(timeout),
            );
            native::rd_kafka_consumer_group_metadata_destroy(metadata);
            error
        };
        self.done(
            error,
            format_args!("offsets of group {} (generation {})", member.group, member.generation),
        )
    }

    pub(crate) fn commit_transaction(&self, timeout: Duration) -> Result<()> {
        // SAFETY: the client is alive; delivery reports are served by this very call.
        self.ended(
            unsafe { native::rd_kafka_commit_transaction(self.pointer, timeout_ms(timeout)) },
            "commit",
        )
    }

    pub(crate) fn abort_transaction(&self, timeout: Duration) -> Result<()> {
        // SAFETY: the client is alive; delivery reports are served by this very call.
        self.ended(
            unsafe { native::rd_kafka_abort_transaction(self.pointer, timeout_ms(timeout)) },
            "abort",
        )
    }

    fn done(&self, error: *mut native::rd_kafka_error_t, what: impl std::fmt::Display) -> Result<()> {
        let error = NativeError::take(error);
        if error.is_some() {
            // Callbacks may have more to say about it.
            self.poll(Duration::ZERO);
        }
        match error {
            None => Ok(()),
            Some(error) if error.code == local::TIMED_OUT && self.context().no_broker() => Err(Error::new(
                ErrorKind::Unreachable,
                format!("{what}: no broker can be reached: {}", error.text),
            )),
            Some(error) => Err(error.into_error(what)),
        }
    }

    fn ended(&self, error: *mut native::rd_kafka_error_t, what: &str) -> Result<()> {
        match NativeError::take(error) {
            None => Ok(()),
            Some(error) if error.code == local::TIMED_OUT && !error.fatal && !error.requires_abort => {
                Err(Error::new(ErrorKind::OutcomeUnknown, format!("{what}: {}", error.text)))
            }
            // An earlier error, told once more: it was acted on, but for the abort.
            Some(error) if error.requires_abort && error.kind() == ErrorKind::Rejoin => {
                Err(Error::new(ErrorKind::Abortable, format!("{what}: {}", error.text)))
            }
            Some(error) => Err(error.into_error(what)),
        }
    }
}
