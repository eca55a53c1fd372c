//! What ends a member for good.

use std::fmt::Write as _;

use expect_test::expect;

use super::{converse, dynamic};

#[test]
fn refusals_that_trying_again_does_not_change() {
    let refusals = [
        ("a live group of another kind", 23),
        ("a group that is not a classic one", 69),
        ("no valid group id", 24),
        ("a session outside the broker's bounds", 26),
        ("no right to the group", 30),
        ("a full group", 81),
        ("an old broker", 35),
        ("a code of a later broker", 999),
    ];
    let mut answers = String::new();
    for (what, code) in refusals {
        // Nothing follows, however long one waits.
        let transcript = converse(dynamic(), &format!("start\nerror join {code}\nat 1000"));
        let said: Vec<&str> = transcript
            .lines()
            .filter(|line| line.starts_with("    "))
            .skip(1)
            .collect();
        writeln!(answers, "{what}\n{}", said.join("\n")).unwrap();
    }
    expect![[r#"
        a live group of another kind
            ! ForeignGroup: group `app` has live members of another kind
        a group that is not a classic one
            ! ForeignGroup: group `app` has live members of another kind
        no valid group id
            ! Config: the broker takes `app` for no valid group id: change application.id
        a session outside the broker's bounds
            ! Config: group `app`: session.timeout.ms is outside what the broker allows (group.min.session.timeout.ms to group.max.session.timeout.ms)
        no right to the group
            ! Unauthorized: not authorized for group `app`: the principal needs Read on this group
        a full group
            ! Fatal: group `app` is full: the broker's group.max.size allows no more members. Run fewer replicas or raise it
        an old broker
            ! Fatal: group `app`: the broker is too old for static members or for this version of the group protocol
        a code of a later broker
            ! Fatal: group `app`: the coordinator answered with error 999
    "#]].assert_eq(&answers);
}
