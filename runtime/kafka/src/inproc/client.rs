//! One process' view of the cluster, and what every call of its clients goes through: crash, faults, time, waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::admin::InprocAdmin;
use super::cluster::Cluster;
use super::consumer::InprocConsumer;
use super::coordinator::{InprocCoordinator, InprocOffsets};
use super::fault::{Fault, Point};
use super::producer::InprocProducer;
use super::state::State;
use super::transactions::Refusal;
use crate::log::{Admin, Consumer, ConsumerSpec, Coordinator, Log, Offsets, Producer, ProducerSpec, SharedLog};
use crate::{Error, ErrorKind, Result};

/// How long a waiting call sleeps at most before it looks at the clock again: for time-outs…
const WAIT_SLICE: Duration = Duration::from_millis(50);
/// …and for markers under way.
const MARKER_SLICE: Duration = Duration::from_millis(2);

/// A process' view of a [`Cluster`]; clones are the same process. It is the [`Log`] that the process' engine is given.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    cluster: Cluster,
    name: String,
    crashed: AtomicBool,
}

/// What is left to happen once a call has been carried out.
#[derive(Clone, Copy)]
#[must_use]
pub(super) enum After {
    Nothing,
    LoseAnswer(ErrorKind),
    Crash,
}

impl Client {
    pub(super) fn new(cluster: Cluster, name: &str) -> Self {
        Self {
            inner: Arc::new(Inner {
                cluster,
                name: name.to_owned(),
                crashed: AtomicBool::new(false),
            }),
        }
    }

    /// The name that the fault plan sees.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// As the engine takes it.
    #[must_use]
    pub fn shared_log(&self) -> SharedLog {
        Arc::new(self.clone())
    }

    /// The process dies: every call of its clients fails from now on, what they had not sent is lost, and what they
    /// left open stays open until a time-out or a successor ends it.
    pub fn crash(&self) {
        self.inner.crashed.store(true, Ordering::Release);
        self.inner.cluster.shared().changed.notify_all();
    }

    /// Whether the process is dead.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.inner.crashed.load(Ordering::Acquire)
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.inner.cluster
    }

    /// What every call begins with.
    pub(super) fn enter(&self, point: Point) -> Result<After> {
        if self.is_crashed() {
            return Err(self.crash_error());
        }
        if !self.inner.cluster.shared().has_faults.load(Ordering::Acquire) {
            return Ok(After::Nothing);
        }
        self.ask_plan(point)
    }

    #[cold]
    fn ask_plan(&self, point: Point) -> Result<After> {
        let plan = self.inner.cluster.shared().faults.read().clone();
        match plan.map_or(Fault::None, |plan| plan.at(&self.inner.name, point)) {
            Fault::None => Ok(After::Nothing),
            Fault::LoseRequest(kind) => Err(Error::new(
                kind,
                format!("{}: the request was lost at {point:?}", self.inner.name),
            )),
            Fault::LoseAnswer(kind) => Ok(After::LoseAnswer(kind)),
            Fault::CrashBefore => {
                self.crash();
                Err(self.crash_error())
            }
            Fault::CrashAfter => Ok(After::Crash),
        }
    }

    /// What every call ends with.
    pub(super) fn leave<T>(&self, after: After, result: Result<T>) -> Result<T> {
        match after {
            After::Nothing => result,
            After::LoseAnswer(kind) => Err(Error::new(kind, format!("{}: the answer was lost", self.inner.name))),
            After::Crash => {
                self.crash();
                Err(self.crash_error())
            }
        }
    }

    fn crash_error(&self) -> Error {
        Error::new(ErrorKind::Fatal, format!("the process {} has crashed", self.inner.name))
    }

    /// A call that never waits.
    pub(super) fn call<T>(&self, point: Point, call: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let after = self.enter(point)?;
        let result = self.locked(call);
        self.leave(after, result)
    }

    /// Runs under the cluster's lock, once time has had its way.
    pub(super) fn locked<T>(&self, call: impl FnOnce(&mut State) -> T) -> T {
        self.inner.cluster.change(|state| {
            state.advance();
            call(state)
        })
    }

    /// Tries until `attempt` answers or `timeout` is over, which is `None`. On a clock that does not pass, `hurry` stands for the waiting.
    pub(super) fn wait<T>(
        &self,
        timeout: Duration,
        mut attempt: impl FnMut(&mut State) -> Option<T>,
        hurry: impl Fn(&mut State),
    ) -> Result<Option<T>> {
        let shared = self.inner.cluster.shared();
        let deadline = shared.clock.monotonic().saturating_add(timeout);
        let mut state = shared.state.lock();
        state.advance();
        let mut answer = attempt(&mut state);
        if answer.is_none() && !shared.clock.passes_by_itself() {
            hurry(&mut state);
            answer = attempt(&mut state);
        } else {
            while answer.is_none() {
                if self.is_crashed() {
                    return Err(self.crash_error());
                }
                let left = deadline.saturating_sub(shared.clock.monotonic());
                if left.is_zero() {
                    break;
                }
                let slice = if state.pending_markers.is_empty() {
                    WAIT_SLICE
                } else {
                    MARKER_SLICE
                };
                shared.changed.wait_for(&mut state, left.min(slice));
                state.advance();
                answer = attempt(&mut state);
            }
        }
        drop(state);
        shared.changed.notify_all();
        Ok(answer)
    }

    /// Asks the transaction coordinator, again while the id is busy; `late` is the kind of error if that lasts too long.
    pub(super) fn ask_coordinator<T>(
        &self,
        transactional_id: &str,
        timeout: Duration,
        late: ErrorKind,
        mut ask: impl FnMut(&mut State) -> Result<T, Refusal>,
    ) -> Result<T> {
        let attempt = |state: &mut State| match ask(state) {
            Ok(answer) => Some(Ok(answer)),
            Err(Refusal::Error(error)) => Some(Err(error)),
            Err(Refusal::Busy) => None,
        };
        let answer = self.wait(timeout, attempt, |state| state.hurry_markers_of(transactional_id))?;
        answer.unwrap_or_else(|| {
            let text =
                format!("{transactional_id}: the markers of its last transaction did not arrive within {timeout:?}");
            Err(Error::new(late, text))
        })
    }
}

impl Log for Client {
    fn admin(&self) -> Result<Box<dyn Admin>> {
        Ok(Box::new(InprocAdmin::new(self.clone())))
    }

    fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(InprocConsumer::new(self.clone(), spec)))
    }

    fn producer(&self, spec: &ProducerSpec) -> Result<Box<dyn Producer>> {
        Ok(Box::new(InprocProducer::new(self.clone(), spec)?))
    }

    fn coordinator(&self, group: &str) -> Result<Box<dyn Coordinator>> {
        Ok(Box::new(InprocCoordinator::new(self.clone(), group)))
    }

    fn offsets(&self, group: &str) -> Result<Box<dyn Offsets>> {
        Ok(Box::new(InprocOffsets::new(self.clone(), group)))
    }
}

/// A numeric client property.
pub(super) fn number(config: &[(String, String)], name: &str, default: usize) -> Result<usize> {
    let Some((_, text)) = config.iter().rev().find(|(known, _)| known == name) else {
        return Ok(default);
    };
    text.trim()
        .parse()
        .map_err(|_| Error::new(ErrorKind::Config, format!("{name} must be a number, not {text:?}")))
}
