//! The overlay's entries: a slab with a hash index and three linked lists. Runs on the record path: a lookup does not
//! allocate, and a freed slot lends its buffers to the next entry.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

pub(super) const NONE: u32 = u32::MAX;
/// Buffers above this size are not kept for the next entry, nor for a value that needs much less.
pub(super) const KEPT_BUFFER: usize = 1 << 10;
/// Nor those of so many freed entries.
const KEPT_SLOTS: usize = 4 << 10;
/// What an entry may keep for a value that it has no more: little beside what it takes itself.
const SPARE_BUFFER: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    /// As in RocksDB.
    Clean,
    /// Written to the record cache; neither changelog nor successors know.
    Unforwarded,
    /// Sent to the changelog and to successors in the open transaction.
    Forwarded,
}

/// What lies under an unforwarded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    Unknown,
    Clean,
    Forwarded,
}

/// An optional value in a buffer that is reused.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    bytes: Vec<u8>,
    is_some: bool,
}

impl Value {
    pub fn set(&mut self, value: Option<&[u8]>) {
        let bytes = value.unwrap_or_default();
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BUFFER && self.bytes.capacity() / 4 > bytes.len() {
            self.bytes.shrink_to(bytes.len().max(SPARE_BUFFER));
        }
        self.bytes.extend_from_slice(bytes);
        self.is_some = value.is_some();
    }

    pub fn get(&self) -> Option<&[u8]> {
        self.is_some.then_some(self.bytes.as_slice())
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it while its entry lives on.
    pub fn release(&mut self) {
        self.empty(SPARE_BUFFER);
    }

    fn empty(&mut self, kept: usize) {
        empty(&mut self.bytes, kept);
        self.is_some = false;
    }

    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

fn empty(bytes: &mut Vec<u8>, kept: usize) {
    bytes.clear();
    bytes.shrink_to(kept);
}

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            previous: NONE,
            next: NONE,
        }
    }
}

#[derive(Debug)]
pub(super) struct Slot<C> {
    pub key: Vec<u8>,
    pub value: Value,
    pub below: Below,
    pub below_value: Value,
    pub context: C,
    pub state: State,
    hash: u64,
    links: [Link; 2],
}

/// The lists. An entry is in the recency list while it is clean or unforwarded, and in the list of its state otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    /// Head: most recently used. Clean and unforwarded entries.
    Recency,
    /// Head: least recently written. Unforwarded entries.
    Dirty,
    /// Head: first forwarded.
    Forwarded,
}

impl List {
    /// Dirty and forwarded share a link: no entry is in both.
    fn link(self) -> usize {
        match self {
            Self::Recency => 0,
            Self::Dirty | Self::Forwarded => 1,
        }
    }
}

#[derive(Debug)]
struct Ends {
    head: u32,
    tail: u32,
    len: usize,
}

#[derive(Debug)]
pub(super) struct Slots<C> {
    index: HashTable<u32>,
    slots: Vec<Slot<C>>,
    free: Vec<u32>,
    ends: [Ends; 3],
}

impl<C: Copy + Default> Slots<C> {
    pub fn new() -> Self {
        let empty = || Ends {
            head: NONE,
            tail: NONE,
            len: 0,
        };
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            ends: [empty(), empty(), empty()],
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    #[inline]
    pub fn slot(&self, at: u32) -> &Slot<C> {
        &self.slots[at as usize]
    }

    #[inline]
    pub fn slot_mut(&mut self, at: u32) -> &mut Slot<C> {
        &mut self.slots[at as usize]
    }

    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = hash(key);
        self.index
            .find(hash, |at| self.slots[*at as usize].is(hash, key))
            .copied()
    }

    /// The slot of `key`; a new one is in state `Free` and in no list.
    pub fn find_or_add(&mut self, key: &[u8]) -> u32 {
        let hash = hash(key);
        if let Some(at) = self.index.find(hash, |at| self.slots[*at as usize].is(hash, key)) {
            return *at;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                key: Vec::new(),
                value: Value::default(),
                below: Below::Unknown,
                below_value: Value::default(),
                context: C::default(),
                state: State::Free,
                hash: 0,
                links: [Link::default(); 2],
            });
            u32::try_from(self.slots.len() - 1).expect("fewer than 4 billion rows in memory")
        });
        let slot = &mut self.slots[at as usize];
        slot.key.extend_from_slice(key);
        slot.hash = hash;
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |other| slots[*other as usize].hash);
        at
    }

    /// Frees a slot that is in no list.
    pub fn remove(&mut self, at: u32) {
        let hash = self.slots[at as usize].hash;
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        let slot = &mut self.slots[at as usize];
        let kept = if self.free.len() < KEPT_SLOTS { KEPT_BUFFER } else { 0 };
        empty(&mut slot.key, kept);
        slot.value.empty(kept);
        slot.below_value.empty(kept);
        slot.below = Below::Unknown;
        slot.state = State::Free;
        self.free.push(at);
    }

    pub fn clear(&mut self) {
        *self = Self::new();
    }

    pub fn head(&self, list: List) -> u32 {
        self.ends[list as usize].head
    }

    pub fn tail(&self, list: List) -> u32 {
        self.ends[list as usize].tail
    }

    pub fn list_len(&self, list: List) -> usize {
        self.ends[list as usize].len
    }

    pub fn next(&self, list: List, at: u32) -> u32 {
        self.slots[at as usize].links[list.link()].next
    }

    pub fn push_head(&mut self, list: List, at: u32) {
        let head = self.ends[list as usize].head;
        self.slots[at as usize].links[list.link()] = Link {
            previous: NONE,
            next: head,
        };
        match head {
            NONE => self.ends[list as usize].tail = at,
            head => self.slots[head as usize].links[list.link()].previous = at,
        }
        self.ends[list as usize].head = at;
        self.ends[list as usize].len += 1;
    }

    pub fn push_tail(&mut self, list: List, at: u32) {
        let tail = self.ends[list as usize].tail;
        self.slots[at as usize].links[list.link()] = Link {
            previous: tail,
            next: NONE,
        };
        match tail {
            NONE => self.ends[list as usize].head = at,
            tail => self.slots[tail as usize].links[list.link()].next = at,
        }
        self.ends[list as usize].tail = at;
        self.ends[list as usize].len += 1;
    }

    pub fn unlink(&mut self, list: List, at: u32) {
        let Link { previous, next } = std::mem::take(&mut self.slots[at as usize].links[list.link()]);
        match previous {
            NONE => self.ends[list as usize].head = next,
            previous => self.slots[previous as usize].links[list.link()].next = next,
        }
        match next {
            NONE => self.ends[list as usize].tail = previous,
            next => self.slots[next as usize].links[list.link()].previous = previous,
        }
        self.ends[list as usize].len -= 1;
    }
}

impl<C> Slot<C> {
    #[inline]
    fn is(&self, hash: u64, key: &[u8]) -> bool {
        self.hash == hash && self.key == key
    }
}

#[inline]
fn hash(key: &[u8]) -> u64 {
    let mut hasher = FxBuildHasher.build_hasher();
    hasher.write(key);
    hasher.finish()
}
