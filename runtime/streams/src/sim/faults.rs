//! Every call that an instance makes on the log or on its state, and the faults that befall them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use millrace_kafka::ErrorKind;
use millrace_kafka::inproc::{Fault as LogFault, FaultPlan, Point};
use parking_lot::Mutex;

/// A call on a task's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StoreCall {
    Open,
    Get,
    /// Rows, with the position that belongs to them.
    Apply,
    /// A position without rows.
    ApplyPosition,
    FlushIfLagging,
    Restore,
    FinishRestore,
    Wipe,
    SetAside,
    Close,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Log(Point),
    Store(StoreCall),
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The process dies, and the call has not happened.
    CrashBefore,
    /// The process dies, and the call has happened.
    CrashAfter,
    /// An error; the call has not happened.
    Refused(ErrorKind),
    /// An error; the call has happened.
    AnswerLost(ErrorKind),
    /// The disk refuses.
    DiskError,
    /// The disk is full; then there is room again.
    DiskFull,
    /// The state cannot be trusted.
    Damaged,
    /// The process stands still for so many ticks (SIGSTOP) while the world goes on; then the call happens.
    Pause(u32),
}

impl Effect {
    pub(super) fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }
}

/// Which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The nth call of this kind, by any instance.
    Nth(Place, u32),
    /// The nth call of any kind.
    Call(u32),
}

/// How the process comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Return {
    /// After so many ticks.
    pub down: u32,
    /// On an empty volume.
    pub loses_volume: bool,
    /// All processes die, and are away for longer than `delete.retention.ms`.
    pub is_long: bool,
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: At,
    pub effect: Effect,
    pub back: Return,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Nth(place, nth) => write!(f, "{:?} at call {nth} of {place}", self.effect)?,
            At::Call(nth) => write!(f, "{:?} at call {nth}", self.effect)?,
        }
        if self.effect.is_crash() {
            let volume = if self.back.loses_volume { "an empty" } else { "its" };
            write!(f, "; back after {} ticks on {volume} volume", self.back.down)?;
            if self.back.is_long {
                f.write_str(", two days later")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(point) => write!(f, "{point:?}"),
            Self::Store(call) => write!(f, "Store{call:?}"),
        }
    }
}

impl Place {
    /// Every place that an engine comes to. Topics are deleted by nobody but the reset tool.
    pub(super) fn all() -> Vec<Self> {
        use StoreCall as S;
        let log = Point::ALL.iter().copied().filter(|point| !UNUSED.contains(point));
        let stores = [
            S::Open,
            S::Get,
            S::Apply,
            S::ApplyPosition,
            S::FlushIfLagging,
            S::Restore,
            S::FinishRestore,
            S::Wipe,
            S::SetAside,
            S::Close,
        ];
        log.map(Self::Log).chain(stores.map(Self::Store)).collect()
    }

    /// The errors that this call may answer, beside crashes.
    pub(super) fn errors(self) -> Vec<Effect> {
        use ErrorKind::{Abortable, Fenced, OutcomeUnknown, Rejoin, Retriable, Unreachable};
        let lost = |kinds: &[ErrorKind]| -> Vec<Effect> { kinds.iter().copied().map(Effect::Refused).collect() };
        let both = |kinds: &[ErrorKind]| {
            let mut effects = lost(kinds);
            effects.push(Effect::AnswerLost(Retriable));
            effects
        };
        match self {
            // A lost connection is an answer here, and no error.
            Self::Log(Point::GroupPoll) => Vec::new(),
            Self::Log(Point::ProducerSend | Point::ProducerPoll | Point::ProducerFlush) => {
                both(&[Retriable, Fenced, Abortable])
            }
            Self::Log(Point::ProducerInit | Point::ProducerBegin) => both(&[Retriable, Fenced]),
            Self::Log(Point::ProducerSendOffsets) => both(&[Retriable, Fenced, Abortable, Rejoin]),
            Self::Log(Point::ProducerCommit) => {
                let mut effects = lost(&[Retriable, Fenced, Abortable, OutcomeUnknown]);
                effects.push(Effect::AnswerLost(OutcomeUnknown));
                effects
            }
            Self::Log(Point::OffsetsCommit) => both(&[Retriable, Rejoin]),
            Self::Log(_) => both(&[Retriable, Unreachable]),
            Self::Store(StoreCall::SetAside) => vec![Effect::DiskError, Effect::DiskFull],
            Self::Store(_) => vec![Effect::DiskError, Effect::DiskFull, Effect::Damaged],
        }
    }
}

/// The process that writes the input: it is no part of the application.
pub(super) const FEEDER: &str = "feeder";

/// Calls that the engine does not make.
const UNUSED: [Point; 2] = [Point::AdminDeleteTopics, Point::OffsetsDescribe];

/// A fault that struck.
#[derive(Clone, Debug)]
pub(super) struct Struck {
    pub fault: Fault,
    pub place: Place,
    pub client: String,
}

/// Lets the world go on for so many ticks, without the process that is making a call.
type GoOn = Rc<dyn Fn(u32)>;

thread_local! {
    static GO_ON: RefCell<Option<GoOn>> = const { RefCell::new(None) };
}

/// Says how the world of this thread goes on while a process stands still.
pub(super) fn set_pause(go_on: Option<GoOn>) {
    GO_ON.set(go_on);
}

/// Strikes one fault after the other, and counts calls.
#[derive(Default)]
pub(super) struct Injector {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Vec<Fault>,
    /// Calls that the next fault may have struck and did not.
    passed: u32,
    calls: BTreeMap<Place, u32>,
    struck: Vec<Struck>,
    is_over: bool,
}

impl Injector {
    pub(super) fn new(faults: &[Fault]) -> Self {
        let state = State {
            faults: faults.to_vec(),
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// No more faults.
    pub(super) fn end(&self) {
        self.state.lock().is_over = true;
    }

    pub(super) fn calls(&self) -> BTreeMap<Place, u32> {
        self.state.lock().calls.clone()
    }

    pub(super) fn struck(&self) -> Vec<Struck> {
        self.state.lock().struck.clone()
    }

    /// The last fault that struck this process.
    pub(super) fn last_of(&self, client: &str) -> Option<Struck> {
        let state = self.state.lock();
        state
            .struck
            .iter()
            .rev()
            .find(|struck| struck.client == client)
            .cloned()
    }

    /// How often this process was struck so.
    pub(super) fn count_of(&self, client: &str, effect: Effect) -> usize {
        let state = self.state.lock();
        let struck = state.struck.iter();
        struck
            .filter(|struck| struck.client == client && struck.fault.effect == effect)
            .count()
    }

    /// The fate of a call. A pause has passed when this returns.
    pub(super) fn decide(&self, client: &str, place: Place) -> Option<Effect> {
        match self.strike(client, place)? {
            Effect::Pause(ticks) => {
                let go_on = GO_ON.with_borrow(Clone::clone)?;
                go_on(ticks);
                None
            }
            effect => Some(effect),
        }
    }

    fn strike(&self, client: &str, place: Place) -> Option<Effect> {
        if client == FEEDER {
            return None;
        }
        let mut state = self.state.lock();
        *state.calls.entry(place).or_default() += 1;
        let fault = *state.faults.get(state.struck.len()).filter(|_| !state.is_over)?;
        let nth = match fault.at {
            At::Nth(at, nth) if at == place => nth,
            At::Nth(..) => return None,
            At::Call(nth) => nth,
        };
        state.passed += 1;
        if state.passed < nth {
            return None;
        }
        state.passed = 0;
        state.struck.push(Struck {
            fault,
            place,
            client: client.to_owned(),
        });
        Some(fault.effect)
    }
}

impl FaultPlan for Injector {
    fn at(&self, client: &str, point: Point) -> LogFault {
        match self.decide(client, Place::Log(point)) {
            None | Some(Effect::DiskError | Effect::DiskFull | Effect::Damaged | Effect::Pause(_)) => LogFault::None,
            Some(Effect::CrashBefore) => LogFault::CrashBefore,
            Some(Effect::CrashAfter) => LogFault::CrashAfter,
            Some(Effect::Refused(kind)) => LogFault::LoseRequest(kind),
            Some(Effect::AnswerLost(kind)) => LogFault::LoseAnswer(kind),
        }
    }
}
