//! Records as librdkafka hands them out: many at a time, and given back at once.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka_sys::bindings as native;

use super::client::Native;
use super::context::message_error;
use super::{errors, timeout_ms};
use crate::log::Header;

pub(crate) use errors::local::PARTITION_EOF;

/// A consumer's queue of records.
pub(crate) struct NativeQueue {
    pointer: *mut native::rd_kafka_queue_t,
    /// Keeps the client alive.
    _client: Arc<Native>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for NativeQueue {}

/// Room for the records of one call, used again and again.
pub(crate) struct MessageBuffer {
    pointers: Vec<*mut native::rd_kafka_message_t>,
}

// SAFETY: messages may be read and destroyed on any thread; the buffer owns them.
unsafe impl Send for MessageBuffer {}

/// One record, or an event of a partition.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a>(&'a native::rd_kafka_message_t);

impl Native {
    /// The queue that all partitions' records come to.
    pub(crate) fn consumer_queue(self: &Arc<Self>) -> NativeQueue {
        // SAFETY: the client is alive and a consumer, whose queue is never null.
        let pointer = unsafe { native::rd_kafka_queue_get_consumer(self.pointer) };
        NativeQueue {
            pointer,
            _client: Arc::clone(self),
        }
    }
}

impl NativeQueue {
    /// Takes what is there, at most `max`; waits at most `timeout` for the first.
    pub(crate) fn take(&self, into: &mut MessageBuffer, timeout: Duration, max: usize) {
        into.clear();
        into.pointers.reserve(max);
        self.append(into, Duration::ZERO, max);
        // librdkafka waits until the buffer is full or the time is over: so wait for one only.
        if into.pointers.is_empty() && !timeout.is_zero() {
            self.append(into, timeout, 1);
            if !into.pointers.is_empty() {
                self.append(into, Duration::ZERO, max - 1);
            }
        }
    }

    fn append(&self, into: &mut MessageBuffer, timeout: Duration, max: usize) {
        let room = into.pointers.spare_capacity_mut();
        let max = max.min(room.len());
        if max == 0 {
            return;
        }
        // SAFETY: the queue is alive, and there is room for `max` pointers; librdkafka writes as many as it returns.
        unsafe {
            let count =
                native::rd_kafka_consume_batch_queue(self.pointer, timeout_ms(timeout), room.as_mut_ptr().cast(), max);
            let count = usize::try_from(count).unwrap_or(0);
            into.pointers.set_len(into.pointers.len() + count);
        }
    }
}

impl Drop for NativeQueue {
    fn drop(&mut self) {
        // SAFETY: our reference, given back once, while the client is alive.
        unsafe { native::rd_kafka_queue_destroy(self.pointer) };
    }
}

impl MessageBuffer {
    pub(crate) fn new() -> Self {
        Self { pointers: Vec::new() }
    }

    /// Those from `index` on.
    pub(crate) fn from(&self, index: usize) -> impl Iterator<Item = Message<'_>> {
        // SAFETY: the buffer owns live messages until it is cleared, which the borrow prevents.
        self.pointers[index..]
            .iter()
            .map(|message| Message(unsafe { &**message }))
    }

    pub(crate) fn len(&self) -> usize {
        self.pointers.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }

    /// Gives the messages back, so that their fetch buffers are freed.
    pub(crate) fn clear(&mut self) {
        for message in self.pointers.drain(..) {
            // SAFETY: ours, destroyed once: it leaves the vector here.
            unsafe { native::rd_kafka_message_destroy(message) };
        }
    }
}

impl Drop for MessageBuffer {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<'a> Message<'a> {
    /// 0 for a record.
    pub(crate) fn error(self) -> i32 {
        message_error(self.0)
    }

    /// librdkafka's text for an error event.
    pub(crate) fn error_text(self) -> String {
        // SAFETY: the message is alive; the text is NUL-terminated, or null.
        unsafe {
            let text = native::rd_kafka_message_errstr(self.0);
            if text.is_null() {
                String::new()
            } else {
                CStr::from_ptr(text).to_string_lossy().into_owned()
            }
        }
    }

    /// Whether both are of one partition.
    pub(crate) fn same_partition(self, other: Message<'_>) -> bool {
        self.0.rkt == other.0.rkt && self.0.partition == other.0.partition
    }

    /// The topic's name; `None` for an event of the whole client.
    pub(crate) fn topic(self) -> Option<&'a str> {
        if self.0.rkt.is_null() {
            return None;
        }
        // SAFETY: the message keeps its topic alive, whose name is NUL-terminated.
        unsafe { CStr::from_ptr(native::rd_kafka_topic_name(self.0.rkt)) }
            .to_str()
            .ok()
    }

    pub(crate) fn partition(self) -> i32 {
        self.0.partition
    }

    pub(crate) fn offset(self) -> i64 {
        self.0.offset
    }

    pub(crate) fn timestamp(self) -> i64 {
        let mut kind = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and so is the place for the kind.
        unsafe { native::rd_kafka_message_timestamp(self.0, &raw mut kind) }
    }

    pub(crate) fn key(self) -> Option<&'a [u8]> {
        bytes_at(self.0.key, self.0.key_len)
    }

    pub(crate) fn value(self) -> Option<&'a [u8]> {
        bytes_at(self.0.payload, self.0.len)
    }

    /// Its headers, copied.
    pub(crate) fn headers(self) -> Vec<Header> {
        let mut list = std::ptr::null_mut();
        let mut headers = Vec::new();
        // SAFETY: the message is alive and owns the list; names are NUL-terminated, values as long as said; an index past the end is an error.
        unsafe {
            if (native::rd_kafka_message_headers(self.0, &raw mut list) as i32) != 0 {
                return headers;
            }
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
            while (native::rd_kafka_header_get_all(list, headers.len(), &raw mut name, &raw mut value, &raw mut size)
                as i32)
                == 0
            {
                headers.push(Header {
                    name: CStr::from_ptr(name).to_string_lossy().into_owned(),
                    value: bytes_at(value.cast_mut(), size).map(Bytes::copy_from_slice),
                });
            }
        }
        headers
    }
}

fn bytes_at<'a>(pointer: *mut std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: callers pass a field of a live message with its length; the result lives no longer than they say.
    Some(unsafe { std::slice::from_raw_parts(pointer.cast(), length) })
}
