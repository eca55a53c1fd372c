//! Reads topics back, whole, by a plain consumer that knows nothing of either engine.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Headers;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::Broker;

/// Which records a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Records of committed transactions, and those outside of any, up to the last stable offset.
    Committed,
    /// All records, aborted and open ones too.
    Uncommitted,
}

/// One record as it lies in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Milliseconds since the epoch; -1 if the record has none.
    pub timestamp: i64,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// The last header of a name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().rfind(|(n, _)| n == name)?;
        Some(String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned())
    }
}

/// Every record of a topic that a reader of this isolation sees now, partition by partition in the order of offsets.
///
/// # Panics
/// If there is no such topic, or the broker answers with an error, or not within two minutes.
pub fn read_all(broker: &Broker, topic: &str, isolation: Isolation) -> Vec<Record> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", "millrace-e2e-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set(
            "isolation.level",
            if isolation == Isolation::Committed {
                "read_committed"
            } else {
                "read_uncommitted"
            },
        )
        .set("fetch.wait.max.ms", "20")
        .set("fetch.message.max.bytes", "16777216")
        .create()
        .expect("a consumer");
    let metadata = consumer
        .fetch_metadata(Some(topic), Duration::from_secs(30))
        .expect("the broker answers");
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
    assert!(!partitions.is_empty(), "there is no topic {topic}");
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment
            .add_partition_offset(topic, *partition, Offset::Beginning)
            .expect("a valid offset");
    }
    consumer.assign(&assignment).expect("assign");

    let deadline = Instant::now() + Duration::from_secs(120);
    let mut unfinished: BTreeSet<i32> = partitions.into_iter().collect();
    let mut records = Vec::new();
    while !unfinished.is_empty() {
        assert!(
            Instant::now() < deadline,
            "reading {topic}: the ends of partitions {unfinished:?} do not come"
        );
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unfinished.remove(&partition);
            }
            // A broker of the cluster is away: the others have it all.
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
            ))) => {}
            Some(Err(e)) => panic!("reading {topic}: {e}"),
            Some(Ok(message)) if unfinished.contains(&message.partition()) => records.push(Record {
                partition: message.partition(),
                offset: message.offset(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                timestamp: message.timestamp().to_millis().unwrap_or(-1),
                headers: message
                    .headers()
                    .map(|headers| {
                        headers
                            .iter()
                            .map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec)))
                            .collect()
                    })
                    .unwrap_or_default(),
            }),
            // A partition that grew after its end was seen.
            Some(Ok(_)) => {}
        }
    }
    records.sort_by_key(|r| (r.partition, r.offset));
    records
}

/// First offset and high watermark of every partition.
///
/// # Panics
/// As [`read_all`].
pub fn watermarks(broker: &Broker, topic: &str) -> Vec<(i64, i64)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", "millrace-e2e-reader")
        // The last stable offset would be answered to a read_committed client.
        .set("isolation.level", "read_uncommitted")
        .create()
        .expect("a consumer");
    let within = Duration::from_secs(30);
    let metadata = consumer
        .fetch_metadata(Some(topic), within)
        .expect("the broker answers");
    let partitions = metadata.topics()[0].partitions();
    assert!(!partitions.is_empty(), "there is no topic {topic}");
    partitions
        .iter()
        .map(|p| {
            consumer
                .fetch_watermarks(topic, p.id(), within)
                .expect("the broker answers")
        })
        .collect()
}
