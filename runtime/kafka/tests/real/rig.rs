//! What the tests share: a cluster from the environment, clients with names of their own, and reading until something was seen.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_kafka::ErrorKind;
use millrace_kafka::log::*;
use millrace_kafka::real::KafkaLog;

pub const SOON: Duration = Duration::from_secs(20);

pub fn cluster() -> KafkaLog {
    let bootstrap = std::env::var("MILLRACE_TEST_BOOTSTRAP").expect(
        "MILLRACE_TEST_BOOTSTRAP is not set: give it the address of a Kafka 4 broker, such as 127.0.0.1:9092; \
         the end-to-end suite starts one and sets it",
    );
    KafkaLog::new(&bootstrap, &[]).unwrap()
}

/// A name that no other run used.
pub fn fresh(what: &str) -> String {
    format!("{what}-{}", uuid::Uuid::new_v4().simple())
}

pub fn topic(log: &KafkaLog, partitions: i32) -> String {
    let name = fresh("topic");
    let wanted = NewTopic {
        name: name.clone(),
        partitions,
        replication_factor: 1,
        config: BTreeMap::new(),
    };
    let results = log.admin().unwrap().create_topics(&[wanted], false, SOON).unwrap();
    results.into_iter().for_each(|result| result.unwrap());
    name
}

pub fn consumer(log: &KafkaLog, isolation: Isolation) -> Box<dyn Consumer> {
    let config = vec![("fetch.max.wait.ms".to_owned(), "50".to_owned())];
    log.consumer(&ConsumerSpec {
        client_id: fresh("consumer"),
        isolation,
        config,
    })
    .unwrap()
}

pub fn producer(log: &KafkaLog, transactional_id: Option<&str>) -> Box<dyn Producer> {
    let transactional_id = transactional_id.map(str::to_owned);
    let mut producer = log
        .producer(&ProducerSpec {
            client_id: fresh("producer"),
            transactional_id: transactional_id.clone(),
            config: vec![],
        })
        .unwrap();
    if transactional_id.is_some() {
        producer.init_transactions(SOON).unwrap();
    }
    producer
}

pub fn send(producer: &mut dyn Producer, topic: &str, partition: i32, value: &str) {
    let topic = producer.topic(topic).unwrap();
    let record = OutgoingRecord {
        topic,
        partition,
        key: Some(b"key"),
        value: Some(value.as_bytes()),
        timestamp: 1_700_000_000_000,
        headers: &[],
    };
    producer.send(record).unwrap();
}

/// What one partition gave: values with offsets, and the ends that were told.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    pub values: Vec<(i64, String)>,
    pub ends: Vec<i64>,
    pub failed: Vec<ErrorKind>,
}

pub fn poll_until(consumer: &mut dyn Consumer, done: impl Fn(&Seen) -> bool) -> Seen {
    let (mut seen, mut out) = (Seen::default(), Vec::new());
    let start = Instant::now();
    while !done(&seen) {
        assert!(start.elapsed() < SOON, "not in time; seen so far: {seen:?}");
        consumer.poll(Duration::from_millis(100), 1_000, &mut out).unwrap();
        for polled in out.drain(..) {
            match polled {
                Polled::Records(batch) => seen.values.extend(batch.iter().map(|record| {
                    (
                        record.offset(),
                        String::from_utf8(record.value().unwrap().to_vec()).unwrap(),
                    )
                })),
                Polled::End { position, .. } => seen.ends.push(position),
                Polled::Failed { error, .. } => seen.failed.push(error.kind()),
            }
        }
    }
    seen
}

pub fn values(seen: &Seen) -> Vec<&str> {
    seen.values.iter().map(|(_, value)| value.as_str()).collect()
}

pub fn at(offset: i64) -> OffsetAndMetadata {
    OffsetAndMetadata {
        offset,
        metadata: "kept".to_owned(),
    }
}
