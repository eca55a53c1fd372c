//! What all tasks of a process share: cache, write-buffer budget, threads, the limit on background writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocksdb::{Cache, Env, WriteBufferManager};

use super::TaskState;
use super::bulk::RestoreBudget;
use super::{aside_of, errors, options, room};
use crate::{Error, Result, StateVolume, StoreConfig, TaskStore};

/// How much the states of a process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvironmentConfig {
    /// Memory for all of it, in bytes, at least 8 MiB: block cache (index and filter blocks with it), write buffers, which may be two fifths
    /// of it, and restores. It is no hard limit, since a read that finds no room must not fail: what is being read, and the filters of
    /// level 0, stay whatever they take.
    pub memory_bytes: usize,
    /// What of it stores collect in while they are filled from nothing, in bytes, shared by those under way (4 MiB each at
    /// least). Sorting and doubling may take as much again, so the block cache lends twice as much.
    pub restore_buffer_bytes: usize,
    /// Threads for compaction; flushes have as many of their own, at least one.
    pub background_threads: usize,
    /// Limit on what flush and compaction write, bytes per second. None: no limit.
    pub background_write_bytes_per_second: Option<u64>,
}

impl Default for EnvironmentConfig {
    /// 256 MiB, else as [`within`](Self::within).
    fn default() -> Self {
        Self::within(256 << 20)
    }
}

impl EnvironmentConfig {
    /// So much memory, a quarter of it for restores; as many threads as processors (at most 4), no limit on writes.
    #[must_use]
    pub fn within(memory_bytes: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            memory_bytes,
            restore_buffer_bytes: memory_bytes / 4,
            background_threads: processors.min(4),
            background_write_bytes_per_second: None,
        }
    }
}

/// The resources that all databases of a process share. One per process.
pub struct Environment {
    config: EnvironmentConfig,
    pub(super) restores: RestoreBudget,
    pub(super) cache: Cache,
    pub(super) write_buffers: WriteBufferManager,
    /// Options of a database, to be copied: copies share the rate limiter.
    pub(super) database: rocksdb::Options,
}

impl Environment {
    /// Sets up the shared resources.
    pub fn new(config: EnvironmentConfig) -> Result<Arc<Self>> {
        let broken = |err: rocksdb::Error| errors::classify(err, Path::new("(environment)"), None);
        let memory = config.memory_bytes.max(8 << 20);
        let cache = Cache::new_hyper_clock_cache(memory, 0);
        let write_buffers =
            WriteBufferManager::new_write_buffer_manager_with_cache(memory / 5 * 2, false, cache.clone());
        let threads = i32::try_from(config.background_threads.clamp(1, 64)).unwrap_or(1);
        let mut env = Env::new().map_err(broken)?;
        env.set_background_threads(threads);
        env.set_high_priority_background_threads((threads / 2).max(1));
        let database = options::database(&config, &env, &write_buffers).map_err(broken)?;
        let restores = RestoreBudget::new(config.restore_buffer_bytes, cache.clone(), memory);
        Ok(Arc::new(Self {
            config,
            restores,
            cache,
            write_buffers,
            database,
        }))
    }

    /// Bytes in the block cache, write buffers included.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.cache.get_usage()
    }

    /// Bytes in write buffers.
    #[must_use]
    pub fn write_buffers_used(&self) -> usize {
        self.write_buffers.get_usage()
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The file system is the volume.
impl StateVolume for Arc<Environment> {
    fn open(&self, dir: &Path, stores: &[StoreConfig]) -> Result<Box<dyn TaskStore>> {
        Ok(Box::new(TaskState::open(self, dir, stores)?))
    }

    fn exists(&self, dir: &Path) -> bool {
        dir.join("CURRENT").exists()
    }

    fn destroy(&self, dir: &Path) -> Result<()> {
        if !dir.exists() {
            return Ok(());
        }
        // Asks for the lock first, so that an open database is never pulled away.
        if let Err(err) = rocksdb::DB::destroy(&self.database, dir) {
            let err = errors::classify_open(err, dir);
            if matches!(err, Error::Locked { .. }) {
                return Err(err);
            }
        }
        // RocksDB has removed its own files, and the directory with them if there was nothing else.
        match std::fs::remove_dir_all(dir) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(Error::io(dir, None, err)),
            _ => Ok(()),
        }
    }

    fn set_aside(&self, dir: &Path) -> Result<PathBuf> {
        let aside = aside_of(dir);
        if aside.exists() {
            std::fs::remove_dir_all(&aside).map_err(|err| Error::io(&aside, None, err))?;
        }
        std::fs::rename(dir, &aside).map_err(|err| Error::io(dir, None, err))?;
        Ok(aside)
    }

    fn make_room(&self, dir: &Path) -> bool {
        room::make_room(dir)
    }
}
