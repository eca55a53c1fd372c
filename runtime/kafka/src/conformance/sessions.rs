//! Members that say nothing.

use std::time::Duration;

use super::hand::{Hand, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID, join_both};
use super::{PATIENCE, Rig, Script, at};
use crate::ErrorKind;

pub(super) const SCRIPTS: &[Script] = &[
    ("who does not beat is out", silent),
    ("the last who does not beat leaves an empty group", last),
    ("a static member keeps its place until its session ends", silent_static),
    ("who waits for the others need not beat", waiting),
    ("a commit outside of transactions counts as a heartbeat", commits_count),
];

/// The shortest that the brokers of the tests allow, and half a second.
const SESSION: Duration = Duration::from_millis(1_500);

fn silent(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::new(rig, "b").session(SESSION);
    join_both(&mut a, &mut b);
    assert_eq!((a.heartbeat(), b.heartbeat()), (0, 0));
    rig.pass(SESSION);
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    assert_eq!(b.heartbeat(), UNKNOWN_MEMBER_ID);
    assert_eq!(a.join().members.len(), 1);
}

fn last(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut member = Hand::new(rig, "m").session(SESSION).alone();
    let mut offsets = rig.offsets();
    let kept = at(&topic, 0, 3);
    offsets.commit(&kept, &member.membership(), PATIENCE).unwrap();
    rig.pass(SESSION);
    assert_eq!(offsets.describe(PATIENCE).unwrap().state, "Empty");
    assert_eq!(member.heartbeat(), UNKNOWN_MEMBER_ID);
    super::refused(
        offsets.commit(&at(&topic, 0, 4), &member.membership(), PATIENCE),
        ErrorKind::Rejoin,
    );
    assert_eq!(
        rig.committed(&topic, 0),
        Some(kept[0].1.clone()),
        "offsets outlive the members"
    );
}

fn silent_static(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::of_instance(rig, "i", "b").session(SESSION);
    join_both(&mut a, &mut b);
    let first = b.id.clone();
    // It comes back within its session: nobody notices.
    b.id.clear();
    let back = b.join();
    assert_eq!(back.generation, a.generation);
    assert_ne!(b.id, first);
    assert_eq!(a.heartbeat(), 0);
    rig.pass(SESSION);
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    assert_eq!(b.heartbeat(), UNKNOWN_MEMBER_ID, "the instance is unknown as well");
    assert_eq!(a.join().members.len(), 1);
}

fn waiting(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::new(rig, "b").session(SESSION);
    join_both(&mut a, &mut b);
    b.protocols = vec![("stream", "news")];
    b.ask_to_join();
    rig.pass(SESSION);
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    assert_eq!(a.join().members.len(), 2);
    assert_eq!(b.joined().generation, a.generation);
}

fn commits_count(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let session = Duration::from_secs(3);
    let mut member = Hand::new(rig, "m").session(session).alone();
    let mut offsets = rig.offsets();
    for offset in 1..4 {
        rig.pass(session.mul_f64(0.5));
        let commit = offsets.commit(&at(&topic, 0, offset), &member.membership(), PATIENCE);
        commit.unwrap_or_else(|error| panic!("commit {offset}: {error}"));
    }
    assert_eq!(member.heartbeat(), 0);
}
