//! Records as nodes see them, and where they come from.
//!
//! Record path: borrowed throughout; nothing here allocates.

use bytes::Bytes;
use millrace_kafka::log::Header;

/// A key, a value and a timestamp, borrowed from whoever made them.
#[derive(Debug)]
pub struct Record<'a, K, V> {
    /// The key, if there is one.
    pub key: Option<&'a K>,
    /// The value; `None` is Kafka's null (in a table: a deletion).
    pub value: Option<&'a V>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
}

impl<K, V> Clone for Record<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Record<'_, K, V> {}

/// The input record that is being processed: what handlers, dead letters and expressions may ask of it.
#[derive(Clone, Copy, Debug)]
pub struct RecordContext<'a> {
    /// The topic it was read from.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The extracted timestamp, milliseconds since the epoch.
    pub timestamp: i64,
    /// Its headers; they travel with every record that comes of it.
    pub headers: &'a [Header],
    /// The raw key, as read; `None` also where the record comes out of the record cache.
    pub raw_key: Option<&'a Bytes>,
    /// The raw value, as read; `None` also where the record comes out of the record cache.
    pub raw_value: Option<&'a Bytes>,
}

/// A key within a window `[start, end)`, milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Windowed<K> {
    /// The grouping key.
    pub key: K,
    /// First millisecond of the window.
    pub start: i64,
    /// First millisecond after it.
    pub end: i64,
}
