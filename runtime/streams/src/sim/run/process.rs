//! The life of a process: it starts, is stepped, dies or ends, and starts again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::clock::SharedClock;
use millrace_kafka::inproc::Client;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use super::{APPLICATION_ID, Shared, State, Up, World, new_disk};
use crate::config::StreamsConfig;
use crate::sim::faults::Effect;
use crate::sim::history::{History, Part};
use crate::sim::volume::{Process, SimVolume};
use crate::{Application, Code, Error, Instance, InstanceOptions};

/// A process that ended with an error is started again after so many ticks.
const RESTART_TICKS: u32 = 20;
/// Longer than `delete.retention.ms`.
const LONG: Duration = Duration::from_secs(2 * 86_400);

/// Moves one process, if it is up, or starts it.
pub(super) fn step(world: &Shared, index: usize) -> Result<(), String> {
    let state = world.borrow_mut().take_state(index);
    let mut up = match state {
        Some(State::Up(up)) => up,
        Some(_) => return start(world, index),
        None => return Ok(()),
    };
    let (stalled, mut rng) = {
        let mut world = world.borrow_mut();
        let stalled = (up.stalled_until > world.tick).then_some(up.stalled);
        (stalled, SmallRng::seed_from_u64(world.rng.random()))
    };
    let stepped = up.instance.step_some(&mut |worker| match stalled {
        Some(Part::All) => false,
        Some(Part::Workers) if worker.is_some() => false,
        Some(Part::Driver) if worker.is_none() => false,
        _ => rng.random_bool(0.85),
    });
    let mut world = world.borrow_mut();
    if up.client.is_crashed() {
        // Its drop puts the volume back as a crash leaves it.
        drop(up);
        return world.crashed(index);
    }
    match stepped {
        Err(error) => {
            drop(up);
            world.ended(index, &error)
        }
        Ok(_) if up.instance.is_stopped() => {
            let down = up
                .bounce
                .ok_or_else(|| format!("instance {index} stopped, and nobody asked it to"))?;
            drop(up);
            let until = world.tick + down;
            world.slots[index].state = State::Down { until };
            world.note(format!("instance {index} has stopped"));
            Ok(())
        }
        Ok(_) => {
            world.slots[index].state = State::Up(up);
            Ok(())
        }
    }
}

fn start(world: &Shared, index: usize) -> Result<(), String> {
    let (name, client, application, config, options) = world.borrow_mut().parts_of(index);
    let made = Instance::new(application, config, client.shared_log(), options);
    let mut world = world.borrow_mut();
    match made {
        Ok(instance) => {
            world.slots[index].state = State::Up(Box::new(Up {
                instance,
                client,
                bounce: None,
                stalled_until: 0,
                stalled: Part::All,
            }));
            world.note(format!("process {name} starts"));
            Ok(())
        }
        Err(_) if client.is_crashed() => world.crashed(index),
        // A process that cannot start says so and ends.
        Err(error) if world.injector.last_of(&name).is_some() => {
            let until = world.tick + RESTART_TICKS;
            world.slots[index].state = State::Down { until };
            world.note(format!("process {name} does not start: {error}"));
            Ok(())
        }
        Err(error) => Err(format!("process {name} cannot start: {error}")),
    }
}

impl World {
    /// The state of a place whose process is to move; none if there is nothing to do.
    fn take_state(&mut self, index: usize) -> Option<State> {
        let tick = self.tick;
        let state = &mut self.slots[index].state;
        match state {
            State::Absent | State::Busy => None,
            State::Down { until } if *until > tick => None,
            State::Down { .. } | State::Up(_) => Some(std::mem::replace(state, State::Busy)),
        }
    }

    /// What the next process of a place is made of.
    fn parts_of(&mut self, index: usize) -> (String, Client, Application, StreamsConfig, InstanceOptions) {
        let slot = &mut self.slots[index];
        slot.starts += 1;
        let name = format!("i{index}.{}", slot.starts);
        let client = self.cluster.client(&name);
        let process = Process {
            client: client.clone(),
            injector: Arc::clone(&self.injector),
        };
        let identity = format!("{index}.{}", slot.disks);
        let options = InstanceOptions {
            clock: Arc::clone(&self.clock) as SharedClock,
            transient: Some(Uuid::new_v5(&Uuid::NAMESPACE_DNS, identity.as_bytes())),
            ..InstanceOptions::new(Arc::new(SimVolume {
                disk: slot.disk.clone(),
                process,
            }))
        };
        let config = config(&self.history, index);
        (name, client, self.application.clone(), config, options)
    }

    /// The process is dead: what it had in memory is gone.
    fn crashed(&mut self, index: usize) -> Result<(), String> {
        let client = format!("i{index}.{}", self.slots[index].starts);
        let struck = self.injector.last_of(&client).ok_or("a process died of itself")?;
        let back = struck.fault.back;
        self.note(format!("{client} dies: {} ({})", struck.fault, struck.place));
        if back.is_long {
            for slot in &mut self.slots {
                if let State::Up(up) = &slot.state {
                    up.client.crash();
                    slot.state = State::Down {
                        until: self.tick + back.down,
                    };
                }
            }
            self.clock.advance(LONG);
            self.compact(true);
        }
        let slot = &mut self.slots[index];
        slot.state = State::Down {
            until: self.tick + back.down,
        };
        if back.loses_volume {
            slot.disks += 1;
            slot.disk = new_disk(&self.history, index, slot.disks);
        }
        Ok(())
    }

    /// The process ended with an error: it may do so only if the disk failed, or damages the state again and again.
    fn ended(&mut self, index: usize, error: &Error) -> Result<(), String> {
        let client = format!("i{index}.{}", self.slots[index].starts);
        let struck = |effect| self.injector.count_of(&client, effect);
        let is_due = match error.code() {
            Code::S003 => struck(Effect::DiskError) > 0,
            Code::S002 => struck(Effect::Damaged) > 2,
            _ => false,
        };
        if !is_due {
            return Err(format!("process {client} ended: {error}"));
        }
        self.note(format!("process {client} ends: {error}"));
        self.slots[index].state = State::Down {
            until: self.tick + RESTART_TICKS,
        };
        Ok(())
    }
}

fn config(history: &History, index: usize) -> StreamsConfig {
    let guarantee = if history.is_exactly_once {
        "exactly_once_v2"
    } else {
        "at_least_once"
    };
    let mut properties: BTreeMap<String, String> = [
        ("application.id", APPLICATION_ID),
        ("bootstrap.servers", "in-process"),
        ("state.dir", "/nowhere"),
        ("processing.guarantee", guarantee),
        ("session.timeout.ms", "600"),
        ("heartbeat.interval.ms", "60"),
        ("max.poll.interval.ms", "1500"),
        ("producer.transaction.timeout.ms", "1500"),
        ("deserialization.exception.handler", "deadLetter"),
    ]
    .iter()
    .chain(&history.properties)
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect();
    let mut set = |name: &str, value: String| properties.insert(name.to_owned(), value);
    set("statestore.cache.max.bytes", history.cache_bytes.to_string());
    set("num.stream.threads", history.workers.to_string());
    if history.is_static {
        set("group.instance.id", format!("pod-{index}"));
    }
    let parsed = StreamsConfig::parse(&properties).unwrap_or_else(|error| panic!("{error}"));
    parsed.config
}
