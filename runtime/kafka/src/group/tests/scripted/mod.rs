//! Conversations with a scripted coordinator: what is done to the member, then what it sends (`>`) and reports (`*`).

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expect_test::Expect;
use parking_lot::Mutex;

use crate::group::{GroupAssignor, Member, MemberEvent, MemberOptions};
use crate::log::{Coordinator, GroupError, JoinResponse, JoinedMember, Request, Response, SyncResponse};
use crate::{Error, ErrorKind, Result};

mod joining;
mod leaving;
mod losing;
mod rebalancing;
mod refused;
mod waiting;

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

/// Options of a dynamic member of the group `app`.
fn dynamic() -> MemberOptions {
    MemberOptions::new("app")
}

/// Options of the static member `pod-0`.
fn of_instance() -> MemberOptions {
    MemberOptions {
        instance_id: Some("pod-0".into()),
        ..dynamic()
    }
}

/// Runs the script on a member that has not done anything yet.
#[track_caller]
fn from_start(options: MemberOptions, script: &str, expected: &Expect) {
    expected.assert_eq(&converse(options, script));
}

/// Runs the script on the member `m` once it follows in generation 1, the time being 0.
#[track_caller]
fn following(options: MemberOptions, script: &str, expected: &Expect) {
    const ENTRY: &str = "start\njoined 1 m other\nsynced a\n";
    const ENTERED: &str = "    * assigned b\"a\" in generation 1: m follows\n";
    let transcript = converse(options, &format!("{ENTRY}{script}"));
    let (_, rest) = transcript.split_once(ENTERED).expect("it follows");
    expected.assert_eq(rest);
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
