//! Coordinators and connections that come and go, and how long a step waits.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use parking_lot::Mutex;

use super::{Counting, Scripted, Wire, dynamic, from_start};
use crate::group::Member;
use crate::log::{GroupError, Response};

#[test]
fn the_coordinator_moves() {
    from_start(
        dynamic(),
        r"
            start
            error join 15
            at 79
            at 121
            error join 14
            at 400
            joined 1 m other
            error sync 16
            at 600
            synced a
            at 3600
            error heartbeat 16
            at 3679
            at 3800
            lost
            at 4200
            alive
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            error join 15
            at 79
            at 121
                > join `` millrace/tasks m2 because it starts
            error join 14
            at 400
                > join `` millrace/tasks m3 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            error sync 16
            at 600
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
            at 3600
                > heartbeat `m` generation 1
            error heartbeat 16
            at 3679
            at 3800
                > heartbeat `m` generation 1
            lost
            at 4200
                > heartbeat `m` generation 1
            alive
        "#]],
    );
}

#[test]
fn connections_break() {
    from_start(
        dynamic(),
        r"
            break
            mend
            at 150
            lost
            at 500
            joined 1 m m
            lost
            at 800
            synced a
            at 3800
            lost
            at 3950
        ",
        &expect![[r#"
            break
            mend
            at 150
                > join `` millrace/tasks m2 because it starts
            lost
            at 500
                > join `` millrace/tasks m3 because it starts
            joined 1 m m
                > sync `m` generation 1 giving ["m", "other"]
            lost
            at 800
                > sync `m` generation 1 giving ["m", "other"]
            synced a
                * assigned b"a" in generation 1: m leads
            at 3800
                > heartbeat `m` generation 1
            lost
            at 3950
                > heartbeat `m` generation 1
        "#]],
    );
}

#[test]
fn the_next_due_time_bounds_a_wait() {
    let wire = Arc::new(Mutex::new(Wire::default()));
    let mut member = Member::new(Box::new(Scripted(wire.clone())), dynamic());
    let mut assignor = Counting::default();
    assert_eq!(member.due_at(), Some(Duration::ZERO));
    member.step(Duration::ZERO, &mut assignor, Duration::ZERO).unwrap();
    assert_eq!(member.due_at(), None, "only the answer counts while joining");
    wire.lock().answers.push_back(Response::Join(Err(GroupError {
        code: 15,
        member_id: None,
    })));
    member
        .step(Duration::from_secs(1), &mut assignor, Duration::ZERO)
        .unwrap();
    let due = member.due_at().unwrap();
    assert!((1080..=1120).contains(&due.as_millis()), "{due:?}");
}
