//! Transactions as readers see them.

use std::time::Duration;

use super::{PATIENCE, Rig, Script, at, end, open, refused, send};
use crate::ErrorKind;
use crate::log::Isolation::{ReadCommitted, ReadUncommitted};
use crate::log::{OutgoingRecord, TopicPartition};

pub(super) const SCRIPTS: &[Script] = &[
    ("a commit shows its records and its marker takes an offset", commit),
    ("aborted records are never seen", abort),
    ("readers stop at the first open transaction", last_stable_offset),
    (
        "what is outside of transactions waits behind an open one",
        plain_behind_open,
    ),
    ("transactions end in another order than they began", interleaved),
    (
        "a marker comes where the transaction was, and nowhere else",
        markers_per_partition,
    ),
    ("an empty transaction leaves no trace", empty),
    ("transactions follow each other at once", one_after_the_other),
    ("a record that fails leaves only the abort", failed_record),
    (
        "a commit whose outcome is unknown is settled by the next holder",
        outcome_unknown,
    ),
];

fn commit(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    for round in ["a", "b"] {
        open(producer.as_mut(), &topic, round);
        end(producer.as_mut(), true);
    }
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["0 a", "2 b"]);
}

fn abort(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    for (round, keep) in [("a", false), ("b", true), ("c", false)] {
        open(producer.as_mut(), &topic, round);
        end(producer.as_mut(), keep);
    }
    rig.await_end(&topic, ReadCommitted, 6);
    assert_eq!(rig.read(ReadCommitted, &topic), ["2 b"]);
    assert_eq!(rig.read(ReadUncommitted, &topic), ["0 a", "2 b", "4 c"]);
}

fn last_stable_offset(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let (mut first, mut second) = (rig.producer("p1"), rig.producer("p2"));
    open(first.as_mut(), &topic, "a");
    open(second.as_mut(), &topic, "b");
    end(second.as_mut(), true);
    rig.await_end(&topic, ReadUncommitted, 3);
    assert_eq!(
        rig.end(&topic, ReadCommitted),
        0,
        "the first transaction is open from offset 0"
    );
    assert_eq!(rig.read(ReadUncommitted, &topic), ["0 a", "1 b"]);
    end(first.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["0 a", "1 b"]);
}

fn plain_behind_open(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut plain = rig.plain_producer();
    let mut plainly = |value| {
        send(plain.as_mut(), &topic, 0, "k", value);
        plain.flush(PATIENCE).unwrap();
    };
    let mut producer = rig.producer("p");
    plainly("before");
    open(producer.as_mut(), &topic, "open");
    plainly("behind");
    assert_eq!(
        (rig.end(&topic, ReadCommitted), rig.end(&topic, ReadUncommitted)),
        (1, 3)
    );
    assert_eq!(rig.read(ReadCommitted, &topic), ["0 before"]);
    end(producer.as_mut(), false);
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["0 before", "2 behind"]);
}

fn interleaved(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let (mut a, mut b) = (rig.producer("a"), rig.producer("b"));
    open(a.as_mut(), &topic, "a1");
    open(b.as_mut(), &topic, "b1");
    send(a.as_mut(), &topic, 0, "k", "a2");
    a.flush(PATIENCE).unwrap();
    end(a.as_mut(), false);
    rig.await_end(&topic, ReadUncommitted, 4);
    assert_eq!(rig.end(&topic, ReadCommitted), 1, "b is open from there");
    open(a.as_mut(), &topic, "a3");
    assert_eq!(rig.end(&topic, ReadCommitted), 1, "of both, b began first");
    end(b.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["1 b1"]);
    end(a.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 7);
    assert_eq!(rig.read(ReadCommitted, &topic), ["1 b1", "4 a3"]);
}

fn markers_per_partition(rig: &Rig) {
    let (topic, other) = (rig.topic("t", 1, &[]), rig.topic("other", 1, &[]));
    let mut producer = rig.producer("p");
    open(producer.as_mut(), &topic, "a");
    send(producer.as_mut(), &other, 0, "k", "b");
    end(producer.as_mut(), true);
    open(producer.as_mut(), &topic, "c");
    end(producer.as_mut(), false);
    rig.await_end(&topic, ReadCommitted, 4);
    rig.await_end(&other, ReadCommitted, 2);
    assert_eq!(rig.read(ReadCommitted, &other), ["0 b"]);
}

fn empty(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    for keep in [true, false, true, false] {
        producer.begin().unwrap();
        end(producer.as_mut(), keep);
    }
    assert_eq!(rig.end(&topic, ReadUncommitted), 0);
}

/// Each begins while the markers of the last are under way: the coordinator says CONCURRENT_TRANSACTIONS, and the producer waits.
fn one_after_the_other(rig: &Rig) {
    let topic = rig.topic("t", 3, &[]);
    let mut producer = rig.producer("p");
    let rounds = 10;
    for round in 0..rounds {
        producer.begin().unwrap();
        for partition in 0..3 {
            send(producer.as_mut(), &topic, partition, "k", &round.to_string());
        }
        producer.flush(PATIENCE).unwrap();
        let offsets = at(&topic, 0, round);
        producer.send_offsets(&offsets, &rig.nobody(), PATIENCE).unwrap();
        end(producer.as_mut(), round % 3 != 2);
    }
    assert!(producer.take_failures().is_empty());
    assert_eq!(
        rig.committed(&topic, 0).map(|committed| committed.offset),
        Some(rounds - 1)
    );
    rig.await_end(&topic, ReadCommitted, 2 * rounds);
    let values: Vec<_> = rig
        .read(ReadCommitted, &topic)
        .into_iter()
        .map(|record| {
            record
                .split_once(' ')
                .map(|(_, value)| value.to_owned())
                .unwrap_or_default()
        })
        .collect();
    let kept: Vec<_> = (0..rounds)
        .filter(|round| round % 3 != 2)
        .map(|round| round.to_string())
        .collect();
    assert_eq!(values, kept);
}

fn failed_record(rig: &Rig) {
    let (topic, small) = (
        rig.topic("t", 1, &[]),
        rig.topic("small", 1, &[("max.message.bytes", "1000")]),
    );
    let mut producer = rig.producer("p");
    open(producer.as_mut(), &topic, "lost with it");
    let handle = producer.topic(&small).unwrap();
    let record = OutgoingRecord {
        topic: handle,
        partition: 0,
        key: None,
        value: Some(&[b'x'; 5_000]),
        timestamp: 1_000,
        headers: &[],
    };
    producer.send(record).unwrap();
    // Whether the flush tells is the client's affair; the commit must.
    let _ = producer.flush(PATIENCE);
    refused(producer.commit(PATIENCE), ErrorKind::Abortable);
    let failures = producer.take_failures();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].partition, TopicPartition::new(&*small, 0));
    assert_eq!(failures[0].error.kind(), ErrorKind::RecordRejected);
    end(producer.as_mut(), false);
    open(producer.as_mut(), &topic, "next");
    end(producer.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["2 next"]);
}

/// Whatever became of the commit: all of it or nothing, and the same of the offsets.
fn outcome_unknown(rig: &Rig) {
    let topics = [rig.topic("one", 1, &[]), rig.topic("two", 1, &[])];
    let mut old = rig.producer("p");
    old.begin().unwrap();
    for topic in &topics {
        send(old.as_mut(), topic, 0, "k", "v");
    }
    old.flush(PATIENCE).unwrap();
    old.send_offsets(&at(&topics[0], 0, 7), &rig.nobody(), PATIENCE)
        .unwrap();
    let told = old.commit(Duration::from_millis(1));
    let mut new = rig.producer("p");
    let committed = rig.committed(&topics[0], 0).map(|committed| committed.offset);
    let is_there = committed == Some(7);
    match told {
        Ok(()) => assert!(is_there, "it was said to be committed"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}"),
    }
    for topic in &topics {
        rig.await_end(topic, ReadCommitted, 2);
        let expected: &[&str] = if is_there { &["0 v"] } else { &[] };
        assert_eq!(rig.read(ReadCommitted, topic), expected);
    }
    open(new.as_mut(), &topics[0], "next");
    end(new.as_mut(), true);
    rig.await_end(&topics[0], ReadCommitted, 4);
}
