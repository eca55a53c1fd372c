//! Plays a history: one thread steps every worker and driver, one seed draws everything, so that a seed replays.

mod end;
mod process;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::clock::{ManualClock, SharedClock};
use millrace_kafka::inproc::{Client, Cluster, ClusterOptions, FaultPlan};
use millrace_state::MemoryVolume;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;

use super::faults::{Injector, Place, Struck};
use super::history::{Event, History, Part, T0, TICK};
use super::outcome::Outcome;
use crate::layout::Layout;
use crate::mutant::{Mutant, plant};
use crate::{Application, Instance};

pub(super) const APPLICATION_ID: &str = "app";
const OUTPUT_PARTITIONS: i32 = 2;
/// A history that is not done after so many ticks hangs.
const MOST_TICKS: u32 = 6_000;
/// How often is looked whether all is done.
const LOOK_EVERY: u32 = 5;

/// What came of a history.
pub(super) struct Run {
    /// What the topics and volumes hold in the end, or what went wrong.
    pub outcome: Result<Outcome, String>,
    pub calls: BTreeMap<Place, u32>,
    pub struck: Vec<Struck>,
    /// What happened when, for a reader.
    pub journal: Vec<String>,
    /// Changelogs have lost what was overwritten.
    pub is_compacted: bool,
}

/// Plays `history`, with this fault planted in the engine.
pub(super) fn run(history: &History, mutant: Option<Mutant>) -> Run {
    let mut world = World::new(history);
    plant(mutant);
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    plant(None);
    let outcome = played.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    Run {
        outcome,
        calls: world.injector.calls(),
        struck: world.injector.struck(),
        journal: std::mem::take(&mut world.journal),
        is_compacted: world.is_compacted,
    }
}

struct World<'a> {
    history: &'a History,
    application: Application,
    layout: Layout,
    cluster: Cluster,
    clock: Arc<ManualClock>,
    injector: Arc<Injector>,
    rng: SmallRng,
    tick: u32,
    slots: Vec<Slot>,
    journal: Vec<String>,
    is_compacted: bool,
}

/// A place where a process runs, with its volume.
struct Slot {
    disk: MemoryVolume,
    /// Volumes that this place has had.
    disks: u32,
    /// Processes that ran here.
    starts: u32,
    state: State,
}

enum State {
    /// It has not started yet.
    Absent,
    Down {
        until: u32,
    },
    Up(Box<Up>),
}

struct Up {
    instance: Instance,
    client: Client,
    /// Stopping, to be started again after so many ticks.
    bounce: Option<u32>,
    stalled_until: u32,
    stalled: Part,
}

impl<'a> World<'a> {
    fn new(history: &'a History) -> Self {
        let clock = Arc::new(ManualClock::at(T0));
        let cluster = Cluster::new(ClusterOptions {
            clock: Arc::clone(&clock) as SharedClock,
            seed: history.seed,
            markers: history.markers,
            shuffle_sends: true,
            split_reads: history.splits_reads,
            min_session_timeout: Duration::from_millis(1),
            ..ClusterOptions::default()
        });
        let injector = Arc::new(Injector::new(&history.faults));
        let application = history.app.build();
        let layout = Layout::new(application.plan(), APPLICATION_ID);
        let slots = (0..history.instances)
            .map(|index| Slot {
                disk: new_disk(history, index, 0),
                disks: 0,
                starts: 0,
                state: if index == 0 {
                    State::Down { until: 0 }
                } else {
                    State::Absent
                },
            })
            .collect();
        Self {
            history,
            application,
            layout,
            cluster,
            clock,
            injector,
            rng: SmallRng::seed_from_u64(history.seed ^ 0x5EED),
            tick: 0,
            slots,
            journal: Vec::new(),
            is_compacted: false,
        }
    }

    fn play(&mut self) -> Result<Outcome, String> {
        let create = |topics: &[&str], partitions| {
            for topic in topics {
                self.cluster
                    .create_topic(topic, partitions)
                    .unwrap_or_else(|error| panic!("{error}"));
            }
        };
        create(self.history.app.inputs(), self.history.app.partitions);
        let outputs: Vec<&str> = self.history.app.branches.iter().map(|branch| branch.output()).collect();
        create(&outputs, OUTPUT_PARTITIONS);
        let plan = Arc::clone(&self.injector) as Arc<dyn FaultPlan>;
        self.cluster.set_faults(Some(plan));
        // What happens last has its consequences.
        let last = self.history.last_tick() + 10;
        loop {
            self.happen()?;
            self.step_all()?;
            self.clock.advance(TICK);
            self.tick += 1;
            if self.tick > last && self.tick.is_multiple_of(LOOK_EVERY) && self.is_done() {
                break;
            }
            if self.tick > MOST_TICKS {
                return Err(format!("it hangs: {}", self.what_is_missing()));
            }
        }
        self.injector.end();
        self.stop_all()?;
        let disks: Vec<MemoryVolume> = self.slots.iter().map(|slot| slot.disk.clone()).collect();
        Outcome::take(&self.cluster, &self.layout, self.history, &disks)
    }

    fn note(&mut self, what: String) {
        self.journal.push(format!("tick {:4}: {what}", self.tick));
    }

    /// What is due by the clock.
    fn happen(&mut self) -> Result<(), String> {
        let tick = self.tick;
        let history = self.history;
        for record in history.records.iter().filter(|record| record.tick == tick) {
            let bytes = |text: &'a Option<String>| text.as_deref().map(str::as_bytes);
            let (key, value) = (bytes(&record.key), bytes(&record.value));
            self.cluster
                .append(record.topic, record.partition, key, value, T0 + record.time, &[])
                .map_err(|error| error.to_string())?;
        }
        for (_, event) in history.events.iter().filter(|(at, _)| *at == tick) {
            match *event {
                Event::Start { instance } => {
                    if let State::Absent = self.slots[instance].state {
                        self.slots[instance].state = State::Down { until: tick };
                    }
                }
                Event::Bounce { instance, down } => {
                    if let State::Up(up) = &mut self.slots[instance].state {
                        up.instance.stop();
                        up.bounce = Some(down);
                        self.note(format!("instance {instance} is asked to stop"));
                    }
                }
                Event::Stall { instance, ticks, part } => {
                    if let State::Up(up) = &mut self.slots[instance].state {
                        (up.stalled_until, up.stalled) = (tick + ticks, part);
                        self.note(format!("instance {instance} stalls for {ticks} ticks: {part:?}"));
                    }
                }
                Event::Compact => self.compact(false),
            }
        }
        Ok(())
    }

    fn compact(&mut self, drop_tombstones: bool) {
        let changelogs = self.layout.parts.values().flat_map(|part| &part.stores);
        for changelog in changelogs.filter_map(|store| store.changelog.as_ref()) {
            // A topic that is not there yet is compact.
            let _ = if drop_tombstones {
                self.cluster.compact(changelog)
            } else {
                self.cluster.compact_keeping_tombstones(changelog)
            };
        }
        self.is_compacted = true;
    }

    fn step_all(&mut self) -> Result<(), String> {
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.shuffle(&mut self.rng);
        for index in order {
            self.step(index)?;
        }
        Ok(())
    }
}

fn new_disk(history: &History, index: usize, number: u32) -> MemoryVolume {
    let seed = history.seed ^ ((index as u64) << 32) ^ (u64::from(number) << 40) ^ 0xD15C;
    MemoryVolume::with_chunks(seed, history.chunk_rows)
}
