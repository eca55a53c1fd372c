//! librdkafka's errors: brokers' codes are positive, its own negative.

use std::ffi::{CStr, c_char, c_int};

use rdkafka_sys::bindings as native;

use crate::real::wire;
use crate::{Error, ErrorKind};

// Declared here once more, because the bindings read the code into a Rust enum, where a code of a newer broker would be undefined behaviour.
#[allow(
    clashing_extern_declarations,
    reason = "the same C functions, with the code as the integer it is"
)]
unsafe extern "C" {
    #[link_name = "rd_kafka_error_code"]
    fn error_code(error: *const native::rd_kafka_error_t) -> c_int;
    #[link_name = "rd_kafka_err2str"]
    fn error_text(code: c_int) -> *const c_char;
}

/// librdkafka's own codes that mean something to us.
pub(crate) mod local {
    pub(crate) const TRANSPORT: i32 = -195;
    pub(crate) const RESOLVE: i32 = -193;
    pub(crate) const MSG_TIMED_OUT: i32 = -192;
    pub(crate) const PARTITION_EOF: i32 = -191;
    pub(crate) const UNKNOWN_PARTITION: i32 = -190;
    pub(crate) const UNKNOWN_TOPIC: i32 = -188;
    pub(crate) const ALL_BROKERS_DOWN: i32 = -187;
    pub(crate) const INVALID_ARG: i32 = -186;
    pub(crate) const TIMED_OUT: i32 = -185;
    pub(crate) const QUEUE_FULL: i32 = -184;
    pub(crate) const SSL: i32 = -181;
    pub(crate) const WAIT_COORD: i32 = -180;
    pub(crate) const IN_PROGRESS: i32 = -178;
    pub(crate) const PREV_IN_PROGRESS: i32 = -177;
    pub(crate) const AUTHENTICATION: i32 = -169;
    pub(crate) const TIMED_OUT_QUEUE: i32 = -166;
    pub(crate) const RETRY: i32 = -153;
    pub(crate) const PURGE_QUEUE: i32 = -152;
    pub(crate) const PURGE_INFLIGHT: i32 = -151;
    pub(crate) const FATAL: i32 = -150;
    pub(crate) const FENCED: i32 = -144;
    pub(crate) const AUTO_OFFSET_RESET: i32 = -140;
}

/// What the caller can do about a code.
pub(crate) fn kind_of_code(code: i32) -> ErrorKind {
    match code {
        local::TRANSPORT
        | local::MSG_TIMED_OUT
        | local::TIMED_OUT
        | local::TIMED_OUT_QUEUE
        | local::QUEUE_FULL
        | local::WAIT_COORD
        | local::IN_PROGRESS
        | local::PREV_IN_PROGRESS
        | local::RETRY
        | local::PURGE_QUEUE
        | local::PURGE_INFLIGHT => ErrorKind::Retriable,
        local::RESOLVE | local::ALL_BROKERS_DOWN => ErrorKind::Unreachable,
        local::UNKNOWN_TOPIC | local::UNKNOWN_PARTITION => ErrorKind::UnknownTopic,
        local::AUTHENTICATION => ErrorKind::Authentication,
        local::SSL => ErrorKind::Handshake,
        local::INVALID_ARG => ErrorKind::Config,
        local::FENCED => ErrorKind::Fenced,
        local::AUTO_OFFSET_RESET => ErrorKind::OffsetOutOfRange,
        code => match i16::try_from(code) {
            Ok(code) if code > 0 => wire::kind_of(code),
            _ => ErrorKind::Fatal,
        },
    }
}

/// librdkafka's text for a code.
pub(crate) fn text_of_code(code: i32) -> String {
    // SAFETY: returns a static, NUL-terminated string for every integer.
    unsafe { CStr::from_ptr(error_text(code)) }
        .to_string_lossy()
        .into_owned()
}

/// An error object of librdkafka, read and freed.
#[derive(Debug)]
pub(super) struct NativeError {
    pub(super) code: i32,
    pub(super) text: String,
    pub(super) fatal: bool,
    pub(super) retriable: bool,
    pub(super) requires_abort: bool,
}

impl NativeError {
    /// `None` if the call succeeded.
    pub(super) fn take(error: *mut native::rd_kafka_error_t) -> Option<Self> {
        if error.is_null() {
            return None;
        }
        // SAFETY: a non-null error is a live object that is ours; it is read here and freed once, at the end.
        unsafe {
            let read = Self {
                code: error_code(error),
                text: CStr::from_ptr(native::rd_kafka_error_string(error))
                    .to_string_lossy()
                    .into_owned(),
                fatal: native::rd_kafka_error_is_fatal(error) != 0,
                retriable: native::rd_kafka_error_is_retriable(error) != 0,
                requires_abort: native::rd_kafka_error_txn_requires_abort(error) != 0,
            };
            native::rd_kafka_error_destroy(error);
            Some(read)
        }
    }

    /// What a transactional call's error means: who moved on comes before what librdkafka advises.
    pub(super) fn kind(&self) -> ErrorKind {
        match kind_of_code(self.code) {
            kind @ (ErrorKind::Fenced
            | ErrorKind::Rejoin
            | ErrorKind::Authentication
            | ErrorKind::Handshake
            | ErrorKind::Unauthorized
            | ErrorKind::Abortable) => kind,
            // Nothing more can be done with the client, but somebody can do something about it.
            kind @ ErrorKind::Config if self.fatal => kind,
            _ if self.fatal => ErrorKind::Fatal,
            _ if self.requires_abort => ErrorKind::Abortable,
            ErrorKind::Unreachable => ErrorKind::Unreachable,
            _ if self.retriable => ErrorKind::Retriable,
            kind => kind,
        }
    }

    pub(super) fn into_error(self, what: impl std::fmt::Display) -> Error {
        Error::new(self.kind(), format!("{what}: {} ({})", self.text, self.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i32, fatal: bool, retriable: bool, requires_abort: bool) -> ErrorKind {
        NativeError {
            code,
            text: String::new(),
            fatal,
            retriable,
            requires_abort,
        }
        .kind()
    }

    #[test]
    fn transactional_errors_have_the_kind_that_the_engine_acts_on() {
        let table = [
            // A producer that was fenced by another.
            (error(local::FENCED, true, false, false), ErrorKind::Fenced),
            (error(90, true, false, false), ErrorKind::Fenced),
            // The group moved on: the transaction must be aborted, but what matters is to rejoin.
            (error(22, false, false, true), ErrorKind::Rejoin),
            (error(25, false, false, true), ErrorKind::Rejoin),
            (error(82, false, false, true), ErrorKind::Fenced),
            // A delivery failed.
            (error(-149, false, false, true), ErrorKind::Abortable),
            (error(local::TIMED_OUT, false, true, false), ErrorKind::Retriable),
            (error(local::FATAL, true, false, false), ErrorKind::Fatal),
            // Fatal for librdkafka's producer, but not for the next one with its id.
            (error(48, true, false, false), ErrorKind::Abortable),
            (error(49, true, false, false), ErrorKind::Abortable),
            (error(-172, false, false, false), ErrorKind::Fatal),
            // A time-out beyond the broker's, and no right to the transactional id.
            (error(50, true, false, false), ErrorKind::Config),
            (error(53, true, false, false), ErrorKind::Unauthorized),
        ];
        for (index, (got, expected)) in table.into_iter().enumerate() {
            assert_eq!(got, expected, "row {index}");
        }
    }

    #[test]
    fn codes_that_the_bindings_do_not_know_have_a_text() {
        assert!(!text_of_code(4_000).is_empty());
        assert_eq!(text_of_code(0), "Success");
    }
}
