//! Between the group and the workers: takes assignments, hands tasks out, waits for answers. It never touches a record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use millrace_kafka::ErrorKind;
use millrace_kafka::assignor::{Assignment, FailureCode, TaskId};
use millrace_kafka::group::{Member, MemberEvent, MemberOptions, name_foreign_group};
use millrace_kafka::log::{Admin, GroupMembership, Offsets};

use super::caught_up::CaughtUp;
use super::cleanup::drop_old_state;
use super::identity::Identity;
use super::leader::Leader;
use crate::metrics::{Metrics, TaskMetrics};
use crate::worker::{Command, Report, Shared, WorkerParts};
use crate::{Code, Error, Result};

/// How often the group's commits are compared with the ends, in `--until-caught-up`.
const CAUGHT_UP_EVERY: Duration = Duration::from_millis(100);
/// How often old state is looked for.
const CLEANUP_EVERY: Duration = Duration::from_secs(60);
/// How long it may take to say who holds the group.
const DESCRIBE: Duration = Duration::from_secs(5);
/// The driver itself did not run for longer than this: the whole process was frozen.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a step waits for the coordinator.
const GROUP_POLL: Duration = Duration::from_millis(20);

struct WorkerSeat {
    thread: Option<JoinHandle<()>>,
    inbox: Sender<Command>,
    metrics: Arc<TaskMetrics>,
    tasks: BTreeSet<TaskId>,
    stopped: bool,
}

/// What the driver waits for.
enum Phase {
    /// Nothing: the assignment runs.
    Steady,
    /// Workers commit before the join.
    Preparing,
    /// Workers take the assignment over; then a rejoin, if tasks were given up.
    Installing { rejoin: bool },
    /// Workers drop their tasks.
    Dropping,
    /// Workers commit and close.
    Stopping,
    /// The member leaves.
    Leaving,
    /// The end.
    Stopped,
}

/// The driver.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    _identity: Identity,
    member: Member,
    leader: Leader,
    workers: Vec<WorkerSeat>,
    reports: Receiver<(usize, Report)>,
    phase: Phase,
    admin: Box<dyn Admin>,
    offsets: Box<dyn Offsets>,
    caught_up: Option<CaughtUp>,
    next_look: Duration,
    next_cleanup: Duration,
    stop_wanted: bool,
    failure: Option<Error>,
    /// Workers whose answer the phase waits for.
    awaited: BTreeSet<usize>,
    /// Of the commands that were sent last. An answer to older ones comes too late: another rebalance has begun since.
    round: u64,
    /// The generation that was installed last.
    installed: i32,
    /// Since when state of tasks lies here that run elsewhere.
    unowned: BTreeMap<TaskId, Duration>,
    /// When the workers were looked at last, and since when without a pause.
    last_watch: Duration,
    watched_since: Duration,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        identity: Identity,
        admin: Box<dyn Admin>,
        metrics: &Metrics,
    ) -> Result<(Self, Vec<WorkerParts>)> {
        let config = &shared.config;
        let options = MemberOptions {
            instance_id: config.group_instance_id.clone(),
            session_timeout: config.session_timeout,
            heartbeat_interval: config.heartbeat_interval,
            rebalance_timeout: config.max_poll_interval,
            seed: identity.id().as_u64_pair().0,
            ..MemberOptions::new(shared.layout.application_id.clone())
        };
        let member = Member::new(shared.log.coordinator(&shared.layout.application_id)?, options);
        let leader = Leader {
            shared: Arc::clone(&shared),
            admin: shared.log.admin()?,
            process_id: identity.id(),
            fingerprint: fingerprint(&shared),
            owned: BTreeSet::new(),
            rejoins: 0,
            producers: BTreeMap::new(),
        };
        let (outbox, reports) = unbounded();
        let (mut workers, mut parts) = (Vec::new(), Vec::new());
        for index in 0..config.num_stream_threads {
            let (inbox, commands) = unbounded();
            let (shared, outbox, metrics) = (Arc::clone(&shared), outbox.clone(), metrics.worker(index));
            let seat = Arc::clone(&metrics);
            parts.push(WorkerParts {
                index,
                shared,
                inbox: commands,
                outbox,
                metrics,
            });
            workers.push(WorkerSeat {
                thread: None,
                inbox,
                metrics: seat,
                tasks: BTreeSet::new(),
                stopped: false,
            });
        }
        let offsets = shared.log.offsets(&shared.layout.application_id)?;
        let driver = Self {
            shared,
            _identity: identity,
            member,
            leader,
            workers,
            reports,
            phase: Phase::Steady,
            admin,
            offsets,
            caught_up: None,
            next_look: Duration::ZERO,
            next_cleanup: CLEANUP_EVERY,
            stop_wanted: false,
            failure: None,
            awaited: BTreeSet::new(),
            round: 0,
            installed: -1,
            unowned: BTreeMap::new(),
            last_watch: Duration::ZERO,
            watched_since: Duration::ZERO,
        };
        Ok((driver, parts))
    }

    /// Puts every worker on a thread of its own.
    pub(crate) fn start_threads(&mut self, parts: Vec<WorkerParts>) -> Result<()> {
        for (seat, parts) in self.workers.iter_mut().zip(parts) {
            let name = format!("millrace-worker-{}", parts.index + 1);
            let thread = std::thread::Builder::new().name(name).spawn(move || parts.run());
            seat.thread =
                Some(thread.map_err(|error| Error::new(Code::X001, format!("no thread could be started: {error}")))?);
        }
        Ok(())
    }

    /// Runs until stopped, caught up or failed.
    pub(crate) fn run(&mut self, stop: impl Fn() -> bool) -> Result<()> {
        while !self.is_stopped() {
            if stop() {
                self.begin_stop();
            }
            self.step(GROUP_POLL)?;
        }
        self.finish()
    }

    /// One round, without waiting.
    pub(crate) fn step_once(&mut self) -> Result<()> {
        self.step(Duration::ZERO)?;
        if self.is_stopped() { self.finish() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<()> {
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take()
                && thread.join().is_err()
            {
                self.failure.get_or_insert_with(panicked_worker);
            }
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.phase, Phase::Stopped)
    }

    /// Asks for a clean stop.
    pub(crate) fn begin_stop(&mut self) {
        self.stop_wanted = true;
    }

    fn step(&mut self, wait: Duration) -> Result<()> {
        self.take_reports();
        let now = self.shared.clock.monotonic();
        self.check_threads();
        self.watch_workers(now);
        self.drop_old_state(now);
        if (self.stop_wanted || self.failure.is_some())
            && !matches!(self.phase, Phase::Stopping | Phase::Leaving | Phase::Stopped)
        {
            self.stop_workers();
        }
        if self.is_stopped() {
            return Ok(());
        }
        match self.member.step(now, &mut self.leader, wait) {
            Ok(events) => events.into_iter().for_each(|event| self.take_event(event)),
            Err(error) => {
                let error = self.group_error(error);
                self.fail(error);
                if matches!(self.phase, Phase::Leaving) {
                    self.phase = Phase::Stopped;
                }
            }
        }
        self.look_whether_caught_up(now);
        Ok(())
    }

    /// What ends the member; a group that is not ours is named.
    fn group_error(&mut self, error: millrace_kafka::Error) -> Error {
        if error.kind() != ErrorKind::ForeignGroup {
            return error.into();
        }
        let group = &self.shared.layout.application_id;
        match self.offsets.describe(DESCRIBE) {
            Ok(description) => Error::new(Code::G001, name_foreign_group(group, &description)),
            Err(unknown) => Error::new(Code::G001, format!("{error} (who they are cannot be told: {unknown})")),
        }
    }

    fn take_event(&mut self, event: MemberEvent) {
        match event {
            MemberEvent::Prepare { reason } => {
                tracing::info!(reason, "rebalance: committing before the join");
                if matches!(self.phase, Phase::Stopping | Phase::Leaving) {
                    self.member.ready_to_join();
                    return;
                }
                self.tell_all(|_, round| Command::Prepare { round });
                self.phase = Phase::Preparing;
                self.settle();
            }
            MemberEvent::Assigned {
                generation,
                membership,
                assignment,
                leader,
            } => {
                if !matches!(self.phase, Phase::Stopping | Phase::Leaving) {
                    self.install(generation, &membership, &assignment, leader);
                }
            }
            MemberEvent::Lost { reason } => {
                tracing::warn!(code = %Code::F002, reason, "the group went on without this member: its tasks are dropped");
                if !matches!(self.phase, Phase::Stopping | Phase::Leaving) {
                    self.drop_all();
                }
            }
            MemberEvent::Fenced { reason } => {
                let error = Error::new(
                    Code::F001,
                    format!(
                        "{reason}. Two processes use the same group.instance.id: give each its own, or stop the other one"
                    ),
                );
                self.fail(error);
            }
            MemberEvent::Left { confirmed } => {
                if !confirmed {
                    tracing::warn!(
                        "the coordinator did not confirm that this member left: the group waits for its session time-out"
                    );
                }
                self.phase = Phase::Stopped;
            }
        }
    }

    fn install(&mut self, generation: i32, membership: &GroupMembership, assignment: &[u8], leads: bool) {
        let assignment = match Assignment::decode(assignment) {
            Ok(assignment) => assignment,
            Err(error) => {
                let message = format!("the group's leader sent what cannot be read: {error}");
                return self.fail(Error::new(Code::G001, message));
            }
        };
        if let Some(failure) = &assignment.failure {
            return self.fail(assignment_error(failure.code, &failure.message));
        }
        let gave_up = !self.leader.owned.is_subset(&assignment.active);
        // A restarted static member may be the one that a hand-over waits for: the group takes no notice of its return.
        let returned = self.installed < 0 && assignment.followup && self.shared.config.group_instance_id.is_some();
        tracing::info!(
            target: "millrace::event",
            event = "assigned",
            generation,
            leads,
            active = ?names(&assignment.active),
            members = assignment.group.members,
            followup = assignment.followup,
            "assignment"
        );
        self.leader.owned.clone_from(&assignment.active);
        self.member.hurry(assignment.followup);
        self.spread(&assignment.active);
        self.tell_all(|worker, round| Command::Install {
            round,
            tasks: worker.tasks.clone(),
            membership: membership.clone(),
        });
        self.installed = generation;
        self.phase = Phase::Installing {
            rejoin: gave_up || returned,
        };
        self.settle();
    }

    /// Tasks stay with their workers; new ones go to the worker with the fewest.
    fn spread(&mut self, active: &BTreeSet<TaskId>) {
        for worker in &mut self.workers {
            worker.tasks.retain(|task| active.contains(task));
        }
        let placed: BTreeSet<TaskId> = self
            .workers
            .iter()
            .flat_map(|worker| worker.tasks.iter().copied())
            .collect();
        for task in active.difference(&placed) {
            let worker = self
                .workers
                .iter_mut()
                .min_by_key(|worker| worker.tasks.len())
                .expect("there is a worker");
            worker.tasks.insert(*task);
        }
    }

    fn drop_all(&mut self) {
        self.leader.owned.clear();
        for worker in &mut self.workers {
            worker.tasks.clear();
        }
        self.tell_all(|_, round| Command::Drop { round });
        self.phase = Phase::Dropping;
        self.settle();
    }

    fn stop_workers(&mut self) {
        self.tell_all(|_, _| Command::Stop);
        self.phase = Phase::Stopping;
        self.settle();
    }

    /// Sends every worker its command; their answers are awaited.
    fn tell_all(&mut self, command: impl Fn(&WorkerSeat, u64) -> Command) {
        self.round += 1;
        let round = self.round;
        let told = self
            .workers
            .iter()
            .enumerate()
            .filter(|(_, worker)| !worker.stopped && worker.inbox.send(command(worker, round)).is_ok());
        self.awaited = told.map(|(index, _)| index).collect();
    }

    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    fn worker_ended(&mut self, index: usize) {
        self.workers[index].stopped = true;
        self.awaited.remove(&index);
    }

    fn take_reports(&mut self) {
        while let Ok((index, report)) = self.reports.try_recv() {
            match report {
                Report::Done { round } if round == self.round => _ = self.awaited.remove(&index),
                Report::Done { .. } => {}
                Report::Stopped => self.worker_ended(index),
                Report::Failed(error) => {
                    self.worker_ended(index);
                    self.fail(error);
                }
                // It was overtaken in an older generation and has its tasks back by a newer installation.
                Report::Rejoin { generation, .. } if generation < self.installed => {}
                Report::Rejoin { reason, .. } => {
                    // The other workers run on: their tasks stay this member's.
                    for task in std::mem::take(&mut self.workers[index].tasks) {
                        self.leader.owned.remove(&task);
                    }
                    self.leader.rejoins += 1;
                    self.member.rejoin(reason);
                }
            }
        }
        self.settle();
    }

    /// Goes on when all awaited answers are in.
    fn settle(&mut self) {
        if !self.awaited.is_empty() {
            return;
        }
        match self.phase {
            Phase::Preparing => {
                self.phase = Phase::Steady;
                self.member.ready_to_join();
            }
            Phase::Installing { rejoin } => {
                self.phase = Phase::Steady;
                if rejoin {
                    self.leader.rejoins += 1;
                    self.member.rejoin("what it ran before is free");
                }
            }
            Phase::Dropping => self.phase = Phase::Steady,
            Phase::Stopping => {
                // A static member keeps its place: it comes back before its session is over, or somebody takes its tasks then.
                if self.shared.config.group_instance_id.is_some() || self.member.membership().is_none() {
                    self.phase = Phase::Stopped;
                } else {
                    self.phase = Phase::Leaving;
                    let now = self.shared.clock.monotonic();
                    self.member.leave(now, "the process stops");
                }
            }
            Phase::Steady | Phase::Leaving | Phase::Stopped => {}
        }
    }

    /// A worker thread that ended without a word has panicked.
    fn check_threads(&mut self) {
        let silent =
            |worker: &WorkerSeat| !worker.stopped && worker.thread.as_ref().is_some_and(JoinHandle::is_finished);
        let panicked: Vec<usize> = (0..self.workers.len())
            .filter(|index| silent(&self.workers[*index]))
            .collect();
        if panicked.is_empty() || !self.reports.is_empty() {
            return;
        }
        for index in panicked {
            self.worker_ended(index);
            self.fail(panicked_worker());
        }
        self.settle();
    }

    /// Heartbeats go on while a worker is stuck; so somebody must look whether it still moves (`max.poll.interval.ms`).
    fn watch_workers(&mut self, now: Duration) {
        let limit = self.shared.config.max_poll_interval;
        // While this thread was frozen, or waited for the cluster, the workers may have been as well.
        if now.saturating_sub(self.last_watch) > PAUSE {
            self.watched_since = now;
        }
        self.last_watch = now;
        for index in 0..self.workers.len() {
            let worker = &mut self.workers[index];
            let last = Duration::from_millis(worker.metrics.last_step.get().unsigned_abs());
            let still = now.saturating_sub(last.max(self.watched_since));
            if worker.stopped || worker.thread.is_none() || last.is_zero() || still <= limit {
                continue;
            }
            // Not joined: it may never end.
            worker.thread = None;
            self.worker_ended(index);
            let message = format!(
                "worker {} has not moved for {} s, longer than max.poll.interval.ms: a function, the disk or the cluster holds it. \
                 The process ends, so that others take its tasks",
                index + 1,
                still.as_secs()
            );
            self.fail(Error::new(Code::W001, message));
        }
    }

    /// State is dropped only by a member that stands firm in its group: while it joins, it owns nothing and would drop everything.
    fn drop_old_state(&mut self, now: Duration) {
        if now < self.next_cleanup || !matches!(self.phase, Phase::Steady) || !self.member.is_stable() {
            return;
        }
        self.next_cleanup = now + CLEANUP_EVERY;
        let dir = self.shared.state_dir.join(&self.shared.layout.application_id);
        let delay = self.shared.config.state_cleanup_delay;
        drop_old_state(
            self.shared.volume.as_ref(),
            &dir,
            &self.leader.owned,
            &mut self.unowned,
            now,
            delay,
        );
    }

    fn look_whether_caught_up(&mut self, now: Duration) {
        if !self.shared.until_caught_up
            || now < self.next_look
            || !matches!(self.phase, Phase::Steady)
            || self.stop_wanted
        {
            return;
        }
        self.next_look = now + CAUGHT_UP_EVERY;
        let (layout, timeout) = (&self.shared.layout, self.shared.call_timeout());
        let looked = match &mut self.caught_up {
            None => CaughtUp::now(layout, self.admin.as_mut(), timeout).map(|noted| {
                self.caught_up = Some(noted);
                false
            }),
            // The repartition topics exist once there was an assignment.
            Some(_) if self.member.membership().is_none() => Ok(false),
            Some(noted) => noted.reached(layout, self.admin.as_mut(), self.offsets.as_mut(), timeout),
        };
        match looked {
            Ok(true) => {
                tracing::info!(target: "millrace::event", event = "caught-up", "everything is processed and committed");
                self.stop_wanted = true;
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "whether everything is processed cannot be told yet"),
        }
    }
}

fn names(tasks: &BTreeSet<TaskId>) -> Vec<String> {
    tasks.iter().map(ToString::to_string).collect()
}

fn panicked_worker() -> Error {
    Error::new(
        Code::X001,
        "a worker panicked: this is a defect of Millrace, please report it",
    )
}

fn assignment_error(code: FailureCode, message: &str) -> Error {
    // The leader's text may carry its own code; the member repeats it.
    if let Some((code, rest)) = message.split_once(": ")
        && let Some(code) = Code::ALL.into_iter().find(|known| known.to_string() == code)
    {
        return Error::new(code, rest);
    }
    let code = match code {
        FailureCode::Topics => Code::T003,
        FailureCode::Plan => Code::G002,
        FailureCode::Foreign => Code::G001,
        FailureCode::Assign | FailureCode::Shutdown | FailureCode::Other(_) => Code::K004,
    };
    Error::new(code, message)
}

/// What makes two plans the same for their tasks: parts, stores and topics, not what functions compute.
fn fingerprint(shared: &Shared) -> Vec<u8> {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    for (number, part) in &shared.layout.parts {
        number.hash(&mut hasher);
        part.inputs.iter().for_each(|input| input.topic.hash(&mut hasher));
        for store in &part.stores {
            store.config.name.hash(&mut hasher);
            format!("{:?}", store.config.kind).hash(&mut hasher);
        }
        part.outputs.iter().for_each(|(_, topic)| topic.hash(&mut hasher));
    }
    hasher.finish().to_be_bytes().to_vec()
}
