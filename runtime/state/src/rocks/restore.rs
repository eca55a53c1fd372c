//! Filling a store from its changelog: in bulk while it is empty, by batches afterwards.

use std::path::Path;

use rocksdb::{IngestExternalFileOptions, WriteBatch};

use super::bulk::Bulk;
use super::task::{StoreState, TaskState, is_expired};
use crate::position::Meta;
use crate::row::{META_ROW, RowKey, RowLayout, segment_row, window_start};
use crate::{Error, Position, Result, StoreIndex};

/// How the names of files begin that are made to be ingested.
const STEM: &str = "restore-";
/// A tail's write batch is handed to RocksDB when it has grown to this.
const CHUNK_BYTES: usize = 1 << 20;

/// Removes files that a process left behind when it died between making and ingesting them.
pub(super) fn remove_leftovers(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STEM) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl StoreState {
    /// Makes the row key of a changelog record and moves the stream time up to it; false if its segment is gone.
    fn take_row(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        stream_time: &mut Option<i64>,
        row: &mut RowKey,
    ) -> Result<bool> {
        row.clear();
        let pushed = self.meta.layout.push_row_key(key, row);
        pushed.ok_or_else(|| self.malformed(key))?;
        if matches!(self.meta.layout, RowLayout::Window { .. }) {
            *stream_time = (*stream_time).max(window_start(key));
            if is_expired(row, self.first_live(*stream_time)) {
                self.expired_rows += u64::from(value.is_some());
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl TaskState {
    pub(super) fn take_changelog<'r>(
        &mut self,
        store: StoreIndex,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        after: &Position,
        stream_time: Option<i64>,
    ) -> Result<()> {
        let state = &mut self.stores[store.get()];
        if state.is_empty && state.bulk.is_none() {
            state.bulk = Some(Bulk::new(&self.env.restores));
            // Until the first run is ingested the store is empty on disk; from here on it is bulk's.
            state.is_empty = false;
        }
        match self.stores[store.get()].bulk.take() {
            Some(mut bulk) => {
                let taken = self.collect(store, &mut bulk, records, after, stream_time);
                self.stores[store.get()].bulk = Some(bulk);
                taken
            }
            None => self.write_tail(store, records, after, stream_time),
        }
    }

    fn collect<'r>(
        &mut self,
        store: StoreIndex,
        bulk: &mut Bulk,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        after: &Position,
        stream_time: Option<i64>,
    ) -> Result<()> {
        bulk.adjust(&self.env.restores);
        bulk.stream_time = bulk.stream_time.max(stream_time);
        let mut row = RowKey::new();
        for (key, value) in records {
            if !self.stores[store.get()].take_row(key, value, &mut bulk.stream_time, &mut row)? {
                continue;
            }
            if !bulk.push(&row, value) {
                // The run's position is that of the last call: rows of this one may be among them, and come again.
                self.ingest(store, bulk)?;
                let taken = bulk.push(&row, value);
                debug_assert!(taken, "an emptied buffer takes any row");
            }
        }
        bulk.position = Some(after.clone());
        Ok(())
    }

    /// Writes what was collected as files and hands them to RocksDB, its position among them. After an error all is as before, the rows
    /// in `bulk` included.
    fn ingest(&mut self, store: StoreIndex, bulk: &mut Bulk) -> Result<()> {
        let state = self.store(store);
        let mut meta = state.meta.clone();
        meta.stream_time = meta.stream_time.max(bulk.stream_time);
        if matches!(meta.layout, RowLayout::KeyValue) {
            meta.stream_time = None;
        }
        if let Some(position) = &bulk.position {
            meta.position = Some(position.clone());
        }
        let stem = self.dir.join(format!("{STEM}{}", store.get()));
        let settings = super::options::store(state.config.kind, &self.env.cache);
        let file_bytes = super::options::file_bytes(state.config.kind);
        let first_live = state.first_live(bulk.stream_time);
        let mut paths = Vec::new();
        let written = bulk.write_run(&settings, &stem, file_bytes, &meta.encode(), first_live, &mut paths);
        let ingested = written.and_then(|()| {
            let mut options = IngestExternalFileOptions::default();
            options.set_move_files(true);
            self.db
                .ingest_external_file_cf_opts(&self.store(store).family, &options, paths.clone())
        });
        if ingested.is_ok() {
            bulk.taken();
            self.stores[store.get()].meta = meta;
        }
        let mut removed = Ok(());
        for path in &paths {
            // RocksDB may leave the name that it was given.
            match std::fs::remove_file(path) {
                Err(err) if err.kind() != std::io::ErrorKind::NotFound => removed = Err(err),
                _ => {}
            }
        }
        ingested.map_err(|err| self.classify(err, store))?;
        removed.map_err(|err| Error::io(&self.dir, None, err))
    }

    pub(super) fn finish_bulk(&mut self, store: StoreIndex) -> Result<()> {
        let Some(mut bulk) = self.stores[store.get()].bulk.take() else {
            return Ok(());
        };
        let finished = self.ingest_last(store, &mut bulk);
        if finished.is_err() {
            // Without its rows, nothing behind them may be written either.
            self.stores[store.get()].bulk = Some(bulk);
        }
        finished
    }

    fn ingest_last(&mut self, store: StoreIndex, bulk: &mut Bulk) -> Result<()> {
        self.ingest(store, bulk)?;
        // Earlier runs may hold segments that have expired since.
        let state = self.store(store);
        if let Some(first) = state.first_live(None).filter(|_| bulk.runs > 1) {
            let mut writes = WriteBatch::default();
            writes.delete_range_cf(&state.family, segment_row(i64::MIN), segment_row(first));
            let written = self.db.write_opt(writes, &self.write);
            written.map_err(|err| self.classify(err, store))?;
        }
        Ok(())
    }

    fn write_tail<'r>(
        &mut self,
        store: StoreIndex,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        after: &Position,
        stream_time: Option<i64>,
    ) -> Result<()> {
        let state = &mut self.stores[store.get()];
        let mut meta: Meta = state.meta.clone();
        if matches!(meta.layout, RowLayout::Window { .. }) {
            meta.stream_time = meta.stream_time.max(stream_time);
        }
        let mut writes = WriteBatch::default();
        let mut row = RowKey::new();
        for (key, value) in records {
            let state = &mut self.stores[store.get()];
            if !state.take_row(key, value, &mut meta.stream_time, &mut row)? {
                continue;
            }
            state.lag.wrote(row.len() + value.map_or(0, <[u8]>::len));
            match value {
                Some(value) => writes.put_cf(&state.family, &row, value),
                None => writes.delete_cf(&state.family, &row),
            }
            if writes.size_in_bytes() >= CHUNK_BYTES {
                self.write_restored(store, std::mem::take(&mut writes))?;
            }
        }
        let state = &mut self.stores[store.get()];
        let (was_live, is_live) = (state.first_live(None), state.first_live(meta.stream_time));
        if let Some(first) = is_live.filter(|_| is_live > was_live) {
            let from = was_live.map_or_else(|| segment_row(i64::MIN), segment_row);
            writes.delete_range_cf(&state.family, from, segment_row(first));
        }
        meta.position = Some(after.clone());
        let bytes = meta.encode();
        state.lag.wrote(bytes.len());
        writes.put_cf(&state.family, META_ROW, bytes);
        self.write_restored(store, writes)?;
        self.stores[store.get()].meta = meta;
        Ok(())
    }

    /// Not as a write of low priority: RocksDB holds those to 1 MiB a second, on this thread, while compaction is behind.
    fn write_restored(&self, store: StoreIndex, writes: WriteBatch) -> Result<()> {
        self.db
            .write_opt(writes, &self.write)
            .map_err(|err| self.classify(err, store))
    }
}
