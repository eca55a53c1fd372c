//! The way out of a worker's tasks: one producer, its topics, its transaction.
//!
//! Record path: no allocation here; the client copies the bytes.

use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::Result;
use millrace_kafka::log::{
    GroupMembership, Header, OffsetAndMetadata, OutgoingRecord, Producer, ProducerSpec, SharedLog, TopicHandle,
    TopicPartition,
};

use crate::partitioner::partition_for_key;

/// How long the abort of a producer that is given up may take.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// A topic that this worker's tasks write; belongs to the collector that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OutputTopic(u32);

struct Output {
    name: Arc<str>,
    handle: TopicHandle,
    partitions: i32,
}

/// One worker's producer.
pub(crate) struct Collector {
    producer: Box<dyn Producer>,
    outputs: Vec<Output>,
    transactional: bool,
    in_transaction: bool,
    timeout: Duration,
}

impl Collector {
    /// Makes the producer and, under exactly-once, claims its transactional id.
    pub(crate) fn open(log: &SharedLog, spec: &ProducerSpec, timeout: Duration) -> Result<Self> {
        let transactional = spec.transactional_id.is_some();
        let mut producer = log.producer(spec)?;
        if transactional {
            producer.init_transactions(timeout)?;
        }
        Ok(Self {
            producer,
            outputs: Vec::new(),
            transactional,
            in_transaction: false,
            timeout,
        })
    }

    /// Looks a topic up once; the same name gives the same output.
    pub(crate) fn output(&mut self, name: &str) -> Result<OutputTopic> {
        if let Some(index) = self.outputs.iter().position(|output| &*output.name == name) {
            return Ok(OutputTopic(index as u32));
        }
        let handle = self.producer.topic(name)?;
        let partitions = self.producer.partitions(handle, self.timeout)?;
        self.outputs.push(Output {
            name: name.into(),
            handle,
            partitions,
        });
        Ok(OutputTopic((self.outputs.len() - 1) as u32))
    }

    pub(crate) fn name(&self, topic: OutputTopic) -> Arc<str> {
        Arc::clone(&self.outputs[topic.0 as usize].name)
    }

    /// By the key's hash; a record without key stays with its input's partition number, so that order is kept and the load spreads.
    #[inline]
    pub(crate) fn partition(&self, topic: OutputTopic, key: Option<&[u8]>, input_partition: i32) -> i32 {
        let partitions = self.outputs[topic.0 as usize].partitions;
        match key {
            Some(key) => partition_for_key(key, partitions),
            None => input_partition % partitions,
        }
    }

    /// Sends one record, opening the transaction if none is open.
    #[inline]
    pub(crate) fn send(
        &mut self,
        topic: OutputTopic,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        headers: &[Header],
    ) -> Result<()> {
        self.begin()?;
        let topic = self.outputs[topic.0 as usize].handle;
        self.producer.send(OutgoingRecord {
            topic,
            partition,
            key,
            value,
            timestamp,
            headers,
        })
    }

    fn begin(&mut self) -> Result<()> {
        if self.transactional && !self.in_transaction {
            self.producer.begin()?;
            self.in_transaction = true;
        }
        Ok(())
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    pub(crate) fn poll(&mut self) -> Result<()> {
        self.producer.poll()
    }

    /// Waits until all is delivered; the first failed delivery is the error.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.producer.flush(self.timeout)?;
        match self.producer.take_failures().into_iter().next() {
            None => Ok(()),
            Some(failure) => Err(failure.error.context(format!("writing to {}", failure.partition))),
        }
    }

    /// Commits the transaction with these offsets. Retries what can be retried until the time-out.
    pub(crate) fn commit(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
    ) -> Result<()> {
        self.begin()?;
        if !offsets.is_empty() {
            self.producer.send_offsets(offsets, member, self.timeout)?;
        }
        self.producer.commit(self.timeout)?;
        self.in_transaction = false;
        Ok(())
    }

    /// Ends the producer: an open transaction is aborted now, or the last stable offset would wait for its time-out.
    pub(crate) fn discard(mut self) {
        if self.in_transaction
            && let Err(error) = self.producer.abort(ABORT_TIMEOUT)
        {
            tracing::info!(%error, "the transaction was not aborted: the next producer with its id settles it");
        }
    }

    /// The offset after the last acknowledged record of a partition.
    pub(crate) fn next_offset(&self, topic: OutputTopic, partition: i32) -> Option<i64> {
        self.producer
            .acknowledged(self.outputs[topic.0 as usize].handle, partition)
            .map(|offset| offset + 1)
    }
}
