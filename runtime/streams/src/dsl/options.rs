//! What the caller says about topics, groupings and windows: `Consumed`, `Produced`, `Grouped`, `Repartitioned`, `TimeWindows`.

use std::sync::Arc;
use std::time::Duration;

use millrace_topology::{OnError, StartFrom, Window};

use crate::BoxError;
use crate::node::TimestampFn;
use crate::serde::Serde;

/// How a topic is read.
pub struct Consumed<K, V> {
    pub(super) key: Arc<dyn Serde<K>>,
    pub(super) value: Arc<dyn Serde<V>>,
    pub(super) timestamp: Option<TimestampFn<K, V>>,
    pub(super) start_from: Option<StartFrom>,
    pub(super) on_error: Option<OnError>,
}

impl<K: 'static, V: 'static> Consumed<K, V> {
    /// With these formats; all else as configured for the application.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self {
            key: Arc::new(key),
            value: Arc::new(value),
            timestamp: None,
            start_from: None,
            on_error: None,
        }
    }

    /// Takes the timestamp out of the record: key, value and Kafka's timestamp to milliseconds since the epoch. A negative one drops the
    /// record, or ends the application, as `default.timestamp.extractor` says.
    #[must_use]
    pub fn with_timestamp_extractor(
        self,
        extract: impl Fn(Option<&K>, Option<&V>, i64) -> i64 + Send + Sync + 'static,
    ) -> Self {
        self.with_extractor(Arc::new(move |record, context| {
            Ok(extract(record.key, record.value, context.timestamp))
        }))
    }

    /// The same with a function that may fail.
    #[must_use]
    pub fn try_with_timestamp_extractor(
        self,
        extract: impl Fn(Option<&K>, Option<&V>, i64) -> Result<i64, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.with_extractor(Arc::new(move |record, context| {
            extract(record.key, record.value, context.timestamp)
        }))
    }

    fn with_extractor(mut self, extractor: TimestampFn<K, V>) -> Self {
        self.timestamp = Some(extractor);
        self
    }

    /// Where partitions without a committed offset start; else `auto.offset.reset`.
    #[must_use]
    pub fn with_offset_reset_policy(mut self, start_from: StartFrom) -> Self {
        self.start_from = Some(start_from);
        self
    }

    /// What happens to records that cannot be read; else `deserialization.exception.handler`.
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = Some(on_error);
        self
    }
}

impl<K, V> Clone for Consumed<K, V> {
    fn clone(&self) -> Self {
        Self {
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            timestamp: self.timestamp.clone(),
            start_from: self.start_from,
            on_error: self.on_error,
        }
    }
}

/// Two formats, for options that hold nothing else of a type.
macro_rules! formats {
    ($name:ident { $($field:ident),* }) => {
        impl<K: 'static, V: 'static> $name<K, V> {
            /// With these formats of key and value.
            pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
                Self { key: Arc::new(key), value: Arc::new(value), $($field: None),* }
            }
        }

        impl<K, V> Clone for $name<K, V> {
            fn clone(&self) -> Self {
                Self {
                    key: Arc::clone(&self.key),
                    value: Arc::clone(&self.value),
                    $($field: self.$field.clone()),*
                }
            }
        }
    };
}

/// How a topic is written.
pub struct Produced<K, V> {
    pub(super) key: Arc<dyn Serde<K>>,
    pub(super) value: Arc<dyn Serde<V>>,
}

formats!(Produced {});

/// How records are grouped: the formats of the store's keys and, where the key changed, of the repartition topic.
pub struct Grouped<K, V> {
    pub(super) key: Arc<dyn Serde<K>>,
    pub(super) value: Arc<dyn Serde<V>>,
    pub(super) name: Option<String>,
}

formats!(Grouped { name });

impl<K, V> Grouped<K, V> {
    /// The name of the repartition topic, if one is needed: `<application.id>-<name>-repartition`. Else it has the store's.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// How a stream is repartitioned.
pub struct Repartitioned<K, V> {
    pub(super) key: Arc<dyn Serde<K>>,
    pub(super) value: Arc<dyn Serde<V>>,
    pub(super) name: Option<String>,
    pub(super) partitions: Option<i32>,
}

formats!(Repartitioned { name, partitions });

impl<K, V> Repartitioned<K, V> {
    /// The name of the topic: `<application.id>-<name>-repartition`.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its partitions; else as many as the input has at most.
    #[must_use]
    pub fn with_number_of_partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }
}

/// Windows of a fixed size, aligned to the epoch, that do not overlap (Java's tumbling windows). In whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindows {
    size_ms: i64,
    grace_ms: i64,
}

impl TimeWindows {
    /// Windows that close as soon as stream time passes their end.
    #[must_use]
    pub fn of_size_with_no_grace(size: Duration) -> Self {
        Self::of_size_and_grace(size, Duration::ZERO)
    }

    /// Windows that take late records until stream time has passed their end by `grace`.
    #[must_use]
    pub fn of_size_and_grace(size: Duration, grace: Duration) -> Self {
        Self {
            size_ms: millis(size),
            grace_ms: millis(grace),
        }
    }

    pub(super) fn window(self) -> Window {
        Window::Tumbling {
            size_ms: self.size_ms,
            grace_ms: self.grace_ms,
        }
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
