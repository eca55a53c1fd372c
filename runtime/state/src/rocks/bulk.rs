//! Rows of a restore from nothing, collected until they are written as one sorted file.
//!
//! Rows lie one after another in an arena, in the order in which they came; of each key the last one counts, which is found out when
//! they are sorted: that costs less than to look each one up as it comes, for all memory is gone through in order. Memory is bounded
//! by the arena, the lists being proportional to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rocksdb::{Cache, Options, SstFileWriter};

use crate::Position;
use crate::row::META_ROW;

/// See the module's text.
pub(super) struct Bulk {
    arena: Vec<u8>,
    limit: usize,
    /// Sorted up to `settled`, with one entry a key; behind that as they came.
    entries: Vec<Entry>,
    settled: usize,
    /// Runs that lie in the store already: with any, tombstones must be kept.
    pub runs: usize,
    _share: Share,
    /// Where the consumer stood behind the last complete call.
    pub position: Option<Position>,
    pub stream_time: Option<i64>,
}

/// The process's memory for restores from nothing, divided among those under way. While there are any, the block cache does without it.
pub(super) struct RestoreBudget {
    total: usize,
    lender: Arc<Lender>,
}

/// The block cache, and how many restores borrow from it.
struct Lender {
    takers: AtomicUsize,
    cache: Mutex<Cache>,
    capacity: usize,
    /// What it lends: sorting a buffer and doubling it may take as much again.
    lent: usize,
}

impl Lender {
    /// One restore more, or one less; the cache follows the first and the last.
    fn count(&self, step: impl Fn(usize) -> usize) {
        let mut cache = self.cache.lock();
        let before = self.takers.load(Ordering::Relaxed);
        let now = step(before);
        self.takers.store(now, Ordering::Relaxed);
        match (before, now) {
            (0, 1) => cache.set_capacity(self.capacity.saturating_sub(self.lent).max(self.capacity / 4)),
            (1, 0) => cache.set_capacity(self.capacity),
            _ => {}
        }
    }
}

/// One taker of the budget.
struct Share(Arc<Lender>);

/// Below this, runs would be too many small files.
const LEAST_SHARE: usize = 4 << 20;

impl RestoreBudget {
    /// `total` bytes, lent by a cache of `capacity`.
    pub fn new(total: usize, cache: Cache, capacity: usize) -> Self {
        let total = total.clamp(64 << 10, 1 << 31);
        Self {
            total,
            lender: Arc::new(Lender {
                takers: AtomicUsize::new(0),
                cache: Mutex::new(cache),
                capacity,
                lent: 2 * total,
            }),
        }
    }

    fn take(&self) -> Share {
        self.lender.count(|takers| takers + 1);
        Share(Arc::clone(&self.lender))
    }

    fn share(&self) -> usize {
        let each = self.total / self.lender.takers.load(Ordering::Relaxed).max(1);
        each.max(LEAST_SHARE.min(self.total / 4))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.count(|takers| takers - 1);
    }
}

#[derive(Clone, Copy)]
struct Entry {
    at: u32,
    key_len: u32,
    /// `TOMBSTONE` for a deletion.
    value_len: u32,
}

const TOMBSTONE: u32 = u32::MAX;

impl Entry {
    fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.at as usize..][..self.key_len as usize]
    }

    fn value<'a>(&self, arena: &'a [u8]) -> Option<&'a [u8]> {
        (self.value_len != TOMBSTONE)
            .then(|| &arena[self.at as usize + self.key_len as usize..][..self.value_len as usize])
    }

    fn bytes(&self) -> usize {
        self.key_len as usize
            + if self.value_len == TOMBSTONE {
                0
            } else {
                self.value_len as usize
            }
    }
}

impl Bulk {
    pub fn new(budget: &RestoreBudget) -> Self {
        let share = budget.take();
        Self {
            arena: Vec::new(),
            limit: budget.share(),
            entries: Vec::new(),
            settled: 0,
            runs: 0,
            _share: share,
            position: None,
            stream_time: None,
        }
    }

    /// Follows the number of restores under way.
    pub fn adjust(&mut self, budget: &RestoreBudget) {
        self.limit = budget.share();
    }

    /// Takes a row; false if there is no room and the run must be written first. An empty buffer takes any row.
    pub fn push(&mut self, row: &[u8], value: Option<&[u8]>) -> bool {
        let needed = row.len() + value.map_or(0, <[u8]>::len);
        if self.arena.len() + needed > self.limit && !self.entries.is_empty() {
            self.settle();
            let live: usize = self.entries.iter().map(Entry::bytes).sum();
            if live > self.limit / 2 {
                return false;
            }
            self.compact(live);
        }
        let at = u32::try_from(self.arena.len()).expect("the arena is smaller than 4 GiB");
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a record is smaller than 4 GiB");
        self.entries.push(Entry {
            at,
            key_len: length(row),
            value_len: value.map_or(TOMBSTONE, length),
        });
        self.arena.extend_from_slice(row);
        self.arena.extend_from_slice(value.unwrap_or_default());
        true
    }

    /// Sorts the entries and leaves the last one of each key.
    fn settle(&mut self) {
        let Some(first) = self.entries.first().filter(|_| self.settled < self.entries.len()) else {
            return;
        };
        let arena = &self.arena;
        let first = first.key(arena);
        // What all keys begin with (a tag, a segment, a word of the user's) decides nothing.
        let common = (self.entries.iter()).fold(first.len(), |known, entry| shared(&first[..known], entry.key(arena)));
        let mut sorted: Vec<(u128, Entry)> = (self.entries.iter())
            .map(|entry| (prefix(&entry.key(arena)[common..]), *entry))
            .collect();
        sorted.sort_unstable_by(|(a_prefix, a), (b_prefix, b)| {
            (a_prefix.cmp(b_prefix))
                .then_with(|| a.key(arena).cmp(b.key(arena)))
                .then_with(|| a.at.cmp(&b.at))
        });
        // The later of two lies further back in the arena.
        sorted.dedup_by(|(later_prefix, later), (prefix, kept)| {
            let is_same = later_prefix == prefix && later.key(arena) == kept.key(arena);
            if is_same {
                *kept = *later;
            }
            is_same
        });
        self.entries.clear();
        self.entries.extend(sorted.into_iter().map(|(_, entry)| entry));
        self.settled = self.entries.len();
    }

    /// Writes everything sorted into files of about `file_bytes` named after `stem`, and adds their names to `paths`, of a failed one
    /// as well. `meta` has a file of its own, so that the others hold nothing but data and can be dropped when all of it has
    /// expired. The rows stay here until [`taken`](Self::taken) is told that the store has them.
    pub fn write_run(
        &mut self,
        settings: &Options,
        stem: &Path,
        file_bytes: u64,
        meta: &[u8],
        first_live: Option<i64>,
        paths: &mut Vec<PathBuf>,
    ) -> Result<(), rocksdb::Error> {
        self.settle();
        let arena = &self.arena;
        let mut files = RunFiles {
            settings,
            stem,
            writer: None,
            paths,
        };
        files.writer()?.put(META_ROW, meta)?;
        files.finish()?;
        for entry in &self.entries {
            let row = entry.key(arena);
            if super::task::is_expired(row, first_live) {
                continue;
            }
            match entry.value(arena) {
                Some(value) => files.writer()?.put(row, value)?,
                None if self.runs > 0 => files.writer()?.delete(row)?,
                None => continue,
            }
            if files.writer()?.file_size() >= file_bytes {
                files.finish()?;
            }
        }
        files.finish()
    }

    /// The run is in the store: becomes empty.
    pub fn taken(&mut self) {
        self.runs += 1;
        self.arena.clear();
        self.entries.clear();
        self.settled = 0;
    }

    /// Moves the rows that count together: `live` bytes. All entries are settled.
    fn compact(&mut self, live: usize) {
        let mut arena = Vec::with_capacity(live);
        for entry in &mut self.entries {
            let at = u32::try_from(arena.len()).expect("smaller than it was");
            arena.extend_from_slice(&self.arena[entry.at as usize..][..entry.bytes()]);
            entry.at = at;
        }
        self.arena = arena;
    }
}

/// The files of a run, one open at a time.
struct RunFiles<'a> {
    settings: &'a Options,
    stem: &'a Path,
    writer: Option<SstFileWriter<'a>>,
    paths: &'a mut Vec<PathBuf>,
}

impl<'a> RunFiles<'a> {
    /// The open file; a new one if there is none.
    fn writer(&mut self) -> Result<&mut SstFileWriter<'a>, rocksdb::Error> {
        if self.writer.is_none() {
            let path = self.stem.with_extension(format!("{}.sst", self.paths.len()));
            let writer = SstFileWriter::create(self.settings);
            self.paths.push(path.clone());
            writer.open(&path)?;
            self.writer = Some(writer);
        }
        Ok(self.writer.as_mut().expect("it was just opened"))
    }

    fn finish(&mut self) -> Result<(), rocksdb::Error> {
        self.writer.take().map_or(Ok(()), |mut writer| writer.finish())
    }
}

/// How many bytes both begin with; `known` is the shorter one mostly.
fn shared(known: &[u8], key: &[u8]) -> usize {
    if key.starts_with(known) {
        return known.len();
    }
    known.iter().zip(key).take_while(|(a, b)| a == b).count()
}

/// The first 16 bytes, big-endian, zeros behind a shorter key: what is smaller here is smaller there, and most comparisons end here.
fn prefix(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let len = key.len().min(16);
    bytes[..len].copy_from_slice(&key[..len]);
    u128::from_be_bytes(bytes)
}
