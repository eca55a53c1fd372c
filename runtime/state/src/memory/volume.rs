//! A simulated volume: directories of memory stores that outlive their owners.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::MemoryTaskStore;
use super::store::MemoryStore;
use crate::row::RowLayout;
use crate::{Error, Result, StateVolume, StoreConfig, StoreKind, TaskStore};

/// A volume in memory; clones are the same volume.
///
/// ```
/// use millrace_state::{Batch, MemoryVolume, StateVolume, StoreConfig, StoreIndex};
/// let volume = MemoryVolume::new(7);
/// let mut task = volume.open("0_0".as_ref(), &[StoreConfig::key_value("counts")])?;
/// let mut batch = Batch::new();
/// batch.put(StoreIndex(0), b"key", b"value");
/// task.apply(&mut batch)?;
/// assert_eq!(task.get(StoreIndex(0), b"key")?.as_deref(), Some(&b"value"[..]));
/// # Ok::<(), millrace_state::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryVolume {
    shelf: Arc<Shelf>,
}

/// What is on the volume. Locked when a task is opened or given back, never for a record.
pub(crate) struct Shelf {
    state: Mutex<ShelfState>,
}

struct ShelfState {
    tasks: BTreeMap<PathBuf, Slot>,
    random: u64,
    /// Rows after which an apply may be torn by a crash.
    chunk_rows: usize,
}

enum Slot {
    Open,
    Closed(BTreeMap<String, (StoreKind, MemoryStore)>),
}

impl MemoryVolume {
    /// An empty volume; `seed` decides what crashes leave.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_chunks(seed, usize::MAX)
    }

    /// The same, with batches of more than `rows` rows written in chunks, as RocksDB's large ones are: a crash may leave the first of them, without
    /// the position.
    #[must_use]
    pub fn with_chunks(seed: u64, rows: usize) -> Self {
        Self {
            shelf: Arc::new(Shelf {
                state: Mutex::new(ShelfState {
                    tasks: BTreeMap::new(),
                    random: seed,
                    chunk_rows: rows.max(1),
                }),
            }),
        }
    }
}

impl Shelf {
    pub fn put_back(&self, dir: &Path, stores: Vec<(StoreConfig, MemoryStore)>, is_clean: bool) {
        let mut state = self.state.lock();
        let mut kept = BTreeMap::new();
        for (config, mut store) in stores {
            if !is_clean {
                let batches = store.unflushed_batches() as u64;
                let keep = state.next_random() % (batches + 1);
                store.crash(keep as usize);
            }
            kept.insert(config.name, (config.kind, store));
        }
        state.tasks.insert(dir.to_owned(), Slot::Closed(kept));
    }
}

impl ShelfState {
    /// SplitMix64.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl StateVolume for MemoryVolume {
    fn open(&self, dir: &Path, stores: &[StoreConfig]) -> Result<Box<dyn TaskStore>> {
        let mut state = self.shelf.state.lock();
        let mut found = match state.tasks.insert(dir.to_owned(), Slot::Open) {
            Some(Slot::Open) => {
                return Err(Error::Locked {
                    dir: dir.to_owned(),
                    reason: "it is open in this process".to_owned(),
                });
            }
            Some(Slot::Closed(stores)) => stores,
            None => BTreeMap::new(),
        };
        let opened = stores.iter().map(|config| match found.remove(&config.name) {
            Some((_, store))
                if store.meta.layout.is_of(config.kind) && (store.meta.position.is_some() || !config.logged) =>
            {
                store
            }
            _ => MemoryStore::new(RowLayout::of(config.kind)),
        });
        Ok(Box::new(MemoryTaskStore::new(
            dir.to_owned(),
            stores.to_vec(),
            opened.collect(),
            state.chunk_rows,
            Arc::clone(&self.shelf),
        )))
    }

    fn exists(&self, dir: &Path) -> bool {
        self.shelf.state.lock().tasks.contains_key(dir)
    }

    fn destroy(&self, dir: &Path) -> Result<()> {
        let mut state = self.shelf.state.lock();
        if matches!(state.tasks.get(dir), Some(Slot::Open)) {
            return Err(Error::Locked {
                dir: dir.to_owned(),
                reason: "it is open in this process".to_owned(),
            });
        }
        state.tasks.remove(dir);
        Ok(())
    }

    fn set_aside(&self, dir: &Path) -> Result<PathBuf> {
        let aside = crate::rocks::aside_of(dir);
        let mut state = self.shelf.state.lock();
        if let Some(slot) = state.tasks.remove(dir) {
            state.tasks.insert(aside.clone(), slot);
        }
        Ok(aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Position, StoreIndex};

    #[test]
    fn a_torn_apply_has_its_first_rows_and_no_position() {
        let (at, stores) = (StoreIndex(0), [StoreConfig::key_value("s")]);
        let position = |next_offset| Position {
            next_offset,
            topic_id: [0; 16],
            cluster_id: "c".into(),
            time_ms: 0,
        };
        let mut left = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let volume = MemoryVolume::with_chunks(seed, 2);
            let mut task = volume.open("t".as_ref(), &stores).unwrap();
            let mut batch = Batch::new();
            batch.put(at, b"0", b"");
            batch.set_position(at, position(1));
            task.apply(&mut batch).unwrap();
            task.flush().unwrap();
            for key in ["1", "2", "3"] {
                batch.put(at, key.as_bytes(), b"");
            }
            batch.set_position(at, position(4));
            task.apply(&mut batch).unwrap();
            drop(task);
            let task = volume.open("t".as_ref(), &stores).unwrap();
            left.insert((
                task.metrics()[0].keys,
                task.position(at).map(|position| position.next_offset),
            ));
        }
        assert_eq!(left, [(1, Some(1)), (3, Some(1)), (4, Some(4))].into());
    }
}
