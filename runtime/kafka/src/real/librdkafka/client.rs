//! A librdkafka client, and the topics it was told of.

use std::ffi::{CStr, CString, c_char};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys::bindings as native;

use super::context::{Context, on_delivery, on_error, on_log};
use super::errors::{kind_of_code, text_of_code};
use super::{epoch, timeout_ms, tokens};
use crate::log::Header;
use crate::real::security::{Sasl, Security};
use crate::{Error, ErrorKind, Result};

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientType {
    Consumer,
    Producer,
}

/// One `rd_kafka_t`.
pub(crate) struct Native {
    pub(super) pointer: *mut native::rd_kafka_t,
    context: Arc<Context>,
    kind: ClientType,
}

// SAFETY: librdkafka's clients may be used from any thread.
unsafe impl Send for Native {}
// SAFETY: as above, and from several at once.
unsafe impl Sync for Native {}

/// A topic of one client; holds the client alive.
pub(crate) struct NativeTopic {
    pointer: *mut native::rd_kafka_topic_t,
    client: Arc<Native>,
}

// SAFETY: librdkafka's topic handles may be used from any thread.
unsafe impl Send for NativeTopic {}

/// Why a record was not taken.
pub(crate) enum NotTaken {
    QueueFull,
    Refused(i32, String),
    /// It is queued with a timestamp that nobody gave: the producer must be dropped, without a commit.
    WrongTimestamp,
}

impl Native {
    /// Makes a client from librdkafka's own settings, with the credentials that are in force now.
    pub(crate) fn new(kind: ClientType, settings: &[(String, String)], security: &Arc<Security>) -> Result<Arc<Self>> {
        let context = Arc::new(Context::new(Arc::clone(security)));
        let credentials = security.current();
        let config = Configuration::new();
        for (name, value) in settings.iter().chain(&credentials.native_settings()) {
            config.set(name, value)?;
        }
        let wants_tokens = matches!(credentials.sasl, Some(Sasl::OAuthBearer(_)));
        // SAFETY: the configuration is alive; the context outlives the client, which holds a reference to it until after its destruction.
        unsafe {
            native::rd_kafka_conf_set_opaque(config.pointer, Arc::as_ptr(&context).cast_mut().cast());
            native::rd_kafka_conf_set_error_cb(config.pointer, Some(on_error));
            native::rd_kafka_conf_set_log_cb(config.pointer, Some(on_log));
            if wants_tokens {
                tokens::answer_by_callback(config.pointer);
            }
            if kind == ClientType::Producer {
                native::rd_kafka_conf_set_dr_msg_cb(config.pointer, Some(on_delivery));
                epoch::intercept(config.pointer, Arc::as_ptr(&context));
            }
        }
        let native_kind = match kind {
            ClientType::Consumer => native::rd_kafka_type_t::RD_KAFKA_CONSUMER,
            ClientType::Producer => native::rd_kafka_type_t::RD_KAFKA_PRODUCER,
        };
        let mut text: [c_char; 512] = [0; 512];
        // SAFETY: the configuration is alive and passes to the client if that is made; the buffer is as long as we say.
        let pointer = unsafe { native::rd_kafka_new(native_kind, config.pointer, text.as_mut_ptr(), text.len()) };
        if pointer.is_null() {
            // SAFETY: librdkafka wrote a NUL-terminated text.
            let text = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
            return Err(Error::new(ErrorKind::Config, text));
        }
        std::mem::forget(config);
        if kind == ClientType::Consumer {
            // SAFETY: the client is alive and a consumer; its errors now come with its records.
            unsafe { native::rd_kafka_poll_set_consumer(pointer) };
        }
        let client = Arc::new(Self { pointer, context, kind });
        if wants_tokens {
            // SAFETY: the client is alive, and was told to ask for tokens by callback.
            unsafe { tokens::serve_in_background(pointer)? };
        }
        Ok(client)
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Serves callbacks, waiting at most `timeout` for the first.
    pub(crate) fn poll(&self, timeout: Duration) {
        // SAFETY: the client is alive.
        unsafe { native::rd_kafka_poll(self.pointer, timeout_ms(timeout)) };
    }

    /// Waits until nothing is in flight; false if time ran out.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        // SAFETY: the client is alive and a producer; callbacks run on this thread.
        let code = unsafe { native::rd_kafka_flush(self.pointer, timeout_ms(timeout)) };
        code == native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Waits until a broker answers.
    pub(super) fn await_broker(&self, timeout: Duration) -> Result<()> {
        let mut metadata: *const native::rd_kafka_metadata = std::ptr::null();
        // SAFETY: the client is alive; no topic is named; the pointer is written on success only, and freed once.
        let code = unsafe {
            let code = native::rd_kafka_metadata(
                self.pointer,
                0,
                std::ptr::null_mut(),
                &raw mut metadata,
                timeout_ms(timeout),
            ) as i32;
            if code == 0 {
                native::rd_kafka_metadata_destroy(metadata);
            }
            code
        };
        if code == 0 {
            return Ok(());
        }
        // What was wrong with the connections comes by callback.
        self.poll(Duration::ZERO);
        if let Some(alarm) = self.context.take_alarm() {
            return Err(alarm);
        }
        let kind = match kind_of_code(code) {
            ErrorKind::Retriable => ErrorKind::Unreachable,
            kind => kind,
        };
        Err(Error::new(kind, format!("no broker answers: {}", text_of_code(code))))
    }

    pub(crate) fn topic(self: &Arc<Self>, name: &str) -> Result<NativeTopic> {
        let name = c_string(name)?;
        // SAFETY: the client and the name are alive; no configuration is passed.
        let pointer = unsafe { native::rd_kafka_topic_new(self.pointer, name.as_ptr(), std::ptr::null_mut()) };
        if pointer.is_null() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{} is no topic name", name.to_string_lossy()),
            ));
        }
        Ok(NativeTopic {
            pointer,
            client: Arc::clone(self),
        })
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        /// Without leaving a group: there is none.
        const NO_CONSUMER_CLOSE: i32 = 0x8;
        let flags = if self.kind == ClientType::Consumer {
            NO_CONSUMER_CLOSE
        } else {
            0
        };
        if self.kind == ClientType::Producer {
            // Whoever drops a producer with records in flight wants them gone; waiting for brokers would hang a shutdown.
            // SAFETY: the client is alive; bits: queued, in flight, without waiting.
            unsafe { native::rd_kafka_purge(self.pointer, 0x1 | 0x2 | 0x4) };
        }
        // SAFETY: alive until here; topics and queues hold a reference to us and are gone.
        unsafe { native::rd_kafka_destroy_flags(self.pointer, flags) };
    }
}

impl NativeTopic {
    /// Hands a record to librdkafka, which copies it. `number` comes back with the delivery report.
    pub(crate) fn produce(
        &self,
        number: usize,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        headers: &[Header],
    ) -> Result<(), NotTaken> {
        use native::rd_kafka_vtype_t as V;
        type Value = native::rd_kafka_vu_s__bindgen_ty_1;
        type Memory = native::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1;
        const COPY: i32 = 0x2;
        let is_epoch = timestamp == 0;
        let timestamp = if is_epoch { epoch::STAND_IN } else { timestamp };
        let memory = |bytes: Option<&[u8]>| Value {
            mem: match bytes {
                Some(bytes) => Memory {
                    ptr: bytes.as_ptr().cast_mut().cast(),
                    size: bytes.len(),
                },
                None => Memory {
                    ptr: std::ptr::null_mut(),
                    size: 0,
                },
            },
        };
        let native_headers = if headers.is_empty() {
            None
        } else {
            Some(Headers::new(headers))
        };
        let arguments = [
            native::rd_kafka_vu_t {
                vtype: V::RD_KAFKA_VTYPE_RKT,
                u: Value { rkt: self.pointer },
            },
            native::rd_kafka_vu_t {
                vtype: V::RD_KAFKA_VTYPE_PARTITION,
                u: Value { i32_: partition },
            },
            native::rd_kafka_vu_t {
                vtype: V::RD_KAFKA_VTYPE_MSGFLAGS,
                u: Value { i: COPY },
            },
            native::rd_kafka_vu_t {
                vtype: V::RD_KAFKA_VTYPE_KEY,
                u: memory(key),
            },
            native::rd_kafka_vu_t {
                vtype: V::RD_KAFKA_VTYPE_VALUE,
                u: memory(value),
            },
            native::rd_kafka_vu_t {
                vtype: V::RD_KAFKA_VTYPE_TIMESTAMP,
                u: Value { i64_: timestamp },
            },
            native::rd_kafka_vu_t {
                vtype: V::RD_KAFKA_VTYPE_OPAQUE,
                u: Value {
                    ptr: std::ptr::without_provenance_mut(number),
                },
            },
            native::rd_kafka_vu_t {
                vtype: V::RD_KAFKA_VTYPE_HEADERS,
                u: Value {
                    headers: native_headers.as_ref().map_or(std::ptr::null_mut(), |list| list.0),
                },
            },
        ];
        let count = if native_headers.is_some() {
            arguments.len()
        } else {
            arguments.len() - 1
        };
        // SAFETY: `count` arguments, each with the field that its type names; the bytes live for this call and are copied.
        let error = unsafe { native::rd_kafka_produceva(self.client.pointer, arguments.as_ptr(), count) };
        match super::errors::NativeError::take(error) {
            None => {
                // librdkafka owns the headers now.
                std::mem::forget(native_headers);
                if is_epoch && self.client.context.has_epoch_failed() {
                    return Err(NotTaken::WrongTimestamp);
                }
                Ok(())
            }
            Some(error) if error.code == super::errors::local::QUEUE_FULL => Err(NotTaken::QueueFull),
            Some(error) => Err(NotTaken::Refused(error.code, error.text)),
        }
    }

    /// The number of partitions, as a broker says.
    pub(crate) fn partitions(&self, timeout: Duration) -> Result<i32> {
        let mut metadata: *const native::rd_kafka_metadata = std::ptr::null();
        // SAFETY: client and topic are alive; the pointer is written on success only.
        let code = unsafe {
            native::rd_kafka_metadata(
                self.client.pointer,
                0,
                self.pointer,
                &raw mut metadata,
                timeout_ms(timeout),
            )
        } as i32;
        if code != 0 {
            return Err(Error::new(kind_of_code(code), text_of_code(code)));
        }
        // SAFETY: on success the metadata holds `topic_cnt` topics; it is freed once, after it was read.
        let (code, count) = unsafe {
            let topics = std::slice::from_raw_parts((*metadata).topics, (*metadata).topic_cnt.max(0) as usize);
            let read = topics.first().map_or((3, 0), |topic| {
                ((&raw const topic.err).cast::<i32>().read(), topic.partition_cnt)
            });
            native::rd_kafka_metadata_destroy(metadata);
            read
        };
        if code != 0 {
            Err(Error::new(kind_of_code(code), text_of_code(code)))
        } else {
            Ok(count)
        }
    }
}

impl Drop for NativeTopic {
    fn drop(&mut self) {
        // SAFETY: ours, freed once, while the client is alive.
        unsafe { native::rd_kafka_topic_destroy(self.pointer) };
    }
}

/// A list of headers that librdkafka takes over.
struct Headers(*mut native::rd_kafka_headers_t);

impl Headers {
    fn new(headers: &[Header]) -> Self {
        // SAFETY: the list is made here, and copies names and values, whose lengths are passed; a null value is a null header.
        unsafe {
            let list = native::rd_kafka_headers_new(headers.len());
            for header in headers {
                let (value, size) = header
                    .value
                    .as_ref()
                    .map_or((std::ptr::null(), 0), |value| (value.as_ptr(), value.len()));
                native::rd_kafka_header_add(
                    list,
                    header.name.as_ptr().cast(),
                    header.name.len() as isize,
                    value.cast(),
                    size as isize,
                );
            }
            Self(list)
        }
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: ours unless it was forgotten after librdkafka took it.
        unsafe { native::rd_kafka_headers_destroy(self.0) };
    }
}

/// A configuration under construction.
struct Configuration {
    pointer: *mut native::rd_kafka_conf_t,
}

impl Configuration {
    fn new() -> Self {
        // SAFETY: no arguments; never null.
        Self {
            pointer: unsafe { native::rd_kafka_conf_new() },
        }
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        let native_name = c_string(name)?;
        // Values may be secrets.
        let native_value = CString::new(value)
            .map_err(|_| Error::new(ErrorKind::Config, format!("{name}: its value has a NUL in it")))?;
        let mut text: [c_char; 512] = [0; 512];
        // SAFETY: the configuration and the strings are alive; the buffer is as long as we say.
        let result = unsafe {
            native::rd_kafka_conf_set(
                self.pointer,
                native_name.as_ptr(),
                native_value.as_ptr(),
                text.as_mut_ptr(),
                text.len(),
            )
        };
        if result == native::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
            return Ok(());
        }
        // SAFETY: librdkafka wrote a NUL-terminated text.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
        Err(Error::new(ErrorKind::Config, format!("{name}: {text}")))
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        // SAFETY: ours unless it was forgotten after a client took it.
        unsafe { native::rd_kafka_conf_destroy(self.pointer) };
    }
}

/// For names: the error shows them.
pub(super) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(ErrorKind::Config, format!("{text:?} has a NUL in it")))
}
