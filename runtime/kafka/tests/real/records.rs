//! Records, ends, pauses.

use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_kafka::ErrorKind;
use millrace_kafka::log::*;

use super::rig::*;

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
        // The first end that is told may be the one before the marker arrived.
        values(&poll_until(&mut *consumer, |seen| seen.ends.last() > Some(&0))),
        ["before", "after"]
    );
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
