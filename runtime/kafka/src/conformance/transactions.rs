//! Transactions as readers see them, and fencing.

use super::{PATIENCE, Rig, Script, send};
use crate::ErrorKind;
use crate::log::Isolation::{ReadCommitted, ReadUncommitted};
use crate::log::{GroupMembership, OffsetAndMetadata, TopicPartition};

pub(super) const SCRIPTS: &[Script] = &[
    ("a commit shows its records and its marker takes an offset", commit),
    ("aborted records are never seen", abort),
    ("readers stop at the first open transaction", last_stable_offset),
    ("a new producer fences the old one and ends what it left", fencing),
    ("the admin fences a producer", admin_fencing),
    ("offsets are committed with the transaction", offsets),
    ("offsets of an open transaction are not stable", unstable_offsets),
    ("an empty transaction leaves no trace", empty),
];

fn commit(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    for round in ["a", "b"] {
        producer.begin().unwrap();
        send(producer.as_mut(), &topic, 0, "k", round);
        producer.flush(PATIENCE).unwrap();
        producer.commit(PATIENCE).unwrap();
    }
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["0 a", "2 b"]);
}

fn abort(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    for (round, keep) in [("a", false), ("b", true), ("c", false)] {
        producer.begin().unwrap();
        send(producer.as_mut(), &topic, 0, "k", round);
        producer.flush(PATIENCE).unwrap();
        if keep {
            producer.commit(PATIENCE)
        } else {
            producer.abort(PATIENCE)
        }
        .unwrap();
    }
    rig.await_end(&topic, ReadCommitted, 6);
    assert_eq!(rig.read(ReadCommitted, &topic), ["2 b"]);
    assert_eq!(rig.read(ReadUncommitted, &topic), ["0 a", "2 b", "4 c"]);
}

fn last_stable_offset(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let (mut first, mut second) = (rig.producer("p1"), rig.producer("p2"));
    for (producer, value) in [(&mut first, "a"), (&mut second, "b")] {
        producer.begin().unwrap();
        send(producer.as_mut(), &topic, 0, "k", value);
        producer.flush(PATIENCE).unwrap();
    }
    second.commit(PATIENCE).unwrap();
    rig.await_end(&topic, ReadUncommitted, 3);
    assert_eq!(
        rig.end(&topic, ReadCommitted),
        0,
        "the first transaction is open from offset 0"
    );
    assert_eq!(rig.read(ReadUncommitted, &topic), ["0 a", "1 b"]);
    first.commit(PATIENCE).unwrap();
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["0 a", "1 b"]);
}

fn fencing(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut old = rig.producer("p");
    old.begin().unwrap();
    send(old.as_mut(), &topic, 0, "k", "left open");
    old.flush(PATIENCE).unwrap();
    let mut new = rig.producer("p");
    rig.await_end(&topic, ReadCommitted, 2);
    new.begin().unwrap();
    send(new.as_mut(), &topic, 0, "k", "new");
    new.flush(PATIENCE).unwrap();
    let error = old.commit(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert_eq!(old.begin().unwrap_err().kind(), ErrorKind::Fenced, "it is done for");
    new.commit(PATIENCE).unwrap();
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["2 new"]);
}

fn admin_fencing(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    producer.begin().unwrap();
    send(producer.as_mut(), &topic, 0, "k", "left open");
    producer.flush(PATIENCE).unwrap();
    rig.admin().fence_producer(&rig.name("p"), PATIENCE).unwrap();
    rig.await_end(&topic, ReadCommitted, 2);
    assert_eq!(producer.commit(PATIENCE).unwrap_err().kind(), ErrorKind::Fenced);
    rig.admin().fence_producer(&rig.name("never seen"), PATIENCE).unwrap();
}

fn no_member(rig: &Rig) -> GroupMembership {
    GroupMembership {
        group: rig.name("g"),
        generation: -1,
        member_id: String::new(),
        instance_id: None,
    }
}

fn offsets(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let at = TopicPartition::new(&*topic, 0);
    let mut producer = rig.producer("p");
    let mut offsets = rig.log.offsets(&rig.name("g")).unwrap();
    let mut fetch = || {
        offsets
            .fetch(std::slice::from_ref(&at), true, PATIENCE)
            .unwrap()
            .remove(0)
    };
    assert_eq!(fetch(), None);
    let offset = |offset, metadata: &str| OffsetAndMetadata {
        offset,
        metadata: metadata.to_owned(),
    };
    for (committed, keep) in [(offset(5, "kept"), true), (offset(9, "lost"), false)] {
        producer.begin().unwrap();
        producer
            .send_offsets(&[(at.clone(), committed)], &no_member(rig), PATIENCE)
            .unwrap();
        if keep {
            producer.commit(PATIENCE)
        } else {
            producer.abort(PATIENCE)
        }
        .unwrap();
        assert_eq!(fetch(), Some(offset(5, "kept")));
    }
}

fn unstable_offsets(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let at = TopicPartition::new(&*topic, 0);
    let mut producer = rig.producer("p");
    producer.begin().unwrap();
    let committed = OffsetAndMetadata {
        offset: 5,
        metadata: String::new(),
    };
    producer
        .send_offsets(&[(at.clone(), committed)], &no_member(rig), PATIENCE)
        .unwrap();
    let mut offsets = rig.log.offsets(&rig.name("g")).unwrap();
    let short = std::time::Duration::from_millis(300);
    let error = offsets.fetch(std::slice::from_ref(&at), true, short).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable, "{error}");
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&at), false, PATIENCE).unwrap(),
        [None]
    );
    producer.commit(PATIENCE).unwrap();
    let fetched = offsets.fetch(&[at], true, PATIENCE).unwrap().remove(0);
    assert_eq!(fetched.map(|committed| committed.offset), Some(5));
}

fn empty(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    for _ in 0..2 {
        producer.begin().unwrap();
        producer.commit(PATIENCE).unwrap();
        producer.begin().unwrap();
        producer.abort(PATIENCE).unwrap();
    }
    assert_eq!(rig.end(&topic, ReadUncommitted), 0);
}
