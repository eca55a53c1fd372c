//! What every implementation of [`TaskStore`] must do: one suite, run against RocksDB and against memory.

mod model;
mod rocks_only;
mod scripts;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{
    Batch, Environment, EnvironmentConfig, MemoryVolume, Order, Position, Rows, Scan, StateVolume, StoreConfig,
    StoreIndex, TaskStore,
};

const KV: StoreIndex = StoreIndex(0);
const WINDOWS: StoreIndex = StoreIndex(1);
const MINUTE: i64 = 60_000;

/// A volume and a directory on it.
struct Bench {
    volume: Box<dyn StateVolume>,
    dir: PathBuf,
    _files: Option<tempfile::TempDir>,
}

impl Bench {
    fn memory(seed: u64) -> Self {
        Self {
            volume: Box::new(MemoryVolume::new(seed)),
            dir: PathBuf::from("0_0"),
            _files: None,
        }
    }

    fn rocks(env: &Arc<Environment>) -> Self {
        let files = tempfile::tempdir().unwrap();
        Self {
            volume: Box::new(Arc::clone(env)),
            dir: files.path().join("0_0"),
            _files: Some(files),
        }
    }

    fn open(&self) -> Box<dyn TaskStore> {
        self.volume.open(&self.dir, &stores()).unwrap()
    }
}

/// Both implementations, empty.
fn benches() -> [Bench; 2] {
    [Bench::memory(1), Bench::rocks(&environment())]
}

/// Small buffers, so that restores spill.
fn environment() -> Arc<Environment> {
    let config = EnvironmentConfig {
        memory_bytes: 32 << 20,
        restore_buffer_bytes: 64 << 10,
        ..EnvironmentConfig::default()
    };
    Environment::new(config).unwrap()
}

/// A key-value store and one of 1-minute windows, kept for 2 minutes: its segments are a minute long.
fn stores() -> [StoreConfig; 2] {
    [
        StoreConfig::key_value("counts"),
        StoreConfig::window("sums", MINUTE, 2 * MINUTE),
    ]
}

fn position(next_offset: i64) -> Position {
    Position {
        next_offset,
        topic_id: [3; 16],
        cluster_id: "cluster".into(),
        time_ms: 1_000 + next_offset,
    }
}

/// The changelog key of a window.
fn window(key: &[u8], start: i64) -> Vec<u8> {
    crate::row::window_key(key, start, 0).to_vec()
}

fn offset(task: &dyn TaskStore, store: StoreIndex) -> Option<i64> {
    task.position(store).map(|position| position.next_offset)
}

fn durable(task: &dyn TaskStore, store: StoreIndex) -> Option<i64> {
    task.durable_position(store)
        .unwrap()
        .map(|position| position.next_offset)
}

fn get(task: &dyn TaskStore, store: StoreIndex, key: &[u8]) -> Option<Vec<u8>> {
    task.get(store, key).unwrap().map(|value| value.to_vec())
}

fn put_at(task: &mut dyn TaskStore, next_offset: i64, rows: &[(&[u8], Option<&[u8]>)]) {
    let mut batch = Batch::new();
    for (key, value) in rows {
        batch.push(KV, key, *value);
    }
    batch.set_position(KV, position(next_offset));
    task.apply(&mut batch).unwrap();
    assert!(batch.is_empty());
}

type Row = (Vec<u8>, Vec<u8>);

fn collect(mut rows: Box<dyn Rows + '_>) -> Vec<Row> {
    let mut out = Vec::new();
    while rows.advance().unwrap() {
        out.push((rows.key().to_vec(), rows.value().to_vec()));
    }
    assert!(!rows.advance().unwrap(), "the end stays the end");
    out
}

/// Rows of a scan, which must be the same read backwards.
fn both_ways(task: &dyn TaskStore, scan: Scan<'_>) -> Vec<Row> {
    let up = collect(task.scan(&scan).unwrap());
    let mut down = collect(task.scan(&scan.order(Order::Descending)).unwrap());
    down.reverse();
    assert_eq!(up, down);
    up
}

fn files_of(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect()
}
