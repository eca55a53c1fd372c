//! A worker: one thread that owns tasks whole, with its own consumer, producer and restore consumer.
//!
//! Record path: everything between [`Worker::step`] and a node runs here, synchronously. A step never waits longer than `poll.ms`, and waits
//! only where there is nothing to process. The driver talks to it by messages.

mod clients;
mod commit;
mod disk;
mod open;
mod recover;
mod renew;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use millrace_kafka::ErrorKind;
use millrace_kafka::assignor::TaskId;
use millrace_kafka::clock::SharedClock;
use millrace_kafka::log::{Admin, Consumer, GroupMembership, Offsets, Polled, SharedLog, TopicPartition};
use millrace_state::{FlushBounds, StateVolume, TaskStore};

use crate::config::StreamsConfig;
use crate::layout::Layout;
use crate::metrics::TaskMetrics;
use crate::task::{
    CacheBudget, Collector, Fetched, Policies, Restoration, Task, TaskEnvironment, TaskStores, UNKNOWN_TIME,
};
use crate::{Application, Code, Error, Result};

/// How long input may be waited for while stores are restored, or records wait for those of another partition.
const SHORT_POLL: Duration = Duration::from_millis(5);
/// Records that a task processes before the next task has its turn.
const CHUNK: usize = 128;
/// How long a step may process before it looks at commits and commands again.
const STEP_TIME: Duration = Duration::from_millis(50);
/// How often quiet stores note that they missed nothing.
const TOUCH_EVERY: Duration = Duration::from_secs(600);
/// How often the stores' lag on disk is looked at.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// What all workers of an instance share.
pub(crate) struct Shared {
    pub application: Application,
    pub layout: Layout,
    pub config: Arc<StreamsConfig>,
    pub log: SharedLog,
    pub clock: SharedClock,
    pub volume: Arc<dyn StateVolume>,
    pub state_dir: PathBuf,
    pub cluster_id: Arc<str>,
    pub transactional_ids: Vec<String>,
    pub dead_letter_topic: Option<String>,
    pub flush_bounds: FlushBounds,
    /// Stop when everything is processed: commit as soon as there is nothing to do.
    pub until_caught_up: bool,
}

/// From the driver to a worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// A rebalance begins: commit, and commit no more until the next installation.
    Prepare {
        /// To be given back in the answer.
        round: u64,
    },
    /// These are the tasks now.
    Install {
        /// To be given back in the answer.
        round: u64,
        /// All tasks of this worker.
        tasks: BTreeSet<TaskId>,
        /// For commits.
        membership: GroupMembership,
    },
    /// The member was lost: drop all tasks without a commit.
    Drop {
        /// To be given back in the answer.
        round: u64,
    },
    /// The end: commit, close, stop.
    Stop,
}

/// From a worker to the driver.
#[derive(Debug)]
pub(crate) enum Report {
    /// Prepare, Install or Drop is carried out.
    Done {
        /// Of the command.
        round: u64,
    },
    /// The worker had to drop its tasks by itself: the member should join again.
    Rejoin {
        /// The generation that it failed in.
        generation: i32,
        /// Why, for logs.
        reason: String,
    },
    /// The application cannot go on.
    Failed(Error),
    /// Stopped cleanly.
    Stopped,
}

/// A task on its way to run.
struct Opening {
    restoration: Restoration,
    /// Tasks without stores have none.
    db: Option<Box<dyn TaskStore>>,
    start: open::Start,
}

/// What a worker is made of; it is made on its own thread, which its tasks never leave.
pub(crate) struct WorkerParts {
    pub index: usize,
    pub shared: Arc<Shared>,
    pub inbox: Receiver<Command>,
    pub outbox: Sender<(usize, Report)>,
    pub metrics: Arc<TaskMetrics>,
}

impl WorkerParts {
    /// Runs a worker until it is stopped or fails; the failure is reported.
    pub(crate) fn run(self) {
        let (index, outbox) = (self.index, self.outbox.clone());
        let ended = Worker::new(self).and_then(|mut worker| {
            while !worker.stopped {
                worker.step(true)?;
            }
            Ok(())
        });
        if let Err(error) = ended {
            // The driver may be gone already; then nobody is left to tell.
            let _ = outbox.send((index, Report::Failed(error)));
        }
    }
}

/// A worker.
pub(crate) struct Worker {
    index: usize,
    shared: Arc<Shared>,
    inbox: Receiver<Command>,
    outbox: Sender<(usize, Report)>,
    metrics: Arc<TaskMetrics>,
    consumer: Box<dyn Consumer>,
    restore_consumer: Box<dyn Consumer>,
    /// The log's epoch when consumers and producer were made.
    epoch: u64,
    last_renewal: Duration,
    admin: Box<dyn Admin>,
    offsets: Box<dyn Offsets>,
    collector: Option<Collector>,
    policies: Policies,
    cache: Rc<CacheBudget>,
    membership: Option<GroupMembership>,
    /// Tasks that are assigned and not opened yet.
    waiting: BTreeSet<TaskId>,
    opening: BTreeMap<TaskId, Opening>,
    running: BTreeMap<TaskId, Task>,
    by_partition: HashMap<TopicPartition, TaskId>,
    delete_retention: HashMap<Arc<str>, i64>,
    commit_blocked: bool,
    last_commit: Duration,
    last_purge: Duration,
    last_flush: Duration,
    last_touch: Duration,
    /// Records processed in the last step.
    processed: usize,
    purge_warned: bool,
    transaction_since: Option<Duration>,
    retry_at: Duration,
    retries: u32,
    disk: disk::Disk,
    /// Since when an internal topic is not there.
    missing_since: Option<Duration>,
    polled: Vec<Polled>,
    stopped: bool,
}

impl Worker {
    /// Makes the clients; the producer waits until there are tasks.
    pub(crate) fn new(parts: WorkerParts) -> Result<Self> {
        let WorkerParts {
            index,
            shared,
            inbox,
            outbox,
            metrics,
        } = parts;
        // Before the clients: what changes meanwhile is seen later.
        let epoch = shared.log.epoch();
        let consumer = shared.log.consumer(&shared.main_consumer(index))?;
        let restore_consumer = shared.log.restore_consumer(&shared.restore_consumer(index))?;
        let admin = shared.log.admin()?;
        let offsets = shared.log.offsets(&shared.layout.application_id)?;
        let cache = CacheBudget::new(
            usize::try_from(shared.config.statestore_cache_max_bytes).unwrap_or(usize::MAX)
                / shared.config.num_stream_threads.max(1),
        );
        let policies = open::policies(&shared);
        let now = shared.clock.monotonic();
        Ok(Self {
            index,
            shared,
            inbox,
            outbox,
            metrics,
            consumer,
            restore_consumer,
            epoch,
            last_renewal: now,
            admin,
            offsets,
            collector: None,
            policies,
            cache,
            membership: None,
            waiting: BTreeSet::new(),
            opening: BTreeMap::new(),
            running: BTreeMap::new(),
            by_partition: HashMap::new(),
            delete_retention: HashMap::new(),
            commit_blocked: true,
            last_commit: now,
            last_purge: now,
            last_flush: now,
            last_touch: now,
            processed: 0,
            purge_warned: false,
            transaction_since: None,
            retry_at: Duration::ZERO,
            retries: 0,
            disk: disk::Disk::default(),
            missing_since: None,
            polled: Vec::new(),
            stopped: false,
        })
    }

    /// Whether it has stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// One round: messages, restores, input, processing, commit. `may_wait`: whether it may wait for input.
    pub(crate) fn step(&mut self, may_wait: bool) -> Result<bool> {
        self.metrics
            .last_step
            .set(self.shared.clock.monotonic().as_millis() as i64);
        let stepped = self.try_step(may_wait);
        if stepped.is_err() {
            // The end: what is open is aborted now, so that nobody waits for its time-out.
            self.drop_tasks();
            self.stopped = true;
        }
        stepped
    }

    fn try_step(&mut self, may_wait: bool) -> Result<bool> {
        while let Ok(command) = self.inbox.try_recv() {
            let done = self.obey(command);
            if let Err(error) = done {
                self.recover(error)?;
            }
            if self.stopped {
                return Ok(true);
            }
        }
        match self.work(may_wait) {
            Ok(progress) => Ok(progress),
            Err(error) => {
                self.recover(error)?;
                Ok(true)
            }
        }
    }

    /// Tells the driver.
    pub(crate) fn report(&self, report: Report) {
        // The driver may be gone already; then nobody is left to tell.
        let _ = self.outbox.send((self.index, report));
    }

    fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Prepare { round } => {
                let committed = self.commit();
                self.commit_blocked = true;
                self.report(Report::Done { round });
                committed
            }
            Command::Install {
                round,
                tasks,
                membership,
            } => {
                let installed = self.install(&tasks, membership);
                self.report(Report::Done { round });
                installed
            }
            Command::Drop { round } => {
                self.drop_tasks();
                self.membership = None;
                self.commit_blocked = true;
                self.report(Report::Done { round });
                Ok(())
            }
            Command::Stop => {
                let mut committed = !self.commit_blocked;
                if committed && let Err(error) = self.commit() {
                    committed = false;
                    tracing::warn!(%error, "the last commit failed: what it held is done again by whoever takes over");
                }
                self.close_tasks(&self.all_tasks(), committed);
                if let Some(collector) = self.collector.take() {
                    collector.discard();
                }
                self.stopped = true;
                self.report(Report::Stopped);
                Ok(())
            }
        }
    }

    fn all_tasks(&self) -> BTreeSet<TaskId> {
        self.waiting
            .iter()
            .chain(self.opening.keys())
            .chain(self.running.keys())
            .copied()
            .collect()
    }

    /// Takes the assignment of a new generation: what is gone is committed and closed, what is new is opened, the rest never stops.
    fn install(&mut self, tasks: &BTreeSet<TaskId>, membership: GroupMembership) -> Result<()> {
        self.membership = Some(membership);
        self.commit_blocked = false;
        let gone: BTreeSet<TaskId> = self.all_tasks().difference(tasks).copied().collect();
        let committed = if gone.iter().any(|task| self.running.contains_key(task)) {
            self.commit()
        } else {
            Ok(())
        };
        self.close_tasks(&gone, committed.is_ok());
        let known = self.all_tasks();
        self.waiting.extend(tasks.difference(&known));
        committed
    }

    fn work(&mut self, may_wait: bool) -> Result<bool> {
        let now = self.shared.clock.monotonic();
        if !self.waiting.is_empty() && now >= self.retry_at {
            self.open_waiting()?;
        }
        let restored = self.restore(may_wait)?;
        let polled = self.poll(may_wait && !restored)?;
        let processed = self.process()?;
        self.retries = if processed > 0 { 0 } else { self.retries };
        self.processed = processed;
        self.maybe_commit()?;
        self.maybe_renew()?;
        self.maybe_flush()?;
        self.maybe_purge()?;
        self.metrics.running.set(self.running.len() as i64);
        self.metrics
            .restoring
            .set((self.waiting.len() + self.opening.len()) as i64);
        Ok(restored || polled || processed > 0)
    }

    /// Starts to flush stores that lag on disk, those of quiet tasks included.
    fn maybe_flush(&mut self) -> Result<()> {
        let now = self.shared.clock.monotonic();
        if now.saturating_sub(self.last_flush) < FLUSH_EVERY {
            return Ok(());
        }
        self.last_flush = now;
        let now_ms = self.shared.clock.now_ms();
        for task in self.running.values_mut() {
            task.flush_if_lagging(now_ms, &self.shared.flush_bounds)?;
        }
        // What a restore has brought in is kept, too, if the process dies before it ends.
        for db in self.opening.values_mut().filter_map(|opening| opening.db.as_mut()) {
            db.flush_if_lagging(now_ms, &self.shared.flush_bounds)?;
        }
        Ok(())
    }

    /// Fetches input, unless enough of it waits already.
    fn poll(&mut self, may_wait: bool) -> Result<bool> {
        let config = &self.shared.config;
        let waiting: usize = self.running.values().map(Task::input_bytes).sum();
        let over_bytes = waiting as u64 > clients::input_share(config);
        self.adjust_pauses(over_bytes)?;
        let timeout = if may_wait && self.processed == 0 {
            self.wait()
        } else {
            Duration::ZERO
        };
        let mut polled = std::mem::take(&mut self.polled);
        let result = self
            .consumer
            .poll(timeout, self.shared.config.max_poll_records, &mut polled);
        let progress = !polled.is_empty();
        for event in polled.drain(..) {
            self.take(event)?;
        }
        self.polled = polled;
        result?;
        Ok(progress)
    }

    /// How long to wait for input: `poll.ms`, less where a commit is due before.
    fn wait(&self) -> Duration {
        let poll = self.shared.config.poll;
        let waits = !self.opening.is_empty() || self.running.values().any(Task::has_input);
        let poll = if waits { poll.min(SHORT_POLL) } else { poll };
        if self.running.values().any(Task::is_dirty) && !self.commit_blocked {
            let due = (self.last_commit + self.commit_interval(true)).saturating_sub(self.shared.clock.monotonic());
            return poll.min(due);
        }
        poll
    }

    fn take(&mut self, event: Polled) -> Result<()> {
        match event {
            Polled::Records(batch) => {
                let Some(task) = self
                    .by_partition
                    .get(batch.partition())
                    .and_then(|id| self.running.get_mut(id))
                else {
                    return Ok(());
                };
                let Some(collector) = &mut self.collector else {
                    return Ok(());
                };
                task.push(
                    batch,
                    &mut TaskEnvironment {
                        collector,
                        policies: &self.policies,
                        metrics: &self.metrics,
                    },
                )
            }
            Polled::End { partition, position } => {
                if let Some(task) = self
                    .by_partition
                    .get(&partition)
                    .and_then(|id| self.running.get_mut(id))
                {
                    task.note_position(&partition, position);
                }
                Ok(())
            }
            Polled::Failed { partition, error } if error.kind() == ErrorKind::OffsetOutOfRange => {
                self.reset_position(&partition, &error)
            }
            Polled::Failed { partition, error } => Err(Error::from(error.context(format!("reading {partition}")))),
        }
    }

    fn adjust_pauses(&mut self, over_bytes: bool) -> Result<()> {
        let max_records = self.shared.config.buffered_records_per_partition + self.shared.config.max_poll_records;
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for task in self.running.values_mut() {
            task.adjust_pauses(max_records, &mut pause, &mut resume, over_bytes);
        }
        if !pause.is_empty() {
            self.consumer.pause(&pause)?;
        }
        if !resume.is_empty() {
            self.consumer.resume(&resume)?;
        }
        Ok(())
    }

    fn process(&mut self) -> Result<usize> {
        let Some(collector) = &mut self.collector else {
            return Ok(0);
        };
        let now = self.shared.clock.monotonic();
        let until = now + STEP_TIME.min(self.shared.config.commit_interval);
        let limit = self.shared.config.max_poll_records * self.running.len();
        let fetched = ConsumerEnds(self.consumer.as_ref());
        let mut environment = TaskEnvironment {
            collector,
            policies: &self.policies,
            metrics: &self.metrics,
        };
        let mut total = 0;
        loop {
            let before = total;
            for task in self.running.values_mut() {
                total += task.process(CHUNK, &fetched, now, &mut environment)?;
            }
            if total == before || total >= limit || self.shared.clock.monotonic() >= until {
                break;
            }
        }
        if total > 0 {
            let reached = self.running.values().map(Task::stream_time).max();
            let stream_time = self.metrics.stream_time.get().max(reached.unwrap_or(UNKNOWN_TIME));
            self.metrics.stream_time.set(stream_time);
            if collector.in_transaction() && self.transaction_since.is_none() {
                self.transaction_since = Some(now);
            }
        }
        collector.poll()?;
        Ok(total)
    }

    fn timeout(&self) -> Duration {
        self.shared.call_timeout()
    }
}

/// What the main consumer knows of its partitions' ends.
struct ConsumerEnds<'a>(&'a dyn Consumer);

impl Fetched for ConsumerEnds<'_> {
    fn has_more(&self, partition: &TopicPartition) -> Option<bool> {
        let end = self.0.known_end(partition)?;
        Some(self.0.position(partition)? < end)
    }
}

/// Closes a task's state; what goes wrong is a warning, since all that was committed is in the changelogs.
fn close(id: TaskId, stores: TaskStores) {
    if let Some(db) = stores.into_db()
        && let Err(error) = db.close()
    {
        tracing::warn!(task = %id, %error, "the task's state was not closed cleanly");
    }
}

/// An engine rule was broken.
pub(crate) fn defect(what: &str) -> Error {
    Error::new(
        Code::X001,
        format!("{what}: this is a defect of Millrace, please report it"),
    )
}
