//! What starts a rebalance, who is waited for, and how it ends.

use std::time::{Duration, Instant};

use super::hand::{Hand, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID, two};
use super::{Rig, Script};
use crate::log::Response;

pub(super) const SCRIPTS: &[Script] = &[
    ("a follower without news is told the generation", follower_without_news),
    ("a follower with news starts a rebalance", follower_with_news),
    ("a leader starts a rebalance by joining", leader_joins),
    ("a rebalance takes back the syncs that wait", syncs_taken_back),
    ("a repeated join is told the generation", repeated_join),
    ("a leave ends the join that waits", leave_ends_join),
    ("who does not rejoin in time is out", too_late_to_join),
    ("who does not sync in time is out", too_late_to_sync),
    ("an id that is not used is waited for until it expires", unused_id),
];

const SHORT: Duration = Duration::from_millis(1_500);

fn follower_without_news(rig: &Rig) {
    let (mut a, mut b) = two(rig, |member| member);
    let generation = b.generation;
    let told = b.join();
    assert_eq!(
        (told.generation, told.leader.as_str(), told.members.len()),
        (generation, &*a.id, 0)
    );
    assert_eq!(b.sync(&[]), Ok("two".into()));
    assert_eq!((a.heartbeat(), b.heartbeat()), (0, 0));
}

fn follower_with_news(rig: &Rig) {
    let (mut a, mut b) = two(rig, |member| member);
    b.protocols = vec![("stream", "news")];
    b.ask_to_join();
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    let joined = a.join();
    let mut metadata: Vec<_> = joined.members.iter().map(|member| member.metadata.clone()).collect();
    metadata.sort();
    assert_eq!(metadata, ["a", "news"]);
    assert_eq!(b.joined().generation, joined.generation);
}

fn leader_joins(rig: &Rig) {
    let (mut a, mut b) = two(rig, |member| member);
    let generation = a.generation;
    a.ask_to_join();
    assert_eq!(b.beat_until_told(), REBALANCE_IN_PROGRESS);
    assert_eq!(b.join().generation, generation + 1);
    assert_eq!(a.joined().generation, generation + 1);
}

fn syncs_taken_back(rig: &Rig) {
    let (mut a, mut b) = two(rig, |member| member);
    a.ask_to_join();
    assert_eq!(b.beat_until_told(), REBALANCE_IN_PROGRESS);
    b.join();
    a.joined();
    b.ask_to_sync(&[]);
    // In place of an assignment comes a third member.
    let mut c = Hand::new(rig, "c");
    c.ask_to_join();
    assert_eq!(b.synced(), Err(REBALANCE_IN_PROGRESS));
    assert_eq!(a.sync(&[]), Err(REBALANCE_IN_PROGRESS));
    a.ask_to_join();
    b.ask_to_join();
    assert_eq!(a.joined().members.len(), 3);
    assert_eq!(
        (b.joined().generation, c.joined().generation),
        (a.generation, a.generation)
    );
}

fn repeated_join(rig: &Rig) {
    let mut a = Hand::new(rig, "a");
    let first = a.join();
    let again = a.join();
    assert_eq!(
        (again.generation, again.members.len()),
        (first.generation, 1),
        "its answer may have been lost"
    );
    let own = a.id.clone();
    assert_eq!(a.sync(&[(&own, "all")]), Ok("all".into()));
    assert_eq!(
        a.join().generation,
        first.generation + 1,
        "but a leader that is stable asks for a rebalance"
    );
}

fn leave_ends_join(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::new(rig, "b");
    b.ask_to_join();
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    // The join waits for `a`, but the leave does not wait for the join.
    let start = Instant::now();
    b.coordinator.send(b.leave_request()).unwrap();
    for _ in 0..2 {
        match b.answer() {
            Response::Leave(left) => assert_eq!(left, Ok(())),
            Response::Join(joined) => assert_eq!(joined.unwrap_err().code, UNKNOWN_MEMBER_ID),
            other => panic!("{other:?}"),
        }
    }
    assert!(start.elapsed() < a.rebalance / 2, "{:?}", start.elapsed());
    assert_eq!(a.join().members.len(), 1);
}

fn too_late_to_join(rig: &Rig) {
    let (mut a, mut b) = two(rig, |member| member.rebalance(SHORT));
    let generation = a.generation;
    a.ask_to_join();
    assert_eq!(b.beat_until_told(), REBALANCE_IN_PROGRESS);
    rig.pass(SHORT);
    let joined = a.joined();
    assert_eq!((joined.generation, joined.members.len()), (generation + 1, 1));
    assert_eq!(b.heartbeat(), UNKNOWN_MEMBER_ID);
}

fn too_late_to_sync(rig: &Rig) {
    let (mut a, mut b) = two(rig, |member| member.rebalance(SHORT));
    a.ask_to_join();
    assert_eq!(b.beat_until_told(), REBALANCE_IN_PROGRESS);
    b.join();
    a.joined();
    let own = a.id.clone();
    assert_eq!(a.sync(&[(&own, "one")]), Ok("one".into()));
    assert_eq!(a.heartbeat(), 0, "b may still sync");
    rig.pass(SHORT);
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    assert_eq!(b.heartbeat(), UNKNOWN_MEMBER_ID);
    assert_eq!(a.join().members.len(), 1);
}

fn unused_id(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::new(rig, "b").session(SHORT);
    b.take_id();
    assert_eq!(a.heartbeat(), 0, "an id alone starts nothing");
    let generation = a.generation;
    a.ask_to_join();
    let soon = a.coordinator.poll(Duration::from_millis(200)).unwrap();
    assert!(soon.is_none(), "the rebalance waits for whoever has the id: {soon:?}");
    rig.pass(SHORT);
    let joined = a.joined();
    assert_eq!((joined.generation, joined.members.len()), (generation + 1, 1));
    assert_eq!(b.try_join().unwrap_err(), UNKNOWN_MEMBER_ID);
}
