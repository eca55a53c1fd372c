//! What a task's stores are, and the arithmetic of window segments.

/// The place of a store in the list that its task was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreIndex(pub u16);

impl StoreIndex {
    /// As an index into a slice.
    #[must_use]
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// One store of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The store's name in the topology.
    pub name: String,
    /// How its rows are laid out.
    pub kind: StoreKind,
    /// Whether a changelog stands behind it. A store without one keeps only what was flushed.
    pub logged: bool,
}

impl StoreConfig {
    /// A logged key-value store.
    #[must_use]
    pub fn key_value(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: StoreKind::KeyValue,
            logged: true,
        }
    }

    /// A logged window store; both durations in milliseconds.
    #[must_use]
    pub fn window(name: impl Into<String>, size_ms: i64, retention_ms: i64) -> Self {
        Self {
            name: name.into(),
            kind: StoreKind::Window { size_ms, retention_ms },
            logged: true,
        }
    }
}

/// How a store's rows are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The changelog key is the row's key.
    KeyValue,
    /// The changelog key is `key ‖ i64 window start ‖ i32 sequence number` (Kafka's `WindowKeySchema`).
    Window {
        /// Length of one window.
        size_ms: i64,
        /// How long a window is kept after its start, by the store's stream time.
        retention_ms: i64,
    },
}

impl StoreKind {
    /// Length of one segment, the unit of expiry: half the retention, at least a minute (Kafka's
    /// `Stores.persistentWindowStore`). None for stores that do not expire.
    #[must_use]
    pub fn segment_interval_ms(self) -> Option<i64> {
        match self {
            Self::KeyValue => None,
            Self::Window { retention_ms, .. } => Some((retention_ms / 2).max(60_000)),
        }
    }

    /// The first window start that a read may still see when the store's stream time is `stream_time`
    /// (Kafka's `AbstractRocksDBSegmentedBytesStore.getActualFrom`); deletion is coarser, by whole segments.
    #[must_use]
    pub fn first_visible_start(self, stream_time: i64) -> i64 {
        match self {
            Self::KeyValue => i64::MIN,
            Self::Window { retention_ms, .. } => stream_time.saturating_sub(retention_ms).saturating_add(1),
        }
    }

    /// Whether a put of a window that starts at `start` is taken at `stream_time`, or counts as expired
    /// (Kafka's `AbstractSegments.getOrCreateSegmentIfLive`).
    #[must_use]
    pub fn takes(self, start: i64, stream_time: i64) -> bool {
        match (self, self.segment_interval_ms()) {
            (Self::Window { retention_ms, .. }, Some(interval)) => {
                start.div_euclid(interval) >= first_live_segment(stream_time, retention_ms, interval)
            }
            _ => true,
        }
    }
}

/// The oldest segment that is not expired.
pub(crate) fn first_live_segment(stream_time: i64, retention_ms: i64, interval_ms: i64) -> i64 {
    stream_time.saturating_sub(retention_ms).div_euclid(interval_ms)
}
