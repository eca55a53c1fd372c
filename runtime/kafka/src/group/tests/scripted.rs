//! Conversations with a scripted coordinator: what is done to the member, then what it sends (`>`) and reports (`*`).

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use parking_lot::Mutex;

use crate::group::{GroupAssignor, Member, MemberEvent, MemberOptions};
use crate::log::{Coordinator, GroupError, JoinResponse, JoinedMember, Request, Response, SyncResponse};
use crate::{Error, ErrorKind, Result};

/// What passed between the member and its coordinator.
#[derive(Default)]
struct Wire {
    sent: Vec<Request>,
    answers: VecDeque<Response>,
    broken: bool,
}

struct Scripted(Arc<Mutex<Wire>>);

impl Coordinator for Scripted {
    fn send(&mut self, request: Request) -> Result<()> {
        let mut wire = self.0.lock();
        if wire.broken {
            return Err(Error::new(ErrorKind::Unreachable, "no broker answers"));
        }
        wire.sent.push(request);
        Ok(())
    }

    fn poll(&mut self, _timeout: Duration) -> Result<Option<Response>> {
        Ok(self.0.lock().answers.pop_front())
    }
}

/// Its metadata counts joins; as a leader it gives everybody the same.
#[derive(Default)]
struct Counting {
    joins: u32,
    fails: Option<ErrorKind>,
}

impl GroupAssignor for Counting {
    fn metadata(&mut self) -> Bytes {
        self.joins += 1;
        format!("m{}", self.joins).into()
    }

    fn assign(&mut self, members: &[JoinedMember]) -> Result<Vec<(String, Bytes)>> {
        if let Some(kind) = self.fails.take() {
            return Err(Error::new(kind, "topics could not be created"));
        }
        Ok(members
            .iter()
            .map(|member| (member.member_id.clone(), Bytes::from_static(b"share")))
            .collect())
    }
}

/// Runs a script on a member made with `options` and returns the transcript.
///
/// Lines: `at MS` moves the clock; `ready`, `rejoin`, `leave`, `hurry`, `break`, `mend`, `assign-fails KIND` do what they say;
/// `joined GENERATION ID LEADER [skip]`, `synced BYTES`, `alive`, `left`, `lost`, `error REQUEST CODE [ID]` are answers. After each line the
/// member is stepped until it is quiet.
fn converse(mut options: MemberOptions, script: &str) -> String {
    options.retry_backoff = Duration::from_millis(100);
    let wire = Arc::new(Mutex::new(Wire::default()));
    let mut member = Member::new(Box::new(Scripted(wire.clone())), options);
    let mut assignor = Counting::default();
    let mut now = Duration::ZERO;
    let mut transcript = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let word = |index: usize| words.get(index).copied().unwrap_or_default();
        let answer = |response| wire.lock().answers.push_back(response);
        match word(0) {
            "at" => now = Duration::from_millis(word(1).parse().unwrap()),
            "start" => {}
            "ready" => member.ready_to_join(),
            "rejoin" => member.rejoin("the engine wants to"),
            "leave" => member.leave(now, "scaled in"),
            "hurry" => member.hurry(true),
            "break" => wire.lock().broken = true,
            "mend" => wire.lock().broken = false,
            "assign-fails" => {
                assignor.fails = Some(if word(1) == "later" {
                    ErrorKind::Retriable
                } else {
                    ErrorKind::Fatal
                })
            }
            "joined" => {
                let (member_id, leader) = (word(2).to_owned(), word(3).to_owned());
                let members = [&member_id, "other"].map(|id| JoinedMember {
                    member_id: id.into(),
                    instance_id: None,
                    metadata: Bytes::new(),
                });
                answer(Response::Join(Ok(JoinResponse {
                    generation: word(1).parse().unwrap(),
                    members: if member_id == leader {
                        members.into()
                    } else {
                        Vec::new()
                    },
                    member_id,
                    leader,
                    protocol: "tasks".into(),
                    skip_assignment: word(4) == "skip",
                })));
            }
            "synced" => answer(Response::Sync(Ok(SyncResponse {
                assignment: word(1).to_owned().into(),
            }))),
            "alive" => answer(Response::Heartbeat(Ok(()))),
            "left" => answer(Response::Leave(Ok(()))),
            "lost" => answer(Response::Lost(Error::new(ErrorKind::Retriable, "the connection broke"))),
            "error" => {
                let error = GroupError {
                    code: word(2).parse().unwrap(),
                    member_id: words.get(3).map(ToString::to_string),
                };
                answer(match word(1) {
                    "join" => Response::Join(Err(error)),
                    "sync" => Response::Sync(Err(error)),
                    "heartbeat" => Response::Heartbeat(Err(error)),
                    _ => Response::Leave(Err(error)),
                });
            }
            other => panic!("no such step: {other}"),
        }
        writeln!(transcript, "{line}").unwrap();
        loop {
            let step = member.step(now, &mut assignor, Duration::ZERO);
            for request in std::mem::take(&mut wire.lock().sent) {
                writeln!(transcript, "    > {}", show(&request)).unwrap();
            }
            match step {
                Ok(events) if events.is_empty() => break,
                Ok(events) => events
                    .iter()
                    .for_each(|event| writeln!(transcript, "    * {}", report(event)).unwrap()),
                Err(error) => {
                    writeln!(transcript, "    ! {:?}: {error}", error.kind()).unwrap();
                    break;
                }
            }
        }
    }
    transcript
}

fn show(request: &Request) -> String {
    let who = |id: &str, instance: &Option<String>| match instance {
        Some(instance) => format!("`{id}` as {instance}"),
        None => format!("`{id}`"),
    };
    match request {
        Request::Join(join) => {
            let (protocol, metadata) = &join.protocols[0];
            let metadata = String::from_utf8_lossy(metadata);
            format!(
                "join {} {}/{protocol} {metadata} because {}",
                who(&join.member_id, &join.instance_id),
                join.protocol_type,
                join.reason
            )
        }
        Request::Sync(sync) => {
            let given: Vec<&str> = sync.assignments.iter().map(|(id, _)| id.as_str()).collect();
            format!(
                "sync {} generation {} giving {given:?}",
                who(&sync.member_id, &sync.instance_id),
                sync.generation
            )
        }
        Request::Heartbeat(beat) => format!(
            "heartbeat {} generation {}",
            who(&beat.member_id, &beat.instance_id),
            beat.generation
        ),
        Request::Leave(leave) => format!(
            "leave {} because {}",
            who(&leave.member_id, &leave.instance_id),
            leave.reason
        ),
    }
}

fn report(event: &MemberEvent) -> String {
    match event {
        MemberEvent::Assigned {
            generation,
            membership,
            assignment,
            leader,
        } => {
            let role = if *leader { "leads" } else { "follows" };
            format!(
                "assigned {assignment:?} in generation {generation}: {} {role}",
                membership.member_id
            )
        }
        other => format!("{other:?}"),
    }
}

fn check(script: &str, expected: &Expect) {
    expected.assert_eq(&converse(MemberOptions::new("app"), script));
}

fn check_static(script: &str, expected: &Expect) {
    let options = MemberOptions {
        instance_id: Some("pod-0".into()),
        ..MemberOptions::new("app")
    };
    expected.assert_eq(&converse(options, script));
}

#[test]
fn a_leader_joins_assigns_and_stays() {
    check(
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
fn a_rebalance_waits_for_the_commit_and_heartbeats_meanwhile() {
    check(
        r"
            start
            joined 1 m other
            synced a
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
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
    check(
        r"
            start
            joined 1 m other
            synced a
            rejoin
            at 3000
            ready
            alive
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
    check(
        r"
            start
            joined 1 m other
            synced a
            at 3000
            error heartbeat 27
            at 227999
            alive
            at 228000
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
    check(
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
    check(
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
    check(
        r"
            start
            joined 1 m other
            synced a
            at 3000
            error heartbeat 27
            ready
            joined 2 m other
            error sync 27
            joined 3 m m
            synced b
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
fn a_session_that_expired_loses_everything_and_begins_anew() {
    check(
        r"
            start
            joined 1 m other
            synced a
            at 3000
            error heartbeat 25
            error join 79 m2
            joined 3 m2 other
            synced b
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
    check(
        r"
            start
            joined 1 m other
            synced a
            at 3000
            error heartbeat 22
            joined 5 m other
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
    check(
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
    check(
        r"
            start
            joined 1 m other
            synced a
            rejoin
            ready
            joined 2 m other
            error sync 25
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
fn the_coordinator_moves() {
    check(
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
    check(
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
fn a_pending_hand_over_hurries_the_heartbeats_until_the_next_assignment() {
    check(
        r"
            start
            joined 1 m other
            synced a
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
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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

#[test]
fn leaving() {
    check(
        r"
            start
            joined 1 m other
            synced a
            leave
            left
            at 10000
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
    check(
        r"
            start
            joined 1 m other
            synced a
            at 3000
            leave
            alive
            at 5999
            at 6000
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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

#[test]
fn leaving_while_joining_leaves_as_whom_the_coordinator_knows() {
    check(
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

#[test]
fn leaving_before_joining() {
    check(
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
fn the_assignor_fails_for_a_while() {
    check(
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
    check(
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
fn a_live_foreign_group() {
    check(
        r"
            start
            error join 23
            at 1000
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            error join 23
                ! Fenced: group `app` has live members of another protocol: a Kafka Streams application or another consumer runs under this application id. Stop it (with leave, or wait for its session time-out), or choose another application.id
            at 1000
        "#]],
    );
}

#[test]
fn no_right_to_the_group() {
    check(
        r"
            start
            error join 30
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            error join 30
                ! Unauthorized: not authorized for group `app`: the principal needs Read on this group
        "#]],
    );
}

#[test]
fn a_full_group() {
    check(
        r"
            start
            error join 81
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            error join 81
                ! Fatal: group `app` is full: the broker's group.max.size allows no more members. Run fewer replicas or raise it
        "#]],
    );
}

#[test]
fn answers_that_nobody_waits_for_are_left_alone() {
    check(
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
fn a_returning_static_leader_lets_the_assignment_stand() {
    check_static(
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
fn a_fenced_static_member_stops() {
    check_static(
        r"
            start
            joined 1 m other
            synced a
            at 3000
            error heartbeat 82
            at 6000
        ",
        &expect![[r#"
            start
                > join `` as pod-0 millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` as pod-0 generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
    check_static(
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

#[test]
fn a_static_member_leaves_by_its_instance() {
    check_static(
        r"
            start
            joined 1 m other
            synced a
            leave
            left
        ",
        &expect![[r#"
            start
                > join `` as pod-0 millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` as pod-0 generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
            leave
                > leave `m` as pod-0 because scaled in
            left
                * Left { confirmed: true }
        "#]],
    );
}

#[test]
fn a_new_volume_has_its_instance_forgotten_first() {
    let options = MemberOptions {
        instance_id: Some("pod-0".into()),
        forget_instance: true,
        ..MemberOptions::new("app")
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
fn the_next_due_time_bounds_a_wait() {
    let wire = Arc::new(Mutex::new(Wire::default()));
    let mut member = Member::new(Box::new(Scripted(wire.clone())), MemberOptions::new("app"));
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

#[test]
fn lost_while_preparing() {
    check(
        r"
            start
            joined 1 m other
            synced a
            rejoin
            at 3000
            error heartbeat 25
            ready
        ",
        &expect![[r#"
            start
                > join `` millrace/tasks m1 because it starts
            joined 1 m other
                > sync `m` generation 1 giving []
            synced a
                * assigned b"a" in generation 1: m follows
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
fn the_generation_of_commits_is_the_last_one_assigned() {
    let wire = Arc::new(Mutex::new(Wire::default()));
    let mut member = Member::new(Box::new(Scripted(wire.clone())), MemberOptions::new("app"));
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
