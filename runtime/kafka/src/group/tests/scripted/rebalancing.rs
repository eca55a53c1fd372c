//! Rebalances: the commit before the join, wishes to rejoin, hurried heartbeats.

use expect_test::expect;

use super::{dynamic, following, from_start};

#[test]
fn a_rebalance_waits_for_the_commit_and_heartbeats_meanwhile() {
    following(
        dynamic(),
        r"
            at 3000
            error heartbeat 27
            at 5000
            at 6000
            error heartbeat 27
            ready
            joined 2 m other
            synced b
        ",
        &expect![[r#"
            at 3000
                > heartbeat `m` generation 1
            error heartbeat 27
                * Prepare { reason: "the group rebalances" }
            at 5000
            at 6000
                > heartbeat `m` generation 1
            error heartbeat 27
            ready
                > join `m` millrace/tasks m2 because the group rebalances
            joined 2 m other
                > sync `m` generation 2 giving []
            synced b
                * assigned b"b" in generation 2: m follows
        "#]],
    );
}

#[test]
fn a_join_waits_for_the_heartbeat_that_is_under_way() {
    following(
        dynamic(),
        r"
            rejoin
            at 3000
            ready
            alive
        ",
        &expect![[r#"
            rejoin
                * Prepare { reason: "the engine wants to" }
            at 3000
                > heartbeat `m` generation 1
            ready
            alive
                > join `m` millrace/tasks m2 because the engine wants to
        "#]],
    );
}

#[test]
fn the_join_is_sent_before_the_rebalance_time_out_even_if_nobody_is_ready() {
    following(
        dynamic(),
        r"
            at 3000
            error heartbeat 27
            at 227999
            alive
            at 228000
        ",
        &expect![[r#"
            at 3000
                > heartbeat `m` generation 1
            error heartbeat 27
                * Prepare { reason: "the group rebalances" }
            at 227999
                > heartbeat `m` generation 1
            alive
            at 228000
                > join `m` millrace/tasks m2 because the group rebalances
        "#]],
    );
}

#[test]
fn a_wish_to_rejoin_is_kept_while_joining_and_needs_no_second_join_while_preparing() {
    from_start(
        dynamic(),
        r"
            start
            rejoin
            joined 1 m other
            rejoin
            synced a
            rejoin
            ready
            joined 2 m other
            synced b
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            rejoin
            joined 1 m other
                > sync `m` generation 1 giving []
            rejoin
            synced a
                * assigned b"a" in generation 1: m follows
                * Prepare { reason: "the engine wants to" }
            rejoin
            ready
                > join `m` millrace/tasks m2 because the engine wants to
            joined 2 m other
                > sync `m` generation 2 giving []
            synced b
                * assigned b"b" in generation 2: m follows
        "#]],
    );
}

#[test]
fn another_rebalance_between_join_and_sync() {
    from_start(
        dynamic(),
        r"
            start
            joined 1 m other
            error sync 27
            joined 2 m other
            synced a
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            error sync 27
                > join `m` millrace/tasks m2 because the group rebalances again
            joined 2 m other
                > sync `m` generation 2 giving []
            synced a
                * assigned b"a" in generation 2: m follows
        "#]],
    );
}

#[test]
fn the_leader_died_between_join_and_sync() {
    following(
        dynamic(),
        r"
            at 3000
            error heartbeat 27
            ready
            joined 2 m other
            error sync 27
            joined 3 m m
            synced b
        ",
        &expect![[r#"
            at 3000
                > heartbeat `m` generation 1
            error heartbeat 27
                * Prepare { reason: "the group rebalances" }
            ready
                > join `m` millrace/tasks m2 because the group rebalances
            joined 2 m other
                > sync `m` generation 2 giving []
            error sync 27
                > join `m` millrace/tasks m3 because the group rebalances again
            joined 3 m m
                > sync `m` generation 3 giving ["m", "other"]
            synced b
                * assigned b"b" in generation 3: m leads
        "#]],
    );
}

#[test]
fn a_pending_hand_over_hurries_the_heartbeats_until_the_next_assignment() {
    following(
        dynamic(),
        r"
            hurry
            at 100
            alive
            at 200
            error heartbeat 27
            ready
            joined 2 m other
            synced b
            at 300
            at 3200
        ",
        &expect![[r#"
            hurry
            at 100
                > heartbeat `m` generation 1
            alive
            at 200
                > heartbeat `m` generation 1
            error heartbeat 27
                * Prepare { reason: "the group rebalances" }
            ready
                > join `m` millrace/tasks m2 because the group rebalances
            joined 2 m other
                > sync `m` generation 2 giving []
            synced b
                * assigned b"b" in generation 2: m follows
            at 300
            at 3200
                > heartbeat `m` generation 2
        "#]],
    );
}
