//! Records of the epoch's first millisecond.
//!
//! librdkafka's API takes a timestamp of 0 for "now", and offers no other way to write 0. So such a record is given a stand-in, and an
//! interceptor, which sees each record before it is queued, puts 0 in its place. The field is found by the stand-in, not by its
//! offset, and librdkafka's own accessor is asked before and after: if that still says the stand-in, sending fails for good, before
//! the transaction can be committed.

use std::ffi::{c_char, c_void};

use rdkafka_sys::bindings as native;

use super::context::Context;

/// Stands for 0 on the way into librdkafka; no caller may write a negative timestamp.
pub(super) const STAND_IN: i64 = i64::MIN + 0x6d69_6c6c;

const NAME: &std::ffi::CStr = c"epoch";
const OK: native::rd_kafka_resp_err_t = native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;

/// Adds the interceptor to a producer's configuration.
///
/// # Safety
/// The configuration must be alive, and the context must outlive the client that is made of it.
pub(super) unsafe fn intercept(config: *mut native::rd_kafka_conf_t, context: *const Context) {
    // SAFETY: as the caller says; name and functions are static.
    unsafe {
        native::rd_kafka_conf_interceptor_add_on_new(config, NAME.as_ptr(), Some(on_new), context.cast_mut().cast());
    }
}

unsafe extern "C" fn on_new(
    client: *mut native::rd_kafka_t,
    _config: *const native::rd_kafka_conf_t,
    opaque: *mut c_void,
    _text: *mut c_char,
    _size: usize,
) -> native::rd_kafka_resp_err_t {
    // SAFETY: the client is alive (it calls us); name and function are static; the context is passed on.
    unsafe { native::rd_kafka_interceptor_add_on_send(client, NAME.as_ptr(), Some(on_send), opaque) }
}

unsafe extern "C" fn on_send(
    _client: *mut native::rd_kafka_t,
    message: *mut native::rd_kafka_message_t,
    opaque: *mut c_void,
) -> native::rd_kafka_resp_err_t {
    /// How many words of librdkafka's own record are looked at; it has more.
    const WORDS: usize = 8;
    // SAFETY: the message is alive and heads librdkafka's own record, a larger allocation aligned for i64, of which words are
    // compared; only the one that is the stand-in is written, and nobody else sees the record yet. The
    // context outlives the client.
    unsafe {
        if timestamp(message) == STAND_IN {
            let words = message.add(1).cast::<i64>();
            if let Some(index) = (0..WORDS).find(|index| words.add(*index).read() == STAND_IN) {
                words.add(index).write(0);
            }
            if timestamp(message) != 0 {
                (*opaque.cast_const().cast::<Context>()).epoch_failed();
            }
        }
    }
    OK
}

/// # Safety
/// The message must be alive.
unsafe fn timestamp(message: *const native::rd_kafka_message_t) -> i64 {
    // SAFETY: as the caller says; the kind is not asked for.
    unsafe { native::rd_kafka_message_timestamp(message, std::ptr::null_mut()) }
}

// The words looked at begin where the public part ends.
const _: () = assert!(size_of::<native::rd_kafka_message_t>().is_multiple_of(align_of::<i64>()));

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC_WORDS: usize = size_of::<native::rd_kafka_message_t>() / size_of::<i64>();

    /// Sends a made-up record whose words behind the public part are these: the words after it, and whether it was noticed that the
    /// timestamp is not among those that were looked at.
    fn sent(words: [i64; 32]) -> ([i64; 32], bool) {
        let mut record = vec![0_i64; PUBLIC_WORDS];
        record.extend(words);
        let context = Context::default();
        // SAFETY: the record is larger than librdkafka's, is aligned as it is, and without an error; the client is not looked at.
        unsafe {
            on_send(
                std::ptr::null_mut(),
                record.as_mut_ptr().cast(),
                (&raw const context).cast_mut().cast(),
            );
        }
        (record[PUBLIC_WORDS..].try_into().unwrap(), context.has_epoch_failed())
    }

    #[test]
    fn the_stand_in_becomes_zero_and_a_record_of_another_shape_is_noticed() {
        let field = (0..32).find(|at| {
            let mut words = [0; 32];
            words[*at] = STAND_IN;
            let (after, failed) = sent(words);
            assert!(!failed);
            after[*at] == 0
        });
        let field = field.expect("librdkafka has a timestamp");
        let mut words = [1; 32];
        words[field] = 1_700_000_000_000;
        assert_eq!(sent(words), (words, false), "other times are left alone");
        // What is found first is not what librdkafka reads.
        assert!(field > 0);
        assert!(sent([STAND_IN; 32]).1);
    }
}
