//! The log traits on a real broker. The end-to-end suite runs these; by hand:
//! `MILLRACE_TEST_BOOTSTRAP=127.0.0.1:9092 cargo test --release -p millrace-kafka --test real -- --ignored --nocapture`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_kafka::log::{
    Consumer, ConsumerSpec, GroupMembership, Header, HeartbeatRequest, Isolation, JoinRequest, JoinResponse,
    LeaveRequest, Log, NewTopic, OffsetAndMetadata, OffsetSpec, OutgoingRecord, Polled, Producer, ProducerSpec,
    Request, Response, SyncRequest, TopicPartition,
};
use millrace_kafka::real::KafkaLog;
use millrace_kafka::{ErrorKind, conformance};

const SOON: Duration = Duration::from_secs(20);

fn cluster() -> KafkaLog {
    let bootstrap = std::env::var("MILLRACE_TEST_BOOTSTRAP").expect(
        "MILLRACE_TEST_BOOTSTRAP is not set: give it the address of a Kafka 4 broker, such as 127.0.0.1:9092; \
         the end-to-end suite starts one and sets it",
    );
    KafkaLog::new(&bootstrap, &[]).unwrap()
}

/// A name that no other run used.
fn fresh(what: &str) -> String {
    format!("{what}-{}", uuid::Uuid::new_v4().simple())
}

fn topic(log: &KafkaLog, partitions: i32) -> String {
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

fn consumer(log: &KafkaLog, isolation: Isolation) -> Box<dyn Consumer> {
    let config = vec![("fetch.max.wait.ms".to_owned(), "50".to_owned())];
    log.consumer(&ConsumerSpec {
        client_id: fresh("consumer"),
        isolation,
        config,
    })
    .unwrap()
}

fn producer(log: &KafkaLog, transactional_id: Option<&str>) -> Box<dyn Producer> {
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

fn send(producer: &mut dyn Producer, topic: &str, partition: i32, value: &str) {
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
struct Seen {
    values: Vec<(i64, String)>,
    ends: Vec<i64>,
    failed: Vec<ErrorKind>,
}

fn poll_until(consumer: &mut dyn Consumer, done: impl Fn(&Seen) -> bool) -> Seen {
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

fn values(seen: &Seen) -> Vec<&str> {
    seen.values.iter().map(|(_, value)| value.as_str()).collect()
}

fn at(offset: i64) -> OffsetAndMetadata {
    OffsetAndMetadata {
        offset,
        metadata: "kept".to_owned(),
    }
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn it_does_what_every_log_must() {
    let log: millrace_kafka::log::SharedLog = std::sync::Arc::new(cluster());
    let run = uuid::Uuid::new_v4().simple().to_string();
    let mut failed = Vec::new();
    for (name, script) in conformance::SCRIPTS.iter().copied().flatten() {
        let start = Instant::now();
        let rig = conformance::Rig::new(std::sync::Arc::clone(&log), &run);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| script(&rig))).is_err() {
            failed.push(name);
        }
        println!("{name}: {:?}", start.elapsed());
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn topics_are_made_described_and_deleted() {
    let log = cluster();
    let mut admin = log.admin().unwrap();
    let info = admin.cluster(SOON).unwrap();
    assert!(!info.cluster_id.is_empty());
    assert!(info.brokers >= 1);

    let (good, bad) = (fresh("good"), fresh("bad"));
    let config = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
    let good_topic = NewTopic {
        name: good.clone(),
        partitions: 3,
        replication_factor: -1,
        config,
    };
    let config = BTreeMap::from([("retention.ms".to_owned(), "soon".to_owned())]);
    let bad_topic = NewTopic {
        name: bad.clone(),
        partitions: 1,
        replication_factor: -1,
        config,
    };

    let checked = admin
        .create_topics(&[good_topic.clone(), bad_topic.clone()], true, SOON)
        .unwrap();
    assert!(checked[0].is_ok());
    let error = checked[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains(&bad) && error.to_string().contains("retention.ms"),
        "{error}"
    );
    assert_eq!(
        admin.topics(&[&good], SOON).unwrap(),
        [None],
        "validate_only creates nothing"
    );

    let made = admin
        .create_topics(&[bad_topic, good_topic.clone()], false, SOON)
        .unwrap();
    assert!(made[0].is_err() && made[1].is_ok());
    let found = admin.topics(&["no-such-topic", &good], SOON).unwrap();
    assert_eq!(found[0], None);
    let found = found[1].clone().unwrap();
    assert_eq!((found.name.as_str(), found.partitions), (good.as_str(), 3));
    let again = admin
        .create_topics(std::slice::from_ref(&good_topic), false, SOON)
        .unwrap();
    assert_eq!(again[0].as_ref().unwrap_err().kind(), ErrorKind::TopicExists);

    let config = admin.topic_config(&good, SOON).unwrap();
    assert_eq!(config["cleanup.policy"].value, "compact");
    assert!(config["cleanup.policy"].is_topic_override);
    assert!(!config["retention.ms"].is_topic_override);
    assert_eq!(
        admin.topic_config("no-such-topic", SOON).unwrap_err().kind(),
        ErrorKind::UnknownTopic
    );

    let deleted = admin.delete_topics(&[&good, "no-such-topic"], SOON).unwrap();
    assert!(deleted[0].is_ok());
    assert_eq!(deleted[1].as_ref().unwrap_err().kind(), ErrorKind::UnknownTopic);
    assert_eq!(admin.topics(&[&good], SOON).unwrap(), [None]);
    admin.create_topics(&[good_topic], false, SOON).unwrap()[0]
        .as_ref()
        .unwrap();
    let anew = admin.topics(&[&good], SOON).unwrap()[0].clone().unwrap();
    assert_ne!(anew.id, found.id, "a topic made anew has another id");

    let mut producer = producer(&log, None);
    let handle = producer.topic(&good).unwrap();
    assert_eq!(producer.partitions(handle, SOON).unwrap(), 3);
    let missing = producer.topic("no-such-topic").unwrap();
    assert_eq!(
        producer.partitions(missing, SOON).unwrap_err().kind(),
        ErrorKind::UnknownTopic
    );
    assert_eq!(
        admin.topics(&["no-such-topic"], SOON).unwrap(),
        [None],
        "asking never creates"
    );
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn records_keep_keys_values_nulls_headers_and_timestamps() {
    let log = cluster();
    let name = topic(&log, 1);
    let partition = TopicPartition::new(name.as_str(), 0);
    let mut producer = producer(&log, None);
    let handle = producer.topic(&name).unwrap();
    let headers = [
        Header {
            name: "a".to_owned(),
            value: Some(Bytes::from_static(b"1")),
        },
        Header {
            name: "none".to_owned(),
            value: None,
        },
        Header {
            name: "a".to_owned(),
            value: Some(Bytes::new()),
        },
    ];
    let now = 1_790_000_000_123;
    let mut record = OutgoingRecord {
        topic: handle,
        partition: 0,
        key: None,
        value: None,
        timestamp: now,
        headers: &[],
    };
    producer.send(record).unwrap();
    record.key = Some(b"");
    record.value = Some(b"");
    record.headers = &headers;
    record.timestamp = 1;
    producer.send(record).unwrap();
    producer.flush(SOON).unwrap();
    assert!(producer.take_failures().is_empty());
    assert_eq!(producer.acknowledged(handle, 0), Some(1));
    assert_eq!(producer.acknowledged(handle, 1), None);
    assert_eq!(producer.in_flight_bytes(), 0);

    let mut consumer = consumer(&log, Isolation::ReadUncommitted);
    consumer.assign(&[(partition.clone(), 0)]).unwrap();
    let mut out = Vec::new();
    let start = Instant::now();
    while out.is_empty() && start.elapsed() < SOON {
        consumer.poll(Duration::from_millis(100), 100, &mut out).unwrap();
    }
    let Polled::Records(batch) = &out[0] else {
        panic!("{out:?}")
    };
    assert_eq!(batch.partition(), &partition);
    let (first, second) = (batch.get(0), batch.get(1));
    assert_eq!(
        (first.key(), first.value(), first.timestamp(), first.headers().len()),
        (None, None, now, 0)
    );
    assert_eq!(
        (second.key(), second.value(), second.timestamp()),
        (Some(Bytes::new()), Some(Bytes::new()), 1)
    );
    assert_eq!(second.headers(), headers);
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn a_too_large_record_is_refused_alone() {
    let log = cluster();
    let name = topic(&log, 1);
    let mut producer = producer(&log, Some(&fresh("txn")));
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "before");
    let large = vec![0; 2 << 20];
    let handle = producer.topic(&name).unwrap();
    let record = OutgoingRecord {
        topic: handle,
        partition: 0,
        key: None,
        value: Some(&large),
        timestamp: 1_700_000_000_000,
        headers: &[],
    };
    let error = producer.send(record).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecordRejected);
    assert!(error.to_string().contains(&name), "{error}");
    send(&mut *producer, &name, 0, "after");
    producer.commit(SOON).unwrap();
    assert_eq!(producer.in_flight_bytes(), 0);

    let mut consumer = consumer(&log, Isolation::ReadCommitted);
    consumer.assign(&[(TopicPartition::new(name.as_str(), 0), 0)]).unwrap();
    assert_eq!(
        values(&poll_until(&mut *consumer, |seen| !seen.ends.is_empty())),
        ["before", "after"]
    );
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn transactions_markers_and_both_ends() {
    let log = cluster();
    let name = topic(&log, 1);
    let partition = TopicPartition::new(name.as_str(), 0);
    let mut producer = producer(&log, Some(&fresh("txn")));
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "a");
    send(&mut *producer, &name, 0, "b");
    producer.flush(SOON).unwrap();
    producer.commit(SOON).unwrap(); // offsets 0, 1, marker 2
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "aborted");
    producer.flush(SOON).unwrap();
    send(&mut *producer, &name, 0, "unsent");
    producer.abort(SOON).unwrap(); // 3 (and perhaps 4), marker
    assert!(producer.take_failures().is_empty(), "what an abort drops is no failure");

    let mut admin = log.admin().unwrap();
    let end = |spec| (partition.clone(), spec);
    let committed = OffsetSpec::Latest(Isolation::ReadCommitted);
    let uncommitted = OffsetSpec::Latest(Isolation::ReadUncommitted);
    let stable = admin.list_offsets(&[end(committed)], SOON).unwrap()[0];
    assert!(stable >= 5, "{stable}");

    // An open transaction holds the last stable offset back.
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "open");
    producer.flush(SOON).unwrap();
    let asked = [
        end(OffsetSpec::Earliest),
        end(committed),
        end(uncommitted),
        end(OffsetSpec::Timestamp(1)),
        end(OffsetSpec::Timestamp(i64::MAX - 1)),
    ];
    let offsets = admin.list_offsets(&asked, SOON).unwrap();
    assert_eq!(offsets, [0, stable, stable + 1, 0, stable + 1]);

    let mut reader = consumer(&log, Isolation::ReadCommitted);
    reader.assign(&[(partition.clone(), 0)]).unwrap();
    assert_eq!(
        reader.position(&partition),
        Some(0),
        "the assigned offset, before anything was read"
    );
    let seen = poll_until(&mut *reader, |seen| !seen.ends.is_empty());
    assert_eq!(seen.values, [(0, "a".to_owned()), (1, "b".to_owned())]);
    assert_eq!(seen.ends, [stable]);
    assert_eq!(reader.position(&partition), Some(stable));
    assert_eq!(reader.known_end(&partition), Some(stable));
    let mut dirty = consumer(&log, Isolation::ReadUncommitted);
    dirty.assign(&[(partition.clone(), 0)]).unwrap();
    let seen = poll_until(&mut *dirty, |seen| !seen.ends.is_empty());
    assert_eq!(values(&seen).first_chunk::<3>(), Some(&["a", "b", "aborted"]));
    assert_eq!(values(&seen).last(), Some(&"open"));
    assert_eq!(dirty.position(&partition), Some(stable + 1));
    assert_eq!(dirty.known_end(&partition), Some(stable + 1));

    producer.commit(SOON).unwrap();
    let seen = poll_until(&mut *reader, |seen| seen.ends.last() == Some(&(stable + 2)));
    assert_eq!(seen.values, [(stable, "open".to_owned())]);
    assert_eq!(reader.position(&partition), Some(stable + 2), "past the marker");
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn offsets_out_of_the_log_fail_their_partition_alone() {
    let log = cluster();
    let name = topic(&log, 2);
    let mut producer = producer(&log, None);
    for value in ["a", "b", "c"] {
        send(&mut *producer, &name, 0, value);
        send(&mut *producer, &name, 1, value);
    }
    producer.flush(SOON).unwrap();
    let (zero, one) = (
        TopicPartition::new(name.as_str(), 0),
        TopicPartition::new(name.as_str(), 1),
    );
    let mut admin = log.admin().unwrap();
    admin.delete_records(&[(zero.clone(), 2)], SOON).unwrap();
    let earliest = [
        (zero.clone(), OffsetSpec::Earliest),
        (one.clone(), OffsetSpec::Earliest),
    ];
    assert_eq!(admin.list_offsets(&earliest, SOON).unwrap(), [2, 0]);
    let missing = [(TopicPartition::new(name.as_str(), 7), OffsetSpec::Earliest)];
    assert_eq!(
        admin.list_offsets(&missing, SOON).unwrap_err().kind(),
        ErrorKind::UnknownTopic
    );

    let mut consumer = consumer(&log, Isolation::ReadUncommitted);
    consumer.assign(&[(zero.clone(), 0), (one, 0)]).unwrap();
    let seen = poll_until(&mut *consumer, |seen| !seen.failed.is_empty() && !seen.ends.is_empty());
    assert_eq!(seen.failed, [ErrorKind::OffsetOutOfRange]);
    assert_eq!(values(&seen), ["a", "b", "c"]);
    assert_eq!(consumer.position(&zero), None, "it is unassigned");
    // From where the log begins it can be read.
    consumer.assign(&[(zero.clone(), 2)]).unwrap();
    let seen = poll_until(&mut *consumer, |seen| !seen.ends.is_empty());
    assert_eq!(seen.values, [(2, "c".to_owned())]);
    // And beyond the end it cannot.
    consumer.assign(&[(zero, 10)]).unwrap();
    let seen = poll_until(&mut *consumer, |seen| !seen.failed.is_empty());
    assert_eq!(seen.failed, [ErrorKind::OffsetOutOfRange]);
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn assignments_move_pause_and_resume() {
    let log = cluster();
    let name = topic(&log, 2);
    let mut producer = producer(&log, None);
    for number in 0..5_000 {
        send(&mut *producer, &name, 0, &number.to_string());
        send(&mut *producer, &name, 1, &number.to_string());
    }
    producer.flush(SOON).unwrap();
    let (zero, one) = (
        TopicPartition::new(name.as_str(), 0),
        TopicPartition::new(name.as_str(), 1),
    );
    let mut consumer = consumer(&log, Isolation::ReadUncommitted);
    consumer.assign(&[(zero.clone(), 0)]).unwrap();
    let mut out = Vec::new();
    let start = Instant::now();
    let count = |out: &[Polled], of: &TopicPartition| -> Vec<i64> {
        let batches = out.iter().filter_map(|polled| match polled {
            Polled::Records(batch) if batch.partition() == of => Some(batch),
            _ => None,
        });
        batches
            .flat_map(|batch| batch.iter().map(|record| record.offset()).collect::<Vec<_>>())
            .collect()
    };
    while count(&out, &zero).is_empty() {
        assert!(start.elapsed() < SOON);
        consumer.poll(Duration::from_millis(100), 10, &mut out).unwrap();
    }
    // Paused, with records behind it in the queue: nothing comes but of the other partition.
    consumer.pause(std::slice::from_ref(&zero)).unwrap();
    let stood = consumer.position(&zero).unwrap();
    consumer.assign(&[(one.clone(), 4_000)]).unwrap();
    let before = count(&out, &zero).len();
    while count(&out, &one).len() < 1_000 || start.elapsed() < Duration::from_millis(1_500) {
        assert!(start.elapsed() < SOON);
        consumer.poll(Duration::from_millis(100), 100, &mut out).unwrap();
    }
    assert_eq!(count(&out, &one), (4_000..5_000).collect::<Vec<_>>());
    assert_eq!(count(&out, &zero).len(), before, "nothing comes of a paused partition");
    assert_eq!(consumer.position(&zero), Some(stood));
    // Resumed after a pause that lasted, and again after a short one: nothing is lost, nothing comes twice.
    consumer.resume(std::slice::from_ref(&zero)).unwrap();
    while count(&out, &zero).len() < 2_000 {
        assert!(start.elapsed() < SOON);
        consumer.poll(Duration::from_millis(100), 100, &mut out).unwrap();
    }
    consumer.pause(std::slice::from_ref(&zero)).unwrap();
    consumer.poll(Duration::from_millis(50), 100, &mut out).unwrap();
    consumer.resume(std::slice::from_ref(&zero)).unwrap();
    while count(&out, &zero).len() < 5_000 {
        assert!(start.elapsed() < SOON, "{}", count(&out, &zero).len());
        consumer.poll(Duration::from_millis(100), 100, &mut out).unwrap();
    }
    assert_eq!(count(&out, &zero), (0..5_000).collect::<Vec<_>>());
    // Moved back: what was fetched from the old place does not come.
    out.clear();
    consumer.assign(&[(zero.clone(), 4_990)]).unwrap();
    consumer.unassign(std::slice::from_ref(&one)).unwrap();
    while count(&out, &zero).len() < 10 {
        assert!(start.elapsed() < SOON);
        consumer.poll(Duration::from_millis(100), 100, &mut out).unwrap();
    }
    assert_eq!(count(&out, &zero), (4_990..5_000).collect::<Vec<_>>());
    assert_eq!(consumer.position(&zero), Some(5_000));
    assert_eq!(consumer.position(&one), None);
    // A short pause at the end moves nothing.
    while !out.iter().any(|polled| matches!(polled, Polled::End { .. })) {
        assert!(start.elapsed() < SOON);
        consumer.poll(Duration::from_millis(100), 100, &mut out).unwrap();
    }
    // librdkafka tells the end with its next fetch.
    let told = Instant::now();
    while told.elapsed() < Duration::from_millis(300) {
        consumer.poll(Duration::from_millis(50), 100, &mut out).unwrap();
    }
    consumer.pause(std::slice::from_ref(&zero)).unwrap();
    consumer.poll(Duration::from_millis(50), 100, &mut out).unwrap();
    consumer.resume(std::slice::from_ref(&zero)).unwrap();
    consumer.poll(Duration::from_millis(50), 100, &mut out).unwrap();
    assert_eq!(consumer.position(&zero), Some(5_000));
    // A pause that lasts while the partition stands at its end skips nothing that comes later.
    consumer.pause(std::slice::from_ref(&zero)).unwrap();
    let paused = Instant::now();
    while paused.elapsed() < Duration::from_millis(1_300) {
        consumer.poll(Duration::from_millis(100), 100, &mut out).unwrap();
    }
    send(&mut *producer, &name, 0, "later");
    producer.flush(SOON).unwrap();
    out.clear();
    consumer.resume(std::slice::from_ref(&zero)).unwrap();
    while count(&out, &zero).is_empty() {
        assert!(start.elapsed() < SOON);
        consumer.poll(Duration::from_millis(100), 100, &mut out).unwrap();
    }
    assert_eq!(count(&out, &zero), [5_000]);
}

/// A member of a group, driven by hand.
struct Member {
    coordinator: Box<dyn millrace_kafka::log::Coordinator>,
    group: String,
    instance: Option<String>,
    id: String,
    generation: i32,
}

impl Member {
    fn new(log: &KafkaLog, group: &str, instance: Option<&str>) -> Self {
        Self {
            coordinator: log.coordinator(group).unwrap(),
            group: group.to_owned(),
            instance: instance.map(str::to_owned),
            id: String::new(),
            generation: -1,
        }
    }

    fn answer(&mut self) -> Response {
        self.coordinator.poll(SOON).unwrap().expect("an answer")
    }

    fn ask_to_join(&mut self, metadata: &'static [u8]) {
        let join = JoinRequest {
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(20),
            protocol_type: "millrace".to_owned(),
            protocols: vec![("millrace".to_owned(), Bytes::from_static(metadata))],
            reason: "test".to_owned(),
        };
        self.coordinator.send(Request::Join(join)).unwrap();
    }

    fn joined(&mut self, metadata: &'static [u8]) -> JoinResponse {
        loop {
            match self.answer() {
                Response::Join(Ok(joined)) => {
                    self.id.clone_from(&joined.member_id);
                    self.generation = joined.generation;
                    return joined;
                }
                Response::Join(Err(error)) if error.code == 79 => {
                    self.id = error.member_id.expect("MEMBER_ID_REQUIRED carries the id");
                    self.ask_to_join(metadata);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn join(&mut self, metadata: &'static [u8]) -> JoinResponse {
        self.ask_to_join(metadata);
        self.joined(metadata)
    }

    fn sync(&mut self, assignments: Vec<(String, Bytes)>) -> Bytes {
        let sync = SyncRequest {
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            protocol_type: "millrace".to_owned(),
            protocol: "millrace".to_owned(),
            assignments,
        };
        self.coordinator.send(Request::Sync(sync)).unwrap();
        match self.answer() {
            Response::Sync(Ok(synced)) => synced.assignment,
            other => panic!("{other:?}"),
        }
    }

    fn ask_heartbeat(&mut self) {
        let heartbeat = HeartbeatRequest {
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
        };
        self.coordinator.send(Request::Heartbeat(heartbeat)).unwrap();
    }

    fn heartbeat(&mut self) -> i16 {
        self.ask_heartbeat();
        match self.answer() {
            Response::Heartbeat(Ok(())) => 0,
            Response::Heartbeat(Err(error)) => error.code,
            other => panic!("{other:?}"),
        }
    }

    fn leave(&mut self) {
        let leave = LeaveRequest {
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            reason: "done".to_owned(),
        };
        self.coordinator.send(Request::Leave(leave)).unwrap();
        match self.answer() {
            Response::Leave(Ok(())) => {}
            other => panic!("{other:?}"),
        }
    }

    fn membership(&self) -> GroupMembership {
        GroupMembership {
            group: self.group.clone(),
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
        }
    }
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn two_members_join_sync_heartbeat_and_leave() {
    let log = cluster();
    let group = fresh("group");
    let mut offsets = log.offsets(&group).unwrap();
    assert_eq!(offsets.describe(SOON).unwrap().state, "Dead");

    let mut one = Member::new(&log, &group, None);
    let joined = one.join(b"one");
    assert_eq!(joined.leader, joined.member_id);
    assert_eq!(joined.members.len(), 1);
    assert_eq!(one.sync(vec![(one.id.clone(), Bytes::from_static(b"all"))]), "all");
    assert_eq!(one.heartbeat(), 0);

    let mut two = Member::new(&log, &group, None);
    two.ask_to_join(b"two");
    // The second join waits for the first member, who hears of it by heartbeat.
    let start = Instant::now();
    while one.heartbeat() != 27 {
        assert!(start.elapsed() < SOON);
        // MEMBER_ID_REQUIRED comes first and must be answered.
        if let Some(Response::Join(Err(error))) = two.coordinator.poll(Duration::from_millis(50)).unwrap() {
            assert_eq!(error.code, 79);
            two.id = error.member_id.unwrap();
            two.ask_to_join(b"two");
        }
    }
    // While the second member's join waits, its heartbeat is answered (its generation is none yet).
    two.ask_heartbeat();
    match two.answer() {
        Response::Heartbeat(Err(error)) => assert!([22, 25, 27].contains(&error.code), "{error:?}"),
        other => panic!("{other:?}"),
    }
    let first = one.join(b"one again");
    let second = two.joined(b"two");
    assert_eq!(first.generation, second.generation);
    assert_eq!(first.leader, one.id);
    assert!(second.members.is_empty(), "only the leader sees the members");
    let mut metadata: Vec<_> = first.members.iter().map(|member| member.metadata.clone()).collect();
    metadata.sort();
    assert_eq!(metadata, ["one again", "two"]);
    let parts = vec![
        (one.id.clone(), Bytes::from_static(b"1")),
        (two.id.clone(), Bytes::from_static(b"2")),
    ];
    assert_eq!(one.sync(parts), "1");
    assert_eq!(two.sync(Vec::new()), "2");

    let described = offsets.describe(SOON).unwrap();
    assert_eq!(
        (&*described.state, &*described.protocol, described.members.len()),
        ("Stable", "millrace", 2)
    );

    // Commits are fenced by the generation.
    let partition = TopicPartition::new(topic(&log, 1), 0);
    let committed = [(partition.clone(), at(7))];
    offsets.commit(&committed, &two.membership(), SOON).unwrap();
    let stale = GroupMembership {
        generation: two.generation - 1,
        ..two.membership()
    };
    assert_eq!(
        offsets.commit(&committed, &stale, SOON).unwrap_err().kind(),
        ErrorKind::Rejoin
    );
    let stranger = GroupMembership {
        member_id: "nobody".to_owned(),
        ..two.membership()
    };
    assert_eq!(
        offsets.commit(&committed, &stranger, SOON).unwrap_err().kind(),
        ErrorKind::Rejoin
    );
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [Some(at(7))]
    );

    two.leave();
    let start = Instant::now();
    while one.heartbeat() != 27 {
        assert!(start.elapsed() < SOON);
    }
    one.leave();
    assert_eq!(offsets.describe(SOON).unwrap().state, "Empty");
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn a_static_member_returns_without_a_rebalance_and_fences_its_double() {
    let log = cluster();
    let group = fresh("group");
    let mut first = Member::new(&log, &group, Some("pod-0"));
    first.join(b"same");
    first.sync(vec![(first.id.clone(), Bytes::from_static(b"all"))]);
    let mut second = Member::new(&log, &group, Some("pod-0"));
    let joined = second.join(b"same");
    assert_eq!(joined.generation, first.generation, "no rebalance");
    assert!(joined.skip_assignment, "it leads, and the assignment stands");
    assert_eq!(second.sync(Vec::new()), "all");
    assert_eq!(first.heartbeat(), 82, "FENCED_INSTANCE_ID");
    let commit = [(TopicPartition::new(topic(&log, 1), 0), at(1))];
    let error = log
        .offsets(&group)
        .unwrap()
        .commit(&commit, &first.membership(), SOON)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    second.leave();
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn transactional_offsets_carry_our_generation() {
    let log = cluster();
    let group = fresh("group");
    let name = topic(&log, 1);
    let partition = TopicPartition::new(name.as_str(), 0);
    let mut member = Member::new(&log, &group, Some("pod-0"));
    member.join(b"m");
    member.sync(vec![(member.id.clone(), Bytes::from_static(b"all"))]);
    let mut offsets = log.offsets(&group).unwrap();
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [None]
    );

    let mut producer = producer(&log, Some(&fresh("txn")));
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "x");
    producer.flush(SOON).unwrap();
    producer
        .send_offsets(&[(partition.clone(), at(5))], &member.membership(), SOON)
        .unwrap();
    // Open offsets are not stable.
    let unstable = offsets
        .fetch(std::slice::from_ref(&partition), true, Duration::from_millis(500))
        .unwrap_err();
    assert_eq!(unstable.kind(), ErrorKind::Retriable);
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), false, SOON).unwrap(),
        [None]
    );
    producer.commit(SOON).unwrap();
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [Some(at(5))]
    );

    let refused = [
        (
            GroupMembership {
                generation: member.generation + 1,
                ..member.membership()
            },
            ErrorKind::Rejoin,
        ),
        (
            GroupMembership {
                member_id: "nobody".to_owned(),
                ..member.membership()
            },
            ErrorKind::Fenced,
        ),
        (
            GroupMembership {
                instance_id: None,
                member_id: "nobody".to_owned(),
                ..member.membership()
            },
            ErrorKind::Rejoin,
        ),
    ];
    for (membership, kind) in refused {
        producer.begin().unwrap();
        send(&mut *producer, &name, 0, "never seen");
        let error = producer
            .send_offsets(&[(partition.clone(), at(6))], &membership, SOON)
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        producer.abort(SOON).unwrap();
    }
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [Some(at(5))]
    );
    // The producer goes on.
    producer.begin().unwrap();
    producer
        .send_offsets(&[(partition.clone(), at(6))], &member.membership(), SOON)
        .unwrap();
    producer.commit(SOON).unwrap();
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [Some(at(6))]
    );
    member.leave();
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn a_successor_fences_a_producer_and_an_admin_does_too() {
    let log = cluster();
    let name = topic(&log, 1);
    let partition = TopicPartition::new(name.as_str(), 0);
    let id = fresh("txn");
    let mut old = producer(&log, Some(&id));
    old.begin().unwrap();
    send(&mut *old, &name, 0, "open");
    old.flush(SOON).unwrap();
    let mut admin = log.admin().unwrap();
    let latest = [(partition.clone(), OffsetSpec::Latest(Isolation::ReadCommitted))];
    assert_eq!(admin.list_offsets(&latest, SOON).unwrap(), [0]);
    admin.fence_producer(&id, SOON).unwrap();
    let start = Instant::now();
    while admin.list_offsets(&latest, SOON).unwrap() != [2] {
        assert!(start.elapsed() < SOON, "the open transaction is aborted");
    }
    let error = old.commit(SOON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");

    let mut middle = producer(&log, Some(&id));
    middle.begin().unwrap();
    send(&mut *middle, &name, 0, "open again");
    middle.flush(SOON).unwrap();
    let mut new = producer(&log, Some(&id));
    send_fails_fenced(&mut *middle, &name);
    new.begin().unwrap();
    send(&mut *new, &name, 0, "new");
    new.commit(SOON).unwrap();
    let mut reader = consumer(&log, Isolation::ReadCommitted);
    reader.assign(&[(partition, 0)]).unwrap();
    assert_eq!(values(&poll_until(&mut *reader, |seen| !seen.ends.is_empty())), ["new"]);
}

/// Whichever call meets the broker first tells.
fn send_fails_fenced(producer: &mut dyn Producer, topic: &str) {
    let handle = producer.topic(topic).unwrap();
    let record = OutgoingRecord {
        topic: handle,
        partition: 0,
        key: None,
        value: Some(b"x"),
        timestamp: 1,
        headers: &[],
    };
    let result = producer
        .send(record)
        .and_then(|()| producer.flush(SOON))
        .and_then(|()| producer.commit(SOON));
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn no_broker_is_said_within_the_time_given() {
    let _ = cluster();
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let log = KafkaLog::new(&free.to_string(), &[]).unwrap();
    let timeout = Duration::from_secs(2);
    let start = Instant::now();
    let error = log.admin().unwrap().cluster(timeout).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&free.to_string()), "{error}");
    let error = log.offsets("group").unwrap().describe(timeout).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let spec = ProducerSpec {
        client_id: "p".to_owned(),
        transactional_id: Some("t".to_owned()),
        config: vec![],
    };
    let error = log.producer(&spec).unwrap().init_transactions(timeout).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    // A reader waits for the broker to come.
    let mut consumer = consumer(&log, Isolation::ReadCommitted);
    consumer.assign(&[(TopicPartition::new("t", 0), 0)]).unwrap();
    let mut out = Vec::new();
    consumer.poll(Duration::from_secs(1), 10, &mut out).unwrap();
    assert!(out.is_empty());
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn half_a_million_records_go_through_quickly() {
    const RECORDS: u32 = 500_000;
    let log = cluster();
    let name = topic(&log, 4);
    let mut producer = producer(&log, None);
    let handle = producer.topic(&name).unwrap();
    let value = [7; 100];
    let (start, busy) = (Instant::now(), thread_cpu());
    for number in 0..RECORDS {
        let record = OutgoingRecord {
            topic: handle,
            partition: i32::try_from(number % 4).unwrap(),
            key: Some(&number.to_be_bytes()),
            value: Some(&value),
            timestamp: 1_790_000_000_000,
            headers: &[],
        };
        producer.send(record).unwrap();
    }
    producer.flush(SOON).unwrap();
    let each = |time: Duration| time.as_nanos() / u128::from(RECORDS);
    println!(
        "produce: {} ns/record on the caller's thread, {} ns/record until flushed",
        each(thread_cpu() - busy),
        each(start.elapsed())
    );
    assert_eq!(
        (0..4)
            .map(|partition| producer.acknowledged(handle, partition).unwrap() + 1)
            .sum::<i64>(),
        500_000
    );

    let mut consumer = consumer(&log, Isolation::ReadCommitted);
    let all: Vec<_> = (0..4)
        .map(|partition| (TopicPartition::new(name.as_str(), partition), 0))
        .collect();
    consumer.assign(&all).unwrap();
    let (mut read, mut batches, mut ends) = (0, 0, 0);
    let mut out = Vec::new();
    let (start, busy) = (Instant::now(), thread_cpu());
    while ends < 4 {
        assert!(start.elapsed() < SOON * 3);
        consumer.poll(Duration::from_millis(100), 1_000, &mut out).unwrap();
        for polled in out.drain(..) {
            match polled {
                Polled::Records(batch) => {
                    batches += 1;
                    read += batch
                        .iter()
                        .filter(|record| record.value_slice() == Some(&value))
                        .count();
                }
                Polled::End { .. } => ends += 1,
                Polled::Failed { error, .. } => panic!("{error}"),
            }
        }
    }
    println!(
        "consume: {} ns/record on the caller's thread, {} ns/record in all, {} records a batch",
        each(thread_cpu() - busy),
        each(start.elapsed()),
        read / batches
    );
    assert_eq!(read, 500_000);
}

/// What this thread has used of the processor.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}
