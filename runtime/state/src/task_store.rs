//! The narrow door between the engine and a task's state, so that a simulator can stand in it.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::row::window_key;
use crate::{Batch, KeyRange, Position, Result, Rows, Scan, StoreConfig, StoreIndex};

/// A value read from a store, valid as long as the store is not written.
pub struct Pinned<'a>(Place<'a>);

enum Place<'a> {
    /// In RocksDB's block cache or memtable.
    Rocks(rocksdb::DBPinnableSlice<'a>),
    /// In memory.
    Slice(&'a [u8]),
}

impl<'a> Pinned<'a> {
    pub(crate) fn rocks(slice: rocksdb::DBPinnableSlice<'a>) -> Self {
        Self(Place::Rocks(slice))
    }

    /// A value that lies in memory: for stores of one's own.
    #[must_use]
    pub fn borrowed(bytes: &'a [u8]) -> Self {
        Self(Place::Slice(bytes))
    }
}

impl Deref for Pinned<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Rocks(slice) => slice,
            Place::Slice(slice) => slice,
        }
    }
}

impl std::fmt::Debug for Pinned<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.deref().fmt(f)
    }
}

/// How far a store's durable position may lag before its column family is flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushBounds {
    /// Bytes applied since the last flush.
    pub bytes: u64,
    /// Milliseconds since the first apply after the last flush.
    pub time_ms: i64,
}

impl Default for FlushBounds {
    /// 64 MiB, 60 s.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            time_ms: 60_000,
        }
    }
}

/// What a store can say about itself. Sizes are RocksDB's estimates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreMetrics {
    /// The store's name.
    pub store: String,
    /// Rows, about.
    pub keys: u64,
    /// Bytes in files.
    pub disk_bytes: u64,
    /// Bytes in memory that are not flushed.
    pub memtable_bytes: u64,
    /// Bytes applied since the last known flush.
    pub unflushed_bytes: u64,
    /// Rows that were not written because their segment had expired.
    pub expired_rows: u64,
}

/// The state of one task: its stores, each with the changelog position that its content corresponds to.
///
/// One owner writes and reads; nothing here waits for a lock. Dropping it without [`close`](Self::close) is a crash:
/// what was not flushed is lost, and each store is left at some earlier position, whole.
pub trait TaskStore: Send {
    /// The stores, in the order of their indexes.
    fn stores(&self) -> &[StoreConfig];

    /// Length of the store's segments; None for stores that do not expire. It is that of the store's creation, even if the
    /// retention has changed since.
    fn segment_interval_ms(&self, store: StoreIndex) -> Option<i64>;

    /// The value of a changelog key (`key`, or `key ‖ start ‖ sequence` for windows). A window of an expired segment
    /// is not seen.
    fn get(&self, store: StoreIndex, key: &[u8]) -> Result<Option<Pinned<'_>>>;

    /// Several keys at once; `out` gets one entry a key, in order. Sorted keys are faster.
    fn multi_get<'a>(&'a self, store: StoreIndex, keys: &[&[u8]], out: &mut Vec<Option<Pinned<'a>>>) -> Result<()> {
        out.clear();
        for key in keys {
            out.push(self.get(store, key)?);
        }
        Ok(())
    }

    /// An ordered read.
    fn scan<'a>(&'a self, scan: &Scan<'_>) -> Result<Box<dyn Rows + 'a>>;

    /// Applies a batch and empties it. Large ones are written in chunks with the positions last, so a crash within
    /// leaves rows ahead of the position, which reading the changelog from there repairs.
    fn apply(&mut self, batch: &mut Batch) -> Result<()>;

    /// Where the store stands.
    fn position(&self, store: StoreIndex) -> Option<&Position>;

    /// The store's committed stream time.
    fn stream_time(&self, store: StoreIndex) -> Option<i64>;

    /// Where the store would stand after a crash now.
    fn durable_position(&self, store: StoreIndex) -> Result<Option<Position>>;

    /// Flushes every store and waits for it.
    fn flush(&mut self) -> Result<()>;

    /// Starts flushing the stores whose durable position lags by more than the bounds, without waiting. To be called
    /// every so often with the engine's clock, at best after each commit.
    fn flush_if_lagging(&mut self, now_ms: i64, bounds: &FlushBounds) -> Result<()>;

    /// Takes changelog records, oldest first; a None value is a tombstone. `after` is the consumer's position behind
    /// them. `stream_time`, where known, lets expired windows be skipped.
    ///
    /// An empty store is filled in bulk: rows are collected, deduplicated and ingested as files, and are neither readable nor
    /// counted in [`position`](Self::position) before [`finish_restore`](Self::finish_restore) or the next ingestion.
    fn restore<'r>(
        &mut self,
        store: StoreIndex,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        after: &Position,
        stream_time: Option<i64>,
    ) -> Result<()>;

    /// Ends a restore: everything taken is readable and [`position`](Self::position) is that of the last call. Does nothing
    /// for a store that is not being restored.
    fn finish_restore(&mut self, store: StoreIndex) -> Result<()>;

    /// Empties a store and forgets its position, before it is rebuilt.
    fn wipe(&mut self, store: StoreIndex) -> Result<()>;

    /// Flushes and closes. Returning an error, it has still let go of the files.
    fn close(self: Box<Self>) -> Result<()>;

    /// One entry a store.
    fn metrics(&self) -> Vec<StoreMetrics>;
}

impl dyn TaskStore + '_ {
    /// The value of the window of `key` that starts at `start`, sequence number 0.
    pub fn get_window(&self, store: StoreIndex, key: &[u8], start: i64) -> Result<Option<Pinned<'_>>> {
        self.get(store, &window_key(key, start, 0))
    }

    /// Rows of a key-value store from one key to another, both included.
    pub fn range(&self, store: StoreIndex, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Rows + '_>> {
        self.scan(&Scan::new(store, KeyRange::Between(from, to)))
    }

    /// Rows whose key starts with `prefix`.
    pub fn prefix(&self, store: StoreIndex, prefix: &[u8]) -> Result<Box<dyn Rows + '_>> {
        self.scan(&Scan::new(store, KeyRange::Prefix(prefix)))
    }

    /// All rows.
    pub fn all(&self, store: StoreIndex) -> Result<Box<dyn Rows + '_>> {
        self.scan(&Scan::new(store, KeyRange::All))
    }

    /// Windows of a key that start in `from..=to`.
    pub fn fetch(&self, store: StoreIndex, key: &[u8], from: i64, to: i64) -> Result<Box<dyn Rows + '_>> {
        self.scan(&Scan::new(store, KeyRange::One(key)).starts(from, to))
    }
}

/// Where tasks' states live: a directory tree, or a simulated one.
pub trait StateVolume: Send + Sync {
    /// Opens (or creates) the state of a task. A store that the directory does not know is created empty; one that is
    /// no longer listed, or that has another kind, is removed: its changelog is the truth.
    fn open(&self, dir: &Path, stores: &[StoreConfig]) -> Result<Box<dyn TaskStore>>;

    /// Whether there is any state for the task.
    fn exists(&self, dir: &Path) -> bool;

    /// Removes a task's state; no error if there is none.
    fn destroy(&self, dir: &Path) -> Result<()>;

    /// Moves damaged state out of the way (for a person to look at) and says where to; at most one is kept a task.
    fn set_aside(&self, dir: &Path) -> Result<PathBuf>;

    /// Whether there is room for tasks' state under `dir` (an application's directory), after the disk was full. What was set aside there is
    /// removed if that helps.
    fn make_room(&self, dir: &Path) -> bool {
        let _ = dir;
        true
    }
}
