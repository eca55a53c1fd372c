//! A history: an application, its input, and what befalls it. Plain data, so that it can be shrunk and printed.

use std::fmt;
use std::time::Duration;

use millrace_kafka::inproc::MarkerPolicy;

use super::app::App;
use super::faults::Fault;

/// A tick of the clock.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// The time of the earliest records: the start of a window.
pub(super) const T0: i64 = 1_700_000_000_000;

/// What is done, and what is done to it.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// Of everything that is drawn while it runs: parts of batches, late markers, who moves when, what crashes leave.
    pub seed: u64,
    pub app: App,
    pub is_exactly_once: bool,
    /// `statestore.cache.max.bytes`.
    pub cache_bytes: u64,
    /// Other properties of the application.
    pub properties: Vec<(&'static str, &'static str)>,
    pub instances: usize,
    pub workers: usize,
    /// Static members.
    pub is_static: bool,
    pub markers: MarkerPolicy,
    /// Whether reads come in random parts.
    pub splits_reads: bool,
    /// Rows after which a crash may tear an apply.
    pub chunk_rows: usize,
    /// Whether the input is written in transactions, one a record; some are aborted.
    pub feeds_transactions: bool,
    pub records: Vec<Input>,
    pub events: Vec<(u32, Event)>,
    pub faults: Vec<Fault>,
}

/// An input record.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// When it is appended.
    pub tick: u32,
    pub topic: &'static str,
    pub partition: i32,
    pub key: Option<String>,
    pub value: Option<String>,
    /// Milliseconds after [`T0`].
    pub time: i64,
    /// Where input is written in transactions: this one is aborted.
    pub is_aborted: bool,
}

/// What happens by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The instance starts; the first one does so at the beginning.
    Start { instance: usize },
    /// It is stopped cleanly, and starts again after so many ticks.
    Bounce { instance: usize, down: u32 },
    /// The machine forgets it, or a part of it, for so many ticks.
    Stall { instance: usize, ticks: u32, part: Part },
    /// The log cleaner compacts the changelogs; tombstones stay.
    Compact,
}

/// Threads of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// Heartbeats go on, records wait.
    Workers,
    /// Records are processed, and the group hears nothing.
    Driver,
}

impl History {
    pub(super) fn last_tick(&self) -> u32 {
        let records = self.records.iter().map(|record| record.tick);
        let events = self.events.iter().map(|(tick, event)| match event {
            Event::Stall { ticks, .. } => tick + ticks,
            _ => *tick,
        });
        records.chain(events).max().unwrap_or(0)
    }

    /// The same without faults, and as plain as can be: what has to come out.
    pub(super) fn reference(&self) -> Self {
        Self {
            cache_bytes: 0,
            instances: 1,
            workers: 1,
            is_static: false,
            markers: MarkerPolicy::Immediate,
            splits_reads: false,
            chunk_rows: usize::MAX,
            records: self
                .records
                .iter()
                .map(|record| Input {
                    tick: 0,
                    ..record.clone()
                })
                .collect(),
            events: Vec::new(),
            faults: Vec::new(),
            ..self.clone()
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guarantee = if self.is_exactly_once {
            "exactly_once_v2"
        } else {
            "at_least_once"
        };
        writeln!(
            f,
            "seed {}: {:?} of {:?} with {} partitions, {guarantee}, record cache of {} bytes",
            self.seed,
            self.app.branches,
            self.app.inputs(),
            self.app.partitions,
            self.cache_bytes
        )?;
        let members = if self.is_static { "static" } else { "dynamic" };
        let reads = if self.splits_reads { "in random parts" } else { "whole" };
        writeln!(
            f,
            "  {} {members} instances of {} workers, markers {:?}, reads {reads}, applies torn after {} rows",
            self.instances, self.workers, self.markers, self.chunk_rows
        )?;
        for (name, value) in &self.properties {
            writeln!(f, "  {name}={value}")?;
        }
        writeln!(f, "  input (a tick is {TICK:?}):")?;
        for record in &self.records {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
            let (key, value) = (text(&record.key), text(&record.value));
            let end = match (self.feeds_transactions, record.is_aborted) {
                (false, _) => "",
                (true, false) => ", committed",
                (true, true) => ", aborted",
            };
            writeln!(
                f,
                "    tick {:3}  {}-{}  {key} = {value} @{}{end}",
                record.tick, record.topic, record.partition, record.time
            )?;
        }
        for (tick, event) in &self.events {
            writeln!(f, "  tick {tick}: {event:?}")?;
        }
        writeln!(f, "  faults, each counted from the one before it:")?;
        for fault in &self.faults {
            writeln!(f, "    {fault}")?;
        }
        Ok(())
    }
}
