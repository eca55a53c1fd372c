//! What the view knows: the engine's counts, and what a read_committed reader sees in the output topics.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use millrace::kafka::log::{Consumer, ConsumerSpec, Isolation, Polled, RecordView, SharedLog, TopicPartition};
use millrace::metrics::Metrics;
use millrace_language::format::Format;
use millrace_language::json::Shape;
use millrace_topology::{NodeKind, Operation, Plan, TopicName, Window};

use crate::feed::FED_AT;

/// Keys whose last value is kept.
const MOST_KEYS: usize = 200_000;
/// Dead letters that are shown.
const SHOWN_LETTERS: usize = 3;

/// An output topic and how it is read.
#[derive(Debug)]
struct Output {
    topic: String,
    key: Format,
    value: Format,
    /// Bytes behind the key that are the window's start.
    window: bool,
}

/// The last value of a key.
#[derive(Clone, Debug)]
pub struct Row {
    /// The output record's timestamp.
    pub timestamp: i64,
    /// As text.
    pub value: String,
    /// What rows are ordered by: the first number in the value.
    pub weight: f64,
}

/// Reads along, and sums up.
pub struct Observer {
    consumer: Box<dyn Consumer>,
    outputs: Vec<Output>,
    dead_letter_topic: String,
    /// Windows of the plan: size and grace in milliseconds.
    windows: Vec<(i64, i64)>,
    seen_windows: BTreeSet<(i64, i64)>,
    metrics: Metrics,
    started: Instant,
    latency: Histogram<u64>,
    /// Records seen in output topics.
    pub results: u64,
    /// Records seen in the dead-letter topic.
    pub letters: u64,
    rows: HashMap<String, Row>,
    last_letters: VecDeque<String>,
    before: (Instant, u64),
    polled: Vec<Polled>,
}

/// The state of things at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Since the start.
    pub elapsed: Duration,
    /// Records processed, in all, and a second: lately and on the average.
    pub processed: u64,
    pub rate_now: f64,
    pub rate_average: f64,
    /// Of outputs: from being fed to being readable, milliseconds.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub results: u64,
    pub tasks_running: i64,
    pub tasks_restoring: i64,
    pub windows_open: usize,
    pub windows_closed: usize,
    pub dead_letters: u64,
    pub dropped: u64,
    pub commits: u64,
    pub stream_time: i64,
    /// The keys with the largest values.
    pub top: Vec<(String, Row)>,
    pub keys: usize,
    pub last_letters: Vec<String>,
}

impl Observer {
    /// Reads the plan's output topics and the dead letters from their starts.
    pub fn new(
        plan: &Plan,
        dead_letter_topic: &str,
        log: &SharedLog,
        metrics: Metrics,
        epoch: Instant,
    ) -> millrace::kafka::Result<Self> {
        let spec = ConsumerSpec {
            client_id: "view".to_owned(),
            isolation: Isolation::ReadCommitted,
            config: Vec::new(),
        };
        let mut consumer = log.consumer(&spec)?;
        let outputs: Vec<Output> = plan.nodes.iter().filter_map(|node| output(&node.kind)).collect();
        let mut topics: BTreeSet<&str> = outputs.iter().map(|output| output.topic.as_str()).collect();
        topics.insert(dead_letter_topic);
        let names: Vec<&str> = topics.into_iter().collect();
        let infos = log.admin()?.topics(&names, Duration::from_secs(5))?;
        for info in infos.into_iter().flatten() {
            let starts: Vec<_> = (0..info.partitions)
                .map(|p| (TopicPartition::new(info.name.as_str(), p), 0))
                .collect();
            consumer.assign(&starts)?;
        }
        let windows = plan.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Processor(Operation::Aggregate {
                window: Some(Window::Tumbling { size_ms, grace_ms }),
                ..
            }) => Some((*size_ms, *grace_ms)),
            _ => None,
        });
        Ok(Self {
            consumer,
            outputs,
            dead_letter_topic: dead_letter_topic.to_owned(),
            windows: windows.collect::<BTreeSet<_>>().into_iter().collect(),
            seen_windows: BTreeSet::new(),
            metrics,
            started: epoch,
            latency: Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are fine"),
            results: 0,
            letters: 0,
            rows: HashMap::new(),
            last_letters: VecDeque::new(),
            before: (epoch, 0),
            polled: Vec::new(),
        })
    }

    /// Reads what has come, waiting at most `wait` for it.
    pub fn read(&mut self, wait: Duration) -> millrace::kafka::Result<bool> {
        let mut polled = std::mem::take(&mut self.polled);
        self.consumer.poll(wait, 20_000, &mut polled)?;
        let mut any = false;
        for one in polled.drain(..) {
            let Polled::Records(batch) = one else { continue };
            any |= !batch.is_empty();
            let topic = &batch.partition().topic;
            if **topic == *self.dead_letter_topic {
                batch.iter().for_each(|record| self.letter(&record));
            } else if let Some(index) = self.outputs.iter().position(|output| *output.topic == **topic) {
                batch.iter().for_each(|record| self.result(index, &record));
            }
        }
        self.polled = polled;
        Ok(any)
    }

    fn result(&mut self, index: usize, record: &RecordView<'_>) {
        self.results += 1;
        if let Some(fed) = header(record, FED_AT).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
            let now = self.started.elapsed().as_micros() as u64;
            self.latency
                .saturating_record(now.saturating_sub(u64::from_be_bytes(fed)).max(1));
        }
        for window in &self.windows {
            self.seen_windows
                .insert((record.timestamp() - record.timestamp().rem_euclid(window.0), window.0));
        }
        let output = &self.outputs[index];
        let key = output.key(record);
        if self
            .rows
            .get(&key)
            .is_some_and(|row| row.timestamp > record.timestamp())
        {
            return;
        }
        if record.value_slice().is_none() {
            self.rows.remove(&key);
        } else if self.rows.len() < MOST_KEYS || self.rows.contains_key(&key) {
            let (value, weight) = output.value(record);
            self.rows.insert(
                key,
                Row {
                    timestamp: record.timestamp(),
                    value,
                    weight,
                },
            );
        }
    }

    fn letter(&mut self, record: &RecordView<'_>) {
        self.letters += 1;
        if self.last_letters.len() == SHOWN_LETTERS {
            self.last_letters.pop_front();
        }
        let said = |name: &str| {
            let bytes = header(record, &format!("__streams.errors.{name}")).unwrap_or_default();
            String::from_utf8_lossy(bytes)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let (topic, partition, offset, message) = (said("topic"), said("partition"), said("offset"), said("message"));
        self.last_letters
            .push_back(format!("{topic}-{partition}@{offset}: {message}"));
    }

    /// Sums up.
    pub fn snapshot(&mut self, top: usize) -> Snapshot {
        let (now, elapsed) = (Instant::now(), self.started.elapsed());
        let processed = self.metrics.total(|worker| worker.processed.get());
        let (then, before) = self.before;
        let rate_now = (processed - before) as f64 / now.duration_since(then).as_secs_f64().max(1e-6);
        self.before = (now, processed);
        let gauge = |of: fn(&millrace::metrics::TaskMetrics) -> i64| {
            self.metrics.workers().iter().map(move |worker| of(worker))
        };
        let stream_time = gauge(|worker| worker.stream_time.get()).max().unwrap_or(0);
        let grace = |size: i64| {
            self.windows
                .iter()
                .filter(|window| window.0 == size)
                .map(|window| window.1)
                .max()
                .unwrap_or(0)
        };
        let closed = self
            .seen_windows
            .iter()
            .filter(|(start, size)| start + size + grace(*size) <= stream_time)
            .count();
        let mut rows: Vec<(&String, &Row)> = self.rows.iter().collect();
        rows.sort_by(|(a, x), (b, y)| y.weight.total_cmp(&x.weight).then_with(|| a.cmp(b)));
        Snapshot {
            elapsed,
            processed,
            rate_now,
            rate_average: processed as f64 / elapsed.as_secs_f64().max(1e-6),
            p50_ms: self.latency.value_at_quantile(0.5) as f64 / 1000.0,
            p99_ms: self.latency.value_at_quantile(0.99) as f64 / 1000.0,
            results: self.results,
            tasks_running: gauge(|worker| worker.running.get()).sum(),
            tasks_restoring: gauge(|worker| worker.restoring.get()).sum(),
            windows_open: self.seen_windows.len() - closed,
            windows_closed: closed,
            dead_letters: self.metrics.total(|worker| worker.dead_letters.get()),
            dropped: self.metrics.total(|worker| worker.dropped.get()),
            commits: self.metrics.total(|worker| worker.commits.get()),
            stream_time,
            keys: rows.len(),
            top: rows
                .into_iter()
                .take(top)
                .map(|(key, row)| (key.clone(), row.clone()))
                .collect(),
            last_letters: self.last_letters.iter().cloned().collect(),
        }
    }
}

fn output(kind: &NodeKind) -> Option<Output> {
    let NodeKind::Sink(sink) = kind else { return None };
    let TopicName::User(topic) = &sink.topic else {
        return None;
    };
    let inner = sink
        .key
        .0
        .strip_prefix("windowed(")
        .and_then(|rest| rest.strip_suffix(')'));
    Some(Output {
        topic: topic.clone(),
        key: Format::parse(inner.unwrap_or(&sink.key.0)).unwrap_or(Format::Bytes),
        value: Format::parse(&sink.value.0).unwrap_or(Format::Bytes),
        window: inner.is_some(),
    })
}

impl Output {
    fn key(&self, record: &RecordView<'_>) -> String {
        let Some(bytes) = record.key() else {
            return "(no key)".to_owned();
        };
        let (bytes, window) = match bytes.len().checked_sub(8).filter(|_| self.window) {
            Some(split) => (bytes.slice(..split), Some(bytes.slice(split..))),
            None => (bytes, None),
        };
        let key = text(self.key, bytes);
        match window.and_then(|start| <[u8; 8]>::try_from(start.as_ref()).ok()) {
            Some(start) => format!("{key} @ {}", crate::log::rfc3339(i64::from_be_bytes(start))),
            None => key,
        }
    }

    fn value(&self, record: &RecordView<'_>) -> (String, f64) {
        let value = text(self.value, record.value().unwrap_or_default());
        let weight = match serde_json::from_str(&value) {
            Ok(serde_json::Value::Object(map)) => {
                // The text's first number, not the first by name.
                let first = map
                    .iter()
                    .filter_map(|(name, field)| Some((value.find(&format!("\"{name}\""))?, field.as_f64()?)));
                first.min_by_key(|(at, _)| *at).map_or(0.0, |(_, number)| number)
            }
            Ok(serde_json::Value::Number(number)) => number.as_f64().unwrap_or(0.0),
            _ => 0.0,
        };
        (value, weight)
    }
}

fn text(format: Format, bytes: bytes::Bytes) -> String {
    let raw = String::from_utf8_lossy(&bytes).into_owned();
    match format {
        Format::String | Format::Json => raw,
        _ => format
            .decode(bytes, &Shape::empty())
            .map_or(raw, |value| value.to_string()),
    }
}

fn header<'a>(record: &RecordView<'a>, name: &str) -> Option<&'a [u8]> {
    record
        .headers()
        .iter()
        .rev()
        .find(|header| header.name == name)?
        .value
        .as_deref()
}
