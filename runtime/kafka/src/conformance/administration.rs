//! What is done to topics and groups from outside: listing, offsets by time, deletion, offsets and members of a group that one is not in.

use std::time::{Duration, Instant};

use super::hand::{Hand, UNKNOWN_MEMBER_ID};
use super::{PATIENCE, Rig, Script, refused};
use crate::ErrorKind;
use crate::log::{
    CommittedOffset, GroupMembership, Isolation, MemberIdentity, OffsetAndMetadata, OffsetSpec, Offsets,
    OutgoingRecord, TopicPartition,
};

pub(super) const SCRIPTS: &[Script] = &[
    ("topics are listed by name", listed),
    ("offsets are found by time", by_time),
    (
        "the offsets of an empty group are set from outside, of a live one not",
        set_from_outside,
    ),
    ("members are removed by others", removed),
    (
        "a deleted topic takes its committed offsets along",
        deleted_with_offsets,
    ),
];

fn listed(rig: &Rig) {
    let topics = [rig.topic("b", 1, &[]), rig.topic("a", 3, &[])];
    let mut admin = rig.admin();
    let mut ours = || -> Vec<String> {
        let names = admin.topic_names(PATIENCE).unwrap();
        assert!(names.is_sorted(), "{names:?}");
        names.into_iter().filter(|name| topics.contains(name)).collect()
    };
    assert_eq!(ours(), [topics[1].clone(), topics[0].clone()]);
    let deleted = rig.admin().delete_topics(&[&topics[1]], PATIENCE).unwrap();
    assert!(deleted[0].is_ok());
    assert_eq!(ours(), [topics[0].clone()]);
    let again = rig.admin().delete_topics(&[&topics[1]], PATIENCE).unwrap();
    assert_eq!(again[0].as_ref().unwrap_err().kind(), ErrorKind::UnknownTopic);
}

fn by_time(rig: &Rig) {
    let topic = rig.topic("t", 2, &[]);
    let mut producer = rig.plain_producer();
    let handle = producer.topic(&topic).unwrap();
    // Out of order on purpose: what counts is the first record that is not older.
    for timestamp in [1_000, 5_000, 2_000, 7_000] {
        let record = OutgoingRecord {
            topic: handle,
            partition: 0,
            key: None,
            value: Some(b"v"),
            timestamp,
            headers: &[],
        };
        producer.send(record).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let at = TopicPartition::new(&*topic, 0);
    let end = OffsetSpec::Latest(Isolation::ReadUncommitted);
    let mut admin = rig.admin();
    let table = [
        (OffsetSpec::Earliest, 0),
        (OffsetSpec::Timestamp(0), 0),
        (OffsetSpec::Timestamp(1_000), 0),
        (OffsetSpec::Timestamp(1_001), 1),
        (OffsetSpec::Timestamp(5_001), 3),
        (OffsetSpec::Timestamp(7_001), 4),
        (end, 4),
    ];
    for (spec, expected) in table {
        let found = admin.list_offsets(&[(at.clone(), spec)], PATIENCE).unwrap();
        assert_eq!(found, [expected], "{spec:?}");
    }
    admin.delete_records(&[(at.clone(), 2)], PATIENCE).unwrap();
    let empty = TopicPartition::new(&*topic, 1);
    let asked = [
        (at.clone(), OffsetSpec::Earliest),
        (at, OffsetSpec::Timestamp(0)),
        (empty, OffsetSpec::Timestamp(0)),
    ];
    assert_eq!(admin.list_offsets(&asked, PATIENCE).unwrap(), [2, 2, 0]);
}

fn at(topic: &str, offset: i64) -> (TopicPartition, OffsetAndMetadata) {
    let metadata = String::new();
    (TopicPartition::new(topic, 0), OffsetAndMetadata { offset, metadata })
}

/// Sets the offset of the topic's partition 0 from outside, and reads it back.
fn set(offsets: &mut dyn Offsets, group: &str, topic: &str, offset: i64) {
    let nobody = GroupMembership::outside(group);
    offsets.commit(&[at(topic, offset)], &nobody, PATIENCE).unwrap();
    assert_eq!(committed(offsets, topic), Some(at(topic, offset).1));
}

fn committed(offsets: &mut dyn Offsets, topic: &str) -> CommittedOffset {
    let of = [TopicPartition::new(topic, 0)];
    offsets.fetch(&of, true, PATIENCE).unwrap().remove(0)
}

fn set_from_outside(rig: &Rig) {
    let (topic, group) = (rig.topic("t", 1, &[]), rig.name("g"));
    let mut offsets = rig.log.offsets(&group).unwrap();
    // A group that never was.
    set(offsets.as_mut(), &group, &topic, 5);
    assert_eq!(offsets.describe(PATIENCE).unwrap().state, "Empty");

    let mut member = Hand::new(rig, "m").alone();
    refused(
        offsets.commit(&[at(&topic, 7)], &GroupMembership::outside(&group), PATIENCE),
        ErrorKind::Rejoin,
    );
    assert_eq!(committed(offsets.as_mut(), &topic), Some(at(&topic, 5).1));

    assert_eq!(member.leave(), 0);
    // Back, and to the start.
    set(offsets.as_mut(), &group, &topic, 3);
    set(offsets.as_mut(), &group, &topic, 0);
}

fn removed(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut offsets = rig.offsets();
    for member in [Hand::new(rig, "m"), Hand::of_instance(rig, "pod-0", "m")] {
        let mut member = member.alone();
        assert_eq!(offsets.describe(PATIENCE).unwrap().members.len(), 1);
        let members = [MemberIdentity {
            member_id: member.id.clone(),
            instance_id: member.instance.clone(),
        }];

        offsets.remove_members(&members, "conformance", PATIENCE).unwrap();
        assert_eq!(offsets.describe(PATIENCE).unwrap().state, "Empty");
        assert_eq!(member.heartbeat(), UNKNOWN_MEMBER_ID);
        set(offsets.as_mut(), &member.group, &topic, 1);
        // They are gone: that is no error.
        offsets.remove_members(&members, "conformance", PATIENCE).unwrap();
    }
}

fn deleted_with_offsets(rig: &Rig) {
    let (kept, gone, group) = (rig.topic("kept", 1, &[]), rig.topic("gone", 1, &[]), rig.name("g"));
    let mut offsets = rig.log.offsets(&group).unwrap();
    set(offsets.as_mut(), &group, &kept, 4);
    set(offsets.as_mut(), &group, &gone, 4);
    rig.admin()
        .delete_topics(&[&gone], PATIENCE)
        .unwrap()
        .remove(0)
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while committed(offsets.as_mut(), &gone).is_some() {
        assert!(Instant::now() < deadline, "the offset outlives its topic");
        std::thread::sleep(Duration::from_millis(5));
    }
    rig.topic("gone", 1, &[]);
    assert_eq!(committed(offsets.as_mut(), &gone), None);
    assert_eq!(committed(offsets.as_mut(), &kept), Some(at(&kept, 4).1));
}
