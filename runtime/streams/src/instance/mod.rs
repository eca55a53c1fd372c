//! An instance: one process's share of an application. One group member, its workers, and the driver between them.

mod access;
mod caught_up;
mod cleanup;
mod driver;
mod identity;
mod leader;
#[cfg(test)]
mod tests;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_kafka::clock::{SharedClock, SystemClock};
use millrace_kafka::log::SharedLog;
use millrace_state::{FlushBounds, StateVolume};
use millrace_topology::{NodeKind, OnError};
use uuid::Uuid;

use self::driver::Driver;
pub(crate) use self::identity::{Identity, PROCESS_FILE};
use self::topics::Topics;
use crate::config::{ProcessingGuarantee, StreamsConfig};
use crate::layout::Layout;
use crate::metrics::Metrics;
use crate::worker::{Report, Shared, Worker, WorkerParts};
use crate::{Application, Code, Error, Result};

/// How an instance is run.
pub struct InstanceOptions {
    /// Where state lives.
    pub volume: Arc<dyn StateVolume>,
    /// The machine's clock, or a test's.
    pub clock: SharedClock,
    /// Stop once the input, as it stands at the start, and what it caused is processed and committed.
    pub until_caught_up: bool,
    /// Whether the volume is of this run alone (in memory): then the process id is, too.
    pub transient: Option<Uuid>,
}

impl InstanceOptions {
    /// On this volume, with the machine's clock, until it is stopped.
    #[must_use]
    pub fn new(volume: Arc<dyn StateVolume>) -> Self {
        Self {
            volume,
            clock: Arc::new(SystemClock::new()),
            until_caught_up: false,
            transient: None,
        }
    }
}

/// One process's share of an application.
pub struct Instance {
    driver: Driver,
    /// What makes the workers, until they are made.
    parts: Vec<WorkerParts>,
    /// Workers that are stepped here, in this thread.
    workers: Vec<Worker>,
    metrics: Metrics,
}

/// A running instance: ask it to stop, wait for its end.
pub struct Running {
    thread: JoinHandle<Result<()>>,
    stop: Arc<AtomicBool>,
    metrics: Metrics,
}

impl Instance {
    /// Checks the cluster and its topics, and makes the clients. Nothing is created, and the group is not joined yet.
    ///
    /// # Errors
    /// Whatever would keep the application from running: see [`Code`].
    pub fn new(
        application: Application,
        config: StreamsConfig,
        log: SharedLog,
        options: InstanceOptions,
    ) -> Result<Self> {
        let layout = Layout::new(&application.plan, &config.application_id);
        let state_dir = config.state_dir.clone();
        let identity = match options.transient {
            Some(id) => Identity::transient(id),
            None => Identity::on_volume(&state_dir.join(&config.application_id))?,
        };
        let mut admin = log.admin()?;
        let start_timeout = config.request_timeout.min(Duration::from_secs(10));
        let cluster = admin.cluster(start_timeout)?;
        let dead_letter_topic = dead_letter_topic(&application, &config);
        let transactional_ids = match config.processing_guarantee {
            ProcessingGuarantee::AtLeastOnce => Vec::new(),
            ProcessingGuarantee::ExactlyOnceV2 => (0..config.num_stream_threads)
                .map(|thread| format!("{}-{}-{}", config.application_id, identity.id(), thread + 1))
                .collect(),
        };
        access::check(
            admin.as_mut(),
            &layout,
            dead_letter_topic.as_deref(),
            &transactional_ids,
            start_timeout,
        )?;
        let survey = Topics {
            plan: &application.plan,
            layout: &layout,
            config: &config,
            dead_letter_topic: dead_letter_topic.as_deref(),
        }
        .survey(admin.as_mut(), start_timeout)?;
        survey.validate(admin.as_mut(), start_timeout)?;
        let metrics = Metrics::new(config.num_stream_threads);
        let flush_bounds = FlushBounds {
            bytes: config.state_flush_max_lag_bytes,
            time_ms: config.state_flush_max_lag.as_millis() as i64,
        };
        let shared = Arc::new(Shared {
            application,
            layout,
            config: Arc::new(config),
            log,
            clock: options.clock,
            volume: options.volume,
            state_dir,
            cluster_id: cluster.cluster_id.into(),
            transactional_ids,
            dead_letter_topic,
            flush_bounds,
            until_caught_up: options.until_caught_up,
        });
        let (driver, parts) = Driver::new(shared, identity, admin, &metrics)?;
        Ok(Self {
            driver,
            parts,
            workers: Vec::new(),
            metrics,
        })
    }

    /// What its workers count.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Runs in threads of its own: the driver's and one per worker.
    #[must_use]
    pub fn spawn(self) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let (mut driver, parts) = (self.driver, self.parts);
        let spawned = std::thread::Builder::new()
            .name("millrace-group".to_owned())
            .spawn(move || {
                driver.start_threads(parts)?;
                driver.run(|| seen.load(Ordering::Relaxed))
            });
        let thread = spawned.unwrap_or_else(|error| panic!("no thread could be started: {error}"));
        Running {
            thread,
            stop,
            metrics: self.metrics,
        }
    }

    /// One round of the driver and of every worker, in this thread: for tests and the simulator, on a log and a clock that do not wait.
    ///
    /// # Errors
    /// What ends the application.
    pub fn step(&mut self) -> Result<bool> {
        self.step_some(&mut |_| true)
    }

    /// A round in which a worker, by its index, or the driver moves only if `turn` says so: threads that the machine favours or forgets.
    pub(crate) fn step_some(&mut self, turn: &mut dyn FnMut(Option<usize>) -> bool) -> Result<bool> {
        for parts in self.parts.drain(..) {
            self.workers.push(Worker::new(parts)?);
        }
        let mut progress = false;
        for (index, worker) in self.workers.iter_mut().enumerate() {
            if worker.is_stopped() || !turn(Some(index)) {
                continue;
            }
            match worker.step(false) {
                Ok(moved) => progress |= moved,
                Err(error) => worker.report(Report::Failed(error)),
            }
        }
        if turn(None) {
            self.driver.step_once()?;
        }
        Ok(progress)
    }

    /// Begins a clean stop; steps go on until [`Instance::is_stopped`].
    pub fn stop(&mut self) {
        self.driver.begin_stop();
    }

    /// Whether it has stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.driver.is_stopped()
    }
}

impl Running {
    /// Asks for a clean stop: commit, close, leave (or stay, for a static member).
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What its workers count.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What ended it.
    pub fn wait(self) -> Result<()> {
        self.thread.join().unwrap_or_else(|_| {
            Err(Error::new(
                Code::X001,
                "the driver panicked: this is a defect of Millrace, please report it",
            ))
        })
    }
}

/// Where dead letters go, if any handler may write one: the configured topic, or `<application.id>-dead-letter`.
fn dead_letter_topic(application: &Application, config: &StreamsConfig) -> Option<String> {
    if config.errors_dead_letter_queue_topic_name.is_some() {
        return Some(config.dead_letter_topic());
    }
    let sources = application.plan.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Source(source) => source.on_error,
        _ => None,
    });
    let configured = [
        config.deserialization_handler,
        config.processing_handler,
        config.production_handler,
    ];
    let mut all = sources
        .chain(application.processing.values().copied())
        .chain(configured);
    all.any(|policy| policy == OnError::DeadLetter)
        .then(|| config.dead_letter_topic())
}
