//! What the engine counts. One writer per counter group; readers see recent values.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    #[inline]
    pub fn add(&self, n: u64) {
        // One writer: a load and a store, no locked instruction on the record path.
        self.0.store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that moves.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets it.
    #[inline]
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of one worker's tasks (all written by that worker).
#[derive(Debug, Default)]
pub struct TaskMetrics {
    /// Records processed (`process-total`).
    pub processed: Counter,
    /// Records that ended without effect: late, null keys, unreadable (`dropped-records-total`).
    pub dropped: Counter,
    /// Records written to the dead-letter topic.
    pub dead_letters: Counter,
    /// Records sent to output and repartition topics.
    pub sent: Counter,
    /// Commits (`commit-total`).
    pub commits: Counter,
    /// Records applied by restores (`restore-total`).
    pub restored: Counter,
    /// Tasks that run.
    pub running: Gauge,
    /// Tasks that restore.
    pub restoring: Gauge,
    /// The last commit's duration in microseconds.
    pub commit_micros: Gauge,
    /// When the worker last began a step: monotonic milliseconds, for the watchdog.
    pub last_step: Gauge,
    /// The highest stream time of any partition, milliseconds.
    pub stream_time: Gauge,
}

/// All workers of an instance.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    workers: Vec<Arc<TaskMetrics>>,
}

impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Arc::default()).collect(),
        }
    }

    pub(crate) fn worker(&self, index: usize) -> Arc<TaskMetrics> {
        Arc::clone(&self.workers[index])
    }

    /// The sum of a counter over the workers.
    pub fn total(&self, of: impl Fn(&TaskMetrics) -> u64) -> u64 {
        self.workers.iter().map(|worker| of(worker)).sum()
    }

    /// The workers, each with its own counts.
    #[must_use]
    pub fn workers(&self) -> &[Arc<TaskMetrics>] {
        &self.workers
    }
}
