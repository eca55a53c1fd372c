//! Reading by librdkafka: many records per call, copied into one arena per partition.
//!
//! On the record path: no await, no shared lock, no allocation per record (headers excepted).
//!
//! What comes of a paused partition is held here, and handed out when it is resumed. Only a pause that lasts, or holds much, makes
//! librdkafka stop fetching: the partition is then unassigned there, and assigned again at the right place when it is resumed.
//! (librdkafka's own pause goes on from its own position, which is one too far after the end of a partition was told.)

mod dispatch;
mod reading;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use super::librdkafka::{ClientType, MessageBuffer, Native, NativeQueue, NativeTopic, PartitionList};
use super::properties::{Scope, translate};
use super::security::Security;
use super::{RECONNECT_BACKOFF, RECONNECT_BACKOFF_MAX, settings_of};
use crate::Result;
use crate::log::{Consumer, ConsumerSpec, Isolation, Polled, TopicPartition};
use reading::{Held, Pause, Reading};

/// A pause that lasts this long stops the fetching.
const LASTING: Duration = Duration::from_secs(1);
/// All pauses stop the fetching when so many bytes are held.
const MOST_HELD_BYTES: usize = 32 << 20;

/// What a consumer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Records to be processed.
    Input,
    /// Records to be stored: nothing but the reading takes their time, and nobody looks at their headers.
    Changelogs,
}

impl Reads {
    /// How many records are fetched ahead. Of changelogs more than one fetch brings, so that the next is under way meanwhile.
    fn ahead(self) -> &'static str {
        match self {
            Self::Input => "20000",
            Self::Changelogs => "100000",
        }
    }
}

/// [`Consumer`] on a cluster.
pub(crate) struct KafkaConsumer {
    // Queues and messages go before the client that they came from.
    messages: MessageBuffer,
    queue: NativeQueue,
    partitions: FxHashMap<TopicPartition, Reading>,
    /// Topic names, so that a run of records finds its name without an allocation.
    topics: FxHashSet<Arc<str>>,
    /// Of each topic that was ever assigned, so that librdkafka asks for its leaders at once: else it does so once a second.
    handles: FxHashMap<Arc<str>, NativeTopic>,
    /// Partitions whose end was not told since their last record.
    unended: FxHashSet<TopicPartition>,
    /// How many are paused while librdkafka goes on fetching.
    fetching_paused: usize,
    held_bytes: usize,
    /// Partitions that were resumed and may have something held.
    ready: VecDeque<TopicPartition>,
    isolation: Isolation,
    ignores_headers: bool,
    client: Arc<Native>,
}

impl KafkaConsumer {
    /// `common` are the properties of all clients.
    pub(crate) fn new(
        bootstrap: &str,
        common: &[(String, String)],
        security: &Arc<Security>,
        spec: &ConsumerSpec,
        reads: Reads,
    ) -> Result<Self> {
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
            ("queued.min.messages", reads.ahead()),
            ("queued.max.messages.kbytes", "32768"),
            ("fetch.queue.backoff.ms", "10"),
            // A partition that is added waits for the fetch under way, and so does news of an end: Java's half second is long for a hand-over.
            ("fetch.wait.max.ms", "100"),
            ("log.connection.close", "false"),
            RECONNECT_BACKOFF,
            RECONNECT_BACKOFF_MAX,
        ];
        let settings = settings_of(bootstrap, &spec.client_id, &defaults, translated);
        let client = Native::new(ClientType::Consumer, &settings, security)
            .map_err(|error| error.context(format_args!("consumer {}", spec.client_id)))?;
        Ok(Self {
            messages: MessageBuffer::new(),
            queue: client.consumer_queue(),
            partitions: FxHashMap::default(),
            topics: FxHashSet::default(),
            handles: FxHashMap::default(),
            unended: FxHashSet::default(),
            fetching_paused: 0,
            held_bytes: 0,
            ready: VecDeque::new(),
            isolation: spec.isolation,
            ignores_headers: reads == Reads::Changelogs,
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
            if !self.handles.contains_key(&at.topic) {
                let handle = self.client.topic(&at.topic)?;
                self.handles.insert(Arc::clone(&at.topic), handle);
            }
        }
        self.client.assign(&list)?;
        for (at, offset) in partitions {
            self.topics.insert(Arc::clone(&at.topic));
            self.partitions.insert(at.clone(), Reading::from(*offset));
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
            // With more waiting, ends can wait too: looking asks librdkafka for each partition.
            let is_all = self.messages.len() < wanted;
            self.hand_out_messages(out)?;
            if is_all {
                self.look_for_ends(out)?;
            }
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
