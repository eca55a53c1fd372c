//! When a store's column family is flushed, and what that makes durable.

use rocksdb::{FlushOptions, ReadOptions, ReadTier, WriteBatch};

use super::options::L0_SLOWDOWN;
use super::task::TaskState;
use crate::config::first_live_segment;
use crate::position::Meta;
use crate::row::{META_ROW, segment_row};
use crate::{Error, FlushBounds, Result, StoreIndex, StoreKind};

/// How far a store's durable content lags behind what was applied.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// Bytes written since the last flush was asked for or, with one under way, since before it.
    bytes: u64,
    since_ms: Option<i64>,
    /// Bytes that the flush under way covers, and when it was asked for.
    flushing: Option<(u64, i64)>,
}

impl Lag {
    pub fn wrote(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The flush that was under way is over, or all is flushed.
    fn flushed(&mut self) {
        let (bytes, asked_ms) = self
            .flushing
            .take()
            .map_or((self.bytes, None), |(bytes, at)| (bytes, Some(at)));
        self.bytes = self.bytes.saturating_sub(bytes);
        // What was written since waits since the flush at the longest.
        self.since_ms = asked_ms.filter(|_| self.bytes > 0);
    }
}

impl TaskState {
    /// What the store's own row says on disk.
    pub(super) fn durable_meta(&self, store: StoreIndex) -> Result<Option<Meta>> {
        let mut read = ReadOptions::default();
        read.set_read_tier(ReadTier::Persisted);
        let state = self.store(store);
        let bytes = self.db.get_pinned_cf_opt(&state.family, META_ROW, &read);
        let Some(bytes) = bytes.map_err(|err| self.classify(err, store))? else {
            return Ok(None);
        };
        let meta = Meta::decode(&bytes);
        meta.map(Some)
            .ok_or_else(|| Error::damaged(&self.dir, Some(&state.config.name), "its position cannot be read"))
    }

    pub(super) fn flush_and_wait(&mut self) -> Result<()> {
        let families: Vec<_> = self.stores.iter().map(|store| &store.family).collect();
        let flushed = self.db.flush_cfs_opt(&families, &FlushOptions::default());
        flushed.map_err(|err| super::errors::classify(err, &self.dir, None))?;
        for index in 0..self.stores.len() {
            self.stores[index].lag.flushing = None;
            self.note_flushed(StoreIndex(index as u16))?;
        }
        Ok(())
    }

    pub(super) fn start_lagging_flushes(&mut self, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        self.ask_for_failed_work()?;
        for index in 0..self.stores.len() {
            let index = StoreIndex(index as u16);
            if self.store(index).lag.flushing.is_some() && self.number(index, "rocksdb.num-immutable-mem-table") == 0 {
                self.note_flushed(index)?;
            }
            let lag = &mut self.stores[index.get()].lag;
            if lag.bytes == 0 {
                continue;
            }
            let since = *lag.since_ms.get_or_insert(now_ms);
            let is_due = lag.bytes >= bounds.bytes || now_ms.saturating_sub(since) >= bounds.time_ms;
            if is_due && lag.flushing.is_none() && self.may_flush_without_stall(index) {
                let mut options = FlushOptions::default();
                options.set_wait(false);
                let flush = self.db.flush_cf_opt(&self.store(index).family, &options);
                flush.map_err(|err| self.classify(err, index))?;
                let lag = &mut self.stores[index.get()].lag;
                lag.flushing = Some((lag.bytes, now_ms));
            }
        }
        Ok(())
    }

    /// A flush or compaction that fails in the background fails the next write: a task that has nothing to write must learn of it, too.
    fn ask_for_failed_work(&mut self) -> Result<()> {
        let failures = self.db.property_int_value("rocksdb.background-errors");
        let failures = failures.ok().flatten().unwrap_or(0);
        if failures > self.background_errors {
            // The default column family has no rows, and this one's deletion adds none.
            let mut writes = WriteBatch::default();
            writes.delete(META_ROW);
            let written = self.db.write_opt(writes, &self.write);
            written.map_err(|err| super::errors::classify(err, &self.dir, None))?;
            self.background_errors = failures;
        }
        Ok(())
    }

    /// RocksDB makes the caller of a flush wait where the flush would stall writes: ask again later instead.
    fn may_flush_without_stall(&self, store: StoreIndex) -> bool {
        self.number(store, "rocksdb.num-immutable-mem-table") == 0
            && self
                .level0_files(store)
                .is_none_or(|files| files + 2 < L0_SLOWDOWN.unsigned_abs().into())
    }

    /// RocksDB tells this one as text only.
    fn level0_files(&self, store: StoreIndex) -> Option<u64> {
        let text = self
            .db
            .property_value_cf(&self.store(store).family, "rocksdb.num-files-at-level0");
        text.ok().flatten()?.parse().ok()
    }

    fn number(&self, store: StoreIndex, property: &str) -> u64 {
        self.db
            .property_int_value_cf(&self.store(store).family, property)
            .ok()
            .flatten()
            .unwrap_or(0)
    }

    fn note_flushed(&mut self, store: StoreIndex) -> Result<()> {
        self.stores[store.get()].lag.flushed();
        match self.durable_meta(store)? {
            Some(meta) => self.drop_expired_files(store, &meta),
            None => Ok(()),
        }
    }

    /// Files that hold nothing but expired segments go at once, without compaction. Only by durable stream time: a crash must not
    /// find the files gone and the expiry forgotten.
    fn drop_expired_files(&mut self, store: StoreIndex, durable: &Meta) -> Result<()> {
        let state = self.store(store);
        let StoreKind::Window { retention_ms, .. } = state.config.kind else {
            return Ok(());
        };
        let (Some(interval_ms), Some(stream_time)) = (state.meta.layout.interval_ms(), durable.stream_time) else {
            return Ok(());
        };
        let first = first_live_segment(stream_time, retention_ms, interval_ms);
        if state.dropped_below.is_none_or(|below| first > below) {
            let from = segment_row(i64::MIN);
            let dropped = self.db.delete_file_in_range_cf(&state.family, from, segment_row(first));
            dropped.map_err(|err| self.classify(err, store))?;
            self.stores[store.get()].dropped_below = Some(first);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Environment, EnvironmentConfig, StoreConfig, TaskStore};

    #[test]
    fn the_properties_that_flushes_go_by_exist() {
        let files = tempfile::tempdir().unwrap();
        let env = Environment::new(EnvironmentConfig::default()).unwrap();
        let mut task = TaskState::open(&env, files.path(), &[StoreConfig::key_value("s")]).unwrap();
        let store = StoreIndex(0);
        for expected in 0..3 {
            assert_eq!(task.level0_files(store), Some(expected));
            let immutable = task
                .db
                .property_int_value_cf(&task.store(store).family, "rocksdb.num-immutable-mem-table");
            assert_eq!(immutable.unwrap(), Some(0));
            let mut batch = Batch::new();
            batch.put(store, b"key", b"value");
            task.apply(&mut batch).unwrap();
            task.flush().unwrap();
        }
    }
}
