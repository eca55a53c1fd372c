//! A group's committed offsets, in transactions and outside of them.

use std::time::Duration;

use super::hand::{Hand, REBALANCE_IN_PROGRESS, two};
use super::{PATIENCE, Rig, Script, at, end, refused};
use crate::ErrorKind;
use crate::log::{GroupMembership, OffsetAndMetadata, TopicPartition};

pub(super) const SCRIPTS: &[Script] = &[
    ("offsets are committed with the transaction", with_the_transaction),
    ("offsets of an open transaction are not stable", unstable),
    (
        "only what the open transaction holds is unstable",
        unstable_by_partition,
    ),
    ("what was written last stands, whichever ends last", last_written_stands),
    ("a group without members takes commits from outside", no_members),
    (
        "commits are refused outside of the generation",
        outside_of_the_generation,
    ),
    (
        "commits of transactions are refused outside of the generation",
        transactions_outside,
    ),
    (
        "commits are refused while the assignment is made, but not a transaction's",
        while_assigning,
    ),
    ("a fenced instance commits nothing", fenced_instance),
    ("metadata has a greatest length", long_metadata),
    ("a topic that is not there has no offsets", missing_topic),
];

fn offset_of(rig: &Rig, topic: &str, partition: i32) -> Option<i64> {
    rig.committed(topic, partition).map(|committed| committed.offset)
}

fn with_the_transaction(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let partition = TopicPartition::new(&*topic, 0);
    let mut producer = rig.producer("p");
    assert_eq!(rig.committed(&topic, 0), None);
    let offset = |offset, metadata: &str| OffsetAndMetadata {
        offset,
        metadata: metadata.to_owned(),
    };
    for (committed, keep) in [(offset(5, "kept"), true), (offset(9, "lost"), false)] {
        producer.begin().unwrap();
        let offsets = [(partition.clone(), committed)];
        producer.send_offsets(&offsets, &rig.nobody(), PATIENCE).unwrap();
        end(producer.as_mut(), keep);
        assert_eq!(rig.committed(&topic, 0), Some(offset(5, "kept")));
    }
}

const SHORT: Duration = Duration::from_millis(300);

fn unstable(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let partition = [TopicPartition::new(&*topic, 0)];
    let mut producer = rig.producer("p");
    let mut offsets = rig.offsets();
    producer.begin().unwrap();
    producer
        .send_offsets(&at(&topic, 0, 5), &rig.nobody(), PATIENCE)
        .unwrap();
    refused(offsets.fetch(&partition, true, SHORT), ErrorKind::Retriable);
    assert_eq!(offsets.fetch(&partition, false, PATIENCE).unwrap(), [None]);
    end(producer.as_mut(), true);
    assert_eq!(offset_of(rig, &topic, 0), Some(5));
}

fn unstable_by_partition(rig: &Rig) {
    let topic = rig.topic("t", 2, &[]);
    let mut producer = rig.producer("p");
    let mut offsets = rig.offsets();
    for partition in [0, 1] {
        offsets
            .commit(&at(&topic, partition, 3), &rig.nobody(), PATIENCE)
            .unwrap();
    }
    producer.begin().unwrap();
    producer
        .send_offsets(&at(&topic, 0, 5), &rig.nobody(), PATIENCE)
        .unwrap();
    assert_eq!(offset_of(rig, &topic, 1), Some(3));
    let both = [0, 1].map(|partition| TopicPartition::new(&*topic, partition));
    refused(offsets.fetch(&both, true, SHORT), ErrorKind::Retriable);
    end(producer.as_mut(), false);
    assert_eq!(
        (offset_of(rig, &topic, 0), offset_of(rig, &topic, 1)),
        (Some(3), Some(3))
    );
}

fn last_written_stands(rig: &Rig) {
    let topic = rig.topic("t", 2, &[]);
    let (mut first, mut second) = (rig.producer("p1"), rig.producer("p2"));
    let mut offsets = rig.offsets();
    first.begin().unwrap();
    first.send_offsets(&at(&topic, 0, 5), &rig.nobody(), PATIENCE).unwrap();
    offsets.commit(&at(&topic, 0, 9), &rig.nobody(), PATIENCE).unwrap();
    first.send_offsets(&at(&topic, 1, 6), &rig.nobody(), PATIENCE).unwrap();
    second.begin().unwrap();
    second.send_offsets(&at(&topic, 1, 7), &rig.nobody(), PATIENCE).unwrap();
    end(second.as_mut(), true);
    end(first.as_mut(), true);
    assert_eq!(
        (offset_of(rig, &topic, 0), offset_of(rig, &topic, 1)),
        (Some(9), Some(7))
    );
}

fn no_members(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut offsets = rig.offsets();
    let member = GroupMembership {
        generation: 1,
        member_id: "once".to_owned(),
        ..rig.nobody()
    };
    refused(offsets.commit(&at(&topic, 0, 4), &member, PATIENCE), ErrorKind::Rejoin);
    offsets.commit(&at(&topic, 0, 5), &rig.nobody(), PATIENCE).unwrap();
    refused(offsets.commit(&at(&topic, 0, 4), &member, PATIENCE), ErrorKind::Rejoin);
    assert_eq!(offsets.describe(PATIENCE).unwrap().state, "Empty");
    let mut live = Hand::new(rig, "m").alone();
    refused(
        offsets.commit(&at(&topic, 0, 6), &rig.nobody(), PATIENCE),
        ErrorKind::Rejoin,
    );
    assert_eq!(live.leave(), 0);
    offsets.commit(&at(&topic, 0, 7), &rig.nobody(), PATIENCE).unwrap();
    assert_eq!(offset_of(rig, &topic, 0), Some(7));
}

fn outside_of_the_generation(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let member = Hand::new(rig, "m").alone();
    let mut offsets = rig.offsets();
    offsets
        .commit(&at(&topic, 0, 5), &member.membership(), PATIENCE)
        .unwrap();
    let ours = member.membership();
    let of_generation = |generation| GroupMembership {
        generation,
        ..ours.clone()
    };
    let member_id = "stranger".to_owned();
    let table = [
        ("an older generation", of_generation(ours.generation - 1)),
        ("a generation to come", of_generation(ours.generation + 1)),
        (
            "a stranger",
            GroupMembership {
                member_id,
                ..ours.clone()
            },
        ),
        ("no member at all", rig.nobody()),
    ];
    for (who, member) in table {
        let error = offsets.commit(&at(&topic, 0, 6), &member, PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejoin, "{who}: {error}");
    }
    assert_eq!(offset_of(rig, &topic, 0), Some(5));
}

fn transactions_outside(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let member = Hand::new(rig, "m").alone();
    let mut producer = rig.producer("p");
    let ours = member.membership();
    let of_generation = |generation| GroupMembership {
        generation,
        ..ours.clone()
    };
    let member_id = "stranger".to_owned();
    let table = [
        ("an older generation", of_generation(ours.generation - 1)),
        ("a generation to come", of_generation(ours.generation + 1)),
        (
            "a stranger",
            GroupMembership {
                member_id,
                ..ours.clone()
            },
        ),
    ];
    for (who, member) in table {
        producer.begin().unwrap();
        let error = producer.send_offsets(&at(&topic, 0, 6), &member, PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejoin, "{who}: {error}");
        refused(producer.commit(PATIENCE), ErrorKind::Abortable);
        end(producer.as_mut(), false);
    }
    assert_eq!(rig.committed(&topic, 0), None);
    // Old clients say nothing about themselves in a transaction, and are let through.
    for (who, offset) in [(rig.nobody(), 7), (ours, 8)] {
        producer.begin().unwrap();
        producer.send_offsets(&at(&topic, 0, offset), &who, PATIENCE).unwrap();
        end(producer.as_mut(), true);
        assert_eq!(offset_of(rig, &topic, 0), Some(offset));
    }
}

fn while_assigning(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let (mut a, mut b) = two(rig, |member| member);
    let (mut offsets, mut producer) = (rig.offsets(), rig.producer("p"));
    a.ask_to_join();
    assert_eq!(b.beat_until_told(), REBALANCE_IN_PROGRESS);
    // While members join, the old generation may still commit.
    offsets.commit(&at(&topic, 0, 5), &b.membership(), PATIENCE).unwrap();
    b.join();
    a.joined();
    refused(
        offsets.commit(&at(&topic, 0, 6), &b.membership(), PATIENCE),
        ErrorKind::Rejoin,
    );
    assert_eq!(offset_of(rig, &topic, 0), Some(5));
    producer.begin().unwrap();
    producer
        .send_offsets(&at(&topic, 0, 7), &b.membership(), PATIENCE)
        .unwrap();
    end(producer.as_mut(), true);
    assert_eq!(offset_of(rig, &topic, 0), Some(7));
}

fn fenced_instance(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let old = Hand::of_instance(rig, "i", "m").alone();
    let mut new = Hand::of_instance(rig, "i", "m");
    new.join();
    let mut offsets = rig.offsets();
    refused(
        offsets.commit(&at(&topic, 0, 5), &old.membership(), PATIENCE),
        ErrorKind::Fenced,
    );
    let unknown = GroupMembership {
        instance_id: Some("another".to_owned()),
        ..new.membership()
    };
    refused(offsets.commit(&at(&topic, 0, 5), &unknown, PATIENCE), ErrorKind::Rejoin);
    let mut producer = rig.producer("p");
    producer.begin().unwrap();
    refused(
        producer.send_offsets(&at(&topic, 0, 5), &old.membership(), PATIENCE),
        ErrorKind::Fenced,
    );
    offsets.commit(&at(&topic, 0, 6), &new.membership(), PATIENCE).unwrap();
    assert_eq!(offset_of(rig, &topic, 0), Some(6));
}

/// `offset.metadata.max.bytes`, 4,096 by default.
fn long_metadata(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let with = |length: usize| {
        let mut offset = at(&topic, 0, length as i64);
        offset[0].1.metadata = "m".repeat(length);
        offset
    };
    let (mut offsets, mut producer) = (rig.offsets(), rig.producer("p"));
    offsets.commit(&with(4_096), &rig.nobody(), PATIENCE).unwrap();
    refused(offsets.commit(&with(4_097), &rig.nobody(), PATIENCE), ErrorKind::Config);
    producer.begin().unwrap();
    refused(
        producer.send_offsets(&with(4_097), &rig.nobody(), PATIENCE),
        ErrorKind::Abortable,
    );
    end(producer.as_mut(), false);
    assert_eq!(offset_of(rig, &topic, 0), Some(4_096));
}

fn missing_topic(rig: &Rig) {
    let name = rig.name("nowhere");
    let mut offsets = rig.offsets();
    refused(
        offsets.commit(&at(&name, 0, 5), &rig.nobody(), PATIENCE),
        ErrorKind::UnknownTopic,
    );
    assert_eq!(rig.committed(&name, 0), None);
}
