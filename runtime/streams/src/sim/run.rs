//! Plays a history: one thread steps every worker and driver, one seed draws everything, so that a seed replays.

mod end;
mod process;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::clock::{ManualClock, SharedClock};
use millrace_kafka::inproc::{Client, Cluster, ClusterOptions, FaultPlan};
use millrace_kafka::log::{Log as _, OutgoingRecord, Producer, ProducerSpec};
use millrace_state::MemoryVolume;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;

use super::faults::{FEEDER, Injector, Place, Struck, set_pause};
use super::history::{Event, History, Input, Part, T0, TICK};
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
/// In how many looks in a row it has to be so: an error takes a moment to be seen from outside.
const LOOKS: u32 = 3;

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
    let world: Shared = Rc::new(RefCell::new(World::new(history)));
    let paused = Rc::clone(&world);
    set_pause(Some(Rc::new(move |ticks| {
        for _ in 0..ticks {
            if let Err(wrong) = tick(&paused) {
                paused.borrow_mut().wrong.get_or_insert(wrong);
            }
        }
    })));
    plant(mutant);
    let played = catch_unwind(AssertUnwindSafe(|| play(&world)));
    plant(None);
    set_pause(None);
    let outcome = played.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    let mut world = world.borrow_mut();
    Run {
        outcome,
        calls: world.injector.calls(),
        struck: world.injector.struck(),
        journal: std::mem::take(&mut world.journal),
        is_compacted: world.is_compacted,
    }
}

/// The world may be asked to go on from within a call of one of its processes: nobody borrows it while a process moves.
type Shared = Rc<RefCell<World>>;

fn play(world: &Shared) -> Result<Outcome, String> {
    world.borrow_mut().prepare()?;
    // What happens last has its consequences.
    let last = world.borrow().history.last_tick() + 10;
    let mut looks = 0;
    while looks < LOOKS {
        tick(world)?;
        let mut world = world.borrow_mut();
        if let Some(wrong) = world.wrong.take() {
            return Err(wrong);
        }
        if world.tick > last && world.tick.is_multiple_of(LOOK_EVERY) {
            looks = if world.is_done() { looks + 1 } else { 0 };
        }
        if world.tick > MOST_TICKS {
            return Err(format!("it hangs: {}", world.what_is_missing()));
        }
    }
    let mut world = world.borrow_mut();
    world.injector.end();
    world.stop_all()?;
    let disks: Vec<MemoryVolume> = world.slots.iter().map(|slot| slot.disk.clone()).collect();
    Outcome::take(&world.cluster, &world.layout, &world.history, &disks)
}

/// The clock moves on, what is due happens, and everybody moves.
fn tick(world: &Shared) -> Result<(), String> {
    let order = {
        let mut world = world.borrow_mut();
        if std::mem::replace(&mut world.has_begun, true) {
            world.clock.advance(TICK);
            world.tick += 1;
        }
        world.happen()?;
        let mut order: Vec<usize> = (0..world.slots.len()).collect();
        order.shuffle(&mut world.rng);
        order
    };
    for index in order {
        process::step(world, index)?;
    }
    Ok(())
}

struct World {
    history: Rc<History>,
    application: Application,
    layout: Layout,
    cluster: Cluster,
    /// Writes input in transactions.
    feeder: Option<Box<dyn Producer>>,
    clock: Arc<ManualClock>,
    injector: Arc<Injector>,
    rng: SmallRng,
    tick: u32,
    has_begun: bool,
    slots: Vec<Slot>,
    journal: Vec<String>,
    is_compacted: bool,
    /// What went wrong while a process stood still.
    wrong: Option<String>,
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
    /// It is making a call.
    Busy,
}

struct Up {
    instance: Instance,
    client: Client,
    /// Stopping, to be started again after so many ticks.
    bounce: Option<u32>,
    stalled_until: u32,
    stalled: Part,
}

impl World {
    fn new(history: &History) -> Self {
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
            history: Rc::new(history.clone()),
            application,
            layout,
            cluster,
            feeder: None,
            clock,
            injector,
            rng: SmallRng::seed_from_u64(history.seed ^ 0x5EED),
            tick: 0,
            has_begun: false,
            slots,
            journal: Vec::new(),
            is_compacted: false,
            wrong: None,
        }
    }

    /// Topics, and who strikes.
    fn prepare(&mut self) -> Result<(), String> {
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
        if self.history.feeds_transactions {
            self.feeder = Some(feeder(&self.cluster).map_err(|error| error.to_string())?);
        }
        let plan = Arc::clone(&self.injector) as Arc<dyn FaultPlan>;
        self.cluster.set_faults(Some(plan));
        Ok(())
    }

    fn note(&mut self, what: String) {
        self.journal.push(format!("tick {:4}: {what}", self.tick));
    }

    /// What is due by the clock.
    fn happen(&mut self) -> Result<(), String> {
        let tick = self.tick;
        let history = Rc::clone(&self.history);
        for record in history.records.iter().filter(|record| record.tick == tick) {
            self.append(record).map_err(|error| error.to_string())?;
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

    fn append(&mut self, record: &Input) -> millrace_kafka::Result<()> {
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        let timestamp = T0 + record.time;
        let Some(feeder) = &mut self.feeder else {
            let appended = self
                .cluster
                .append(record.topic, record.partition, key, value, timestamp, &[]);
            return appended.map(|_| ());
        };
        feeder.begin()?;
        let topic = feeder.topic(record.topic)?;
        feeder.send(OutgoingRecord {
            topic,
            partition: record.partition,
            key,
            value,
            timestamp,
            headers: &[],
        })?;
        feeder.flush(TICK)?;
        if record.is_aborted {
            feeder.abort(TICK)
        } else {
            feeder.commit(TICK)
        }
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
}

fn feeder(cluster: &Cluster) -> millrace_kafka::Result<Box<dyn Producer>> {
    let mut feeder = cluster.client(FEEDER).producer(&ProducerSpec {
        client_id: FEEDER.to_owned(),
        transactional_id: Some(FEEDER.to_owned()),
        config: Vec::new(),
    })?;
    feeder.init_transactions(TICK)?;
    Ok(feeder)
}

fn new_disk(history: &History, index: usize, number: u32) -> MemoryVolume {
    let seed = history.seed ^ ((index as u64) << 32) ^ (u64::from(number) << 40) ^ 0xD15C;
    MemoryVolume::with_chunks(seed, history.chunk_rows)
}
