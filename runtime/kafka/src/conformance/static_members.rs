//! Members with a `group.instance.id` (KIP-345).

use super::hand::{FENCED_INSTANCE_ID, Hand, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID, join_both};
use super::{PATIENCE, Rig, Script};

pub(super) const SCRIPTS: &[Script] = &[
    (
        "a returning static leader is told to skip the assignment",
        leader_returns,
    ),
    ("a returning static follower takes its place silently", follower_returns),
    ("a replaced static member is fenced", fenced),
    ("a replaced static member's join is fenced", fenced_join),
    (
        "a returning static member's new metadata waits for a rebalance",
        news_wait,
    ),
    ("a static member leaves by its instance alone", leaves_by_instance),
    ("an instance is left by its holder only", leave_is_fenced),
];

fn leader_returns(rig: &Rig) {
    let mut member = Hand::of_instance(rig, "i", "m").alone();
    let (first, generation) = (member.id.clone(), member.generation);
    member.id.clear();
    let back = member.join();
    assert_eq!(back.generation, generation, "no rebalance");
    assert!(back.skip_assignment, "it leads, and the assignment stands");
    assert_eq!(back.leader, back.member_id);
    assert_ne!(back.member_id, first);
    assert_eq!(back.members.len(), 1);
    assert_eq!(member.sync(&[]), Ok("all".into()));
}

fn follower_returns(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::of_instance(rig, "i", "b");
    join_both(&mut a, &mut b);
    b.id.clear();
    let back = b.join();
    assert_eq!(
        (
            back.generation,
            back.leader.as_str(),
            back.skip_assignment,
            back.members.len()
        ),
        (a.generation, &*a.id, false, 0)
    );
    assert_eq!(b.sync(&[]), Ok("two".into()));
    assert_eq!((a.heartbeat(), b.heartbeat()), (0, 0));
}

fn fenced(rig: &Rig) {
    let mut old = Hand::of_instance(rig, "i", "m").alone();
    let mut new = Hand::of_instance(rig, "i", "m");
    new.join();
    assert_eq!(old.heartbeat(), FENCED_INSTANCE_ID);
    assert_eq!(old.sync(&[]), Err(FENCED_INSTANCE_ID));
    assert_eq!(old.try_join().unwrap_err(), FENCED_INSTANCE_ID);
    assert_eq!(old.leave(), FENCED_INSTANCE_ID);
    assert_eq!(new.heartbeat(), 0);
}

fn fenced_join(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut old = Hand::of_instance(rig, "i", "b");
    join_both(&mut a, &mut old);
    old.protocols = vec![("stream", "news")];
    old.ask_to_join();
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    let mut new = Hand::of_instance(rig, "i", "b");
    new.ask_to_join();
    assert_eq!(old.join_refused(), FENCED_INSTANCE_ID);
    assert_eq!(a.join().members.len(), 2);
    assert_eq!(new.joined().generation, a.generation);
}

fn news_wait(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::of_instance(rig, "i", "old");
    join_both(&mut a, &mut b);
    b.id.clear();
    b.protocols = vec![("stream", "new")];
    assert_eq!(b.join().generation, a.generation, "no rebalance, whatever it brings");
    assert_eq!((a.heartbeat(), b.heartbeat()), (0, 0));
    let described = rig.offsets().describe(PATIENCE).unwrap().members;
    assert!(described.iter().any(|member| member.metadata == "new"), "{described:?}");
    a.ask_to_join();
    assert_eq!(b.beat_until_told(), REBALANCE_IN_PROGRESS);
    b.ask_to_join();
    let joined = a.joined();
    b.joined();
    assert!(
        joined.members.iter().any(|member| member.metadata == "new"),
        "{joined:?}"
    );
}

fn leaves_by_instance(rig: &Rig) {
    let mut a = Hand::new(rig, "a").alone();
    let mut b = Hand::of_instance(rig, "i", "b");
    join_both(&mut a, &mut b);
    let mut successor = Hand::of_instance(rig, "i", "b");
    assert_eq!(successor.leave(), 0, "nobody need know the member id");
    assert_eq!(a.heartbeat(), REBALANCE_IN_PROGRESS);
    assert_eq!(b.heartbeat(), UNKNOWN_MEMBER_ID);
    assert_eq!(successor.leave(), UNKNOWN_MEMBER_ID);
    assert_eq!(a.join().members.len(), 1);
}

fn leave_is_fenced(rig: &Rig) {
    let mut member = Hand::of_instance(rig, "i", "m").alone();
    let mut other = Hand::of_instance(rig, "j", "m");
    other.id.clone_from(&member.id);
    assert_eq!(other.leave(), UNKNOWN_MEMBER_ID);
    other.instance.clone_from(&member.instance);
    other.id = "stranger".into();
    assert_eq!(other.leave(), FENCED_INSTANCE_ID);
    assert_eq!(member.heartbeat(), 0);
    assert_eq!(member.leave(), 0);
}
