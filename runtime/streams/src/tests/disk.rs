//! Damaged state and a full disk, met at every call on a task's state: the results are those of a run without them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use millrace_state::{
    Batch, Error, FlushBounds, MemoryVolume, Pinned, Position, Result, Rows, Scan, StateVolume, StoreConfig,
    StoreIndex, StoreMetrics, TaskStore,
};
use parking_lot::Mutex;

use super::dsl::{TextLong, words};
use super::harness::Harness;
use crate::dsl::{Grouped, Materialized, Produced, StreamsBuilder};
use crate::serde::StringSerde;
use crate::{Application, Code, Instance};

/// Where task 0_0's state fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Open,
    Restore,
    FinishRestore,
    Get,
    Apply,
    Flush,
}

const CALLS: [Call; 6] = [
    Call::Open,
    Call::Restore,
    Call::FinishRestore,
    Call::Get,
    Call::Apply,
    Call::Flush,
];

/// What fails and how, and what was seen.
#[derive(Default)]
struct Script {
    damaged: Option<Call>,
    /// Whether damage stays, whatever is restored.
    lasting: bool,
    full: Option<Call>,
    hits: usize,
    asides: Vec<PathBuf>,
    open: BTreeSet<PathBuf>,
}

#[derive(Clone)]
struct Flawed {
    volume: MemoryVolume,
    script: Arc<Mutex<Script>>,
}

impl Flawed {
    fn fail(&self, dir: &Path, call: Call) -> Result<()> {
        let mut script = self.script.lock();
        if !dir.ends_with("0_0") {
            return Ok(());
        }
        let (dir, reason) = (dir.to_owned(), format!("{call:?}"));
        if script.damaged == Some(call) {
            script.hits += 1;
            if !script.lasting {
                script.damaged = None;
            }
            return Err(Error::Damaged {
                dir,
                store: None,
                reason,
            });
        }
        if script.full == Some(call) {
            script.hits += 1;
            return Err(Error::NoSpace { dir, reason });
        }
        Ok(())
    }
}

impl StateVolume for Flawed {
    fn open(&self, dir: &Path, stores: &[StoreConfig]) -> Result<Box<dyn TaskStore>> {
        self.fail(dir, Call::Open)?;
        let store = self.volume.open(dir, stores)?;
        self.script.lock().open.insert(dir.to_owned());
        Ok(Box::new(FlawedStore {
            dir: dir.to_owned(),
            store: Some(store),
            flawed: self.clone(),
        }))
    }

    fn exists(&self, dir: &Path) -> bool {
        self.volume.exists(dir)
    }

    fn destroy(&self, dir: &Path) -> Result<()> {
        self.volume.destroy(dir)
    }

    fn set_aside(&self, dir: &Path) -> Result<PathBuf> {
        let mut script = self.script.lock();
        assert!(!script.open.contains(dir), "{} is still open", dir.display());
        script.asides.push(dir.to_owned());
        self.volume.set_aside(dir)
    }

    fn make_room(&self, _: &Path) -> bool {
        self.script.lock().full.is_none()
    }
}

struct FlawedStore {
    dir: PathBuf,
    store: Option<Box<dyn TaskStore>>,
    flawed: Flawed,
}

impl FlawedStore {
    fn fail(&self, call: Call) -> Result<()> {
        self.flawed.fail(&self.dir, call)
    }

    fn inner(&self) -> &dyn TaskStore {
        self.store.as_deref().expect("it is open")
    }

    fn inner_mut(&mut self) -> &mut dyn TaskStore {
        self.store.as_deref_mut().expect("it is open")
    }
}

impl Drop for FlawedStore {
    fn drop(&mut self) {
        self.store = None;
        self.flawed.script.lock().open.remove(&self.dir);
    }
}

impl TaskStore for FlawedStore {
    fn stores(&self) -> &[StoreConfig] {
        self.inner().stores()
    }

    fn segment_interval_ms(&self, store: StoreIndex) -> Option<i64> {
        self.inner().segment_interval_ms(store)
    }

    fn get(&self, store: StoreIndex, key: &[u8]) -> Result<Option<Pinned<'_>>> {
        self.fail(Call::Get)?;
        self.inner().get(store, key)
    }

    fn scan<'a>(&'a self, scan: &Scan<'_>) -> Result<Box<dyn Rows + 'a>> {
        self.inner().scan(scan)
    }

    fn apply(&mut self, batch: &mut Batch) -> Result<()> {
        self.fail(Call::Apply)?;
        self.inner_mut().apply(batch)
    }

    fn position(&self, store: StoreIndex) -> Option<&Position> {
        self.inner().position(store)
    }

    fn stream_time(&self, store: StoreIndex) -> Option<i64> {
        self.inner().stream_time(store)
    }

    fn durable_position(&self, store: StoreIndex) -> Result<Option<Position>> {
        self.inner().durable_position(store)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner_mut().flush()
    }

    fn flush_if_lagging(&mut self, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        self.fail(Call::Flush)?;
        self.inner_mut().flush_if_lagging(now_ms, bounds)
    }

    fn restore<'r>(
        &mut self,
        store: StoreIndex,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        after: &Position,
        stream_time: Option<i64>,
    ) -> Result<()> {
        self.fail(Call::Restore)?;
        self.inner_mut().restore(store, records, after, stream_time)
    }

    fn finish_restore(&mut self, store: StoreIndex) -> Result<()> {
        self.fail(Call::FinishRestore)?;
        self.inner_mut().finish_restore(store)
    }

    fn wipe(&mut self, store: StoreIndex) -> Result<()> {
        self.inner_mut().wipe(store)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.store.take().expect("it is open").close()
    }

    fn metrics(&self) -> Vec<StoreMetrics> {
        self.inner().metrics()
    }
}

/// Counts per key.
fn application() -> Application {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "words")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .count(Materialized::named("counts"))
        .to_stream()
        .to("out", Produced::with(StringSerde, TextLong));
    builder.build().unwrap()
}

/// An application of two tasks on one worker.
struct Bench {
    harness: Harness,
    flawed: Flawed,
}

impl Bench {
    /// A volume that lacks the newest part of its changelogs.
    fn new(guarantee: &str) -> Self {
        let harness = Harness::new(&[
            ("processing.guarantee", guarantee),
            ("statestore.cache.max.bytes", "0"),
            ("commit.interval.ms", "100"),
        ]);
        harness.cluster.create_topic("words", 2).unwrap();
        harness.cluster.create_topic("out", 1).unwrap();
        let flawed = Flawed {
            volume: MemoryVolume::new(3),
            script: Arc::default(),
        };
        let bench = Self { harness, flawed };
        let elsewhere = Arc::new(MemoryVolume::new(4));
        for (name, volume) in [("a", bench.volume()), ("b", elsewhere as Arc<dyn StateVolume>)] {
            let mut instance = bench.harness.instance_on(name, &application(), volume).unwrap();
            bench.more();
            bench.harness.run(&mut [&mut instance], 1_000);
            bench.harness.stop(instance);
        }
        bench
    }

    fn volume(&self) -> Arc<dyn StateVolume> {
        Arc::new(self.flawed.clone())
    }

    fn instance(&self) -> Instance {
        self.harness.instance_on("a", &application(), self.volume()).unwrap()
    }

    /// Three records for each partition.
    fn more(&self) {
        for _ in 0..3 {
            self.harness.append("words", 0, "even", "", 1);
            self.harness.append("words", 1, "odd", "", 1);
        }
    }

    /// Counts as they were written, of one key.
    fn counts(&self, key: &str) -> Vec<i64> {
        let all = self.harness.read("out", 1).into_iter();
        all.filter(|(_, found, _, _)| found.as_deref() == Some(key))
            .map(|(_, _, count, _)| count.unwrap().parse().unwrap())
            .collect()
    }

    fn script(&self) -> parking_lot::MutexGuard<'_, Script> {
        self.flawed.script.lock()
    }
}

#[test]
fn damage_is_set_aside_wherever_it_is_met() {
    for guarantee in ["exactly_once_v2", "at_least_once"] {
        for call in CALLS {
            let bench = Bench::new(guarantee);
            bench.script().damaged = Some(call);
            let mut instance = bench.instance();
            bench.more();
            bench.harness.run(&mut [&mut instance], 5_000);
            assert_eq!(bench.script().hits, 1, "{call:?} was met");
            let asides = bench.script().asides.clone();
            assert!(asides.len() == 1 && asides[0].ends_with("0_0"), "{call:?}: {asides:?}");
            assert_eq!(instance.metrics().workers()[0].running.get(), 2, "{call:?}");
            bench.more();
            bench.harness.run(&mut [&mut instance], 1_000);
            for key in ["even", "odd"] {
                let counts = bench.counts(key);
                if guarantee == "exactly_once_v2" {
                    assert_eq!(counts, (1..=12).collect::<Vec<i64>>(), "{call:?} {key}");
                } else {
                    assert!(
                        counts.len() >= 12 && counts.last() >= Some(&12),
                        "{call:?} {key}: {counts:?}"
                    );
                }
            }
            bench.harness.stop(instance);
        }
    }
}

#[test]
fn a_full_disk_is_waited_for_wherever_it_is_met() {
    for call in CALLS {
        let bench = Bench::new("exactly_once_v2");
        bench.script().full = Some(call);
        let mut instance = bench.instance();
        bench.more();
        bench.harness.run(&mut [&mut instance], 10_000);
        let running = |instance: &Instance| instance.metrics().workers()[0].running.get();
        assert_eq!(running(&instance), 0, "{call:?}");
        let hits = bench.script().hits;
        assert!(hits > 0, "{call:?} was met");
        bench.more();
        bench.harness.run(&mut [&mut instance], 10_000);
        assert_eq!(bench.script().hits, hits, "{call:?}: who waits does not try");
        bench.script().full = None;
        bench.harness.run(&mut [&mut instance], 5_000);
        assert_eq!(running(&instance), 2, "{call:?}");
        assert_eq!(bench.script().asides, Vec::<PathBuf>::new());
        for key in ["even", "odd"] {
            assert_eq!(bench.counts(key), (1..=12).collect::<Vec<i64>>(), "{call:?} {key}");
        }
        bench.harness.stop(instance);
    }
}

#[test]
fn damage_that_comes_back_ends_the_application() {
    let bench = Bench::new("exactly_once_v2");
    {
        let mut script = bench.script();
        (script.damaged, script.lasting) = (Some(Call::Get), true);
    }
    let mut instance = bench.instance();
    bench.more();
    let error = (0..5_000)
        .find_map(|_| {
            bench.harness.clock.advance(Duration::from_millis(10));
            instance.step().err()
        })
        .expect("it ends");
    assert_eq!(error.code(), Code::S002, "{error}");
    assert_eq!(bench.script().asides.len(), 3);
}
