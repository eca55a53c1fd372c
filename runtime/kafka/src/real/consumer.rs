//! Reading by librdkafka: many records per call, copied into one arena per partition.
//!
//! On the record path: no await, no shared lock, no allocation per record (headers excepted).
//!
//! What comes of a paused partition is held here, and handed out when it is resumed. Only a pause that lasts, or holds much, makes
//! librdkafka stop fetching: the partition is then unassigned there, and assigned again at the right place when it is resumed.
//! (librdkafka's own pause goes on from its own position, which is one too far after the end of a partition was told.)

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use super::librdkafka::{
    ClientType, Message, MessageBuffer, Native, NativeQueue, PARTITION_EOF, PartitionList, kind_of_code, text_of_code,
};
use super::properties::{Scope, translate};
use super::settings_of;
use crate::log::{BatchBuilder, Consumer, ConsumerSpec, Isolation, Polled, RecordBatch, TopicPartition};
use crate::{Error, ErrorKind, Result};

/// A pause that lasts this long stops the fetching.
const LASTING: Duration = Duration::from_secs(1);
/// All pauses stop the fetching when so many bytes are held.
const MOST_HELD_BYTES: usize = 32 << 20;

/// [`Consumer`] on a cluster.
pub(crate) struct KafkaConsumer {
    // Queues and messages go before the client that they came from.
    messages: MessageBuffer,
    queue: NativeQueue,
    partitions: FxHashMap<TopicPartition, Reading>,
    /// Topic names, so that a run of records finds its name without an allocation.
    topics: FxHashSet<Arc<str>>,
    /// Partitions whose end was not told since their last record.
    unended: FxHashSet<TopicPartition>,
    /// How many are paused while librdkafka goes on fetching.
    fetching_paused: usize,
    held_bytes: usize,
    /// Partitions that were resumed and may have something held.
    ready: VecDeque<TopicPartition>,
    isolation: Isolation,
    client: Arc<Native>,
}

/// Where a partition stands.
struct Reading {
    /// The next offset to be handed out.
    position: i64,
    /// The offset at which the end was told last.
    told: i64,
    /// The end as librdkafka saw it last; its own position is one too far then.
    end_taken: i64,
    pause: Option<Pause>,
    /// Taken from librdkafka while paused.
    held: VecDeque<Held>,
}

struct Pause {
    since: Instant,
    /// librdkafka fetches no more.
    lasting: bool,
}

enum Held {
    Records(RecordBatch),
    End(i64),
}

impl KafkaConsumer {
    /// `common` are the properties of all clients.
    pub(crate) fn new(bootstrap: &str, common: &[(String, String)], spec: &ConsumerSpec) -> Result<Self> {
        let isolation = match spec.isolation {
            Isolation::ReadUncommitted => "read_uncommitted",
            Isolation::ReadCommitted => "read_committed",
        };
        let translated = translate(Scope::Consumer, common.iter().chain(&spec.config))?;
        let defaults = [
            // librdkafka wants a group although it is in none; it never commits.
            ("group.id", spec.client_id.as_str()),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "true"),
            ("allow.auto.create.topics", "false"),
            ("isolation.level", isolation),
            ("max.poll.interval.ms", "86400000"),
            // Fetched ahead, over all partitions that are not paused.
            ("queued.min.messages", "20000"),
            ("queued.max.messages.kbytes", "32768"),
            ("fetch.queue.backoff.ms", "10"),
            ("log.connection.close", "false"),
        ];
        let settings = settings_of(bootstrap, &spec.client_id, &defaults, translated);
        let client = Native::new(ClientType::Consumer, &settings)
            .map_err(|error| error.context(format_args!("consumer {}", spec.client_id)))?;
        Ok(Self {
            messages: MessageBuffer::new(),
            queue: client.consumer_queue(),
            partitions: FxHashMap::default(),
            topics: FxHashSet::default(),
            unended: FxHashSet::default(),
            fetching_paused: 0,
            held_bytes: 0,
            ready: VecDeque::new(),
            isolation: spec.isolation,
            client,
        })
    }

    fn interned(&mut self, topic: &str) -> Arc<str> {
        if let Some(known) = self.topics.get(topic) {
            return Arc::clone(known);
        }
        let name: Arc<str> = topic.into();
        self.topics.insert(Arc::clone(&name));
        name
    }

    /// Forgets a partition; whether librdkafka must be told.
    fn forget(&mut self, at: &TopicPartition) -> bool {
        let Some(reading) = self.partitions.remove(at) else {
            return false;
        };
        self.unended.remove(at);
        self.ready.retain(|ready| ready != at);
        self.held_bytes -= reading.held.iter().map(Held::bytes).sum::<usize>();
        if reading.pause.as_ref().is_some_and(|pause| !pause.lasting) {
            self.fetching_paused -= 1;
        }
        reading.pause.is_none_or(|pause| !pause.lasting)
    }

    /// Pauses that last, or hold much, stop the fetching.
    fn stop_lasting_pauses(&mut self) -> Result<()> {
        if self.fetching_paused == 0 {
            return Ok(());
        }
        let much = self.held_bytes > MOST_HELD_BYTES;
        let now = Instant::now();
        let mut list = None;
        for (at, reading) in &mut self.partitions {
            if let Some(pause) = &mut reading.pause
                && !pause.lasting
                && (much || now.duration_since(pause.since) > LASTING)
            {
                list.get_or_insert_with(|| PartitionList::with_capacity(1))
                    .add(at, None, "")?;
                pause.lasting = true;
                self.fetching_paused -= 1;
            }
        }
        list.map_or(Ok(()), |list| self.client.unassign(&list))
    }

    /// Hands out what resumed partitions hold, about `max` records; the number of records still wanted.
    fn hand_out_held(&mut self, mut max: usize, out: &mut Vec<Polled>) -> usize {
        while let Some(at) = self.ready.pop_front() {
            let Some(reading) = self.partitions.get_mut(&at).filter(|reading| reading.pause.is_none()) else {
                continue;
            };
            while max > 0
                && let Some(held) = reading.held.pop_front()
            {
                self.held_bytes -= held.bytes();
                max = max.saturating_sub(held.records());
                if held.records() > 0 {
                    self.unended.insert(at.clone());
                } else {
                    self.unended.remove(&at);
                }
                reading.hand_out(&at, held, out);
            }
            let more = !reading.held.is_empty();
            if more {
                self.ready.push_front(at);
                break;
            }
        }
        max
    }

    /// Sorts what librdkafka gave into runs of one partition.
    fn hand_out_messages(&mut self, out: &mut Vec<Polled>) -> Result<()> {
        let messages = std::mem::replace(&mut self.messages, MessageBuffer::new());
        let mut result = Ok(());
        let mut run: Option<(Message<'_>, TopicPartition, BatchBuilder)> = None;
        for message in messages.iter() {
            let code = message.error();
            if code != 0 {
                if let Some((_, at, builder)) = run.take() {
                    self.hand_out(&at, Held::Records(builder.finish(at.clone())), out);
                }
                if let Err(error) = self.event(message, code, out) {
                    result = result.and(Err(error));
                }
                continue;
            }
            match &mut run {
                Some((first, _, builder)) if first.same_partition(message) => push(builder, message),
                other => {
                    if let Some((_, at, builder)) = other.take() {
                        self.hand_out(&at, Held::Records(builder.finish(at.clone())), out);
                    }
                    let Some(topic) = message.topic() else { continue };
                    let at = TopicPartition::new(self.interned(topic), message.partition());
                    // A straggler of a partition that was unassigned, or moved on.
                    if self
                        .partitions
                        .get(&at)
                        .is_none_or(|reading| !reading.is_taken() || message.offset() < reading.position)
                    {
                        continue;
                    }
                    let mut builder = BatchBuilder::default();
                    push(&mut builder, message);
                    run = Some((message, at, builder));
                }
            }
        }
        if let Some((_, at, builder)) = run.take() {
            self.hand_out(&at, Held::Records(builder.finish(at.clone())), out);
        }
        self.messages = messages;
        self.messages.clear();
        result
    }

    fn hand_out(&mut self, at: &TopicPartition, what: Held, out: &mut Vec<Polled>) {
        let Some(reading) = self.partitions.get_mut(at) else {
            return;
        };
        if reading.pause.is_some() || !reading.held.is_empty() {
            self.held_bytes += what.bytes();
            reading.held.push_back(what);
            return;
        }
        if matches!(what, Held::Records(_)) && !self.unended.contains(at) {
            self.unended.insert(at.clone());
        }
        reading.hand_out(at, what, out);
    }

    /// An error event: the end of a partition, a partition's failure, or the client's.
    fn event(&mut self, message: Message<'_>, code: i32, out: &mut Vec<Polled>) -> Result<()> {
        let at = message
            .topic()
            .map(|topic| TopicPartition::new(self.interned(topic), message.partition()));
        let Some(at) = at else {
            return match kind_of_code(code) {
                kind @ (ErrorKind::Authentication | ErrorKind::Fatal) => {
                    Err(Error::new(kind, format!("{} ({code})", message.error_text())))
                }
                _ => {
                    tracing::debug!(code, text = message.error_text(), "consumer event");
                    Ok(())
                }
            };
        };
        if code == PARTITION_EOF {
            if let Some(reading) = self.partitions.get_mut(&at)
                && reading.is_taken()
                && message.offset() >= reading.position
            {
                reading.end_taken = message.offset();
                self.hand_out(&at, Held::End(message.offset()), out);
                self.unended.remove(&at);
            }
            return Ok(());
        }
        let kind = kind_of_code(code);
        match kind {
            ErrorKind::OffsetOutOfRange | ErrorKind::UnknownTopic | ErrorKind::Unauthorized | ErrorKind::Fatal => {
                if self.partitions.get(&at).is_some_and(Reading::is_taken) {
                    self.forget(&at);
                    self.client.unassign(&PartitionList::of(std::iter::once(&at))?)?;
                    let text = match message.error_text() {
                        text if text.is_empty() => text_of_code(code),
                        text => text,
                    };
                    let error = Error::new(kind, format!("{at} at offset {}: {text} ({code})", message.offset()));
                    out.push(Polled::Failed { partition: at, error });
                }
            }
            _ => tracing::debug!(partition = %at, code, text = message.error_text(), "consumer event; trying on"),
        }
        Ok(())
    }

    /// Moves positions past markers, and tells ends that librdkafka would tell only with its next fetch.
    fn look_for_ends(&mut self, out: &mut Vec<Polled>) -> Result<bool> {
        if self.unended.is_empty() {
            return Ok(false);
        }
        let before = out.len();
        let mut ended = Vec::new();
        for at in &self.unended {
            let Some(reading) = self.partitions.get_mut(at) else {
                continue;
            };
            if reading.pause.is_some() || !reading.held.is_empty() {
                continue;
            }
            if let Some(taken) = self.client.position(at)? {
                let taken = if taken == reading.end_taken + 1 {
                    reading.end_taken
                } else {
                    taken
                };
                reading.position = reading.position.max(taken);
            }
            if self
                .client
                .high_watermark(at)
                .is_some_and(|end| reading.position >= end)
            {
                let end = Held::End(reading.position);
                reading.hand_out(at, end, out);
                ended.push(at.clone());
            }
        }
        for at in ended {
            self.unended.remove(&at);
        }
        Ok(out.len() > before)
    }
}

impl Held {
    fn records(&self) -> usize {
        match self {
            Self::Records(batch) => batch.len(),
            Self::End(_) => 0,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Records(batch) => batch.bytes() + batch.len() * 64,
            Self::End(_) => 0,
        }
    }
}

impl Reading {
    /// The offset after all that was taken from librdkafka.
    fn next_to_take(&self) -> i64 {
        let held = self.held.iter().rev().find_map(|held| match held {
            Held::Records(batch) => batch.len().checked_sub(1).map(|last| batch.get(last).offset() + 1),
            Held::End(position) => Some(*position),
        });
        held.unwrap_or(self.position).max(self.position)
    }

    /// Whether librdkafka reads it.
    fn is_taken(&self) -> bool {
        self.pause.as_ref().is_none_or(|pause| !pause.lasting)
    }

    fn hand_out(&mut self, at: &TopicPartition, what: Held, out: &mut Vec<Polled>) {
        match what {
            Held::Records(batch) => {
                if let Some(last) = batch.len().checked_sub(1) {
                    self.position = batch.get(last).offset() + 1;
                    out.push(Polled::Records(batch));
                }
            }
            Held::End(position) => {
                self.position = self.position.max(position);
                if self.told != position {
                    self.told = position;
                    out.push(Polled::End {
                        partition: at.clone(),
                        position,
                    });
                }
            }
        }
    }
}

fn push(builder: &mut BatchBuilder, message: Message<'_>) {
    builder.push(
        message.offset(),
        message.timestamp(),
        message.key(),
        message.value(),
        message.headers(),
    );
}

impl Consumer for KafkaConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        let moved: Vec<TopicPartition> = partitions
            .iter()
            .filter(|(at, _)| self.partitions.contains_key(at))
            .map(|(at, _)| at.clone())
            .collect();
        self.unassign(&moved)?;
        let mut list = PartitionList::with_capacity(partitions.len());
        for (at, offset) in partitions {
            list.add(at, Some(*offset), "")?;
        }
        self.client.assign(&list)?;
        for (at, offset) in partitions {
            self.topics.insert(Arc::clone(&at.topic));
            let reading = Reading {
                position: *offset,
                told: -1,
                end_taken: -1,
                pause: None,
                held: VecDeque::new(),
            };
            self.partitions.insert(at.clone(), reading);
        }
        Ok(())
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let mut list = PartitionList::with_capacity(partitions.len());
        let mut any = false;
        for at in partitions {
            if self.forget(at) {
                list.add(at, None, "")?;
                any = true;
            }
        }
        if any { self.client.unassign(&list) } else { Ok(()) }
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for at in partitions {
            let Some(reading) = self.partitions.get_mut(at).filter(|reading| reading.pause.is_none()) else {
                continue;
            };
            reading.pause = Some(Pause {
                since: Instant::now(),
                lasting: false,
            });
            self.fetching_paused += 1;
        }
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let mut stopped = None;
        for at in partitions {
            let Some(reading) = self.partitions.get_mut(at) else {
                continue;
            };
            match reading.pause.take() {
                None => continue,
                Some(pause) if pause.lasting => {
                    let list = stopped.get_or_insert_with(|| PartitionList::with_capacity(1));
                    list.add(at, Some(reading.next_to_take()), "")?;
                }
                Some(_) => self.fetching_paused -= 1,
            }
            if !self.ready.contains(at) {
                self.ready.push_back(at.clone());
            }
        }
        stopped.map_or(Ok(()), |list| self.client.assign(&list))
    }

    fn poll(&mut self, timeout: Duration, max_records: usize, out: &mut Vec<Polled>) -> Result<()> {
        if let Some(alarm) = self.client.context().take_alarm() {
            return Err(alarm);
        }
        self.stop_lasting_pauses()?;
        let wanted = self.hand_out_held(max_records, out);
        let found = wanted < max_records;
        self.queue.take(&mut self.messages, Duration::ZERO, wanted);
        if self.messages.is_empty() && !found && !self.look_for_ends(out)? && !timeout.is_zero() {
            self.queue.take(&mut self.messages, timeout, wanted);
        }
        if !self.messages.is_empty() {
            self.hand_out_messages(out)?;
            self.look_for_ends(out)?;
        }
        self.client.context().take_alarm().map_or(Ok(()), Err)
    }

    fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.partitions.get(partition).map(|reading| reading.position)
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<i64> {
        let reading = self.partitions.get(partition)?;
        // The end that was told is the last stable offset; librdkafka does not show that otherwise, and the high watermark bounds it.
        if self.isolation == Isolation::ReadCommitted && reading.told == reading.position {
            return Some(reading.told);
        }
        self.client.high_watermark(partition)
    }
}
