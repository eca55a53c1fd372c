//! What the member holds is lost, or its instance has another holder.

use expect_test::expect;

use super::{dynamic, following, from_start, of_instance};

#[test]
fn a_session_that_expired_loses_everything_and_begins_anew() {
    following(
        dynamic(),
        r"
            at 3000
            error heartbeat 25
            error join 79 m2
            joined 3 m2 other
            synced b
        ",
        &expect![[r#"
            at 3000
                > heartbeat `m` generation 1
            error heartbeat 25
                * Lost { reason: "the coordinator does not know this member any more: its session expired, or it was removed" }
                > join `` millrace/tasks m2 because the coordinator does not know this member any more: its session expired, or it was removed
            error join 79 m2
                > join `m2` millrace/tasks m3 because the coordinator does not know this member any more: its session expired, or it was removed
            joined 3 m2 other
                > sync `m2` generation 3 giving []
            synced b
                * assigned b"b" in generation 3: m2 follows
        "#]],
    );
}

#[test]
fn an_old_generation_loses_everything_and_keeps_its_id() {
    following(
        dynamic(),
        r"
            at 3000
            error heartbeat 22
            joined 5 m other
        ",
        &expect![[r#"
            at 3000
                > heartbeat `m` generation 1
            error heartbeat 22
                * Lost { reason: "the group went on without generation 1 (error 22)" }
                > join `m` millrace/tasks m2 because the group went on without generation 1 (error 22)
            joined 5 m other
                > sync `m` generation 5 giving []
        "#]],
    );
}

#[test]
fn unknown_at_join_with_nothing_to_lose_is_tried_again_after_a_while() {
    from_start(
        dynamic(),
        r"
            start
            error join 79 m
            error join 25
            at 50
            at 130
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            error join 79 m
                > join `m` millrace/tasks m2 because it starts
            error join 25
            at 50
            at 130
                > join `` millrace/tasks m3 because the coordinator does not know this member any more: its session expired, or it was removed
        "#]],
    );
}

#[test]
fn unknown_at_sync_loses_what_was_held() {
    following(
        dynamic(),
        r"
            rejoin
            ready
            joined 2 m other
            error sync 25
        ",
        &expect![[r#"
            rejoin
                * Prepare { reason: "the engine wants to" }
            ready
                > join `m` millrace/tasks m2 because the engine wants to
            joined 2 m other
                > sync `m` generation 2 giving []
            error sync 25
                * Lost { reason: "the coordinator does not know this member any more: its session expired, or it was removed" }
                > join `` millrace/tasks m3 because the coordinator does not know this member any more: its session expired, or it was removed
        "#]],
    );
}

#[test]
fn lost_while_preparing() {
    following(
        dynamic(),
        r"
            rejoin
            at 3000
            error heartbeat 25
            ready
        ",
        &expect![[r#"
            rejoin
                * Prepare { reason: "the engine wants to" }
            at 3000
                > heartbeat `m` generation 1
            error heartbeat 25
                * Lost { reason: "the coordinator does not know this member any more: its session expired, or it was removed" }
                > join `` millrace/tasks m2 because the coordinator does not know this member any more: its session expired, or it was removed
            ready
        "#]],
    );
}

#[test]
fn a_fenced_static_member_stops() {
    following(
        of_instance(),
        r"
            at 3000
            error heartbeat 82
            at 6000
        ",
        &expect![[r#"
            at 3000
                > heartbeat `m` as pod-0 generation 1
            error heartbeat 82
                * Fenced { reason: "another process joined group `app` as instance `pod-0`: two processes must not share a group.instance.id" }
            at 6000
        "#]],
    );
}

#[test]
fn fenced_at_join() {
    from_start(
        of_instance(),
        r"
            start
            error join 82
        ",
        &expect![[r#"
            start
                > join `` as pod-0 millrace/tasks m1 because it starts
            error join 82
                * Fenced { reason: "another process joined group `app` as instance `pod-0`: two processes must not share a group.instance.id" }
        "#]],
    );
}
