//! What a store holds beyond RocksDB: uncommitted writes and the record cache, in one map.
//!
//! Runs on the record path: one owner, no lock, no allocation for a lookup, buffers reused.
//!
//! An entry is *unforwarded* (record cache: neither changelog nor successors have seen it), *forwarded* (sent within the open
//! transaction, to be applied at commit) or *clean* (as in RocksDB, kept to save a read). Unforwarded and clean entries share one
//! least-recently-used budget; forwarded ones stay until commit and are counted apart. Order and size follow Kafka's
//! `NamedCache`: the flush goes in order of last write, and evicting a dirty entry is the moment to flush the rest.

mod merge;
mod slots;

use std::collections::BTreeMap;

use slots::{Below, KEPT_BUFFER, List, NONE, Slot, Slots, State, Value};

use crate::row::RowLayout;
use crate::{Batch, Result, Rows, Scan, StoreIndex, TaskStore};

/// What the overlay knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// This value, or None for a deletion: RocksDB need not be asked.
    Hit(Option<&'a [u8]>),
    /// Nothing: ask RocksDB, then [`insert_clean`](StoreOverlay::insert_clean) may keep the answer.
    Miss,
}

/// What became of the least recently used entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// There was none.
    Nothing,
    /// It was clean and is gone.
    Clean,
    /// It was unforwarded, is now forwarded, and was copied out: forward it, and then, as Kafka does, all the dirty ones.
    Dirty,
}

/// An entry of the record cache on its way to changelog and successors. Make one and lend it again and again.
#[derive(Clone, Debug, Default)]
pub struct Dirty<C> {
    key: Vec<u8>,
    value: Value,
    old: Option<Value>,
    context: C,
}

impl<C: Copy> Dirty<C> {
    /// The changelog key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The new value; None deletes.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.value.get()
    }

    /// What was last forwarded or committed for the key. A miss means that only RocksDB knows.
    #[must_use]
    pub fn old(&self) -> Lookup<'_> {
        self.old.as_ref().map_or(Lookup::Miss, |old| Lookup::Hit(old.get()))
    }

    /// What [`StoreOverlay::put_cached`] was given last.
    #[must_use]
    pub fn context(&self) -> C {
        self.context
    }
}

/// The overlay of one store of one task. Keys are changelog keys; `C` is what the engine needs to forward an entry later.
///
/// ```
/// use millrace_state::{Batch, Dirty, Lookup, StoreIndex, StoreOverlay};
/// let mut overlay = StoreOverlay::<i64>::new(None, 64);
/// overlay.put_cached(b"key", Some(b"1"), 10);
/// overlay.put_cached(b"key", Some(b"2"), 20);
/// let mut dirty = Dirty::default();
/// assert!(overlay.pop_dirty(&mut dirty));
/// assert_eq!((dirty.value(), dirty.old(), dirty.context()), (Some(&b"2"[..]), Lookup::Miss, 20));
/// let mut batch = Batch::new();
/// overlay.take_uncommitted_into(StoreIndex(0), &mut batch);
/// assert_eq!(batch.len(), 1);
/// ```
#[derive(Debug)]
pub struct StoreOverlay<C> {
    layout: RowLayout,
    slots: Slots<C>,
    entry_overhead: usize,
    retains_clean: bool,
    cache_bytes: usize,
    uncommitted_bytes: usize,
    /// Row keys of what RocksDB does not have, kept once an ordered read has asked for it.
    ordered: Option<BTreeMap<Vec<u8>, u32>>,
}

impl<C: Copy + Default> StoreOverlay<C> {
    /// An empty overlay. `segment_interval_ms` is the store's ([`TaskStore::segment_interval_ms`]); `entry_overhead` is what an entry
    /// counts beyond key and value (Kafka: 24 for the node, 1 for the flag, and of the record context 20 and the topic's name).
    #[must_use]
    pub fn new(segment_interval_ms: Option<i64>, entry_overhead: usize) -> Self {
        let layout = segment_interval_ms.map_or(RowLayout::KeyValue, |interval_ms| RowLayout::Window { interval_ms });
        Self {
            layout,
            slots: Slots::new(),
            entry_overhead,
            retains_clean: true,
            cache_bytes: 0,
            uncommitted_bytes: 0,
            ordered: None,
        }
    }

    /// The same, keeping no clean entries: for a budget of nothing.
    #[must_use]
    pub fn without_clean(mut self) -> Self {
        self.retains_clean = false;
        self
    }

    /// The newest value of a key; counts as a use.
    #[inline]
    pub fn get(&mut self, key: &[u8]) -> Lookup<'_> {
        let Some(at) = self.slots.find(key) else {
            return Lookup::Miss;
        };
        self.touch(at);
        Lookup::Hit(self.slots.slot(at).value.get())
    }

    /// The newest value of a key, without counting as a use.
    #[must_use]
    pub fn peek(&self, key: &[u8]) -> Lookup<'_> {
        self.slots
            .find(key)
            .map_or(Lookup::Miss, |at| Lookup::Hit(self.slots.slot(at).value.get()))
    }

    /// What lies under the record cache: the value last forwarded or committed, as far as the overlay knows.
    #[must_use]
    pub fn peek_below(&self, key: &[u8]) -> Lookup<'_> {
        let Some(at) = self.slots.find(key) else {
            return Lookup::Miss;
        };
        let slot = self.slots.slot(at);
        match (slot.state, slot.below) {
            (State::Unforwarded, Below::Unknown) => Lookup::Miss,
            (State::Unforwarded, _) => Lookup::Hit(slot.below_value.get()),
            _ => Lookup::Hit(slot.value.get()),
        }
    }

    /// Writes to the record cache; None deletes. What was there before stays known as [`Dirty::old`].
    pub fn put_cached(&mut self, key: &[u8], value: Option<&[u8]>, context: C) {
        let at = self.slots.find_or_add(key);
        self.uncount(at);
        let slot = self.slots.slot_mut(at);
        let was = slot.state;
        match was {
            State::Clean | State::Forwarded => {
                slot.below = if was == State::Clean {
                    Below::Clean
                } else {
                    Below::Forwarded
                };
                std::mem::swap(&mut slot.value, &mut slot.below_value);
            }
            State::Free | State::Unforwarded => {}
        }
        slot.value.set(value);
        slot.context = context;
        forget_large_below(slot);
        self.enter(at, was, State::Unforwarded);
    }

    /// Writes what has been sent already: with the record cache off, or by a processor without one.
    pub fn put_forwarded(&mut self, key: &[u8], value: Option<&[u8]>) {
        let at = self.slots.find_or_add(key);
        self.uncount(at);
        let slot = self.slots.slot_mut(at);
        let was = slot.state;
        slot.below = Below::Unknown;
        slot.below_value.release();
        slot.value.set(value);
        self.enter(at, was, State::Forwarded);
    }

    /// Keeps what RocksDB answered. Does nothing for a key that is known.
    pub fn insert_clean(&mut self, key: &[u8], value: Option<&[u8]>) {
        if !self.retains_clean || self.slots.find(key).is_some() {
            return;
        }
        let at = self.slots.find_or_add(key);
        self.slots.slot_mut(at).value.set(value);
        self.enter(at, State::Free, State::Clean);
    }

    /// Removes the least recently used entry from the record cache. To be called while the caches of the thread are over their limit.
    pub fn evict(&mut self, victim: &mut Dirty<C>) -> Evicted {
        match self.slots.tail(List::Recency) {
            NONE => Evicted::Nothing,
            at if self.slots.slot(at).state == State::Clean => {
                self.forget(at);
                Evicted::Clean
            }
            at => {
                self.forward(at, victim);
                Evicted::Dirty
            }
        }
    }

    /// Takes the unforwarded entry that was last written longest ago; it becomes forwarded. False if there is none.
    ///
    /// A flush takes as many as there are when it starts ([`dirty_count`](Self::dirty_count)): what successors write meanwhile is for the next.
    pub fn pop_dirty(&mut self, out: &mut Dirty<C>) -> bool {
        match self.slots.head(List::Dirty) {
            NONE => false,
            at => {
                self.forward(at, out);
                true
            }
        }
    }

    /// Unforwarded entries.
    #[must_use]
    pub fn dirty_count(&self) -> usize {
        self.slots.list_len(List::Dirty)
    }

    /// All entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    /// What counts against `statestore.cache.max.bytes`: unforwarded and clean entries.
    #[must_use]
    pub fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    /// What counts against `statestore.uncommitted.max.bytes`: forwarded values.
    #[must_use]
    pub fn uncommitted_bytes(&self) -> usize {
        self.uncommitted_bytes
    }

    /// At commit: all that was forwarded goes into the batch, in order of forwarding, and is clean from here on; deletions are forgotten. What is
    /// still unforwarded stays so.
    pub fn take_uncommitted_into(&mut self, store: StoreIndex, batch: &mut Batch) {
        let mut at = self.slots.head(List::Forwarded);
        while at != NONE {
            let next = self.slots.next(List::Forwarded, at);
            let slot = self.slots.slot(at);
            batch.push(store, &slot.key, slot.value.get());
            if self.retains_clean && slot.value.get().is_some() {
                self.uncount(at);
                self.enter(at, State::Forwarded, State::Clean);
            } else {
                self.forget(at);
            }
            at = next;
        }
        if self.uncommitted_bytes == 0 {
            return;
        }
        // Forwarded values with an unforwarded one above them.
        let mut at = self.slots.head(List::Dirty);
        while at != NONE {
            if self.slots.slot(at).below == Below::Forwarded {
                self.uncount(at);
                let slot = self.slots.slot_mut(at);
                batch.push(store, &slot.key, slot.below_value.get());
                slot.below = Below::Clean;
                forget_large_below(slot);
                self.count(at);
            }
            at = self.slots.next(List::Dirty, at);
        }
    }

    /// After an abort, or a commit whose outcome is unknown: forgets everything. Clean entries go as well, since the store is brought up to
    /// its changelog next and may move past them.
    pub fn discard_uncommitted(&mut self) {
        self.slots.clear();
        self.cache_bytes = 0;
        self.uncommitted_bytes = 0;
        self.ordered = None;
    }

    /// An ordered read over the overlay and the store below it, which must be the one this overlay belongs to.
    pub fn scan<'a>(&'a mut self, task: &'a dyn TaskStore, scan: &Scan<'_>) -> Result<Box<dyn Rows + 'a>> {
        if self.ordered.is_none() {
            self.build_order();
        }
        let below = task.scan(scan)?;
        match &self.ordered {
            Some(ordered) if !ordered.is_empty() => Ok(merge::merged(ordered, &self.slots, self.layout, scan, below)),
            _ => Ok(below),
        }
    }

    /// Counts a use of an entry.
    #[inline]
    fn touch(&mut self, at: u32) {
        if matches!(self.slots.slot(at).state, State::Clean | State::Unforwarded)
            && self.slots.head(List::Recency) != at
        {
            self.slots.unlink(List::Recency, at);
            self.slots.push_head(List::Recency, at);
        }
    }

    /// Puts an entry into the lists of `now`, out of those of `was`, and counts it.
    fn enter(&mut self, at: u32, was: State, now: State) {
        self.leave_lists(at, was);
        self.slots.slot_mut(at).state = now;
        match now {
            State::Free => {}
            State::Clean => self.slots.push_head(List::Recency, at),
            State::Unforwarded => {
                self.slots.push_head(List::Recency, at);
                self.slots.push_tail(List::Dirty, at);
            }
            State::Forwarded => self.slots.push_tail(List::Forwarded, at),
        }
        self.count(at);
        let (was_ordered, is_ordered) = (is_ordered(was), is_ordered(now));
        if was_ordered != is_ordered
            && let Some(ordered) = &mut self.ordered
        {
            let row = row_key(self.layout, &self.slots.slot(at).key);
            match is_ordered {
                true => ordered.insert(row, at),
                false => ordered.remove(&row),
            };
        }
    }

    fn leave_lists(&mut self, at: u32, was: State) {
        match was {
            State::Free => {}
            State::Clean => self.slots.unlink(List::Recency, at),
            State::Unforwarded => {
                self.slots.unlink(List::Recency, at);
                self.slots.unlink(List::Dirty, at);
            }
            State::Forwarded => self.slots.unlink(List::Forwarded, at),
        }
    }

    /// Copies an unforwarded entry out and makes it a forwarded one.
    fn forward(&mut self, at: u32, out: &mut Dirty<C>) {
        self.uncount(at);
        let slot = self.slots.slot_mut(at);
        out.key.clear();
        out.key.extend_from_slice(&slot.key);
        out.value.set(slot.value.get());
        out.context = slot.context;
        out.old = match slot.below {
            Below::Unknown => None,
            _ => {
                let mut old = out.old.take().unwrap_or_default();
                old.set(slot.below_value.get());
                Some(old)
            }
        };
        slot.below = Below::Unknown;
        slot.below_value.release();
        self.enter(at, State::Unforwarded, State::Forwarded);
    }

    fn forget(&mut self, at: u32) {
        self.uncount(at);
        let was = self.slots.slot(at).state;
        self.leave_lists(at, was);
        if is_ordered(was)
            && let Some(ordered) = &mut self.ordered
        {
            ordered.remove(&row_key(self.layout, &self.slots.slot(at).key));
        }
        self.slots.remove(at);
    }

    fn count(&mut self, at: u32) {
        let (cache, uncommitted) = self.sizes(at);
        self.cache_bytes += cache;
        self.uncommitted_bytes += uncommitted;
    }

    fn uncount(&mut self, at: u32) {
        let (cache, uncommitted) = self.sizes(at);
        self.cache_bytes -= cache;
        self.uncommitted_bytes -= uncommitted;
    }

    /// What an entry counts as cached, and as uncommitted.
    fn sizes(&self, at: u32) -> (usize, usize) {
        let slot = self.slots.slot(at);
        let size = slot.key.len() + slot.value.len() + self.entry_overhead;
        match slot.state {
            State::Free => (0, 0),
            State::Clean => (size, 0),
            State::Forwarded => (0, size),
            State::Unforwarded if slot.below == Below::Forwarded => {
                (size, slot.key.len() + slot.below_value.len() + self.entry_overhead)
            }
            State::Unforwarded => (size, 0),
        }
    }

    fn build_order(&mut self) {
        let mut ordered = BTreeMap::new();
        for list in [List::Dirty, List::Forwarded] {
            let mut at = self.slots.head(list);
            while at != NONE {
                ordered.insert(row_key(self.layout, &self.slots.slot(at).key), at);
                at = self.slots.next(list, at);
            }
        }
        self.ordered = Some(ordered);
    }
}

/// What lies under a value counts nowhere once RocksDB has it, as in Kafka, which does not keep it. So it is kept only while it is not
/// much larger than the value that counts; RocksDB is asked for it otherwise.
fn forget_large_below<C>(slot: &mut Slot<C>) {
    if slot.below == Below::Clean && slot.below_value.len() > 2 * slot.value.len() + KEPT_BUFFER {
        slot.below = Below::Unknown;
        slot.below_value.release();
    }
}

/// Clean entries are in RocksDB as well.
fn is_ordered(state: State) -> bool {
    matches!(state, State::Unforwarded | State::Forwarded)
}

/// A malformed window key sorts by its own bytes; applying it is what reports it.
fn row_key(layout: RowLayout, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(key.len() + layout.head());
    let _ = layout.push_row_key(key, &mut row);
    row
}

#[cfg(test)]
mod tests;
