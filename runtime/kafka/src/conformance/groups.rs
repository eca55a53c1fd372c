//! Who is let into a group, and what its members are asked.

use std::time::Duration;

use super::hand::{
    Hand, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, INVALID_SESSION_TIMEOUT, REBALANCE_IN_PROGRESS,
    UNKNOWN_MEMBER_ID, join_both, two,
};
use super::{PATIENCE, Rig, Script};

pub(super) const SCRIPTS: &[Script] = &[
    ("a member needs an id, joins, syncs, beats and leaves", one_member),
    ("a second member starts a rebalance", two_members),
    ("protocols must be shared", protocols),
    ("the protocol that most prefer is chosen", preferences),
    ("an empty group takes another kind of member", another_kind),
    ("a session must be within the broker's bounds", session_bounds),
    ("strangers are told so", strangers),
    ("a sync is held against the generation", syncs),
];

fn one_member(rig: &Rig) {
    let mut offsets = rig.offsets();
    assert_eq!(
        offsets.describe(PATIENCE).unwrap().state,
        "Dead",
        "nobody was ever there"
    );
    let mut member = Hand::new(rig, "m");
    member.take_id();
    let id = member.id.clone();
    let joined = member.join();
    assert_eq!(
        (&joined.member_id, &joined.leader, joined.skip_assignment),
        (&id, &id, false)
    );
    assert_eq!(
        joined.members.iter().map(|m| m.metadata.clone()).collect::<Vec<_>>(),
        ["m"]
    );
    assert_eq!(member.heartbeat(), 0, "one may beat before the sync");
    assert_eq!(member.sync(&[(&id, "all")]), Ok("all".into()));
    assert_eq!(member.heartbeat(), 0);
    let description = offsets.describe(PATIENCE).unwrap();
    assert_eq!(
        (description.state.as_str(), description.protocol.as_str()),
        ("Stable", "stream")
    );
    assert_eq!(description.protocol_type, "consumer");
    assert_eq!(description.members.len(), 1);
    let described = &description.members[0];
    assert_eq!((&described.member_id, &*described.assignment), (&id, &b"all"[..]));
    assert!(
        !described.client_id.is_empty() && !described.host.is_empty(),
        "{described:?}"
    );
    member.generation += 1;
    assert_eq!(member.heartbeat(), ILLEGAL_GENERATION);
    member.generation -= 1;
    assert_eq!(member.leave(), 0);
    assert_eq!(member.heartbeat(), UNKNOWN_MEMBER_ID);
    assert_eq!(member.try_join().unwrap_err(), UNKNOWN_MEMBER_ID);
    assert_eq!(member.leave(), UNKNOWN_MEMBER_ID);
    assert_eq!(offsets.describe(PATIENCE).unwrap().state, "Empty");
}

fn two_members(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::new(rig, "b");
    let first = a.generation;
    b.ask_to_join();
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    a.ask_to_join();
    let (leader, follower) = (a.joined(), b.joined());
    assert_eq!((leader.generation, follower.generation), (first + 1, first + 1));
    assert_eq!((leader.leader.as_str(), follower.leader.as_str()), (&*a.id, &*a.id));
    assert_eq!(
        (leader.members.len(), follower.members.len()),
        (2, 0),
        "only the leader sees the members"
    );
    b.ask_to_sync(&[]);
    let (own, other) = (a.id.clone(), b.id.clone());
    assert_eq!(a.sync(&[(&own, "one"), (&other, "two")]), Ok("one".into()));
    assert_eq!(b.synced(), Ok("two".into()));
    assert_eq!(a.leave(), 0);
    assert_eq!(b.heartbeat(), REBALANCE_IN_PROGRESS);
    let alone = b.join();
    assert_eq!((alone.leader.as_str(), alone.generation), (&*b.id, first + 2));
}

fn protocols(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut stranger = Hand::new(rig, "s");
    stranger.protocol_type = "millrace";
    assert_eq!(stranger.try_join().unwrap_err(), INCONSISTENT_GROUP_PROTOCOL);
    stranger.protocol_type = "consumer";
    stranger.protocols = vec![("range", "s")];
    assert_eq!(stranger.try_join().unwrap_err(), INCONSISTENT_GROUP_PROTOCOL);
    stranger.protocols = vec![];
    assert_eq!(stranger.try_join().unwrap_err(), INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(a.heartbeat(), 0, "the group took no notice");
    stranger.protocols = vec![("range", "s"), ("stream", "t")];
    join_both(&mut a, &mut stranger);
    assert_eq!(stranger.protocol, "stream");
}

fn preferences(rig: &Rig) {
    let mut a = Hand::new(rig, "a");
    a.protocols = vec![("range", "r"), ("stream", "s")];
    let mut a = a.alone();
    assert_eq!(a.protocol, "range");
    let mut b = Hand::new(rig, "b");
    b.protocols = vec![("sticky", "y"), ("stream", "s"), ("range", "r")];
    let mut c = Hand::new(rig, "c");
    c.protocols = vec![("stream", "s"), ("range", "r")];
    join_both(&mut a, &mut b);
    c.ask_to_join();
    for member in [&mut a, &mut b] {
        assert_eq!(member.beat_until_told(), REBALANCE_IN_PROGRESS);
        member.ask_to_join();
    }
    let joined = a.joined();
    assert_eq!(joined.protocol, "stream", "two of three prefer it");
    assert!(joined.members.iter().all(|member| member.metadata == "s"));
    assert_eq!(
        (b.joined().protocol, c.joined().protocol),
        (a.protocol, "stream".into())
    );
}

fn another_kind(rig: &Rig) {
    let mut old = Hand::new(rig, "o").alone();
    assert_eq!(old.leave(), 0);
    let mut new = Hand::new(rig, "n");
    new.protocol_type = "millrace";
    new.protocols = vec![("tasks", "n")];
    let new = new.alone();
    assert_eq!(rig.offsets().describe(PATIENCE).unwrap().protocol_type, "millrace");
    assert!(new.generation > old.generation, "generations go on");
    assert_eq!(old.try_join().unwrap_err(), INCONSISTENT_GROUP_PROTOCOL);
}

fn session_bounds(rig: &Rig) {
    for session in [Duration::from_millis(1), Duration::from_secs(2_000_000)] {
        let mut member = Hand::new(rig, "m").session(session);
        assert_eq!(member.try_join().unwrap_err(), INVALID_SESSION_TIMEOUT, "{session:?}");
    }
}

fn strangers(rig: &Rig) {
    let stranger = || {
        let mut stranger = Hand::new(rig, "s");
        (stranger.id, stranger.generation, stranger.protocol) = ("stranger".into(), 1, "stream".into());
        stranger
    };
    let told = |group: &str| {
        let answers = [
            stranger().heartbeat(),
            stranger().sync(&[]).unwrap_err(),
            stranger().leave(),
            stranger().try_join().unwrap_err(),
        ];
        assert_eq!(answers, [UNKNOWN_MEMBER_ID; 4], "in {group}");
    };
    told("a group that is not there");
    let mut member = Hand::new(rig, "m").alone();
    told("a live group");
    assert_eq!(member.leave(), 0);
    told("an empty group");
}

fn syncs(rig: &Rig) {
    let (mut a, mut b) = two(rig, |member| member);
    b.generation -= 1;
    assert_eq!(b.sync(&[]), Err(ILLEGAL_GENERATION));
    b.generation += 1;
    let protocol = std::mem::replace(&mut b.protocol, "range".into());
    assert_eq!(b.sync(&[]), Err(INCONSISTENT_GROUP_PROTOCOL));
    b.protocol = protocol;
    b.protocol_type = "millrace";
    assert_eq!(b.sync(&[]), Err(INCONSISTENT_GROUP_PROTOCOL));
    b.protocol_type = "consumer";
    assert_eq!(b.sync(&[]), Ok("two".into()), "once more, if the answer was lost");
    // The leader rejoins; b has not heard of it yet.
    a.ask_to_join();
    assert_eq!(b.beat_until_told(), REBALANCE_IN_PROGRESS);
    assert_eq!(b.sync(&[]), Err(REBALANCE_IN_PROGRESS));
}
