//! Where partitions begin and end, and what lies outside.

use std::time::{Duration, Instant};

use super::{PATIENCE, Rig, Script, end, open, read_until, refused, send};
use crate::ErrorKind;
use crate::log::Isolation::{ReadCommitted, ReadUncommitted};
use crate::log::OffsetSpec::{Earliest, Timestamp};
use crate::log::{Consumer, Polled, TopicPartition};

pub(super) const SCRIPTS: &[Script] = &[
    ("an empty partition begins and ends at 0", empty),
    ("both ends are known to who reads", known_ends),
    ("a reader at the end hears of every move of it", end_moves),
    ("deleted records are out of range", delete_records),
    ("offsets beyond the end are out of range", beyond_the_end),
    ("a log that was emptied begins where it ended", emptied),
    ("no more can be deleted than there is", delete_too_much),
    ("a compacted topic's records cannot be deleted", delete_compacted),
    ("what an open transaction wrote can be deleted", delete_open),
    ("markers have a time of their own", marker_timestamps),
];

/// What the first non-empty poll brings.
fn first_poll(consumer: &mut dyn Consumer) -> Vec<Polled> {
    let start = Instant::now();
    let mut polled = Vec::new();
    while polled.is_empty() {
        assert!(start.elapsed() < PATIENCE, "nothing comes");
        consumer
            .poll(Duration::from_millis(50), 100, &mut polled)
            .expect("poll");
    }
    polled
}

fn failed(consumer: &mut dyn Consumer) -> (TopicPartition, ErrorKind) {
    match first_poll(consumer).remove(0) {
        Polled::Failed { partition, error } => (partition, error.kind()),
        other => panic!("{other:?}"),
    }
}

fn told_end(consumer: &mut dyn Consumer) -> i64 {
    match first_poll(consumer).remove(0) {
        Polled::End { position, .. } => position,
        other => panic!("{other:?}"),
    }
}

/// Numbered records, outside of transactions.
fn numbers(rig: &Rig, topic: &str, count: i32) {
    let mut producer = rig.plain_producer();
    for n in 0..count {
        send(producer.as_mut(), topic, 0, "k", &n.to_string());
    }
    producer.flush(PATIENCE).unwrap();
}

fn empty(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let partition = TopicPartition::new(&*topic, 0);
    assert_eq!(rig.offset(&topic, Earliest), 0);
    assert_eq!(
        (rig.end(&topic, ReadCommitted), rig.end(&topic, ReadUncommitted)),
        (0, 0)
    );
    assert_eq!(rig.offset(&topic, Timestamp(0)), 0);
    for isolation in [ReadCommitted, ReadUncommitted] {
        let mut consumer = rig.consumer(isolation, &topic, 1);
        assert_eq!(consumer.position(&partition), Some(0));
        assert_eq!(told_end(consumer.as_mut()), 0);
        assert_eq!(
            (consumer.position(&partition), consumer.known_end(&partition)),
            (Some(0), Some(0))
        );
    }
}

fn known_ends(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let partition = TopicPartition::new(&*topic, 0);
    let mut producer = rig.producer("p");
    open(producer.as_mut(), &topic, "a");
    end(producer.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 2);
    open(producer.as_mut(), &topic, "b");
    for (isolation, position) in [(ReadCommitted, 2), (ReadUncommitted, 3)] {
        let mut consumer = rig.consumer(isolation, &topic, 1);
        read_until(consumer.as_mut(), |consumer| {
            [consumer.position(&partition), consumer.known_end(&partition)] == [Some(position); 2]
        });
    }
}

fn end_moves(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut consumer = rig.consumer(ReadCommitted, &topic, 1);
    assert_eq!(told_end(consumer.as_mut()), 0);
    let mut producer = rig.producer("p");
    for position in [2, 4] {
        open(producer.as_mut(), &topic, "never seen");
        end(producer.as_mut(), false);
        assert_eq!(told_end(consumer.as_mut()), position, "aborted records move it, too");
    }
}

fn delete_records(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let partition = TopicPartition::new(&*topic, 0);
    numbers(rig, &topic, 5);
    rig.admin().delete_records(&[(partition.clone(), 3)], PATIENCE).unwrap();
    assert_eq!(rig.offset(&topic, Earliest), 3);
    let mut consumer = rig.consumer(ReadCommitted, &topic, 1);
    assert_eq!(
        failed(consumer.as_mut()),
        (partition.clone(), ErrorKind::OffsetOutOfRange)
    );
    assert_eq!(consumer.position(&partition), None, "it is unassigned");
    consumer.assign(&[(partition.clone(), 3)]).unwrap();
    let seen = read_until(consumer.as_mut(), |consumer| consumer.position(&partition) == Some(5));
    assert_eq!(seen, [(0, 3, "3".to_owned()), (0, 4, "4".to_owned())]);
}

fn beyond_the_end(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let partition = TopicPartition::new(&*topic, 0);
    numbers(rig, &topic, 2);
    let mut consumer = rig.consumer(ReadCommitted, &topic, 1);
    consumer.assign(&[(partition.clone(), 3)]).unwrap();
    assert_eq!(
        failed(consumer.as_mut()),
        (partition.clone(), ErrorKind::OffsetOutOfRange)
    );
    consumer.assign(&[(partition, 2)]).unwrap();
    assert_eq!(told_end(consumer.as_mut()), 2, "the end itself is within");
}

fn emptied(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let partition = TopicPartition::new(&*topic, 0);
    numbers(rig, &topic, 4);
    rig.admin()
        .delete_records(&[(partition.clone(), -1)], PATIENCE)
        .unwrap();
    assert_eq!((rig.offset(&topic, Earliest), rig.end(&topic, ReadCommitted)), (4, 4));
    assert_eq!(rig.offset(&topic, Timestamp(0)), 4);
    let mut consumer = rig.consumer(ReadCommitted, &topic, 1);
    consumer.assign(&[(partition, 4)]).unwrap();
    assert_eq!(told_end(consumer.as_mut()), 4);
    numbers(rig, &topic, 1);
    let mut consumer = rig.consumer(ReadCommitted, &topic, 1);
    assert_eq!(failed(consumer.as_mut()).1, ErrorKind::OffsetOutOfRange);
}

fn delete_too_much(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let partition = TopicPartition::new(&*topic, 0);
    numbers(rig, &topic, 4);
    let mut admin = rig.admin();
    refused(
        admin.delete_records(&[(partition.clone(), 5)], PATIENCE),
        ErrorKind::OffsetOutOfRange,
    );
    assert_eq!(rig.offset(&topic, Earliest), 0);
    for (before, start) in [(3, 3), (1, 3), (4, 4)] {
        admin.delete_records(&[(partition.clone(), before)], PATIENCE).unwrap();
        assert_eq!(rig.offset(&topic, Earliest), start, "the start never goes back");
    }
}

fn delete_compacted(rig: &Rig) {
    let topic = rig.topic("t", 1, &[("cleanup.policy", "compact")]);
    numbers(rig, &topic, 1);
    let all = [(TopicPartition::new(&*topic, 0), 1)];
    refused(rig.admin().delete_records(&all, PATIENCE), ErrorKind::Config);
    let topic = rig.topic("both", 1, &[("cleanup.policy", "compact,delete")]);
    numbers(rig, &topic, 1);
    let all = [(TopicPartition::new(&*topic, 0), 1)];
    rig.admin().delete_records(&all, PATIENCE).unwrap();
}

fn delete_open(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    open(producer.as_mut(), &topic, "a");
    numbers(rig, &topic, 1);
    let first = [(TopicPartition::new(&*topic, 0), 1)];
    rig.admin().delete_records(&first, PATIENCE).unwrap();
    assert_eq!((rig.offset(&topic, Earliest), rig.end(&topic, ReadCommitted)), (1, 1));
    end(producer.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 3);
}

/// A search by time may end at a marker: it carries the broker's time, not the records'.
fn marker_timestamps(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    open(producer.as_mut(), &topic, "of 1970");
    end(producer.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 2);
    assert_eq!(rig.offset(&topic, Timestamp(1_000)), 0);
    assert_eq!(rig.offset(&topic, Timestamp(1_001)), 1);
    assert_eq!(rig.offset(&topic, Timestamp(i64::MAX - 1)), 2);
}
