//! What librdkafka calls back with: delivery reports, alarms, and its log.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rdkafka_sys::bindings as native;

use super::errors::{kind_of_code, local, text_of_code};
use crate::log::{DeliveryFailure, TopicPartition};
use crate::real::security::Security;
use crate::{Error, ErrorKind};

/// What an idempotent producer gets that may write nowhere.
const CLUSTER_AUTHORIZATION_FAILED: i32 = 31;

/// State that callbacks write and the owner of the client reads. The locks are taken by one thread at a time: the one that polls.
#[derive(Default)]
pub(crate) struct Context {
    /// Where tokens come from, and what refusals mean.
    security: Option<Arc<Security>>,
    alarms: Mutex<Vec<Error>>,
    deliveries: Mutex<Deliveries>,
    in_flight_bytes: AtomicUsize,
    aborting: AtomicBool,
    no_broker: AtomicBool,
    epoch_failed: AtomicBool,
}

#[derive(Default)]
struct Deliveries {
    topics: Vec<TopicDeliveries>,
    failures: Vec<DeliveryFailure>,
}

/// What was acknowledged for a topic.
pub(crate) struct TopicDeliveries {
    name: std::sync::Arc<str>,
    /// By partition: the highest acknowledged offset, or -1.
    acknowledged: Vec<i64>,
}

impl Context {
    pub(super) fn new(security: Arc<Security>) -> Self {
        Self {
            security: Some(security),
            ..Self::default()
        }
    }

    pub(super) fn security(&self) -> Option<&Security> {
        self.security.as_deref()
    }

    /// Adds a topic; its number is what a record carries as its opaque value.
    pub(crate) fn add_topic(&self, name: &str) -> usize {
        let topics = &mut self.deliveries.lock().topics;
        topics.push(TopicDeliveries {
            name: name.into(),
            acknowledged: Vec::new(),
        });
        topics.len() - 1
    }

    pub(crate) fn acknowledged(&self, topic: usize, partition: usize) -> Option<i64> {
        let deliveries = self.deliveries.lock();
        deliveries
            .topics
            .get(topic)?
            .acknowledged
            .get(partition)
            .copied()
            .filter(|offset| *offset >= 0)
    }

    pub(crate) fn take_failures(&self) -> Vec<DeliveryFailure> {
        std::mem::take(&mut self.deliveries.lock().failures)
    }

    pub(crate) fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn taken(&self, bytes: usize) {
        self.in_flight_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Undoes `taken`.
    pub(crate) fn not_taken(&self, bytes: usize) {
        self.in_flight_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// While a transaction is aborted, records that are dropped are no failures.
    pub(crate) fn set_aborting(&self, aborting: bool) {
        self.aborting.store(aborting, Ordering::Relaxed);
    }

    /// An error that polling alone would not show: credentials, rights, or the end of this client.
    pub(crate) fn take_alarm(&self) -> Option<Error> {
        let mut alarms = self.alarms.lock();
        if alarms.is_empty() {
            None
        } else {
            Some(alarms.remove(0))
        }
    }

    /// Whether no broker could be reached when librdkafka last said so.
    pub(crate) fn no_broker(&self) -> bool {
        self.no_broker.load(Ordering::Relaxed)
    }

    /// A record's timestamp of 0 could not be written: the interceptor does not know the shape of librdkafka's record.
    pub(super) fn epoch_failed(&self) {
        self.epoch_failed.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_epoch_failed(&self) -> bool {
        self.epoch_failed.load(Ordering::Relaxed)
    }

    fn delivered(&self, message: &native::rd_kafka_message_t, code: i32) {
        self.in_flight_bytes
            .fetch_sub(message.len + message.key_len, Ordering::Relaxed);
        let mut deliveries = self.deliveries.lock();
        let deliveries = &mut *deliveries;
        let topic = message._private as usize;
        let Some(topic) = deliveries.topics.get_mut(topic) else {
            return;
        };
        if code == 0 {
            self.no_broker.store(false, Ordering::Relaxed);
            let Ok(partition) = usize::try_from(message.partition) else {
                return;
            };
            if topic.acknowledged.len() <= partition {
                topic.acknowledged.resize(partition + 1, -1);
            }
            let highest = &mut topic.acknowledged[partition];
            *highest = message.offset.max(*highest);
            return;
        }
        if self.aborting.load(Ordering::Relaxed) {
            return;
        }
        let partition = TopicPartition::new(topic.name.clone(), message.partition);
        let kind = kind_of_code(code);
        let mut text = format!("record for {partition} not delivered: {}", text_of_code(code));
        if kind == ErrorKind::Unauthorized {
            text = format!("{text}: the principal lacks Write on topic {}", partition.topic);
        }
        let error = Error::new(kind, text);
        deliveries.failures.push(DeliveryFailure { partition, error });
    }

    fn alarmed(&self, code: i32, reason: &str) {
        match code {
            local::ALL_BROKERS_DOWN => {
                self.no_broker.store(true, Ordering::Relaxed);
                tracing::warn!(reason, "no Kafka broker can be reached; trying on");
            }
            local::TRANSPORT | local::RESOLVE | local::TIMED_OUT | local::TIMED_OUT_QUEUE => {
                tracing::info!(reason, "lost a Kafka broker; trying on");
            }
            // A connection that ended in the middle of a handshake: a broker that restarts does that.
            local::SSL if !is_verdict(reason) => tracing::info!(reason, "lost a Kafka broker; trying on"),
            _ => {
                tracing::warn!(code, reason, "Kafka client error");
                let mut text = format!("{reason} ({code})");
                if code == CLUSTER_AUTHORIZATION_FAILED {
                    text.push_str(": the principal lacks Write on every topic, or IdempotentWrite on the cluster");
                }
                let error = Error::new(kind_of_code(code), text);
                let error = match &self.security {
                    Some(security) => security.judge(error),
                    None => error,
                };
                if matches!(
                    error.kind(),
                    ErrorKind::Authentication
                        | ErrorKind::Handshake
                        | ErrorKind::Unauthorized
                        | ErrorKind::Fenced
                        | ErrorKind::Fatal
                ) {
                    self.alarms.lock().push(error);
                }
            }
        }
    }
}

/// Whether one of the sides did not accept the other's certificate.
fn is_verdict(reason: &str) -> bool {
    reason.contains("verify failed") || reason.contains("alert")
}

/// Reads a message's error without making a Rust enum of it.
pub(super) fn message_error(message: *const native::rd_kafka_message_t) -> i32 {
    // SAFETY: callers pass a live message; the field is a C int.
    unsafe { (&raw const (*message).err).cast::<c_int>().read() }
}

pub(super) unsafe extern "C" fn on_delivery(
    _client: *mut native::rd_kafka_t,
    message: *const native::rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: `opaque` is the context that the client was made with, which outlives it; the message lives for this call.
    let (context, message, code) = unsafe {
        (
            &*opaque.cast_const().cast::<Context>(),
            &*message,
            message_error(message),
        )
    };
    context.delivered(message, code);
}

pub(super) unsafe extern "C" fn on_error(
    client: *mut native::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: as in `on_delivery`; the reason is NUL-terminated and lives for this call.
    let (context, reason) = unsafe {
        (
            &*opaque.cast_const().cast::<Context>(),
            CStr::from_ptr(reason).to_string_lossy(),
        )
    };
    if code == local::FATAL {
        let (code, text) = fatal_error(client);
        context.alarmed(code, &text);
    } else {
        context.alarmed(code, &reason);
    }
}

/// The error that ended this client.
fn fatal_error(client: *mut native::rd_kafka_t) -> (i32, String) {
    #[allow(
        clashing_extern_declarations,
        reason = "the same C function, with the code as the integer it is"
    )]
    unsafe extern "C" {
        #[link_name = "rd_kafka_fatal_error"]
        fn fatal_error(client: *mut native::rd_kafka_t, text: *mut c_char, size: usize) -> c_int;
    }
    let mut text: [c_char; 512] = [0; 512];
    // SAFETY: the client is alive (it calls us), and the buffer is as long as we say; the text is NUL-terminated.
    unsafe {
        let code = fatal_error(client, text.as_mut_ptr(), text.len());
        (code, CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned())
    }
}

pub(super) unsafe extern "C" fn on_log(
    client: *const native::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: the client is alive (it calls us), and all strings are NUL-terminated and live for this call.
    let (client, facility, line) = unsafe {
        let name = if client.is_null() {
            c"librdkafka".as_ptr()
        } else {
            native::rd_kafka_name(client)
        };
        (
            CStr::from_ptr(name).to_string_lossy(),
            CStr::from_ptr(facility),
            CStr::from_ptr(line),
        )
    };
    let (facility, line) = (facility.to_string_lossy(), line.to_string_lossy());
    // Syslog's levels. What goes wrong for good comes to us as an error too, so that librdkafka's errors are warnings here.
    match level {
        0..=4 => tracing::warn!(target: "librdkafka", %client, %facility, "{line}"),
        5 => tracing::info!(target: "librdkafka", %client, %facility, "{line}"),
        _ => tracing::debug!(target: "librdkafka", %client, %facility, "{line}"),
    }
}
