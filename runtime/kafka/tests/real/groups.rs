//! The group protocol.

use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_kafka::ErrorKind;
use millrace_kafka::log::*;

use super::member::Member;
use super::rig::*;

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
