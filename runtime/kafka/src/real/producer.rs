//! Writing by librdkafka, in transactions or without; always idempotent.
//!
//! On the record path: no await, one uncontended lock per delivery report, no allocation of ours per record.

use std::sync::Arc;
use std::time::Duration;

use super::librdkafka::{ClientType, Native, NativeTopic, NotTaken, PartitionList, kind_of_code};
use super::properties::{Scope, translate};
use super::security::Security;
use super::{RECONNECT_BACKOFF, RECONNECT_BACKOFF_MAX, settings_of};
use crate::log::{
    DeliveryFailure, GroupMembership, OffsetAndMetadata, Operation, OutgoingRecord, Producer, ProducerSpec, Resource,
    Right, TopicHandle, TopicPartition,
};
use crate::{Error, ErrorKind, Result};

/// Delivery reports are served at least after so many records, so that a caller that never polls stays in bounds.
const RECORDS_PER_POLL: u32 = 1_000;
/// How long a full queue is waited for between two attempts.
const FULL_QUEUE_WAIT: Duration = Duration::from_millis(50);

/// Kafka Streams' default; the Java producer's own is a minute, and brokers allow up to 15 minutes.
const TRANSACTION_TIMEOUT_MS: &str = "10000";

/// What a call that librdkafka bounds itself may take beyond its bound.
const OVERTIME: Duration = Duration::from_secs(2);

/// [`Producer`] on a cluster.
pub(crate) struct KafkaProducer {
    topics: Vec<(Arc<str>, NativeTopic)>,
    transactional_id: Option<String>,
    transaction_timeout: Duration,
    since_poll: u32,
    client: Arc<Native>,
}

impl KafkaProducer {
    /// `common` are the properties of all clients.
    pub(crate) fn new(
        bootstrap: &str,
        common: &[(String, String)],
        security: &Arc<Security>,
        spec: &ProducerSpec,
    ) -> Result<Self> {
        let mut translated = translate(Scope::Producer, common.iter().chain(&spec.config))?;
        let mut defaults = vec![
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // Kafka Streams' own default.
            ("linger.ms", "100"),
            // Java's max.request.size and buffer.memory.
            ("message.max.bytes", "1048576"),
            ("queue.buffering.max.kbytes", "32768"),
            ("queue.buffering.max.messages", "0"),
            ("allow.auto.create.topics", "false"),
            ("log.connection.close", "false"),
            RECONNECT_BACKOFF,
            RECONNECT_BACKOFF_MAX,
        ];
        if let Some(id) = &spec.transactional_id {
            defaults.push(("transactional.id", id));
            defaults.push(("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS));
        }
        if spec.transactional_id.is_some() {
            bound_delivery(&mut translated.settings);
        }
        let transaction_timeout = Duration::from_millis(transaction_timeout_ms(&translated.settings));
        let settings = settings_of(bootstrap, &spec.client_id, &defaults, translated);
        let client = Native::new(ClientType::Producer, &settings, security)
            .map_err(|error| error.context(format_args!("producer {}", spec.client_id)))?;
        Ok(Self {
            topics: Vec::new(),
            transactional_id: spec.transactional_id.clone(),
            transaction_timeout,
            since_poll: 0,
            client,
        })
    }

    fn of(&self, topic: TopicHandle) -> Result<&(Arc<str>, NativeTopic)> {
        let unknown = || Error::new(ErrorKind::Fatal, "a topic handle of another producer");
        self.topics.get(topic.0 as usize).ok_or_else(unknown)
    }

    fn refused(&self, code: i32, text: &str, name: &str, partition: i32) -> Error {
        /// librdkafka's `ERR__STATE`: records are not taken after an abortable error.
        const STATE: i32 = -172;
        const FATAL: i32 = -150;
        if code == FATAL
            && let Some(alarm) = self.client.context().take_alarm()
        {
            return alarm;
        }
        let kind = if code == STATE && self.transactional_id.is_some() {
            ErrorKind::Abortable
        } else {
            kind_of_code(code)
        };
        Error::new(kind, format!("record for {name}-{partition} refused: {text} ({code})"))
    }
}

impl Producer for KafkaProducer {
    fn topic(&mut self, name: &str) -> Result<TopicHandle> {
        let known = self.topics.iter().position(|(known, _)| **known == *name);
        let index = match known {
            Some(index) => index,
            None => {
                let topic = self.client.topic(name)?;
                self.topics.push((name.into(), topic));
                self.client.context().add_topic(name)
            }
        };
        u32::try_from(index)
            .map(TopicHandle)
            .map_err(|_| Error::new(ErrorKind::Fatal, "too many topics"))
    }

    fn partitions(&mut self, topic: TopicHandle, timeout: Duration) -> Result<i32> {
        let (name, topic) = self.of(topic)?;
        topic
            .partitions(timeout)
            .map_err(|error| error.context(format_args!("topic {name}")))
    }

    fn send(&mut self, record: OutgoingRecord<'_>) -> Result<()> {
        self.since_poll += 1;
        if self.since_poll >= RECORDS_PER_POLL {
            self.poll()?;
        }
        let number = record.topic.0 as usize;
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        // Counted first: a report may come before we are back.
        self.client.context().taken(bytes);
        loop {
            let (name, topic) = self.of(record.topic)?;
            let taken = topic.produce(
                number,
                record.partition,
                record.key,
                record.value,
                record.timestamp,
                record.headers,
            );
            match taken {
                Ok(()) => return Ok(()),
                Err(NotTaken::QueueFull) => {
                    self.client.poll(FULL_QUEUE_WAIT);
                    if let Some(alarm) = self.client.context().take_alarm() {
                        self.client.context().not_taken(bytes);
                        return Err(alarm);
                    }
                }
                // Its report will come: it stays counted.
                Err(NotTaken::WrongTimestamp) => {
                    let text = format!(
                        "record for {name}-{}: its timestamp 0 cannot be written, as this build's librdkafka lays records out differently; \
                         run a build whose tests pass",
                        record.partition
                    );
                    return Err(Error::new(ErrorKind::Fatal, text));
                }
                Err(NotTaken::Refused(code, text)) => {
                    self.client.context().not_taken(bytes);
                    return Err(self.refused(code, &text, name, record.partition));
                }
            }
        }
    }

    fn poll(&mut self) -> Result<()> {
        self.since_poll = 0;
        self.client.poll(Duration::ZERO);
        self.client.context().take_alarm().map_or(Ok(()), Err)
    }

    fn flush(&mut self, timeout: Duration) -> Result<()> {
        let done = self.client.flush(timeout);
        if let Some(alarm) = self.client.context().take_alarm() {
            return Err(alarm);
        }
        if done {
            return Ok(());
        }
        let bytes = self.in_flight_bytes();
        let text = format!(
            "flush: {bytes} bytes are not acknowledged after {} ms",
            timeout.as_millis()
        );
        let kind = if self.client.context().no_broker() {
            ErrorKind::Unreachable
        } else {
            ErrorKind::Retriable
        };
        Err(Error::new(kind, text))
    }

    fn take_failures(&mut self) -> Vec<DeliveryFailure> {
        self.client.context().take_failures()
    }

    fn acknowledged(&self, topic: TopicHandle, partition: i32) -> Option<i64> {
        self.client
            .context()
            .acknowledged(topic.0 as usize, usize::try_from(partition).ok()?)
    }

    fn in_flight_bytes(&self) -> usize {
        self.client.context().in_flight_bytes()
    }

    fn init_transactions(&mut self, timeout: Duration) -> Result<()> {
        self.client.init_transactions(timeout).map_err(|error| {
            if error.kind() != ErrorKind::Unauthorized {
                return error;
            }
            let id = self.transactional_id.as_deref().unwrap_or_default();
            let lacking = Right {
                operation: Operation::Write,
                resource: Resource::TransactionalId(id.to_owned()),
            };
            Error::new(
                ErrorKind::Unauthorized,
                format!("the principal lacks {lacking}: {error}"),
            )
        })
    }

    fn begin(&mut self) -> Result<()> {
        self.client.begin_transaction()
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
        timeout: Duration,
    ) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        // librdkafka does not keep its own bound here: where the broker of the group's coordinator is lost at a bad moment, it waits until some broker is
        // connected anew, for minutes or for ever. So a thread waits that can be left behind with its client, which the next producer fences.
        let patience = timeout.min(self.transaction_timeout);
        let (client, offsets, member) = (Arc::clone(&self.client), offsets.to_vec(), member.clone());
        let (answer, answered) = crossbeam_channel::bounded(1);
        let ask = move || _ = answer.send(send_offsets(&client, &offsets, &member, patience));
        std::thread::Builder::new()
            .name("send-offsets".to_owned())
            .spawn(ask)
            .map_err(|error| Error::new(ErrorKind::Fatal, format!("cannot start a thread: {error}")))?;
        answered.recv_timeout(patience + OVERTIME).unwrap_or_else(|_| {
            let text = format!(
                "offsets: no answer from the group's coordinator in {} s",
                patience.as_secs()
            );
            Err(Error::new(ErrorKind::Retriable, text))
        })
    }

    fn commit(&mut self, timeout: Duration) -> Result<()> {
        self.client.commit_transaction(timeout)
    }

    fn abort(&mut self, timeout: Duration) -> Result<()> {
        let context = self.client.context();
        context.set_aborting(true);
        let result = self.client.abort_transaction(timeout);
        context.set_aborting(false);
        result
    }
}

fn send_offsets(
    client: &Native,
    offsets: &[(TopicPartition, OffsetAndMetadata)],
    member: &GroupMembership,
    timeout: Duration,
) -> Result<()> {
    let mut list = PartitionList::with_capacity(offsets.len());
    for (at, offset) in offsets {
        list.add(at, Some(offset.offset), &offset.metadata)?;
    }
    client.send_offsets(&list, member, timeout)
}

fn transaction_timeout_ms(settings: &[(String, String)]) -> u64 {
    const UNBOUNDED: u64 = u32::MAX as u64;
    let set = settings.iter().rev().find(|(name, _)| name == "transaction.timeout.ms");
    set.map_or(TRANSACTION_TIMEOUT_MS, |(_, value)| value)
        .parse()
        .unwrap_or(UNBOUNDED)
}

/// librdkafka refuses a delivery time-out beyond the transaction's, where Java lets the transaction's end it: so does this.
fn bound_delivery(settings: &mut [(String, String)]) {
    let transaction = transaction_timeout_ms(settings);
    for (name, value) in settings {
        if name == "delivery.timeout.ms" && value.parse::<u64>().is_ok_and(|asked| asked > transaction) {
            *value = transaction.to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_may_take_no_longer_than_its_transaction() {
        let table = [
            (vec![("delivery.timeout.ms", "120000")], "10000"),
            (vec![("delivery.timeout.ms", "5000")], "5000"),
            (
                vec![("transaction.timeout.ms", "60000"), ("delivery.timeout.ms", "120000")],
                "60000",
            ),
        ];
        for (config, expected) in table {
            let config: Vec<_> = config
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let mut bounded = config.clone();
            bound_delivery(&mut bounded);
            assert_eq!(bounded.last().unwrap().1, expected);
            let spec = ProducerSpec {
                client_id: "p".to_owned(),
                transactional_id: Some("t".to_owned()),
                config,
            };
            let plaintext = Arc::new(Security::new(&[]).unwrap());
            KafkaProducer::new("127.0.0.1:1", &[], &plaintext, &spec).unwrap();
        }
    }
}
