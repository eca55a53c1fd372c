//! The life of a process: it starts, is stepped, dies or ends, and starts again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::clock::SharedClock;
use rand::RngExt as _;
use uuid::Uuid;

use super::{APPLICATION_ID, State, Up, World, new_disk};
use crate::config::StreamsConfig;
use crate::sim::faults::Effect;
use crate::sim::history::{History, Part};
use crate::sim::volume::{Process, SimVolume};
use crate::{Code, Error, Instance, InstanceOptions};

/// A process that ended with an error is started again after so many ticks.
const RESTART_TICKS: u32 = 20;
/// Longer than `delete.retention.ms`.
const LONG: Duration = Duration::from_secs(2 * 86_400);

impl World<'_> {
    pub(super) fn step(&mut self, index: usize) -> Result<(), String> {
        let tick = self.tick;
        let up = match &mut self.slots[index].state {
            State::Absent => return Ok(()),
            State::Down { until } if *until > tick => return Ok(()),
            State::Down { .. } => return self.start(index),
            State::Up(up) => up,
        };
        let rng = &mut self.rng;
        let stalled = (up.stalled_until > tick).then_some(up.stalled);
        let stepped = up.instance.step_some(&mut |worker| match stalled {
            Some(Part::All) => false,
            Some(Part::Workers) if worker.is_some() => false,
            Some(Part::Driver) if worker.is_none() => false,
            _ => rng.random_bool(0.85),
        });
        if up.client.is_crashed() {
            return self.crashed(index);
        }
        match stepped {
            Err(error) => self.ended(index, &error),
            Ok(_) if up.instance.is_stopped() => match up.bounce {
                Some(down) => {
                    self.slots[index].state = State::Down { until: tick + down };
                    self.note(format!("instance {index} has stopped"));
                    Ok(())
                }
                None => Err(format!("instance {index} stopped, and nobody asked it to")),
            },
            Ok(_) => Ok(()),
        }
    }

    fn start(&mut self, index: usize) -> Result<(), String> {
        let history = self.history;
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
        let made = Instance::new(
            self.application.clone(),
            config(history, index),
            client.shared_log(),
            options,
        );
        match made {
            Ok(instance) => {
                slot.state = State::Up(Box::new(Up {
                    instance,
                    client,
                    bounce: None,
                    stalled_until: 0,
                    stalled: Part::All,
                }));
                self.note(format!("process {name} starts"));
                Ok(())
            }
            Err(_) if client.is_crashed() => self.crashed(index),
            // A process that cannot start says so and ends.
            Err(error) if self.injector.last_of(&name).is_some() => {
                self.slots[index].state = State::Down {
                    until: self.tick + RESTART_TICKS,
                };
                self.note(format!("process {name} does not start: {error}"));
                Ok(())
            }
            Err(error) => Err(format!("process {name} cannot start: {error}")),
        }
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
        // Its drop comes first: it puts the volume back as a crash leaves it.
        slot.state = State::Down {
            until: self.tick + back.down,
        };
        if back.loses_volume {
            slot.disks += 1;
            slot.disk = new_disk(self.history, index, slot.disks);
        }
        Ok(())
    }

    /// The process ended with an error: it may do so only if the disk failed.
    fn ended(&mut self, index: usize, error: &Error) -> Result<(), String> {
        let client = format!("i{index}.{}", self.slots[index].starts);
        let struck = self.injector.last_of(&client);
        let is_due = struck.is_some_and(|struck| struck.fault.effect == Effect::DiskError);
        if !(is_due && error.code() == Code::S003) {
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
