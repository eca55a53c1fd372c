//! Input of a task: one queue per partition, and which of them goes next (`RecordQueue`, `PartitionGroup`).
//!
//! Record path: a record stays in its batch until it becomes head; then it is decoded once.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use millrace_kafka::clock::SharedClock;
use millrace_kafka::log::{RecordBatch, TopicPartition};
use millrace_topology::OnError;

use super::collector::Collector;
use super::handlers::{ErrorSite, Policies};
use super::metadata::UNKNOWN_TIME;
use super::stores::TaskStores;
use super::{Context, TaskInput};
use crate::config::{TaskIdle, TimestampExtractor};
use crate::metrics::TaskMetrics;
use crate::node::{InputReader, Loaded};
use crate::{Code, Error, RecordContext, Result};

/// The decoded head of a queue, or the mark of records that were skipped.
#[derive(Debug)]
struct Head {
    offset: i64,
    /// `None`: nothing to process, the offset counts as consumed.
    timestamp: Option<i64>,
    key: Option<Bytes>,
    value: Option<Bytes>,
    /// Its place in the front batch.
    index: usize,
}

/// What a queue needs of its worker to decode a record.
pub(super) struct Surroundings<'a> {
    pub stores: &'a mut TaskStores,
    pub collector: &'a mut Collector,
    pub policies: &'a Policies,
    pub metrics: &'a TaskMetrics,
}

/// One partition's records that were fetched and not yet processed.
pub(super) struct PartitionQueue {
    pub partition: TopicPartition,
    reader: Box<dyn InputReader>,
    on_error: OnError,
    extractor: TimestampExtractor,
    clock: SharedClock,
    batches: VecDeque<RecordBatch>,
    /// The next record of the front batch that is not head yet.
    cursor: usize,
    head: Option<Head>,
    partition_time: i64,
    /// The offset after the last record processed or skipped; the start until then.
    consumed: i64,
    records: usize,
    bytes: usize,
    /// Whether anything was consumed since the last commit.
    dirty: bool,
    pub paused: bool,
}

impl PartitionQueue {
    pub(super) fn new(input: TaskInput) -> Self {
        Self {
            partition: input.partition,
            reader: input.reader,
            on_error: input.on_error,
            extractor: input.extractor,
            clock: input.clock,
            batches: VecDeque::new(),
            cursor: 0,
            head: None,
            partition_time: input.partition_time,
            consumed: input.start,
            records: 0,
            bytes: 0,
            dirty: input.skipped,
            paused: false,
        }
    }

    /// Records waiting, the head included.
    pub(super) fn len(&self) -> usize {
        self.records
    }

    /// Bytes that waiting records keep alive.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub(super) fn partition_time(&self) -> i64 {
        self.partition_time
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub(super) fn set_clean(&mut self) {
        self.dirty = false;
    }

    /// The offset to commit: that of the next record to be processed; past markers where the queue is empty.
    pub(super) fn committable(&self, position: Option<i64>) -> i64 {
        match &self.head {
            // What is skipped is dealt with, and its dead letter in the transaction, though it keeps its place until its turn comes.
            Some(head) if head.timestamp.is_none() => head.offset + 1,
            Some(head) => head.offset,
            None if self.is_empty() => position.unwrap_or(self.consumed).max(self.consumed),
            None => self.consumed,
        }
    }

    /// Notes that the consumer moved over markers with nothing waiting: that, too, is progress to commit.
    pub(super) fn note_position(&mut self, position: i64) {
        if self.is_empty() && position > self.consumed {
            self.dirty = true;
        }
    }

    /// Goes on at this offset once what waits is processed, wherever it lies.
    pub(super) fn skip_to(&mut self, offset: i64) {
        if self.is_empty() {
            self.consumed = offset;
            self.dirty = true;
        }
    }

    pub(super) fn head_timestamp(&self) -> Option<i64> {
        self.head.as_ref().map(|head| head.timestamp.unwrap_or(UNKNOWN_TIME))
    }

    pub(super) fn push(&mut self, batch: RecordBatch, surroundings: &mut Surroundings<'_>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.records += batch.len();
        self.bytes += batch.bytes();
        self.batches.push_back(batch);
        self.update_head(surroundings)
    }

    /// Processes the head and decodes the next one. `false` if there was none.
    pub(super) fn process_head(&mut self, surroundings: &mut Surroundings<'_>) -> Result<bool> {
        let Some(head) = self.head.take() else { return Ok(false) };
        if let Some(timestamp) = head.timestamp {
            self.partition_time = self.partition_time.max(timestamp);
            let batch = self
                .batches
                .front()
                .expect("the head's batch is kept until the head is done");
            let mut context = Context {
                record: RecordContext {
                    topic: &self.partition.topic,
                    partition: self.partition.partition,
                    offset: head.offset,
                    timestamp,
                    headers: batch.get(head.index).headers(),
                    raw_key: head.key.as_ref(),
                    raw_value: head.value.as_ref(),
                },
                topic: &self.partition.topic,
                stores: surroundings.stores,
                collector: surroundings.collector,
                policies: surroundings.policies,
                metrics: surroundings.metrics,
            };
            self.reader.process(timestamp, &mut context)?;
            surroundings.metrics.processed.add(1);
        }
        self.consumed = head.offset + 1;
        self.dirty = true;
        self.records -= 1;
        self.update_head(surroundings)?;
        Ok(true)
    }

    /// Decodes until a record can be head. Where all that wait are skipped, the last of them becomes a head without effect, so that its
    /// offset is committed (KAFKA-6502).
    fn update_head(&mut self, surroundings: &mut Surroundings<'_>) -> Result<()> {
        let mut skipped: Option<Head> = None;
        while self.head.is_none() {
            while self.batches.front().is_some_and(|batch| self.cursor >= batch.len()) {
                let done = self.batches.pop_front().expect("checked");
                self.bytes -= done.bytes();
                self.cursor = 0;
            }
            let Some(batch) = self.batches.front() else { break };
            let index = self.cursor;
            self.cursor += 1;
            let view = batch.get(index);
            let (key, value) = (view.key(), view.value());
            let record = RecordContext {
                topic: &self.partition.topic,
                partition: self.partition.partition,
                offset: view.offset(),
                timestamp: view.timestamp(),
                headers: view.headers(),
                raw_key: key.as_ref(),
                raw_value: value.as_ref(),
            };
            let timestamp = match self.reader.load(&record, key.as_ref(), value.as_ref()) {
                Loaded::Ready(extracted) => self.timestamp(extracted, &record, surroundings.metrics)?,
                Loaded::Failed(error) | Loaded::TimestampFailed(error) => {
                    let site = ErrorSite {
                        node: self.reader.node(),
                    };
                    let (policies, metrics) = (surroundings.policies, surroundings.metrics);
                    policies.unreadable(
                        site,
                        self.on_error,
                        &error,
                        &record,
                        (key.as_ref(), value.as_ref()),
                        surroundings.collector,
                        metrics,
                    )?;
                    None
                }
            };
            let head = Head {
                offset: view.offset(),
                timestamp,
                key,
                value,
                index,
            };
            if skipped.is_some() {
                self.records -= 1;
            }
            if timestamp.is_some() {
                self.head = Some(head);
                skipped = None;
            } else {
                self.consumed = head.offset;
                self.dirty = true;
                skipped = Some(head);
            }
        }
        if self.head.is_none() {
            self.head = skipped;
        }
        Ok(())
    }

    /// The record's time by the extractor in force; `None`: skip it.
    fn timestamp(
        &self,
        extracted: Option<i64>,
        record: &RecordContext<'_>,
        metrics: &TaskMetrics,
    ) -> Result<Option<i64>> {
        if let Some(timestamp) = extracted {
            if timestamp < 0 {
                metrics.dropped.add(1);
                tracing::warn!(
                    topic = record.topic,
                    partition = record.partition,
                    offset = record.offset,
                    timestamp,
                    "record skipped: negative timestamp"
                );
            }
            return Ok((timestamp >= 0).then_some(timestamp));
        }
        let timestamp = record.timestamp;
        if timestamp >= 0 && self.extractor != TimestampExtractor::WallClock {
            return Ok(Some(timestamp));
        }
        match self.extractor {
            TimestampExtractor::WallClock => Ok(Some(self.clock.now_ms())),
            TimestampExtractor::UsePartitionTime if self.partition_time >= 0 => Ok(Some(self.partition_time)),
            TimestampExtractor::LogAndSkip => {
                metrics.dropped.add(1);
                tracing::warn!(
                    topic = record.topic,
                    partition = record.partition,
                    offset = record.offset,
                    timestamp,
                    "record skipped: negative timestamp"
                );
                Ok(None)
            }
            TimestampExtractor::UsePartitionTime | TimestampExtractor::FailOnInvalid => Err(Error::new(
                Code::R004,
                format!(
                    "topic {}, partition {}, offset {}: the record's timestamp is {timestamp}, which is no time. Set the topic's timestamp \
                     expression, or default.timestamp.extractor to LogAndSkipOnInvalidTimestamp or UsePartitionTimeOnInvalidTimestamp",
                    record.topic, record.partition, record.offset
                ),
            )),
        }
    }
}

/// Which partitions of a task have data coming, as the consumer knows.
pub(crate) trait Fetched {
    /// Whether the broker is known to hold records of this partition that were not handed out yet; `None`: not known.
    fn has_more(&self, partition: &TopicPartition) -> Option<bool>;
}

/// Chooses among a task's queues: the lowest head timestamp first, waiting for empty ones as `max.task.idle.ms` says.
pub(super) struct Chooser {
    idle: TaskIdle,
    waiting_since: Option<Duration>,
}

impl Chooser {
    pub(super) fn new(idle: TaskIdle) -> Self {
        Self {
            idle,
            waiting_since: None,
        }
    }

    /// The queue to process next, or `None` to wait. `now` is monotonic.
    pub(super) fn choose(&mut self, queues: &[PartitionQueue], fetched: &dyn Fetched, now: Duration) -> Option<usize> {
        let (mut best, mut empty) = (None::<(i64, usize)>, false);
        for (index, queue) in queues.iter().enumerate() {
            match queue.head_timestamp() {
                Some(timestamp) if best.is_none_or(|(lowest, _)| timestamp < lowest) => best = Some((timestamp, index)),
                Some(_) => {}
                None => empty = true,
            }
        }
        let (_, index) = best?;
        let extra = match self.idle {
            TaskIdle::UntilCaughtUp if empty => Duration::ZERO,
            TaskIdle::Extra(extra) if empty => extra,
            _ => {
                self.waiting_since = None;
                return Some(index);
            }
        };
        let data_may_come = queues
            .iter()
            .filter(|queue| queue.is_empty())
            .any(|queue| fetched.has_more(&queue.partition) != Some(false));
        if data_may_come {
            self.waiting_since = None;
            return None;
        }
        let since = *self.waiting_since.get_or_insert(now);
        (now.saturating_sub(since) >= extra).then_some(index)
    }
}
