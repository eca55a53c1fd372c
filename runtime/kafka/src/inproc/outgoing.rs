//! Records on their way out, one buffer per partition. On the record path: no allocation once the buffers have grown.

use std::sync::Arc;

use super::segment::NO_PRODUCER;
use super::state::{State, unknown_partition, unknown_topic};
use super::topic::Admission;
use super::transactions::{Identity, Refusal};
use crate::log::{DeliveryFailure, Header, OutgoingRecord, TopicPartition};
use crate::{Error, ErrorKind, Result};

#[derive(Default)]
pub(super) struct Buffer {
    arena: Vec<u8>,
    records: Vec<Buffered>,
    headers: Vec<Header>,
}

struct Buffered {
    timestamp: i64,
    /// -1 is null.
    key_len: i32,
    /// -1 is null.
    value_len: i32,
    headers: u32,
}

impl Buffer {
    pub fn push(&mut self, record: &OutgoingRecord<'_>) {
        self.arena.extend_from_slice(record.key.unwrap_or_default());
        self.arena.extend_from_slice(record.value.unwrap_or_default());
        self.headers.extend_from_slice(record.headers);
        self.records.push(Buffered {
            timestamp: record.timestamp,
            key_len: record.key.map_or(-1, |bytes| bytes.len() as i32),
            value_len: record.value.map_or(-1, |bytes| bytes.len() as i32),
            headers: record.headers.len() as u32,
        });
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    pub fn clear(&mut self) {
        self.arena.clear();
        self.records.clear();
        self.headers.clear();
    }

    /// Appends all to the partition, under `identity`'s transaction if there is one. The last offset that was taken.
    pub fn deliver(
        &self,
        state: &mut State,
        at: &TopicPartition,
        identity: Option<&Identity>,
        failures: &mut Vec<DeliveryFailure>,
    ) -> Result<Option<i64>, Refusal> {
        let Some((topic_id, admission)) = self.admit(state, at, failures) else {
            return Ok(None);
        };
        let producer = match identity {
            Some(identity) => {
                state.add_partition(identity, topic_id, at)?;
                identity.producer
            }
            None => NO_PRODUCER,
        };
        let now = state.wall_ms();
        let partition = state.partition_mut(at)?;
        let mut last = None;
        let (mut bytes, mut headers) = (&self.arena[..], &self.headers[..]);
        for record in &self.records {
            let key = take(&mut bytes, record.key_len);
            let value = take(&mut bytes, record.value_len);
            let (own, rest) = headers.split_at(record.headers as usize);
            headers = rest;
            let size = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
            if let Some(why) = admission.refusal(size, key.is_some(), record.timestamp, now) {
                let text = format!("a record for {at} was rejected: {why}");
                failures.push(DeliveryFailure {
                    partition: at.clone(),
                    error: Error::new(ErrorKind::RecordRejected, text),
                });
                continue;
            }
            let timestamp = if admission.log_append_time {
                now
            } else {
                record.timestamp
            };
            last = Some(partition.append(producer, timestamp, key, value, own));
        }
        state.bound(at);
        Ok(last)
    }

    /// The topic's id and what it takes; `None` if it is not there, and all records have failed.
    fn admit(
        &self,
        state: &State,
        at: &TopicPartition,
        failures: &mut Vec<DeliveryFailure>,
    ) -> Option<(uuid::Uuid, Admission)> {
        let error = match state.topics.get(&at.topic) {
            None => unknown_topic(&at.topic),
            Some(topic) if at.partition < 0 || at.partition as usize >= topic.partitions.len() => unknown_partition(at),
            Some(topic) => return Some((topic.id, topic.admission)),
        };
        let failure = || DeliveryFailure {
            partition: at.clone(),
            error: error.clone(),
        };
        failures.extend(std::iter::repeat_with(failure).take(self.records.len()));
        None
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: i32) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok()?;
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    Some(taken)
}

/// A topic that a producer knows, with what waits for each of its partitions.
pub(super) struct OutgoingTopic {
    pub name: Arc<str>,
    pub partitions: Vec<OutgoingPartition>,
}

pub(super) struct OutgoingPartition {
    pub at: TopicPartition,
    pub buffer: Buffer,
    pub acknowledged: Option<i64>,
}

impl OutgoingTopic {
    /// The partition's slot, made on first use.
    pub fn slot(&mut self, partition: i32) -> &mut OutgoingPartition {
        let index = partition as usize;
        while self.partitions.len() <= index {
            self.partitions.push(OutgoingPartition {
                at: TopicPartition::new(self.name.clone(), self.partitions.len() as i32),
                buffer: Buffer::default(),
                acknowledged: None,
            });
        }
        &mut self.partitions[index]
    }
}
