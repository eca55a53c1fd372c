//! The memory store of one task.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::MapCursor;
use super::volume::Shelf;
use crate::config::first_live_segment;
use crate::position::Meta;
use crate::row::{DATA, RowLayout, segment_of_row, segment_row, window_start};
use crate::scan::{Bounds, RowScan};
use crate::{
    Batch, Error, FlushBounds, Pinned, Position, Result, Rows, Scan, StoreConfig, StoreIndex, StoreKind, StoreMetrics,
    TaskStore,
};

/// What one store holds, and how to go back to what was flushed.
#[derive(Clone, Debug)]
pub(crate) struct MemoryStore {
    pub meta: Meta,
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Undoes of the batches since the last flush, oldest first.
    undo: Vec<Undo>,
    unflushed_bytes: u64,
    dirty_since: Option<i64>,
}

#[derive(Clone, Debug)]
struct Undo {
    meta: Meta,
    rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl MemoryStore {
    pub fn new(layout: RowLayout) -> Self {
        Self {
            meta: Meta::new(layout),
            rows: BTreeMap::new(),
            undo: Vec::new(),
            unflushed_bytes: 0,
            dirty_since: None,
        }
    }

    /// Batches that a crash may take back.
    pub fn unflushed_batches(&self) -> usize {
        self.undo.len()
    }

    /// Goes back until `keep` unflushed batches remain, and counts those as flushed.
    pub fn crash(&mut self, keep: usize) {
        while self.undo.len() > keep {
            let Some(undo) = self.undo.pop() else { break };
            for (row, old) in undo.rows.into_iter().rev() {
                match old {
                    Some(value) => self.rows.insert(row, value),
                    None => self.rows.remove(&row),
                };
            }
            self.meta = undo.meta;
        }
        self.flush();
    }

    pub fn flush(&mut self) {
        self.undo.clear();
        self.unflushed_bytes = 0;
        self.dirty_since = None;
    }

    fn begin(&mut self) {
        self.undo.push(Undo {
            meta: self.meta.clone(),
            rows: Vec::new(),
        });
    }

    fn set(&mut self, row: Vec<u8>, value: Option<&[u8]>) {
        self.unflushed_bytes += (row.len() + value.map_or(0, <[u8]>::len)) as u64;
        let old = match value {
            Some(value) => self.rows.insert(row.clone(), value.to_vec()),
            None => self.rows.remove(&row),
        };
        if let Some(undo) = self.undo.last_mut() {
            undo.rows.push((row, old));
        }
    }

    fn expire_below(&mut self, segment: i64) {
        let expired: Vec<Vec<u8>> = self
            .rows
            .range(segment_row(i64::MIN).to_vec()..segment_row(segment).to_vec())
            .map(|(k, _)| k.clone())
            .collect();
        for row in expired {
            self.set(row, None);
        }
    }
}

/// The state of one task in memory. Dropping it without closing is a crash.
pub struct MemoryTaskStore {
    dir: PathBuf,
    configs: Vec<StoreConfig>,
    stores: Vec<MemoryStore>,
    expired_rows: Vec<u64>,
    /// See [`MemoryVolume::with_chunks`](super::MemoryVolume::with_chunks).
    chunk_rows: usize,
    shelf: Arc<Shelf>,
    is_clean: bool,
}

impl MemoryTaskStore {
    pub(crate) fn new(
        dir: PathBuf,
        configs: Vec<StoreConfig>,
        stores: Vec<MemoryStore>,
        chunk_rows: usize,
        shelf: Arc<Shelf>,
    ) -> Self {
        let expired_rows = vec![0; configs.len()];
        Self {
            dir,
            configs,
            stores,
            expired_rows,
            chunk_rows,
            shelf,
            is_clean: false,
        }
    }

    fn row_key(&self, store: StoreIndex, key: &[u8]) -> Result<Vec<u8>> {
        let mut row = Vec::with_capacity(key.len() + 9);
        self.stores[store.get()]
            .meta
            .layout
            .push_row_key(key, &mut row)
            .ok_or_else(|| Error::MalformedKey {
                store: self.configs[store.get()].name.clone(),
                length: key.len(),
            })?;
        Ok(row)
    }

    fn first_live(&self, store: StoreIndex, stream_time: Option<i64>) -> Option<i64> {
        let stream_time = stream_time.max(self.stores[store.get()].meta.stream_time)?;
        match (self.configs[store.get()].kind, self.stores[store.get()].meta.layout) {
            (StoreKind::Window { retention_ms, .. }, RowLayout::Window { interval_ms }) => {
                Some(first_live_segment(stream_time, retention_ms, interval_ms))
            }
            _ => None,
        }
    }

    fn write(&mut self, store: StoreIndex, key: &[u8], value: Option<&[u8]>, first_live: Option<i64>) -> Result<()> {
        let row = self.row_key(store, key)?;
        if is_expired(&row, first_live) {
            self.expired_rows[store.get()] += u64::from(value.is_some());
        } else {
            self.stores[store.get()].set(row, value);
        }
        Ok(())
    }
}

fn is_expired(row: &[u8], first_live: Option<i64>) -> bool {
    first_live.is_some_and(|first| segment_of_row(row).is_some_and(|segment| segment < first))
}

impl TaskStore for MemoryTaskStore {
    fn stores(&self) -> &[StoreConfig] {
        &self.configs
    }

    fn segment_interval_ms(&self, store: StoreIndex) -> Option<i64> {
        self.stores[store.get()].meta.layout.interval_ms()
    }

    fn get(&self, store: StoreIndex, key: &[u8]) -> Result<Option<Pinned<'_>>> {
        let row = self.row_key(store, key)?;
        if is_expired(&row, self.first_live(store, None)) {
            return Ok(None);
        }
        Ok(self.stores[store.get()]
            .rows
            .get(&row)
            .map(|value| Pinned::borrowed(value)))
    }

    fn scan<'a>(&'a self, scan: &Scan<'_>) -> Result<Box<dyn Rows + 'a>> {
        let store = &self.stores[scan.store.get()];
        let bounds = Bounds::new(scan, store.meta.layout, self.first_live(scan.store, None));
        Ok(Box::new(RowScan::new(MapCursor::new(&store.rows), bounds)))
    }

    fn apply(&mut self, batch: &mut Batch) -> Result<()> {
        for change in batch.rows() {
            self.row_key(change.store, change.key)?;
        }
        let touched: Vec<StoreIndex> = (0..self.configs.len())
            .map(|index| StoreIndex(index as u16))
            .filter(|index| {
                batch.rows().any(|row| row.store == *index) || batch.marks().iter().any(|(store, _)| store == index)
            })
            .collect();
        let first_live: Vec<Option<i64>> = (0..self.configs.len())
            .map(|index| self.first_live(StoreIndex(index as u16), batch.stream_time(StoreIndex(index as u16))))
            .collect();
        for store in &touched {
            self.stores[store.get()].begin();
        }
        for (number, change) in batch.rows().enumerate() {
            if number > 0 && number.is_multiple_of(self.chunk_rows) {
                touched.iter().for_each(|store| self.stores[store.get()].begin());
            }
            self.write(change.store, change.key, change.value, first_live[change.store.get()])?;
        }
        for (index, mark) in batch.marks() {
            let store = &mut self.stores[index.get()];
            if let Some(first) = first_live[index.get()] {
                store.expire_below(first);
            }
            store.meta.stream_time = store.meta.stream_time.max(mark.stream_time);
            if let Some(position) = &mark.position {
                store.meta.position = Some(position.clone());
            }
        }
        batch.clear();
        Ok(())
    }

    fn position(&self, store: StoreIndex) -> Option<&Position> {
        self.stores[store.get()].meta.position.as_ref()
    }

    fn stream_time(&self, store: StoreIndex) -> Option<i64> {
        self.stores[store.get()].meta.stream_time
    }

    fn durable_position(&self, store: StoreIndex) -> Result<Option<Position>> {
        let store = &self.stores[store.get()];
        Ok(store
            .undo
            .first()
            .map_or(&store.meta, |undo| &undo.meta)
            .position
            .clone())
    }

    fn flush(&mut self) -> Result<()> {
        self.stores.iter_mut().for_each(MemoryStore::flush);
        Ok(())
    }

    fn flush_if_lagging(&mut self, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        for store in &mut self.stores {
            if store.undo.is_empty() {
                continue;
            }
            let since = *store.dirty_since.get_or_insert(now_ms);
            if store.unflushed_bytes >= bounds.bytes || now_ms.saturating_sub(since) >= bounds.time_ms {
                store.flush();
            }
        }
        Ok(())
    }

    fn restore<'r>(
        &mut self,
        store: StoreIndex,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        after: &Position,
        stream_time: Option<i64>,
    ) -> Result<()> {
        self.stores[store.get()].begin();
        let windowed = matches!(self.stores[store.get()].meta.layout, RowLayout::Window { .. });
        let mut observed = stream_time;
        for (key, value) in records {
            if windowed {
                observed = observed.max(window_start(key));
            }
            let first_live = self.first_live(store, observed);
            self.write(store, key, value, first_live)?;
        }
        let first_live = self.first_live(store, observed);
        let target = &mut self.stores[store.get()];
        if windowed {
            target.meta.stream_time = target.meta.stream_time.max(observed);
        }
        if let Some(first) = first_live {
            target.expire_below(first);
        }
        target.meta.position = Some(after.clone());
        Ok(())
    }

    fn finish_restore(&mut self, _store: StoreIndex) -> Result<()> {
        Ok(())
    }

    fn wipe(&mut self, store: StoreIndex) -> Result<()> {
        self.stores[store.get()] = MemoryStore::new(RowLayout::of(self.configs[store.get()].kind));
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.is_clean = true;
        self.flush()
    }

    fn metrics(&self) -> Vec<StoreMetrics> {
        let each = self.configs.iter().zip(&self.stores).zip(&self.expired_rows);
        each.map(|((config, store), expired)| StoreMetrics {
            store: config.name.clone(),
            keys: store.rows.range(vec![DATA]..).count() as u64,
            memtable_bytes: store.unflushed_bytes,
            unflushed_bytes: store.unflushed_bytes,
            expired_rows: *expired,
            ..StoreMetrics::default()
        })
        .collect()
    }
}

impl Drop for MemoryTaskStore {
    fn drop(&mut self) {
        let stores = self.configs.drain(..).zip(self.stores.drain(..)).collect();
        self.shelf.put_back(&self.dir, stores, self.is_clean);
    }
}
