//! One task's state in RocksDB: reads and the apply step.
//!
//! Reads run on the record path: no lock of ours, no allocation for keys of usual length but the one RocksDB's own pinned slice needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocksdb::{DB, ReadOptions, WriteBatch, WriteOptions};

use super::bulk::Bulk;
use super::cursor::RocksCursor;
use super::flush::Lag;
use super::handle::CfHandle;
use super::{Environment, errors, open};
use crate::config::first_live_segment;
use crate::position::Meta;
use crate::row::{META_ROW, RowKey, RowLayout, segment_of_row, segment_row};
use crate::scan::{Bounds, RowScan};
use crate::{
    Batch, Error, FlushBounds, Pinned, Position, Result, Rows, Scan, StoreConfig, StoreIndex, StoreKind, StoreMetrics,
    TaskStore,
};

/// A write batch is handed to RocksDB when it has grown to this.
const CHUNK_BYTES: usize = 4 << 20;

/// The state of one task: a database, with a column family for each store.
///
/// ```no_run
/// use millrace_state::{Batch, Environment, EnvironmentConfig, StoreConfig, StoreIndex, TaskState, TaskStore};
/// let env = Environment::new(EnvironmentConfig::default())?;
/// let mut task = TaskState::open(&env, "/var/lib/millrace/app/0_0".as_ref(), &[StoreConfig::key_value("counts")])?;
/// let mut batch = Batch::new();
/// batch.put(StoreIndex(0), b"key", b"value");
/// task.apply(&mut batch)?;
/// Box::new(task).close()?;
/// # Ok::<(), millrace_state::Error>(())
/// ```
pub struct TaskState {
    pub(super) env: Arc<Environment>,
    pub(super) dir: PathBuf,
    pub(super) stores: Vec<StoreState>,
    configs: Vec<StoreConfig>,
    read: ReadOptions,
    pub(super) write: WriteOptions,
    /// Failures of RocksDB's own threads that were asked for already.
    pub(super) background_errors: u64,
    pub(super) db: DB,
}

/// One store of an open task.
pub(super) struct StoreState {
    pub config: StoreConfig,
    pub family: CfHandle,
    /// A wipe failed halfway: there is no column family, and `family` is the default one, which is always empty.
    pub is_broken: bool,
    pub meta: Meta,
    /// Nothing was ever written: a restore may fill it in bulk.
    pub is_empty: bool,
    pub lag: Lag,
    pub bulk: Option<Bulk>,
    /// Files of segments below this one were dropped already.
    pub dropped_below: Option<i64>,
    pub expired_rows: u64,
}

impl StoreState {
    /// The oldest segment that is live at the committed stream time, or at a later one.
    pub fn first_live(&self, stream_time: Option<i64>) -> Option<i64> {
        let stream_time = stream_time.max(self.meta.stream_time)?;
        match (self.config.kind, self.meta.layout) {
            (StoreKind::Window { retention_ms, .. }, RowLayout::Window { interval_ms }) => {
                Some(first_live_segment(stream_time, retention_ms, interval_ms))
            }
            _ => None,
        }
    }

    pub fn row_key(&self, key: &[u8]) -> Result<RowKey> {
        self.meta.layout.row_key(key).ok_or_else(|| self.malformed(key))
    }

    pub fn malformed(&self, key: &[u8]) -> Error {
        Error::MalformedKey {
            store: self.config.name.clone(),
            length: key.len(),
        }
    }
}

/// Whether a row's segment is gone.
pub(super) fn is_expired(row: &[u8], first_live: Option<i64>) -> bool {
    first_live.is_some_and(|first| segment_of_row(row).is_some_and(|segment| segment < first))
}

impl TaskState {
    pub(super) fn new(env: Arc<Environment>, dir: PathBuf, db: DB, stores: Vec<StoreState>) -> Self {
        let configs = stores.iter().map(|store| store.config.clone()).collect();
        Self {
            env,
            dir,
            stores,
            configs,
            read: ReadOptions::default(),
            write: open::write_options(),
            background_errors: 0,
            db,
        }
    }

    /// The task's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn store(&self, store: StoreIndex) -> &StoreState {
        &self.stores[store.get()]
    }

    /// The store, unless a wipe of it failed.
    pub(super) fn usable(&self, store: StoreIndex) -> Result<&StoreState> {
        let state = self.store(store);
        if state.is_broken {
            let reason = "it could not be emptied; open the task again";
            return Err(Error::io(&self.dir, Some(&state.config.name), reason));
        }
        Ok(state)
    }

    pub(super) fn classify(&self, err: rocksdb::Error, store: StoreIndex) -> Error {
        errors::classify(err, &self.dir, Some(&self.store(store).config.name))
    }

    fn write_batch(&self, batch: WriteBatch) -> Result<()> {
        self.db
            .write_opt(batch, &self.write)
            .map_err(|err| errors::classify(err, &self.dir, None))
    }

    /// Rows of `batch` into write batches, full ones written, the last one returned.
    fn write_rows(&mut self, batch: &Batch) -> Result<WriteBatch> {
        let first_live: Vec<Option<i64>> = self
            .stores
            .iter()
            .enumerate()
            .map(|(index, store)| store.first_live(batch.stream_time(StoreIndex(index as u16))))
            .collect();
        let mut writes = WriteBatch::with_capacity_bytes((batch.bytes() + 64 * batch.len()).min(CHUNK_BYTES + 65_536));
        for change in batch.rows() {
            let store = &mut self.stores[change.store.get()];
            let row = store.row_key(change.key)?;
            if is_expired(&row, first_live[change.store.get()]) {
                store.expired_rows += u64::from(change.value.is_some());
                continue;
            }
            store.is_empty = false;
            store.lag.wrote(row.len() + change.value.map_or(0, <[u8]>::len));
            match change.value {
                Some(value) => writes.put_cf(&store.family, row, value),
                None => writes.delete_cf(&store.family, row),
            }
            if writes.size_in_bytes() >= CHUNK_BYTES {
                self.write_batch(std::mem::take(&mut writes))?;
            }
        }
        Ok(writes)
    }
}

impl TaskStore for TaskState {
    fn stores(&self) -> &[StoreConfig] {
        &self.configs
    }

    fn segment_interval_ms(&self, store: StoreIndex) -> Option<i64> {
        self.store(store).meta.layout.interval_ms()
    }

    fn get(&self, store: StoreIndex, key: &[u8]) -> Result<Option<Pinned<'_>>> {
        let state = self.usable(store)?;
        let row = state.row_key(key)?;
        if is_expired(&row, state.first_live(None)) {
            return Ok(None);
        }
        let found = self.db.get_pinned_cf_opt(&state.family, row, &self.read);
        Ok(found.map_err(|err| self.classify(err, store))?.map(Pinned::rocks))
    }

    fn multi_get<'a>(&'a self, store: StoreIndex, keys: &[&[u8]], out: &mut Vec<Option<Pinned<'a>>>) -> Result<()> {
        out.clear();
        let state = self.usable(store)?;
        let first_live = state.first_live(None);
        let rows: Vec<RowKey> = keys.iter().map(|key| state.row_key(key)).collect::<Result<_>>()?;
        let is_sorted = rows.is_sorted();
        let found =
            self.db
                .batched_multi_get_cf_opt(&state.family, rows.iter().map(|row| &row[..]), is_sorted, &self.read);
        for (row, value) in rows.iter().zip(found) {
            let value = value.map_err(|err| self.classify(err, store))?;
            out.push(value.filter(|_| !is_expired(row, first_live)).map(Pinned::rocks));
        }
        Ok(())
    }

    fn scan<'a>(&'a self, scan: &Scan<'_>) -> Result<Box<dyn Rows + 'a>> {
        let state = self.usable(scan.store)?;
        let bounds = Bounds::new(scan, state.meta.layout, state.first_live(None));
        let mut read = ReadOptions::default();
        read.set_iterate_lower_bound(bounds.lowest());
        read.set_iterate_upper_bound(bounds.beyond());
        let iter = self.db.raw_iterator_cf_opt(&state.family, read);
        let cursor = RocksCursor {
            iter,
            dir: &self.dir,
            store: &state.config.name,
        };
        Ok(Box::new(RowScan::new(cursor, bounds)))
    }

    fn apply(&mut self, batch: &mut Batch) -> Result<()> {
        // A malformed key, or a store that is gone, must leave nothing half written.
        for (store, _) in batch.marks() {
            self.usable(*store)?;
        }
        for change in batch.rows() {
            self.usable(change.store)?;
            if matches!(self.store(change.store).meta.layout, RowLayout::Window { .. }) {
                self.store(change.store).row_key(change.key)?;
            }
        }
        for index in 0..self.stores.len() {
            self.finish_restore(StoreIndex(index as u16))?;
        }
        let mut writes = self.write_rows(batch)?;
        let mut metas: Vec<(StoreIndex, Meta)> = Vec::with_capacity(batch.marks().len());
        for (index, mark) in batch.marks() {
            let store = &mut self.stores[index.get()];
            let mut meta = store.meta.clone();
            meta.stream_time = meta.stream_time.max(mark.stream_time);
            if let Some(position) = &mark.position {
                meta.position = Some(position.clone());
            }
            let (was_live, is_live) = (store.first_live(None), store.first_live(meta.stream_time));
            if let Some(first) = is_live.filter(|_| is_live > was_live) {
                // Nothing was ever put below what was live before.
                let from = was_live.map_or_else(|| segment_row(i64::MIN), segment_row);
                writes.delete_range_cf(&store.family, from, segment_row(first));
            }
            let bytes = meta.encode();
            store.lag.wrote(bytes.len());
            store.is_empty = false;
            writes.put_cf(&store.family, META_ROW, bytes);
            metas.push((*index, meta));
        }
        self.write_batch(writes)?;
        for (index, meta) in metas {
            self.stores[index.get()].meta = meta;
        }
        batch.clear();
        Ok(())
    }

    fn position(&self, store: StoreIndex) -> Option<&Position> {
        self.store(store).meta.position.as_ref()
    }

    fn stream_time(&self, store: StoreIndex) -> Option<i64> {
        self.store(store).meta.stream_time
    }

    fn durable_position(&self, store: StoreIndex) -> Result<Option<Position>> {
        Ok(self.durable_meta(store)?.and_then(|meta| meta.position))
    }

    fn flush(&mut self) -> Result<()> {
        self.flush_and_wait()
    }

    fn flush_if_lagging(&mut self, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        self.start_lagging_flushes(now_ms, bounds)
    }

    fn restore<'r>(
        &mut self,
        store: StoreIndex,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        after: &Position,
        stream_time: Option<i64>,
    ) -> Result<()> {
        self.usable(store)?;
        self.take_changelog(store, records, after, stream_time)
    }

    fn finish_restore(&mut self, store: StoreIndex) -> Result<()> {
        self.finish_bulk(store)
    }

    fn wipe(&mut self, store: StoreIndex) -> Result<()> {
        let default = self.db.cf_handle("default").map(CfHandle::of);
        let default = default.ok_or_else(|| Error::damaged(&self.dir, None, "its default column family is missing"))?;
        let state = &mut self.stores[store.get()];
        // Until there is a new column family: a flush and a close must find something, even if that fails.
        state.family = default;
        state.is_broken = true;
        state.bulk = None;
        state.lag = Lag::default();
        state.meta = Meta::new(RowLayout::of(state.config.kind));
        let config = state.config.clone();
        self.stores[store.get()] = open::recreate(&mut self.db, &self.env, &self.dir, &config)?;
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        for index in 0..self.stores.len() {
            self.finish_restore(StoreIndex(index as u16))?;
        }
        self.flush_and_wait()
    }

    fn metrics(&self) -> Vec<StoreMetrics> {
        let number = |store: &StoreState, name: &str| {
            self.db
                .property_int_value_cf(&store.family, name)
                .ok()
                .flatten()
                .unwrap_or(0)
        };
        let each = self.stores.iter().map(|store| StoreMetrics {
            store: store.config.name.clone(),
            keys: number(store, "rocksdb.estimate-num-keys"),
            disk_bytes: number(store, "rocksdb.total-sst-files-size"),
            memtable_bytes: number(store, "rocksdb.cur-size-all-mem-tables"),
            unflushed_bytes: store.lag.bytes(),
            expired_rows: store.expired_rows,
        });
        each.collect()
    }
}
