//! The writer. On the record path: a record is copied into its partition's buffer, and the cluster's lock is taken once for many.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rustc_hash::FxHashMap;

use super::client::{Client, number};
use super::fault::Point;
use super::outgoing::OutgoingTopic;
use super::state::State;
use super::transactions::{Identity, Refusal};
use crate::log::{
    DeliveryFailure, GroupMembership, OffsetAndMetadata, OutgoingRecord, Producer, ProducerSpec, TopicHandle,
    TopicPartition,
};
use crate::{Error, ErrorKind, Result};

/// So many records are sent on without waiting for a poll or flush.
const BATCH_RECORDS: usize = 500;
/// A record's weight beside its key and value, as Java's client counts it (about).
const RECORD_OVERHEAD: usize = 70;

pub(super) struct InprocProducer {
    client: Client,
    transactional_id: Option<String>,
    transaction_timeout: Duration,
    max_request_size: usize,
    buffer_memory: usize,
    identity: Option<Identity>,
    phase: Phase,
    /// The coordinator knows of the open transaction.
    registered: bool,
    /// Why no call is served any more.
    dead: Option<Error>,
    topics: Vec<OutgoingTopic>,
    handles: FxHashMap<String, u32>,
    /// Partitions with buffered records, in the order of their first.
    waiting: Vec<(u32, i32)>,
    buffered: usize,
    bytes: usize,
    failures: Vec<DeliveryFailure>,
    shuffle: Option<SmallRng>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Open,
    /// Something of the open transaction failed: it can only be aborted.
    Broken,
}

/// How much of what waits is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Send {
    All,
    /// With shuffled sends, some partitions stay behind.
    Some,
}

impl InprocProducer {
    pub fn new(client: Client, spec: &ProducerSpec) -> Result<Self> {
        let timeout = number(&spec.config, "transaction.timeout.ms", 60_000)?;
        let shuffle = client.locked(|state| {
            state
                .options
                .shuffle_sends
                .then(|| SmallRng::seed_from_u64(state.rng.random::<u64>()))
        });
        Ok(Self {
            client,
            transactional_id: spec.transactional_id.clone(),
            transaction_timeout: Duration::from_millis(timeout as u64),
            max_request_size: number(&spec.config, "max.request.size", 1_048_576)?,
            buffer_memory: number(&spec.config, "buffer.memory", 33_554_432)?,
            identity: None,
            phase: Phase::Idle,
            registered: false,
            dead: None,
            topics: Vec::new(),
            handles: FxHashMap::default(),
            waiting: Vec::new(),
            buffered: 0,
            bytes: 0,
            failures: Vec::new(),
            shuffle,
        })
    }

    fn check_alive(&self) -> Result<()> {
        self.dead.clone().map_or(Ok(()), Err)
    }

    /// Remembers errors that end this producer.
    fn note<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && matches!(
                error.kind(),
                ErrorKind::Fenced | ErrorKind::OutcomeUnknown | ErrorKind::Fatal
            )
        {
            self.dead = Some(error.clone());
        }
        result
    }

    fn misuse(&self, what: &str) -> Error {
        let id = self.transactional_id.as_deref().unwrap_or("without a transactional id");
        Error::new(ErrorKind::Fatal, format!("producer {id}: {what}"))
    }

    /// Sends what waits, as far as the coordinator lets it.
    fn send_waiting(&mut self, state: &mut State, how: Send) -> Result<(), Refusal> {
        let mut later = Vec::new();
        if let Some(rng) = &mut self.shuffle {
            self.waiting.shuffle(rng);
            if how == Send::Some {
                later = self.waiting.extract_if(.., |_| rng.random_bool(0.3)).collect();
            }
        }
        let mut result = Ok(());
        let mut sent = 0;
        for (topic, partition) in &self.waiting {
            let slot = self.topics[*topic as usize].slot(*partition);
            let failed = self.failures.len();
            match slot
                .buffer
                .deliver(state, &slot.at, self.identity.as_ref(), &mut self.failures)
            {
                Ok(last) => slot.acknowledged = last.or(slot.acknowledged),
                Err(refusal) => {
                    result = Err(refusal);
                    break;
                }
            }
            self.registered |= self.identity.is_some();
            if self.failures.len() > failed && self.phase == Phase::Open {
                self.phase = Phase::Broken;
            }
            self.buffered -= slot.buffer.len();
            self.bytes -= slot.buffer.bytes();
            slot.buffer.clear();
            sent += 1;
        }
        self.waiting.drain(..sent);
        self.waiting.append(&mut later);
        result
    }

    /// Sends what can be sent now; a busy coordinator makes the rest wait.
    fn send_some(&mut self, how: Send) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let client = self.client.clone();
        match client.locked(|state| self.send_waiting(state, how)) {
            Ok(()) | Err(Refusal::Busy) => Ok(()),
            Err(Refusal::Error(error)) => Err(error),
        }
    }

    /// Sends everything, waiting for a busy coordinator.
    fn send_all(&mut self, timeout: Duration, late: ErrorKind) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let client = self.client.clone();
        let id = self.transactional_id.clone().unwrap_or_default();
        client.ask_coordinator(&id, timeout, late, |state| self.send_waiting(state, Send::All))
    }

    fn drop_waiting(&mut self) {
        for (topic, partition) in self.waiting.drain(..) {
            self.topics[topic as usize].slot(partition).buffer.clear();
        }
        (self.buffered, self.bytes) = (0, 0);
    }

    fn end(&mut self, commit: bool, timeout: Duration) -> Result<()> {
        if self.registered {
            let identity = self
                .identity
                .clone()
                .ok_or_else(|| self.misuse("init_transactions comes first"))?;
            let late = ErrorKind::OutcomeUnknown;
            self.client
                .ask_coordinator(&identity.transactional_id, timeout, late, |state| {
                    state.end_transaction(&identity, commit)
                })?;
        }
        self.registered = false;
        self.phase = Phase::Idle;
        Ok(())
    }

    fn try_commit(&mut self, timeout: Duration) -> Result<()> {
        if self.phase == Phase::Idle {
            return Err(self.misuse("commit without begin"));
        }
        self.send_all(timeout, ErrorKind::Retriable)?;
        if self.phase == Phase::Broken {
            let id = self.transactional_id.as_deref().unwrap_or_default();
            let text = format!("producer {id}: a part of its transaction failed, so that it can only be aborted");
            return Err(Error::new(ErrorKind::Abortable, text));
        }
        self.end(true, timeout)
    }
}

impl Producer for InprocProducer {
    fn topic(&mut self, name: &str) -> Result<TopicHandle> {
        if let Some(handle) = self.handles.get(name) {
            return Ok(TopicHandle(*handle));
        }
        let handle = self.topics.len() as u32;
        self.topics.push(OutgoingTopic {
            name: name.into(),
            partitions: Vec::new(),
        });
        self.handles.insert(name.to_owned(), handle);
        Ok(TopicHandle(handle))
    }

    fn partitions(&mut self, topic: TopicHandle, _timeout: Duration) -> Result<i32> {
        let name = self.topics[topic.0 as usize].name.clone();
        self.client.call(Point::ProducerPartitions, |state| {
            Ok(state.topic(&name)?.partitions.len() as i32)
        })
    }

    fn send(&mut self, record: OutgoingRecord<'_>) -> Result<()> {
        self.check_alive()?;
        let after = self.client.enter(Point::ProducerSend)?;
        if self.transactional_id.is_some() && self.phase == Phase::Idle {
            return Err(self.misuse("send outside a transaction"));
        }
        let topic = &mut self.topics[record.topic.0 as usize];
        let reject = |why: String| {
            let text = format!("a record for {}-{} was rejected: {why}", topic.name, record.partition);
            Err(Error::new(ErrorKind::RecordRejected, text))
        };
        if record.timestamp < 0 {
            return reject(format!("its timestamp {} is negative", record.timestamp));
        }
        if record.partition < 0 {
            return reject("its partition is negative".to_owned());
        }
        let content = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if content + RECORD_OVERHEAD > self.max_request_size {
            return reject(format!(
                "its {content} bytes exceed max.request.size, {}",
                self.max_request_size
            ));
        }
        let slot = topic.slot(record.partition);
        if slot.buffer.is_empty() {
            self.waiting.push((record.topic.0, record.partition));
        }
        slot.buffer.push(&record);
        self.buffered += 1;
        self.bytes += content;
        let sent = if self.bytes >= self.buffer_memory {
            self.send_all(Duration::from_secs(60), ErrorKind::Retriable)
        } else if self.buffered.is_multiple_of(BATCH_RECORDS) {
            self.send_some(Send::Some)
        } else {
            Ok(())
        };
        let sent = self.client.leave(after, sent);
        self.note(sent)
    }

    fn poll(&mut self) -> Result<()> {
        self.check_alive()?;
        let after = self.client.enter(Point::ProducerPoll)?;
        let sent = self.send_some(Send::Some);
        let sent = self.client.leave(after, sent);
        self.note(sent)
    }

    fn flush(&mut self, timeout: Duration) -> Result<()> {
        self.check_alive()?;
        let after = self.client.enter(Point::ProducerFlush)?;
        let sent = self.send_all(timeout, ErrorKind::Retriable);
        let sent = self.client.leave(after, sent);
        self.note(sent)
    }

    fn take_failures(&mut self) -> Vec<DeliveryFailure> {
        std::mem::take(&mut self.failures)
    }

    fn acknowledged(&self, topic: TopicHandle, partition: i32) -> Option<i64> {
        self.topics
            .get(topic.0 as usize)?
            .partitions
            .get(usize::try_from(partition).ok()?)?
            .acknowledged
    }

    fn in_flight_bytes(&self) -> usize {
        self.bytes
    }

    fn init_transactions(&mut self, timeout: Duration) -> Result<()> {
        self.check_alive()?;
        let after = self.client.enter(Point::ProducerInit)?;
        let Some(id) = self.transactional_id.clone() else {
            return Err(self.misuse("init_transactions"));
        };
        let transaction_timeout = Some(self.transaction_timeout);
        let identity = self
            .client
            .ask_coordinator(&id, timeout, ErrorKind::Retriable, |state| {
                state.init_producer(&id, transaction_timeout)
            });
        let identity = self.client.leave(after, identity);
        self.identity = Some(self.note(identity)?);
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        self.check_alive()?;
        let after = self.client.enter(Point::ProducerBegin)?;
        if self.identity.is_none() {
            return Err(self.misuse("begin before init_transactions"));
        }
        if self.phase != Phase::Idle {
            return Err(self.misuse("begin within a transaction"));
        }
        self.phase = Phase::Open;
        self.client.leave(after, Ok(()))
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
        timeout: Duration,
    ) -> Result<()> {
        self.check_alive()?;
        let after = self.client.enter(Point::ProducerSendOffsets)?;
        let identity = self.identity.clone().filter(|_| self.phase != Phase::Idle);
        let identity = identity.ok_or_else(|| self.misuse("send_offsets outside a transaction"))?;
        if offsets.is_empty() {
            return self.client.leave(after, Ok(()));
        }
        let added = self
            .client
            .ask_coordinator(&identity.transactional_id, timeout, ErrorKind::Retriable, |state| {
                let added = state.add_offsets(&identity, offsets, member);
                if !matches!(added, Err(Refusal::Busy)) {
                    self.registered = true;
                }
                added
            });
        if added.is_err() && self.phase == Phase::Open {
            self.phase = Phase::Broken;
        }
        let added = self.client.leave(after, added);
        self.note(added)
    }

    fn commit(&mut self, timeout: Duration) -> Result<()> {
        self.check_alive()?;
        let after = self.client.enter(Point::ProducerCommit);
        let after = self.note(after)?;
        let committed = self.try_commit(timeout);
        let committed = self.client.leave(after, committed);
        self.note(committed)
    }

    fn abort(&mut self, timeout: Duration) -> Result<()> {
        self.check_alive()?;
        let after = self.client.enter(Point::ProducerAbort);
        let after = self.note(after)?;
        if self.phase == Phase::Idle {
            return Err(self.misuse("abort without begin"));
        }
        self.drop_waiting();
        let aborted = self.end(false, timeout);
        let aborted = self.client.leave(after, aborted);
        self.note(aborted)
    }
}
