//! What every log must do, as scripts that run against any [`Log`](crate::log::Log): the in-process one in this crate's tests, real Kafka in the
//! end-to-end tests. A script panics where the log differs.

mod administration;
mod ends;
mod fencing;
mod groups;
mod hand;
mod offsets;
mod rebalances;
mod records;
mod sessions;
mod static_members;
mod transactions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::ErrorKind;
use crate::log::{
    Admin, Consumer, ConsumerSpec, GroupMembership, Isolation, NewTopic, OffsetAndMetadata, OffsetSpec, Offsets,
    OutgoingRecord, Polled, Producer, ProducerSpec, SharedLog, TopicPartition,
};

/// A script's name and the script.
pub type Script = (&'static str, fn(&Rig));

/// All scripts.
pub const SCRIPTS: &[&[Script]] = &[
    records::SCRIPTS,
    ends::SCRIPTS,
    transactions::SCRIPTS,
    fencing::SCRIPTS,
    offsets::SCRIPTS,
    groups::SCRIPTS,
    rebalances::SCRIPTS,
    sessions::SCRIPTS,
    static_members::SCRIPTS,
    administration::SCRIPTS,
];

/// Waiting is bounded by this: plenty for a loaded broker.
const PATIENCE: Duration = Duration::from_secs(30);

static RUNS: AtomicU64 = AtomicU64::new(0);

/// The log under test, with names of its own for one script.
pub struct Rig {
    log: SharedLog,
    prefix: String,
    /// Lets time pass.
    pass: Box<dyn Fn(Duration)>,
}

/// A record as the scripts write it down: partition, offset, value.
type Seen = (i32, i64, String);

impl Rig {
    /// A rig for one script on `log`, whose clock is the machine's; `run` keeps topics and groups of several runs on one cluster apart.
    #[must_use]
    pub fn new(log: SharedLog, run: &str) -> Self {
        Self::on_clock(log, run, std::thread::sleep)
    }

    /// The same on a clock that `pass` moves, so that time-outs need not be sat out.
    #[must_use]
    pub fn on_clock(log: SharedLog, run: &str, pass: impl Fn(Duration) + 'static) -> Self {
        Self {
            log,
            prefix: format!("conformance-{run}-{}", RUNS.fetch_add(1, Ordering::Relaxed)),
            pass: Box::new(pass),
        }
    }

    /// Lets `time` pass, and a little more.
    fn pass(&self, time: Duration) {
        (self.pass)(time + Duration::from_millis(100));
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    fn admin(&self) -> Box<dyn Admin> {
        self.log.admin().expect("an admin client")
    }

    /// Creates a topic; its full name.
    fn topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> String {
        let name = self.name(name);
        let topic = self.new_topic(&name, partitions, config);
        let created = self
            .admin()
            .create_topics(&[topic], false, PATIENCE)
            .expect("create topics");
        created.into_iter().for_each(|result| result.expect("a new topic"));
        name
    }

    fn new_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> NewTopic {
        let config: BTreeMap<_, _> = config
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        NewTopic {
            name: name.to_owned(),
            partitions,
            replication_factor: -1,
            config,
        }
    }

    fn plain_producer(&self) -> Box<dyn Producer> {
        let spec = ProducerSpec {
            client_id: self.name("producer"),
            transactional_id: None,
            config: vec![],
        };
        self.log.producer(&spec).expect("a producer")
    }

    /// A transactional producer, initialised.
    fn producer(&self, id: &str) -> Box<dyn Producer> {
        self.producer_with(id, &[])
    }

    fn producer_with(&self, id: &str, config: &[(&str, &str)]) -> Box<dyn Producer> {
        let spec = ProducerSpec {
            client_id: self.name("producer"),
            transactional_id: Some(self.name(id)),
            config: config
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        };
        let mut producer = self.log.producer(&spec).expect("a producer");
        producer.init_transactions(PATIENCE).expect("init_transactions");
        producer
    }

    fn consumer(&self, isolation: Isolation, topic: &str, partitions: i32) -> Box<dyn Consumer> {
        let spec = ConsumerSpec {
            client_id: self.name("consumer"),
            isolation,
            config: vec![],
        };
        let mut consumer = self.log.consumer(&spec).expect("a consumer");
        let all: Vec<_> = (0..partitions).map(|p| (TopicPartition::new(topic, p), 0)).collect();
        consumer.assign(&all).expect("assign");
        consumer
    }

    /// Reads a one-partition topic from its start to the end that `isolation` sees, as `offset value`.
    fn read(&self, isolation: Isolation, topic: &str) -> Vec<String> {
        let end = self.end(topic, isolation);
        let mut consumer = self.consumer(isolation, topic, 1);
        let at = TopicPartition::new(topic, 0);
        let seen = read_until(consumer.as_mut(), |consumer| consumer.position(&at) >= Some(end));
        seen.into_iter()
            .map(|(_, offset, value)| format!("{offset} {value}"))
            .collect()
    }

    fn end(&self, topic: &str, isolation: Isolation) -> i64 {
        self.offset(topic, OffsetSpec::Latest(isolation))
    }

    /// An offset of partition 0.
    fn offset(&self, topic: &str, spec: OffsetSpec) -> i64 {
        let of = [(TopicPartition::new(topic, 0), spec)];
        self.admin().list_offsets(&of, PATIENCE).expect("list offsets")[0]
    }

    /// Waits until the end that `isolation` sees is `offset`: markers arrive after the commit's answer.
    fn await_end(&self, topic: &str, isolation: Isolation, offset: i64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let end = self.end(topic, isolation);
            if end == offset {
                return;
            }
            assert!(Instant::now() < deadline, "{topic} ends at {end}, not at {offset}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until no transaction is open on partition 0.
    fn await_settled(&self, topic: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.end(topic, Isolation::ReadCommitted) < self.end(topic, Isolation::ReadUncommitted) {
            assert!(Instant::now() < deadline, "a transaction stays open on {topic}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The committed offsets of the script's group.
    fn offsets(&self) -> Box<dyn Offsets> {
        self.log.offsets(&self.name("g")).expect("an offsets client")
    }

    /// What is committed for a partition, once no transaction is open on it.
    fn committed(&self, topic: &str, partition: i32) -> Option<OffsetAndMetadata> {
        let at = [TopicPartition::new(topic, partition)];
        let fetched = self.offsets().fetch(&at, true, PATIENCE).expect("fetch");
        fetched.into_iter().next().flatten()
    }

    /// Who commits without being a member of the script's group.
    fn nobody(&self) -> GroupMembership {
        GroupMembership::outside(&self.name("g"))
    }
}

/// One offset without metadata, as a commit takes it.
fn at(topic: &str, partition: i32, offset: i64) -> [(TopicPartition, OffsetAndMetadata); 1] {
    let metadata = String::new();
    [(
        TopicPartition::new(topic, partition),
        OffsetAndMetadata { offset, metadata },
    )]
}

fn read_until(consumer: &mut dyn Consumer, mut done: impl FnMut(&dyn Consumer) -> bool) -> Vec<Seen> {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while !done(consumer) {
        assert!(Instant::now() < deadline, "nothing more came; so far {seen:?}");
        let mut polled = Vec::new();
        consumer
            .poll(Duration::from_millis(50), 1_000, &mut polled)
            .expect("poll");
        for item in polled {
            match item {
                Polled::Records(batch) => seen.extend(batch.iter().map(|record| {
                    let value = record
                        .value_slice()
                        .map_or_else(|| "null".into(), String::from_utf8_lossy);
                    (batch.partition().partition, record.offset(), value.into_owned())
                })),
                Polled::End { .. } => {}
                Polled::Failed { partition, error } => panic!("{partition} failed: {error}"),
            }
        }
    }
    seen
}

fn send(producer: &mut dyn Producer, topic: &str, partition: i32, key: &str, value: &str) {
    try_send(producer, topic, partition, key, value).expect("send");
}

fn try_send(producer: &mut dyn Producer, topic: &str, partition: i32, key: &str, value: &str) -> crate::Result<()> {
    let topic = producer.topic(topic).expect("a handle");
    let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
    producer.send(OutgoingRecord {
        topic,
        partition,
        key,
        value,
        timestamp: 1_000,
        headers: &[],
    })
}

/// Begins a transaction with one record in partition 0, which reaches the log.
fn open(producer: &mut dyn Producer, topic: &str, value: &str) {
    producer.begin().expect("begin");
    send(producer, topic, 0, "k", value);
    producer.flush(PATIENCE).expect("flush");
}

/// Ends the transaction, one way or the other.
fn end(producer: &mut dyn Producer, commit: bool) {
    let ended = if commit {
        producer.commit(PATIENCE)
    } else {
        producer.abort(PATIENCE)
    };
    ended.expect("the end of the transaction");
}

#[track_caller]
fn refused<T>(result: crate::Result<T>, kind: ErrorKind) {
    match result {
        Err(error) => assert_eq!(error.kind(), kind, "{error}"),
        Ok(_) => panic!("it was not refused as {kind:?}"),
    }
}
