//! A member that goes.

use expect_test::expect;

use super::{dynamic, following, from_start, of_instance};

#[test]
fn leaving() {
    following(
        dynamic(),
        r"
            leave
            left
            at 10000
        ",
        &expect![[r#"
            leave
                > leave `m` because scaled in
            left
                * Left { confirmed: true }
            at 10000
        "#]],
    );
}

#[test]
fn leaving_waits_for_what_is_under_way_and_no_longer_than_its_bound() {
    following(
        dynamic(),
        r"
            at 3000
            leave
            alive
            at 5999
            at 6000
        ",
        &expect![[r#"
            at 3000
                > heartbeat `m` generation 1
            leave
            alive
                > leave `m` because scaled in
            at 5999
            at 6000
                * Left { confirmed: false }
        "#]],
    );
}

/// The join may wait for others as long as a rebalance takes; nobody is to wait for that.
#[test]
fn a_leave_overtakes_the_join_that_waits() {
    following(
        dynamic(),
        r"
            rejoin
            ready
            leave
            error join 25
            left
        ",
        &expect![[r#"
            rejoin
                * Prepare { reason: "the engine wants to" }
            ready
                > join `m` millrace/tasks m2 because the engine wants to
            leave
                > leave `m` because scaled in
            error join 25
            left
                * Left { confirmed: true }
        "#]],
    );
}

#[test]
fn a_leave_overtakes_the_first_join_with_its_id() {
    from_start(
        dynamic(),
        r"
            start
            error join 79 m-1
            leave
            error leave 16
            at 200
            joined 1 m-1 m-1
            left
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            error join 79 m-1
                > join `m-1` millrace/tasks m2 because it starts
            leave
                > leave `m-1` because scaled in
            error leave 16
            at 200
                > leave `m-1` because scaled in
            joined 1 m-1 m-1
            left
                * Left { confirmed: true }
        "#]],
    );
}

#[test]
fn who_has_no_id_yet_waits_for_it_to_leave_with() {
    from_start(
        dynamic(),
        r"
            start
            leave
            error join 79 m-1
            left
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            leave
            error join 79 m-1
                > leave `m-1` because scaled in
            left
                * Left { confirmed: true }
        "#]],
    );
}

#[test]
fn leaving_while_joining_leaves_as_whom_the_coordinator_knows() {
    from_start(
        dynamic(),
        r"
            start
            leave
            joined 1 m m
            error leave 16
            at 200
            error leave 25
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            leave
            joined 1 m m
                > leave `m` because scaled in
            error leave 16
            at 200
                > leave `m` because scaled in
            error leave 25
                * Left { confirmed: true }
        "#]],
    );
}

/// On another connection, the leave may arrive before the join: it is said again, until the join is there.
#[test]
fn an_instance_leaves_again_if_its_leave_came_before_its_join() {
    from_start(
        of_instance(),
        r"
            start
            leave
            error leave 25
            at 150
            left
        ",
        &expect![[r#"
            start
                > join `` as pod-0 millrace/tasks m1 because it starts
            leave
                > leave `` as pod-0 because scaled in
            error leave 25
            at 150
                > leave `` as pod-0 because scaled in
            left
                * Left { confirmed: true }
        "#]],
    );
}

#[test]
fn leaving_before_joining() {
    from_start(
        dynamic(),
        r"
            break
            leave
        ",
        &expect![[r#"
            break
            leave
                * Left { confirmed: true }
        "#]],
    );
}

#[test]
fn a_static_member_leaves_by_its_instance() {
    following(
        of_instance(),
        r"
            leave
            left
        ",
        &expect![[r#"
            leave
                > leave `m` as pod-0 because scaled in
            left
                * Left { confirmed: true }
        "#]],
    );
}
