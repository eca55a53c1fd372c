//! From a seed to a history: an application, its input, what happens by the clock, and faults that begin with one chosen call.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_kafka::ErrorKind;
use millrace_kafka::inproc::{MarkerPolicy, Point};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt, SeedableRng};

use super::app::{App, Branch};
use super::faults::{At, Effect, Fault, Place, Return, StoreCall};
use super::history::{Event, History, Input, Part};

/// A history that has no faults yet: how often each call is made decides which of them is struck.
pub(super) struct Draft {
    pub history: History,
    /// The call that this seed is about.
    target: Place,
    rng: SmallRng,
}

/// The history of a seed, before its faults.
pub(super) fn draft(seed: u64) -> Draft {
    let mut rng = SmallRng::seed_from_u64(seed);
    let places = Place::all();
    // In turn, so that few seeds reach all.
    let target = places[(seed % places.len() as u64) as usize];
    let is_exactly_once = match target {
        Place::Log(Point::OffsetsCommit) => false,
        Place::Log(
            Point::ProducerInit
            | Point::ProducerBegin
            | Point::ProducerSendOffsets
            | Point::ProducerCommit
            | Point::ProducerAbort
            | Point::AdminFenceProducer,
        ) => true,
        _ => rng.random_bool(0.75),
    };
    let app = app(&mut rng, target);
    let needs_two = target == Place::Log(Point::AdminFenceProducer);
    let instances = if needs_two {
        2
    } else {
        pick(&mut rng, &[1, 1, 1, 2, 2, 3])
    };
    let history = History {
        seed,
        // At least once, aborted records are read, too.
        feeds_transactions: is_exactly_once && rng.random_bool(0.25),
        records: records(&mut rng, &app, is_exactly_once),
        app,
        is_exactly_once,
        cache_bytes: pick(&mut rng, &[0, 0, 0, 300, 10_485_760]),
        properties: properties(&mut rng, target),
        instances,
        workers: pick(&mut rng, &[1, 1, 2]),
        is_static: rng.random_bool(0.2) && target != Place::Log(Point::GroupLeave),
        markers: match rng.random_range(0..4) {
            0 => MarkerPolicy::Immediate,
            1 => MarkerPolicy::Steps(rng.random_range(1..300)),
            _ => MarkerPolicy::Delayed(Duration::from_millis(rng.random_range(1..400))),
        },
        splits_reads: rng.random_bool(0.8),
        chunk_rows: pick(&mut rng, &[usize::MAX, usize::MAX, 1, 3]),
        events: Vec::new(),
        faults: Vec::new(),
    };
    let mut draft = Draft { history, target, rng };
    draft.add_events();
    draft
}

fn pick<T: Copy>(rng: &mut SmallRng, from: &[T]) -> T {
    *from.choose(rng).expect("there is something to choose from")
}

fn app(rng: &mut SmallRng, target: Place) -> App {
    let mut branches: Vec<Branch> = Branch::ALL.into_iter().filter(|_| rng.random_bool(0.4)).collect();
    let (needs_repartition, needs_store) = match target {
        Place::Log(Point::AdminDeleteRecords) => (true, true),
        Place::Store(_) | Place::Log(Point::AdminTopicConfig | Point::AdminCreateTopics) => (false, true),
        _ => (false, false),
    };
    if needs_repartition && !branches.iter().any(|branch| branch.repartitions()) {
        branches.push(pick(rng, &[Branch::Classes, Branch::Tops]));
    }
    if branches.is_empty() || (needs_store && branches == [Branch::Copies]) {
        branches.insert(0, pick(rng, &[Branch::Windows, Branch::Keys]));
    }
    App {
        branches,
        partitions: rng.random_range(1..=3),
        is_merged: rng.random_bool(0.2),
    }
}

fn properties(rng: &mut SmallRng, target: Place) -> Vec<(&'static str, &'static str)> {
    let purge = if target == Place::Log(Point::AdminDeleteRecords) {
        "50"
    } else {
        pick(rng, &["50", "30000"])
    };
    vec![
        ("commit.interval.ms", pick(rng, &["30", "100", "250"])),
        ("max.task.idle.ms", pick(rng, &["-1", "0", "40"])),
        ("repartition.purge.interval.ms", purge),
        ("millrace.state.flush.max.lag.ms", pick(rng, &["0", "100", "60000"])),
        ("max.poll.records", pick(rng, &["1", "4", "1000"])),
        ("buffered.records.per.partition", pick(rng, &["1", "1000"])),
        ("statestore.uncommitted.max.bytes", pick(rng, &["-1", "-1", "200"])),
    ]
}

/// Timestamps rise with some disorder, keys come again, some keys and values are null, some values are no numbers.
fn records(rng: &mut SmallRng, app: &App, is_exactly_once: bool) -> Vec<Input> {
    let count = rng.random_range(4..=50);
    let last_tick = rng.random_range(1..=120);
    let letters = pick(rng, &[2, 4]);
    // At least once, a restore may have seen windows that are to be filled again; they must not expire meanwhile.
    let step = if is_exactly_once {
        pick(rng, &[400, 400, 6_000])
    } else {
        400
    };
    let mut ticks: Vec<u32> = (0..count)
        .map(|_| {
            if rng.random_bool(0.3) {
                0
            } else {
                rng.random_range(0..=last_tick)
            }
        })
        .collect();
    ticks.sort_unstable();
    let mut time = 0;
    ticks
        .into_iter()
        .map(|tick| {
            time += rng.random_range(0..step);
            let topic = *app.inputs().choose(rng).expect("there is an input");
            let partition = rng.random_range(0..app.partitions);
            let letter = ["w", "x", "y", "z"][rng.random_range(0..letters)];
            let source = topic.trim_start_matches("in-");
            Input {
                tick,
                topic,
                partition,
                key: (!rng.random_bool(0.05)).then(|| format!("{source}{partition}-{letter}")),
                value: match rng.random_range(0..20) {
                    0 => None,
                    1 => Some("?".to_owned()),
                    _ => Some(rng.random_range(0..10).to_string()),
                },
                time: if rng.random_bool(0.2) {
                    (time - rng.random_range(0..15_000)).max(0)
                } else {
                    time
                },
                is_aborted: rng.random_bool(0.15),
            }
        })
        .collect()
}

impl Draft {
    fn add_events(&mut self) {
        let (history, rng) = (&mut self.history, &mut self.rng);
        let mut events = Vec::new();
        for instance in 1..history.instances {
            events.push((rng.random_range(0..80), Event::Start { instance }));
        }
        let any = |rng: &mut SmallRng| rng.random_range(0..history.instances);
        let is_about_the_end = matches!(
            self.target,
            Place::Log(Point::GroupLeave | Point::ConsumerUnassign) | Place::Store(StoreCall::Close)
        );
        if is_about_the_end || rng.random_bool(0.25) {
            let (instance, down) = (any(rng), rng.random_range(1..80));
            events.push((rng.random_range(30..150), Event::Bounce { instance, down }));
        }
        if rng.random_bool(0.25) {
            // At least once, a process whose group has forgotten it may write over what its successor wrote: nothing fences it.
            let part = if history.is_exactly_once {
                pick(rng, &[Part::All, Part::Workers, Part::Driver])
            } else {
                Part::Workers
            };
            let (instance, ticks) = (any(rng), rng.random_range(20..250));
            events.push((rng.random_range(5..150), Event::Stall { instance, ticks, part }));
        }
        if rng.random_bool(0.2) {
            events.push((rng.random_range(20..150), Event::Compact));
        }
        events.sort_by_key(|(tick, _)| *tick);
        history.events = events;
    }

    /// The whole history, given how often each call is made where nothing goes wrong.
    pub(super) fn finish(mut self, calls: &BTreeMap<Place, u32>) -> History {
        let total: u32 = calls.values().sum();
        let mut faults = self.leading_there(total);
        let usual = if faults.is_empty() {
            calls.get(&self.target).copied().unwrap_or(0).max(1)
        } else {
            2
        };
        let errors = self.target.errors();
        let effect = match self.rng.random_range(0..10) {
            0..4 => Effect::CrashBefore,
            4..7 => Effect::CrashAfter,
            7 if self.history.is_exactly_once => Effect::Pause(self.rng.random_range(10..250)),
            _ => *errors.choose(&mut self.rng).unwrap_or(&Effect::CrashAfter),
        };
        faults.push(Fault {
            at: At::Nth(self.target, self.rng.random_range(1..=usual)),
            effect,
            back: self.back(),
        });
        // Soon after: while the successor starts and restores.
        while faults.len() < 4 && self.rng.random_bool(0.5) {
            let mut fault = self.crash(200);
            if self.rng.random_bool(0.3) {
                fault = self.error();
            } else if self.history.is_exactly_once && self.rng.random_bool(0.3) {
                fault.effect = Effect::Pause(self.rng.random_range(10..250));
            }
            faults.push(fault);
        }
        self.history.faults = faults;
        self.history
    }

    /// Calls that are only made after something went wrong.
    fn leading_there(&mut self, total: u32) -> Vec<Fault> {
        match self.target {
            Place::Store(StoreCall::SetAside) => {
                let nth = self.rng.random_range(1..=2);
                vec![Fault {
                    at: At::Nth(Place::Store(StoreCall::Open), nth),
                    effect: Effect::Damaged,
                    back: self.back(),
                }]
            }
            Place::Store(StoreCall::Wipe) => {
                // What is on disk lags, and then stands still for too long.
                self.history
                    .properties
                    .retain(|(name, _)| !name.ends_with("flush.max.lag.ms"));
                let mut fault = self.crash(total);
                fault.at = At::Nth(Place::Store(StoreCall::Apply), self.rng.random_range(2..=4));
                fault.back.is_long = true;
                fault.back.loses_volume = false;
                vec![fault]
            }
            Place::Store(StoreCall::Restore) => vec![self.crash(total)],
            Place::Log(Point::AdminFenceProducer) => {
                // A member dies that the leader has seen, and stays away for longer than its session.
                let mut fault = self.crash(total);
                fault.at = At::Nth(Place::Log(Point::GroupHeartbeat), self.rng.random_range(20..60));
                fault.back.down = self.rng.random_range(70..200);
                fault.back.is_long = false;
                self.history.events = vec![(0, Event::Start { instance: 1 }), (250, Event::Compact)];
                vec![fault]
            }
            Place::Log(Point::ProducerAbort) => {
                let point = pick(
                    &mut self.rng,
                    &[Point::ProducerFlush, Point::ProducerSendOffsets, Point::ProducerSend],
                );
                vec![Fault {
                    at: At::Nth(Place::Log(point), self.rng.random_range(1..=3)),
                    effect: Effect::Refused(ErrorKind::Retriable),
                    back: self.back(),
                }]
            }
            _ => Vec::new(),
        }
    }

    fn crash(&mut self, within: u32) -> Fault {
        Fault {
            at: At::Call(self.rng.random_range(1..=within.max(1))),
            effect: if self.rng.random_bool(0.5) {
                Effect::CrashBefore
            } else {
                Effect::CrashAfter
            },
            back: self.back(),
        }
    }

    fn error(&mut self) -> Fault {
        let places = Place::all().into_iter().filter(|place| !place.errors().is_empty());
        let place = pick(&mut self.rng, &places.collect::<Vec<_>>());
        Fault {
            at: At::Nth(place, self.rng.random_range(1..=4)),
            effect: pick(&mut self.rng, &place.errors()),
            back: self.back(),
        }
    }

    fn back(&mut self) -> Return {
        Return {
            down: self.rng.random_range(1..90),
            loses_volume: self.rng.random_bool(0.15),
            is_long: self.rng.random_bool(0.03),
        }
    }
}
