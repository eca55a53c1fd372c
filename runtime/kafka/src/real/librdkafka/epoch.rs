//! Records of the epoch's first millisecond.
//!
//! librdkafka's API takes a timestamp of 0 for "now", and offers no other way to write 0. So such a record is given a stand-in, and an
//! interceptor, which sees each record before it is queued, puts 0 in its place. The field is found by the stand-in, not by its
//! offset, and librdkafka's own accessor is asked before and after; a test on a broker covers it.

use std::ffi::{c_char, c_void};

use rdkafka_sys::bindings as native;

/// Stands for 0 on the way into librdkafka; no caller may write a negative timestamp.
pub(super) const STAND_IN: i64 = i64::MIN + 0x6d69_6c6c;

const NAME: &std::ffi::CStr = c"epoch";
const OK: native::rd_kafka_resp_err_t = native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;

/// Adds the interceptor to a producer's configuration.
pub(super) fn intercept(config: *mut native::rd_kafka_conf_t) {
    // SAFETY: the configuration is alive; name and functions are static.
    unsafe {
        native::rd_kafka_conf_interceptor_add_on_new(config, NAME.as_ptr(), Some(on_new), std::ptr::null_mut());
    }
}

unsafe extern "C" fn on_new(
    client: *mut native::rd_kafka_t,
    _config: *const native::rd_kafka_conf_t,
    _opaque: *mut c_void,
    _text: *mut c_char,
    _size: usize,
) -> native::rd_kafka_resp_err_t {
    // SAFETY: the client is alive (it calls us); name and function are static.
    unsafe { native::rd_kafka_interceptor_add_on_send(client, NAME.as_ptr(), Some(on_send), std::ptr::null_mut()) }
}

unsafe extern "C" fn on_send(
    _client: *mut native::rd_kafka_t,
    message: *mut native::rd_kafka_message_t,
    _opaque: *mut c_void,
) -> native::rd_kafka_resp_err_t {
    /// How many words of librdkafka's own record are looked at; it has more.
    const WORDS: usize = 8;
    // SAFETY: the message is alive and heads librdkafka's own record, a larger allocation aligned for i64, of which words are
    // compared; only the one that is the stand-in is written, and nobody else sees the record yet.
    unsafe {
        if timestamp(message) == STAND_IN {
            let words = message.add(1).cast::<i64>();
            if let Some(index) = (0..WORDS).find(|index| words.add(*index).read() == STAND_IN) {
                words.add(index).write(0);
            }
            debug_assert_eq!(timestamp(message), 0, "librdkafka's record has another shape");
        }
    }
    OK
}

/// # Safety
/// The message must be alive.
unsafe fn timestamp(message: *const native::rd_kafka_message_t) -> i64 {
    let mut kind = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: as the caller says; the place for the kind is alive.
    unsafe { native::rd_kafka_message_timestamp(message, &raw mut kind) }
}

// The words looked at begin where the public part ends.
const _: () = assert!(size_of::<native::rd_kafka_message_t>().is_multiple_of(align_of::<i64>()));
