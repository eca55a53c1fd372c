//! A member that comes: ids, leaders, assignments, returning instances.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expect_test::expect;
use parking_lot::Mutex;

use super::{Counting, Scripted, Wire, converse, dynamic, from_start, of_instance};
use crate::group::{Member, MemberOptions};
use crate::log::{JoinResponse, Response, SyncResponse};

#[test]
fn a_leader_joins_assigns_and_stays() {
    from_start(
        dynamic(),
        r"
            start
            error join 79 m-1
            joined 1 m-1 m-1
            synced a
            at 2999
            at 3000
            alive
            at 6000
            alive
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            error join 79 m-1
                > join `m-1` millrace/tasks m2 because it starts
            joined 1 m-1 m-1
                > sync `m-1` generation 1 giving ["m-1", "other"]
            synced a
                * assigned b"a" in generation 1: m-1 leads
            at 2999
            at 3000
                > heartbeat `m-1` generation 1
            alive
            at 6000
                > heartbeat `m-1` generation 1
            alive
        "#]],
    );
}

#[test]
fn answers_that_nobody_waits_for_are_left_alone() {
    from_start(
        dynamic(),
        r"
            start
            alive
            synced x
            joined 1 m other
            synced a
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            alive
            synced x
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
        "#]],
    );
}

#[test]
fn the_assignor_fails_for_a_while() {
    from_start(
        dynamic(),
        r"
            assign-fails later
            joined 1 m m
            at 150
            joined 1 m m
            synced a
        ",
        &expect![[r#"
            assign-fails later
                > join `` millrace/tasks m1 because it starts
            joined 1 m m
            at 150
                > join `m` millrace/tasks m2 because no assignment could be made: topics could not be created
            joined 1 m m
                > sync `m` generation 1 giving ["m", "other"]
            synced a
                * assigned b"a" in generation 1: m leads
        "#]],
    );
}

#[test]
fn the_assignor_fails_for_good() {
    from_start(
        dynamic(),
        r"
            assign-fails fatal
            joined 1 m m
        ",
        &expect![[r#"
            assign-fails fatal
                > join `` millrace/tasks m1 because it starts
            joined 1 m m
                ! Fatal: topics could not be created
        "#]],
    );
}

#[test]
fn a_returning_static_leader_lets_the_assignment_stand() {
    from_start(
        of_instance(),
        r"
            start
            joined 7 pod-0-xyz pod-0-xyz skip
            synced a
            at 3000
        ",
        &expect![[r#"
            start
                > join `` as pod-0 millrace/tasks m1 because it starts
            joined 7 pod-0-xyz pod-0-xyz skip
                > sync `pod-0-xyz` as pod-0 generation 7 giving []
            synced a
                * assigned b"a" in generation 7: pod-0-xyz leads
            at 3000
                > heartbeat `pod-0-xyz` as pod-0 generation 7
        "#]],
    );
}

#[test]
fn a_new_volume_has_its_instance_forgotten_first() {
    let options = MemberOptions {
        forget_instance: true,
        ..of_instance()
    };
    let script = r"
        start
        error leave 14
        at 130
        error leave 25
        joined 1 m m
        synced a
    ";
    expect![[r#"
        start
            > leave `` as pod-0 because a new volume takes this instance's place
        error leave 14
        at 130
            > leave `` as pod-0 because a new volume takes this instance's place
        error leave 25
            > join `` as pod-0 millrace/tasks m1 because it starts
        joined 1 m m
            > sync `m` as pod-0 generation 1 giving ["m", "other"]
        synced a
            * assigned b"a" in generation 1: m leads
    "#]]
    .assert_eq(&converse(options, script));
}

#[test]
fn the_generation_of_commits_is_the_last_one_assigned() {
    let wire = Arc::new(Mutex::new(Wire::default()));
    let mut member = Member::new(Box::new(Scripted(wire.clone())), dynamic());
    let mut assignor = Counting::default();
    let mut step = |member: &mut Member, answer: Option<Response>| {
        wire.lock().answers.extend(answer);
        member
            .step(Duration::from_secs(9), &mut assignor, Duration::ZERO)
            .unwrap()
    };
    let joined = |generation| {
        let (member_id, leader) = ("m".to_owned(), "other".to_owned());
        let protocol = "tasks".to_owned();
        Response::Join(Ok(JoinResponse {
            generation,
            member_id,
            leader,
            protocol,
            members: Vec::new(),
            skip_assignment: false,
        }))
    };
    let generation = |member: &Member| member.membership().map(|membership| membership.generation);
    step(&mut member, None);
    assert_eq!(generation(&member), None);
    step(&mut member, Some(joined(4)));
    assert_eq!(generation(&member), None, "joined, but nothing is assigned yet");
    step(
        &mut member,
        Some(Response::Sync(Ok(SyncResponse {
            assignment: Bytes::new(),
        }))),
    );
    assert_eq!(generation(&member), Some(4));
    member.rejoin("test");
    step(&mut member, None);
    assert_eq!(generation(&member), Some(4), "the commit before the join");
    member.ready_to_join();
    step(&mut member, None);
    step(&mut member, Some(joined(5)));
    assert_eq!(generation(&member), Some(4), "the next assignment is not there yet");
}
