//! A process's view of its volume: every call may be its last.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_kafka::inproc::Client;
use millrace_state::{
    Batch, Error, FlushBounds, MemoryVolume, Pinned, Position, Result, Rows, Scan, StateVolume, StoreConfig,
    StoreIndex, StoreMetrics, TaskStore,
};

use super::faults::{Effect, Injector, Place, StoreCall};

/// The process that owns the volume for now.
#[derive(Clone)]
pub(super) struct Process {
    pub client: Client,
    pub injector: Arc<Injector>,
}

impl Process {
    fn call<T>(&self, call: StoreCall, dir: &Path, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let fail = |reason: &str| Error::Io {
            dir: dir.to_owned(),
            store: None,
            reason: reason.to_owned(),
        };
        if self.client.is_crashed() {
            return Err(fail("the process is dead"));
        }
        match self.injector.decide(self.client.name(), Place::Store(call)) {
            None | Some(Effect::Refused(_) | Effect::AnswerLost(_) | Effect::Pause(_)) => act(),
            Some(Effect::CrashBefore) => {
                self.client.crash();
                Err(fail("the process is dead"))
            }
            Some(Effect::CrashAfter) => {
                let _ = act();
                self.client.crash();
                Err(fail("the process is dead"))
            }
            Some(Effect::DiskError) => Err(fail("a disk error, on purpose")),
            Some(Effect::DiskFull) => Err(Error::NoSpace {
                dir: dir.to_owned(),
                reason: "on purpose".to_owned(),
            }),
            Some(Effect::Damaged) => Err(Error::Damaged {
                dir: dir.to_owned(),
                store: None,
                reason: "on purpose".to_owned(),
            }),
        }
    }
}

/// The volume as a process sees it.
pub(super) struct SimVolume {
    pub disk: MemoryVolume,
    pub process: Process,
}

impl StateVolume for SimVolume {
    fn open(&self, dir: &Path, stores: &[StoreConfig]) -> Result<Box<dyn TaskStore>> {
        let inner = self
            .process
            .call(StoreCall::Open, dir, || self.disk.open(dir, stores))?;
        Ok(Box::new(SimStore {
            inner,
            dir: dir.to_owned(),
            process: self.process.clone(),
        }))
    }

    fn exists(&self, dir: &Path) -> bool {
        self.disk.exists(dir)
    }

    fn destroy(&self, dir: &Path) -> Result<()> {
        self.disk.destroy(dir)
    }

    fn set_aside(&self, dir: &Path) -> Result<PathBuf> {
        self.process.call(StoreCall::SetAside, dir, || self.disk.set_aside(dir))
    }
}

/// A task's state as a process sees it. Dropping it without a close is a crash.
struct SimStore {
    inner: Box<dyn TaskStore>,
    dir: PathBuf,
    process: Process,
}

impl TaskStore for SimStore {
    fn stores(&self) -> &[StoreConfig] {
        self.inner.stores()
    }

    fn segment_interval_ms(&self, store: StoreIndex) -> Option<i64> {
        self.inner.segment_interval_ms(store)
    }

    fn get(&self, store: StoreIndex, key: &[u8]) -> Result<Option<Pinned<'_>>> {
        self.process
            .call(StoreCall::Get, &self.dir, || self.inner.get(store, key))
    }

    fn scan<'a>(&'a self, scan: &Scan<'_>) -> Result<Box<dyn Rows + 'a>> {
        self.inner.scan(scan)
    }

    fn apply(&mut self, batch: &mut Batch) -> Result<()> {
        let call = match batch.len() {
            0 => StoreCall::ApplyPosition,
            _ => StoreCall::Apply,
        };
        self.process.call(call, &self.dir, || self.inner.apply(batch))
    }

    fn position(&self, store: StoreIndex) -> Option<&Position> {
        self.inner.position(store)
    }

    fn stream_time(&self, store: StoreIndex) -> Option<i64> {
        self.inner.stream_time(store)
    }

    fn durable_position(&self, store: StoreIndex) -> Result<Option<Position>> {
        self.inner.durable_position(store)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn flush_if_lagging(&mut self, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        self.process.call(StoreCall::FlushIfLagging, &self.dir, || {
            self.inner.flush_if_lagging(now_ms, bounds)
        })
    }

    fn restore<'r>(
        &mut self,
        store: StoreIndex,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        after: &Position,
        stream_time: Option<i64>,
    ) -> Result<()> {
        self.process.call(StoreCall::Restore, &self.dir, || {
            self.inner.restore(store, records, after, stream_time)
        })
    }

    fn finish_restore(&mut self, store: StoreIndex) -> Result<()> {
        self.process
            .call(StoreCall::FinishRestore, &self.dir, || self.inner.finish_restore(store))
    }

    fn wipe(&mut self, store: StoreIndex) -> Result<()> {
        self.process.call(StoreCall::Wipe, &self.dir, || self.inner.wipe(store))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { inner, dir, process } = *self;
        // Where the close does not happen, `inner` is dropped: a crash.
        process.call(StoreCall::Close, &dir, || inner.close())
    }

    fn metrics(&self) -> Vec<StoreMetrics> {
        self.inner.metrics()
    }
}
