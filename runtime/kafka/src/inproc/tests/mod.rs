//! Scripts of the in-process log: those that every log must pass, and its own, on a clock of their own.

mod cleaning;
mod faults;
mod groups;
mod histories;
mod splitting;
mod transactions;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Client, Cluster, ClusterOptions, MarkerPolicy};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::conformance::{Rig, SCRIPTS};
use crate::log::{
    Consumer, ConsumerSpec, Isolation, Log, OutgoingRecord, Polled, Producer, ProducerSpec, TopicPartition,
};

/// The machine's clock, which scripts put forward where they would have to sit out a time-out.
#[derive(Default)]
struct Hurried {
    machine: SystemClock,
    ahead: Mutex<Duration>,
}

impl Clock for Hurried {
    fn now_ms(&self) -> i64 {
        self.machine.now_ms() + self.ahead.lock().as_millis() as i64
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic() + *self.ahead.lock()
    }
}

/// A rig on a cluster of its own with these options, whose clock passes and can be put forward.
fn hurried(options: ClusterOptions) -> Rig {
    let clock = Arc::new(Hurried::default());
    let log = Cluster::new(ClusterOptions {
        clock: clock.clone(),
        ..options
    });
    let pass = move |time| *clock.ahead.lock() += time;
    Rig::on_clock(log.client("rig").shared_log(), "inproc", pass)
}

/// The same on a clock that stands still.
fn still(options: ClusterOptions) -> Rig {
    let clock = Arc::new(ManualClock::at(SystemClock::new().now_ms()));
    let log = Cluster::new(ClusterOptions {
        clock: clock.clone(),
        ..options
    });
    Rig::on_clock(log.client("rig").shared_log(), "inproc", move |time| {
        clock.advance(time);
    })
}

/// Every script of the conformance suite, under each way of the cluster to be late.
#[test]
fn conformance() {
    let as_the_tests_brokers = || ClusterOptions {
        min_session_timeout: Duration::from_secs(1),
        ..ClusterOptions::default()
    };
    let late = |markers, seed| ClusterOptions {
        markers,
        seed,
        ..as_the_tests_brokers()
    };
    let shuffled = ClusterOptions {
        shuffle_sends: true,
        seed: 7,
        ..as_the_tests_brokers()
    };
    type Variant = (&'static str, fn(ClusterOptions) -> Rig, ClusterOptions);
    let variants: [Variant; 5] = [
        ("prompt", hurried, as_the_tests_brokers()),
        ("shuffled", hurried, shuffled),
        (
            "late",
            hurried,
            late(MarkerPolicy::Delayed(Duration::from_millis(20)), 8),
        ),
        ("late by steps", hurried, late(MarkerPolicy::Steps(5), 9)),
        ("time stands still", still, late(MarkerPolicy::Steps(5), 10)),
    ];
    for (variant, rig, options) in variants {
        for (name, script) in SCRIPTS.iter().copied().flatten() {
            eprintln!("{variant}: {name}");
            script(&rig(options.clone()));
        }
    }
}

/// Nothing waits in these scripts: on the manual clock every call answers at once.
const NOW: Duration = Duration::from_secs(30);

/// A cluster whose clock and markers are the script's, with the topic `t`.
fn held(partitions: i32) -> (Cluster, Arc<ManualClock>) {
    with_markers(MarkerPolicy::Manual, partitions)
}

fn with_markers(markers: MarkerPolicy, partitions: i32) -> (Cluster, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_000_000));
    let cluster = Cluster::new(ClusterOptions {
        clock: clock.clone(),
        markers,
        ..ClusterOptions::default()
    });
    cluster.create_topic("t", partitions).unwrap();
    (cluster, clock)
}

fn producer(client: &Client, id: &str) -> Box<dyn Producer> {
    let mut producer = bare_producer(client, id);
    producer.init_transactions(NOW).unwrap();
    producer
}

fn bare_producer(client: &Client, id: &str) -> Box<dyn Producer> {
    let config = vec![("transaction.timeout.ms".to_owned(), "10000".to_owned())];
    client
        .producer(&ProducerSpec {
            client_id: id.into(),
            transactional_id: Some(id.into()),
            config,
        })
        .unwrap()
}

fn send(producer: &mut dyn Producer, partition: i32, value: &str) {
    let topic = producer.topic("t").unwrap();
    let value = Some(value.as_bytes());
    producer
        .send(OutgoingRecord {
            topic,
            partition,
            key: Some(b"k"),
            value,
            timestamp: 5,
            headers: &[],
        })
        .unwrap();
}

fn consumer(client: &Client, isolation: Isolation, partition: i32, offset: i64) -> Box<dyn Consumer> {
    let spec = ConsumerSpec {
        client_id: "c".into(),
        isolation,
        config: vec![],
    };
    let mut consumer = client.consumer(&spec).unwrap();
    consumer
        .assign(&[(TopicPartition::new("t", partition), offset)])
        .unwrap();
    consumer
}

/// One poll, as words: `value@offset`, `end@position`, `failed: kind`.
fn poll(consumer: &mut dyn Consumer) -> String {
    let mut polled = Vec::new();
    consumer.poll(NOW, 100, &mut polled).unwrap();
    let mut words = Vec::new();
    for item in polled {
        match item {
            Polled::Records(batch) => words.extend(batch.iter().map(|record| {
                let value = record
                    .value_slice()
                    .map_or_else(|| "null".into(), String::from_utf8_lossy);
                format!("{value}@{}", record.offset())
            })),
            Polled::End { position, .. } => words.push(format!("end@{position}")),
            Polled::Failed { error, .. } => words.push(format!("failed: {:?}", error.kind())),
        }
    }
    words.join(" ")
}

/// What a reader of partition 0 sees from the start, as `value@offset`.
fn dump(cluster: &Cluster, isolation: Isolation) -> String {
    let records = cluster.dump("t", 0, isolation).unwrap();
    let word = |record: &super::StoredRecord| {
        let value = record
            .value
            .as_deref()
            .map_or_else(|| "null".into(), String::from_utf8_lossy);
        format!("{value}@{}", record.offset)
    };
    records.iter().map(word).collect::<Vec<_>>().join(" ")
}
