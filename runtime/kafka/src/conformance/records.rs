//! Topics, plain records, offsets.

use super::{PATIENCE, Rig, Script, read_until, send};
use crate::ErrorKind;
use crate::log::{Header, Isolation, OffsetSpec, OutgoingRecord, Polled, Producer, TopicPartition};

pub(super) const SCRIPTS: &[Script] = &[
    ("topics are created, described and deleted", topics),
    ("records come back as they were written", round_trip),
    ("partitions keep their order and are read together", partitions),
    ("pause holds records back and keeps the position", pause),
    ("what is too large is rejected", too_large),
    ("a compacted topic takes no record without a key", no_key),
    ("times outside of the topic's bounds are rejected", bounded_times),
    ("an append time is the broker's", append_time),
    ("a missing topic is named", missing_topic),
];

fn topics(rig: &Rig) {
    let mut admin = rig.admin();
    let name = rig.name("t");
    let spec = rig.new_topic(&name, 3, &[("cleanup.policy", "compact")]);
    let spec = std::slice::from_ref(&spec);
    assert_eq!(admin.topics(&[&name], PATIENCE).unwrap(), [None]);
    assert!(admin.create_topics(spec, true, PATIENCE).unwrap()[0].is_ok());
    assert_eq!(admin.topics(&[&name], PATIENCE).unwrap(), [None], "validated only");
    assert!(admin.create_topics(spec, false, PATIENCE).unwrap()[0].is_ok());
    let again = admin
        .create_topics(spec, false, PATIENCE)
        .unwrap()
        .remove(0)
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::TopicExists, "{again}");
    let info = admin.topics(&[&name], PATIENCE).unwrap().remove(0).expect("the topic");
    assert_eq!((info.name.as_str(), info.partitions), (name.as_str(), 3));
    let config = admin.topic_config(&name, PATIENCE).unwrap();
    assert_eq!(
        (
            config["cleanup.policy"].value.as_str(),
            config["cleanup.policy"].is_topic_override
        ),
        ("compact", true)
    );
    assert!(!config["retention.ms"].is_topic_override);
    assert!(admin.delete_topics(&[&name], PATIENCE).unwrap()[0].is_ok());
    let gone = admin.delete_topics(&[&name], PATIENCE).unwrap().remove(0).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::UnknownTopic, "{gone}");
}

fn round_trip(rig: &Rig) {
    let name = rig.topic("t", 1, &[]);
    let mut producer = rig.plain_producer();
    let topic = producer.topic(&name).unwrap();
    let headers = [
        Header {
            name: "a".into(),
            value: Some("1".into()),
        },
        Header {
            name: "a".into(),
            value: None,
        },
        Header {
            name: "b".into(),
            value: Some("".into()),
        },
    ];
    let (key, value) = (Some(&b"key"[..]), Some(&b"value"[..]));
    producer
        .send(OutgoingRecord {
            topic,
            partition: 0,
            key,
            value,
            timestamp: 42,
            headers: &headers,
        })
        .unwrap();
    producer
        .send(OutgoingRecord {
            topic,
            partition: 0,
            key: None,
            value: None,
            timestamp: 0,
            headers: &[],
        })
        .unwrap();
    producer
        .send(OutgoingRecord {
            topic,
            partition: 0,
            key: Some(b""),
            value: Some(b""),
            timestamp: 7,
            headers: &[],
        })
        .unwrap();
    producer.flush(PATIENCE).unwrap();
    assert!(producer.take_failures().is_empty());
    assert_eq!(producer.acknowledged(topic, 0), Some(2));
    assert_eq!(producer.in_flight_bytes(), 0);
    assert_eq!(producer.partitions(topic, PATIENCE).unwrap(), 1);

    let mut consumer = rig.consumer(Isolation::ReadCommitted, &name, 1);
    let at = TopicPartition::new(&*name, 0);
    assert_eq!(
        consumer.position(&at),
        Some(0),
        "the position starts at the assigned offset"
    );
    let mut polled = Vec::new();
    while consumer.position(&at) != Some(3) {
        consumer.poll(PATIENCE, 100, &mut polled).unwrap();
    }
    let records = polled.iter().filter_map(|item| match item {
        Polled::Records(batch) => Some(batch),
        _ => None,
    });
    let seen: Vec<_> = records
        .flat_map(|batch| batch.iter())
        .map(|r| (r.offset(), r.timestamp(), r.key(), r.value(), r.headers().to_vec()))
        .collect();
    assert_eq!(
        seen,
        [
            (0, 42, Some("key".into()), Some("value".into()), headers.to_vec()),
            (1, 0, None, None, vec![]),
            (2, 7, Some("".into()), Some("".into()), vec![]),
        ]
    );
    assert_eq!(consumer.known_end(&at), Some(3));
}

fn partitions(rig: &Rig) {
    let name = rig.topic("t", 3, &[]);
    let mut producer = rig.plain_producer();
    for n in 0..300 {
        send(producer.as_mut(), &name, n % 3, "k", &n.to_string());
    }
    producer.flush(PATIENCE).unwrap();
    let mut consumer = rig.consumer(Isolation::ReadCommitted, &name, 3);
    let seen = read_until(consumer.as_mut(), |consumer| {
        (0..3).all(|p| consumer.position(&TopicPartition::new(&*name, p)) == Some(100))
    });
    for partition in 0..3 {
        let values: Vec<_> = seen
            .iter()
            .filter(|(p, ..)| *p == partition)
            .map(|(_, _, v)| v.clone())
            .collect();
        let expected: Vec<_> = (0..100).map(|n| (n * 3 + partition).to_string()).collect();
        assert_eq!(values, expected, "partition {partition}");
    }
}

fn pause(rig: &Rig) {
    let name = rig.topic("t", 2, &[]);
    let mut producer = rig.plain_producer();
    for partition in [0, 1] {
        send(producer.as_mut(), &name, partition, "k", "v");
    }
    producer.flush(PATIENCE).unwrap();
    let mut consumer = rig.consumer(Isolation::ReadCommitted, &name, 2);
    let [first, second] = [0, 1].map(|p| TopicPartition::new(&*name, p));
    consumer.pause(std::slice::from_ref(&first)).unwrap();
    let seen = read_until(consumer.as_mut(), |consumer| consumer.position(&second) == Some(1));
    assert_eq!(seen, [(1, 0, "v".to_owned())]);
    assert_eq!(consumer.position(&first), Some(0));
    consumer.resume(std::slice::from_ref(&first)).unwrap();
    let seen = read_until(consumer.as_mut(), |consumer| consumer.position(&first) == Some(1));
    assert_eq!(seen, [(0, 0, "v".to_owned())]);
    consumer.unassign(std::slice::from_ref(&first)).unwrap();
    assert_eq!(consumer.position(&first), None);
}

fn too_large(rig: &Rig) {
    let name = rig.topic("t", 1, &[("max.message.bytes", "2000")]);
    let mut producer = rig.plain_producer();
    let topic = producer.topic(&name).unwrap();
    let large = |size: usize| vec![b'x'; size];
    let error = producer
        .send(OutgoingRecord {
            topic,
            partition: 0,
            key: None,
            value: Some(&large(2_000_000)),
            timestamp: 0,
            headers: &[],
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecordRejected, "{error}");
    producer
        .send(OutgoingRecord {
            topic,
            partition: 0,
            key: None,
            value: Some(&large(5_000)),
            timestamp: 0,
            headers: &[],
        })
        .unwrap();
    producer.flush(PATIENCE).unwrap();
    let failures = producer.take_failures();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].error.kind(), ErrorKind::RecordRejected, "{:?}", failures[0]);
    assert_eq!(rig.end(&name, Isolation::ReadUncommitted), 0);
}

/// Sends one record and flushes; how it failed, if it did.
fn deliver(producer: &mut dyn Producer, topic: &str, key: Option<&[u8]>, timestamp: i64) -> Option<ErrorKind> {
    let topic = producer.topic(topic).unwrap();
    let record = OutgoingRecord {
        topic,
        partition: 0,
        key,
        value: Some(b"v"),
        timestamp,
        headers: &[],
    };
    producer.send(record).unwrap();
    producer.flush(PATIENCE).unwrap();
    producer.take_failures().pop().map(|failure| failure.error.kind())
}

fn no_key(rig: &Rig) {
    let name = rig.topic("t", 1, &[("cleanup.policy", "compact")]);
    let mut producer = rig.plain_producer();
    assert_eq!(
        deliver(producer.as_mut(), &name, None, 1),
        Some(ErrorKind::RecordRejected)
    );
    assert_eq!(deliver(producer.as_mut(), &name, Some(b""), 1), None);
    assert_eq!(rig.end(&name, Isolation::ReadUncommitted), 1);
}

fn wall() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_millis() as i64)
}

fn bounded_times(rig: &Rig) {
    let bounds = [
        ("before", "message.timestamp.before.max.ms"),
        ("after", "message.timestamp.after.max.ms"),
    ];
    let [before, after] = bounds.map(|(name, config)| rig.topic(name, 1, &[(config, "60000")]));
    let mut producer = rig.plain_producer();
    let table = [
        (&before, -3_600_000, Some(ErrorKind::RecordRejected)),
        (&before, 1_800_000, None),
        (&after, 3_600_000, Some(ErrorKind::RecordRejected)),
        (&after, -3_600_000, None),
    ];
    for (topic, difference, expected) in table {
        let failed = deliver(producer.as_mut(), topic, Some(b"k"), wall() + difference);
        assert_eq!(failed, expected, "{topic} {difference}");
    }
}

fn append_time(rig: &Rig) {
    let name = rig.topic("t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let mut producer = rig.plain_producer();
    assert_eq!(deliver(producer.as_mut(), &name, Some(b"k"), 1), None);
    assert_eq!(
        rig.offset(&name, OffsetSpec::Timestamp(2)),
        0,
        "it is of now, and not of then"
    );
}

fn missing_topic(rig: &Rig) {
    let name = rig.name("nowhere");
    let mut producer = rig.plain_producer();
    let topic = producer.topic(&name).unwrap();
    assert_eq!(
        producer.partitions(topic, PATIENCE).unwrap_err().kind(),
        ErrorKind::UnknownTopic
    );
    let of = [(TopicPartition::new(&*name, 0), OffsetSpec::Earliest)];
    let error = rig.admin().list_offsets(&of, PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTopic);
    assert!(error.to_string().contains(&name), "{error}");
}
