//! A task's stores: RocksDB below, the overlay of uncommitted and cached rows above, the changelogs beside.
//!
//! Record path: reads are answered by the overlay where it can; RocksDB is read once per row and commit, and written only by
//! [`TaskStores::apply`], after the commit.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use millrace_kafka::log::Header;
use millrace_state::{Batch, Dirty, Evicted, FlushBounds, Lookup, Position, StoreIndex, StoreOverlay, TaskStore};

use super::OutputTopic;
use super::collector::Collector;
use super::metadata::UNKNOWN_TIME;
use crate::error::Recovery;
use crate::{Code, Error, RecordContext, Result};

/// What an entry of the record cache counts beyond key and value, as in Kafka: 24 for the node, 1 for the flag, 20 for the context and
/// something for the topic's name.
const ENTRY_OVERHEAD: usize = 64;

/// A store's place in its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StoreSlot(pub u16);

/// Where a cached row came from: the context in which it is forwarded later.
#[derive(Clone, Debug)]
pub(crate) struct StoredContext {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// The row's time.
    pub timestamp: i64,
    pub headers: Option<Arc<[Header]>>,
}

/// What the overlay keeps of a [`StoredContext`]: topics and headers by their numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CompactContext {
    timestamp: i64,
    offset: i64,
    partition: i32,
    topic: u32,
    headers: Option<std::num::NonZeroU32>,
}

/// A row on its way out of the record cache.
pub(crate) type CachedRow = Dirty<CompactContext>;

/// A stored row: `i64 timestamp | value`.
#[derive(Clone, Debug)]
pub(crate) struct Row(Bytes);

impl Row {
    pub(crate) fn copy_from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    /// The time and the value.
    #[inline]
    pub(crate) fn split(mut self) -> (i64, Bytes) {
        let timestamp = i64::from_be_bytes(self.0[..8].try_into().expect("every row starts with its time"));
        bytes::Buf::advance(&mut self.0, 8);
        (timestamp, self.0)
    }
}

/// The record cache's budget: one for all tasks of a worker (`statestore.cache.max.bytes` / threads).
#[derive(Debug)]
pub(crate) struct CacheBudget {
    limit: usize,
    used: Cell<usize>,
    /// Stores with a record cache.
    stores: Cell<usize>,
}

impl CacheBudget {
    pub(crate) fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            limit,
            used: Cell::new(0),
            stores: Cell::new(0),
        })
    }

    /// Whether a store that holds `own` bytes has to give some up: the budget is passed, and it holds more than its share. So a store that is
    /// processed first does not leave the others without a cache.
    fn must_evict(&self, own: usize) -> bool {
        self.used.get() > self.limit && own > self.limit / self.stores.get().max(1)
    }
}

/// What a task must know of one of its stores.
#[derive(Clone, Debug)]
pub(crate) struct StoreSetup {
    pub name: String,
    pub caching: bool,
    pub windowed: bool,
    pub changelog: Option<ChangelogSetup>,
}

/// Where a store's changelog stands.
#[derive(Clone, Debug)]
pub(crate) struct ChangelogSetup {
    pub topic: OutputTopic,
    pub topic_id: [u8; 16],
}

struct LocalStore {
    setup: StoreSetup,
    overlay: StoreOverlay<CompactContext>,
    /// Headers of unforwarded rows; emptied when none is left.
    headers: Vec<Arc<[Header]>>,
    /// The highest timestamp that a windowed node has seen; committed with the offsets.
    stream_time: i64,
    committed_stream_time: i64,
    /// What this overlay last counted for in the budget.
    counted: usize,
    /// Windows that start before are not read: see [`TaskStores::read`]. Mostly `i64::MIN`.
    visible_from: i64,
}

/// All stores of a task.
pub(crate) struct TaskStores {
    partition: i32,
    cluster_id: Arc<str>,
    db: Option<Box<dyn TaskStore>>,
    stores: Vec<LocalStore>,
    cache: Rc<CacheBudget>,
    batch: Batch,
    /// Input topics that rows came from.
    topics: Vec<Arc<str>>,
}

impl TaskStores {
    pub(crate) fn new(
        partition: i32,
        cluster_id: Arc<str>,
        db: Option<Box<dyn TaskStore>>,
        setups: Vec<StoreSetup>,
        cache: Rc<CacheBudget>,
        stream_times: &BTreeMap<String, i64>,
        taken_over: bool,
    ) -> Self {
        let stores = setups
            .into_iter()
            .enumerate()
            .map(|(index, setup)| {
                let interval = db
                    .as_ref()
                    .and_then(|db| db.segment_interval_ms(StoreIndex(index as u16)));
                let overlay = StoreOverlay::new(interval, ENTRY_OVERHEAD);
                let overlay = if cache.limit == 0 || !setup.caching {
                    overlay.without_clean()
                } else {
                    overlay
                };
                let known = stream_times.get(&setup.name).copied();
                let at = StoreIndex(index as u16);
                let visible_from = match db.as_ref().map(|db| (db.stores()[index].kind, db.stream_time(at))) {
                    Some((kind, Some(restored))) if taken_over && known.is_none() => kind.first_visible_start(restored),
                    _ => i64::MIN,
                };
                let stream_time = known.unwrap_or(UNKNOWN_TIME);
                LocalStore {
                    overlay,
                    setup,
                    headers: Vec::new(),
                    stream_time,
                    committed_stream_time: stream_time,
                    counted: 0,
                    visible_from,
                }
            })
            .collect::<Vec<_>>();
        let cached = stores.iter().filter(|store: &&LocalStore| store.setup.caching).count();
        cache.stores.set(cache.stores.get() + cached);
        Self {
            partition,
            cluster_id,
            db,
            stores,
            cache,
            batch: Batch::new(),
            topics: Vec::new(),
        }
    }

    pub(crate) fn partition(&self) -> i32 {
        self.partition
    }

    pub(crate) fn changelog(&self, slot: StoreSlot) -> Option<OutputTopic> {
        self.store(slot)
            .setup
            .changelog
            .as_ref()
            .map(|changelog| changelog.topic)
    }

    fn store(&self, slot: StoreSlot) -> &LocalStore {
        &self.stores[usize::from(slot.0)]
    }

    #[inline]
    pub(crate) fn observe_stream_time(&mut self, slot: StoreSlot, timestamp: i64) -> i64 {
        let store = &mut self.stores[usize::from(slot.0)];
        store.stream_time = store.stream_time.max(timestamp);
        store.stream_time
    }

    /// Whether any of them depends on stream time.
    pub(crate) fn has_windows(&self) -> bool {
        self.stores.iter().any(|store| store.setup.windowed)
    }

    /// The stream times to commit, by store.
    pub(crate) fn stream_times(&self) -> impl Iterator<Item = (&str, i64)> {
        let windowed = self
            .stores
            .iter()
            .filter(|store| store.setup.windowed && store.stream_time != UNKNOWN_TIME);
        windowed.map(|store| (store.setup.name.as_str(), store.stream_time))
    }

    pub(crate) fn is_cached(&self, slot: StoreSlot) -> bool {
        self.store(slot).setup.caching && self.cache.limit > 0
    }

    /// A row as this task sees it now.
    ///
    /// Taken over from Kafka Streams, a windowed node does not know stream time, and takes records for windows that were closed already. What those
    /// held is read no more, by Java's window stores and here (`AbstractRocksDBSegmentedBytesStore.get`). With known stream time no such
    /// window is asked for.
    #[inline]
    pub(crate) fn read(&mut self, slot: StoreSlot, row_key: &[u8]) -> Result<Option<Row>> {
        let store = &mut self.stores[usize::from(slot.0)];
        if store.visible_from != i64::MIN && window_start(row_key) < store.visible_from {
            return Ok(None);
        }
        match store.overlay.get(row_key) {
            Lookup::Hit(row) => Ok(row.map(Row::copy_from)),
            Lookup::Miss => {
                let Some(db) = &self.db else { return Ok(None) };
                let row = db
                    .get(StoreIndex(slot.0), row_key)?
                    .map(|pinned| Row::copy_from(&pinned));
                store
                    .overlay
                    .insert_clean(row_key, row.as_ref().map(|row| row.0.as_ref()));
                Ok(row)
            }
        }
    }

    /// Leaves a row unforwarded.
    pub(crate) fn cache_row(
        &mut self,
        slot: StoreSlot,
        row_key: &[u8],
        row: Option<&[u8]>,
        topic: &Arc<str>,
        record: &RecordContext<'_>,
        timestamp: i64,
    ) {
        let known = self
            .topics
            .iter()
            .position(|known| Arc::ptr_eq(known, topic) || known == topic);
        let topic = known.unwrap_or_else(|| {
            self.topics.push(Arc::clone(topic));
            self.topics.len() - 1
        }) as u32;
        let store = &mut self.stores[usize::from(slot.0)];
        if store.overlay.dirty_count() == 0 {
            // No row refers to these any more.
            store.headers.clear();
        }
        let headers = if record.headers.is_empty() {
            None
        } else {
            store.headers.push(record.headers.into());
            std::num::NonZeroU32::new(store.headers.len() as u32)
        };
        let context = CompactContext {
            timestamp,
            offset: record.offset,
            partition: record.partition,
            topic,
            headers,
        };
        store.overlay.put_cached(row_key, row, context);
        self.count(slot);
    }

    #[inline]
    fn count(&mut self, slot: StoreSlot) {
        let store = &mut self.stores[usize::from(slot.0)];
        let now = store.overlay.cache_bytes();
        self.cache
            .used
            .set((self.cache.used.get() + now).saturating_sub(store.counted));
        store.counted = now;
    }

    /// The context that a cached row was written in.
    pub(crate) fn stored_context(&self, slot: StoreSlot, row: &CachedRow) -> StoredContext {
        let compact = row.context();
        let headers = compact
            .headers
            .map(|number| Arc::clone(&self.store(slot).headers[number.get() as usize - 1]));
        StoredContext {
            topic: Arc::clone(&self.topics[compact.topic as usize]),
            partition: compact.partition,
            offset: compact.offset,
            timestamp: compact.timestamp,
            headers,
        }
    }

    /// Makes room while the budget is passed: drops clean rows; `true` when an unforwarded one had to go, which the caller forwards.
    pub(crate) fn evict(&mut self, slot: StoreSlot, row: &mut CachedRow) -> bool {
        while self.cache.must_evict(self.stores[usize::from(slot.0)].counted) {
            let evicted = self.stores[usize::from(slot.0)].overlay.evict(row);
            self.count(slot);
            match evicted {
                Evicted::Nothing => return false,
                Evicted::Clean => {}
                Evicted::Dirty => return true,
            }
        }
        false
    }

    /// Unforwarded rows.
    pub(crate) fn dirty_count(&self, slot: StoreSlot) -> usize {
        self.store(slot).overlay.dirty_count()
    }

    /// Forgets the headers of forwarded rows, once no unforwarded row needs any.
    pub(crate) fn release_headers(&mut self, slot: StoreSlot) {
        let store = &mut self.stores[usize::from(slot.0)];
        if store.overlay.dirty_count() == 0 {
            store.headers.clear();
        }
    }

    /// The unforwarded row that was written longest ago; it counts as forwarded now.
    pub(crate) fn pop_dirty(&mut self, slot: StoreSlot, row: &mut CachedRow) -> bool {
        let popped = self.stores[usize::from(slot.0)].overlay.pop_dirty(row);
        self.count(slot);
        popped
    }

    /// The row that the changelog, and whoever is downstream, have of this one's key.
    pub(crate) fn forwarded_before(&self, slot: StoreSlot, row: &CachedRow) -> Result<Option<Row>> {
        match (row.old(), &self.db) {
            (Lookup::Hit(old), _) => Ok(old.map(Row::copy_from)),
            (Lookup::Miss, Some(db)) => {
                let old = db.get(StoreIndex(slot.0), row.key())?;
                Ok(old.map(|pinned| Row::copy_from(&pinned)))
            }
            (Lookup::Miss, None) => Ok(None),
        }
    }

    /// Sets a row that is forwarded at once.
    pub(crate) fn put_row(&mut self, slot: StoreSlot, row_key: &[u8], row: Option<&[u8]>) {
        self.stores[usize::from(slot.0)].overlay.put_forwarded(row_key, row);
        self.count(slot);
    }

    /// Bytes of rows that wait for a commit.
    pub(crate) fn uncommitted_bytes(&self) -> usize {
        self.stores.iter().map(|store| store.overlay.uncommitted_bytes()).sum()
    }

    /// After a commit: RocksDB takes the rows, and where they stand in their changelogs, in one batch.
    pub(crate) fn apply(&mut self, collector: &Collector, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        #[cfg(test)]
        if crate::mutant::is_planted(crate::mutant::Mutant::PositionBeforeData) {
            self.apply_positions_only(collector, now_ms)?;
        }
        let Some(db) = &mut self.db else { return Ok(()) };
        for (index, store) in self.stores.iter_mut().enumerate() {
            let at = StoreIndex(index as u16);
            store.overlay.take_uncommitted_into(at, &mut self.batch);
            if let Some(changelog) = &store.setup.changelog
                && let Some(next_offset) = collector.next_offset(changelog.topic, self.partition)
                && db
                    .position(at)
                    .is_none_or(|position| position.next_offset < next_offset)
            {
                let cluster_id = Arc::clone(&self.cluster_id);
                self.batch.set_position(
                    at,
                    Position {
                        next_offset,
                        topic_id: changelog.topic_id,
                        cluster_id,
                        time_ms: now_ms,
                    },
                );
            }
            if store.setup.windowed && store.stream_time > store.committed_stream_time {
                self.batch.advance_stream_time(at, store.stream_time);
                store.committed_stream_time = store.stream_time;
            }
        }
        if !self.batch.is_empty() {
            db.apply(&mut self.batch)?;
        }
        self.flush_if_lagging(now_ms, bounds)?;
        for index in 0..self.stores.len() {
            self.count(StoreSlot(index as u16));
        }
        Ok(())
    }

    #[cfg(test)]
    fn apply_positions_only(&mut self, collector: &Collector, now_ms: i64) -> Result<()> {
        let Some(db) = &mut self.db else { return Ok(()) };
        for (index, store) in self.stores.iter().enumerate() {
            if let Some(changelog) = &store.setup.changelog
                && let Some(next_offset) = collector.next_offset(changelog.topic, self.partition)
            {
                let (topic_id, cluster_id) = (changelog.topic_id, Arc::clone(&self.cluster_id));
                self.batch.set_position(
                    StoreIndex(index as u16),
                    Position {
                        next_offset,
                        topic_id,
                        cluster_id,
                        time_ms: now_ms,
                    },
                );
            }
        }
        db.apply(&mut self.batch)?;
        Ok(())
    }

    /// Notes that the stores stand at the end of their changelogs now: they missed no tombstone until here.
    pub(crate) fn touch(&mut self, now_ms: i64) -> Result<()> {
        let Some(db) = &mut self.db else { return Ok(()) };
        for index in 0..self.stores.len() {
            let at = StoreIndex(index as u16);
            if let Some(position) = db.position(at) {
                let position = Position {
                    time_ms: now_ms,
                    ..position.clone()
                };
                self.batch.set_position(at, position);
            }
        }
        Ok(db.apply(&mut self.batch)?)
    }

    /// Starts to flush what lags on disk by more than the bounds; also for a task that has nothing to commit.
    pub(crate) fn flush_if_lagging(&mut self, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        if let Some(db) = &mut self.db {
            db.flush_if_lagging(now_ms, bounds)?;
        }
        Ok(())
    }

    /// Lets go of the database as it stands, without a flush: it cannot be trusted, or cannot be written.
    pub(crate) fn abandon(&mut self) {
        self.db = None;
    }

    /// Gives the database back, with what was not committed forgotten.
    pub(crate) fn into_db(mut self) -> Option<Box<dyn TaskStore>> {
        self.db.take()
    }
}

/// Of `key | i64 start | i32 sequence`.
fn window_start(row_key: &[u8]) -> i64 {
    let start = row_key.split_last_chunk::<4>().and_then(|(rest, _)| rest.last_chunk());
    i64::from_be_bytes(*start.expect("a windowed node makes its keys so"))
}

impl Drop for TaskStores {
    fn drop(&mut self) {
        let counted: usize = self.stores.iter().map(|store| store.counted).sum();
        self.cache.used.set(self.cache.used.get().saturating_sub(counted));
        let cached = self.stores.iter().filter(|store| store.setup.caching).count();
        self.cache.stores.set(self.cache.stores.get().saturating_sub(cached));
    }
}

impl From<millrace_state::Error> for Error {
    fn from(error: millrace_state::Error) -> Self {
        use millrace_state::Error as State;
        let (code, recovery) = match &error {
            State::Damaged { dir, .. } => (Code::S002, Recovery::SetAside(dir.clone())),
            State::NoSpace { dir, .. } => (Code::S004, Recovery::AwaitRoom(dir.clone())),
            State::Locked { .. } => (Code::S001, Recovery::Fatal),
            State::Io { .. } => (Code::S003, Recovery::Fatal),
            State::MalformedKey { .. } | State::Config { .. } => (Code::X001, Recovery::Fatal),
        };
        Self::new(code, error.to_string()).recover_by(recovery)
    }
}
