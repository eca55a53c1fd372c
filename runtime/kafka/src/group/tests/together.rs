//! Whole groups on the in-process log: members with the real assignor, on a clock that the test moves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use expect_test::expect;
use parking_lot::Mutex;
use proptest::prelude::*;
use uuid::Uuid;

use crate::assignor::{Assignment, Subscription, TaskId, assign_members};
use crate::clock::{Clock, ManualClock};
use crate::group::{GroupAssignor, Member, MemberEvent, MemberOptions, name_foreign_group};
use crate::inproc::{Client, Cluster, ClusterOptions, Fault, Point};
use crate::log::{JoinedMember, Log};
use crate::{ErrorKind, Result};

/// What an engine does about its membership, without an engine.
struct Participant {
    member: Member,
    client: Client,
    agent: Agent,
    is_static: bool,
    /// Zero before the first assignment.
    generation: i32,
    leads: bool,
    followup: bool,
    /// It came out of the group for good, with this.
    end: Option<String>,
    /// How often it lost everything.
    losses: u32,
}

struct Agent {
    tasks: BTreeSet<TaskId>,
    process_id: Uuid,
    owned: BTreeSet<TaskId>,
    rejoins: u32,
}

impl GroupAssignor for Agent {
    fn metadata(&mut self) -> Bytes {
        let subscription = Subscription {
            owner: "millrace/test".into(),
            process_id: self.process_id,
            owned: self.owned.clone(),
            rejoins: self.rejoins,
            workers: 1,
            ..Subscription::default()
        };
        subscription.encode()
    }

    fn assign(&mut self, members: &[JoinedMember]) -> Result<Vec<(String, Bytes)>> {
        Ok(assign_members(&self.tasks, members, self.process_id, &|_| None))
    }
}

/// A group, its cluster and its clock.
struct Group {
    cluster: Cluster,
    clock: Arc<ManualClock>,
    participants: BTreeMap<String, Participant>,
    tasks: BTreeSet<TaskId>,
    started: u128,
}

impl Group {
    fn new(partitions: i32) -> Self {
        let clock = Arc::new(ManualClock::at(0));
        let cluster = Cluster::new(ClusterOptions {
            clock: clock.clone(),
            ..ClusterOptions::default()
        });
        let tasks = (0..partitions).map(|partition| TaskId::new(0, partition)).collect();
        Self {
            cluster,
            clock,
            participants: BTreeMap::new(),
            tasks,
            started: 0,
        }
    }

    fn start(&mut self, name: &str, instance_id: Option<&str>) {
        self.started += 1;
        let client = self.cluster.client(name);
        let options = MemberOptions {
            instance_id: instance_id.map(str::to_owned),
            seed: self.started as u64,
            ..MemberOptions::new("app")
        };
        let member = Member::new(client.coordinator("app").expect("a coordinator"), options);
        let agent = Agent {
            tasks: self.tasks.clone(),
            process_id: Uuid::from_u128(self.started),
            owned: BTreeSet::new(),
            rejoins: 0,
        };
        let participant = Participant {
            member,
            client,
            agent,
            is_static: instance_id.is_some(),
            generation: 0,
            leads: false,
            followup: false,
            end: None,
            losses: 0,
        };
        self.participants.insert(name.to_owned(), participant);
    }

    /// The process dies: it says nothing any more.
    fn crash(&mut self, name: &str) {
        if let Some(participant) = self.participants.remove(name) {
            participant.client.crash();
        }
    }

    fn leave(&mut self, name: &str) {
        let now = self.clock.monotonic();
        if let Some(participant) = self.participants.get_mut(name) {
            participant.agent.owned.clear();
            participant.member.leave(now, "test");
        }
    }

    /// Everybody acts until nobody has anything to do at this moment.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for participant in self.participants.values_mut() {
                quiet &= participant.act(self.clock.monotonic());
            }
            self.participants
                .retain(|_, participant| !participant.client.is_crashed());
            self.nothing_is_run_twice();
            if quiet {
                return;
            }
        }
    }

    fn pass(&mut self, millis: u64) {
        self.settle();
        for _ in 0..millis.div_ceil(100) {
            self.clock.advance(Duration::from_millis(100));
            self.cluster.tick();
            self.settle();
        }
    }

    fn nothing_is_run_twice(&self) {
        let mut owners: BTreeMap<TaskId, &str> = BTreeMap::new();
        for (name, participant) in &self.participants {
            for task in &participant.agent.owned {
                if let Some(other) = owners.insert(*task, name) {
                    panic!("{task} is run by {other} and by {name}");
                }
            }
        }
    }

    fn show(&self) -> String {
        let mut out = String::new();
        for (name, participant) in &self.participants {
            let owned: Vec<String> = participant.agent.owned.iter().map(ToString::to_string).collect();
            write!(out, "{name}{}", if participant.leads { "*" } else { "" }).unwrap();
            match &participant.end {
                Some(end) => writeln!(out, ": {end}").unwrap(),
                None => writeln!(out, " in {}: {}", participant.generation, owned.join(" ")).unwrap(),
            }
        }
        out
    }

    /// The balanced end that every history has to reach.
    fn is_balanced(&self) -> Result<(), String> {
        let live: Vec<&Participant> = self
            .participants
            .values()
            .filter(|member| member.end.is_none())
            .collect();
        let mut owned: Vec<TaskId> = live
            .iter()
            .flat_map(|member| member.agent.owned.iter().copied())
            .collect();
        owned.sort();
        let all: Vec<TaskId> = self.tasks.iter().copied().collect();
        if !live.is_empty() && owned != all {
            return Err(format!("not every task runs:\n{}", self.show()));
        }
        let loads = live.iter().map(|member| member.agent.owned.len());
        let (least, most) = (loads.clone().min().unwrap_or(0), loads.max().unwrap_or(0));
        if most - least > 1 {
            return Err(format!("not balanced:\n{}", self.show()));
        }
        if live.iter().any(|member| member.followup || !member.member.is_stable()) {
            return Err(format!("not at rest:\n{}", self.show()));
        }
        Ok(())
    }
}

impl Participant {
    /// One step; whether nothing happened.
    fn act(&mut self, now: Duration) -> bool {
        if self.end.is_some() || self.client.is_crashed() {
            return true;
        }
        let events = match self.member.step(now, &mut self.agent, Duration::ZERO) {
            Ok(events) => events,
            Err(_) if self.client.is_crashed() => return false,
            Err(error) => {
                self.agent.owned.clear();
                self.end = Some(error.to_string());
                return false;
            }
        };
        let quiet = events.is_empty();
        for event in events {
            self.react(event);
        }
        quiet
    }

    fn react(&mut self, event: MemberEvent) {
        match event {
            MemberEvent::Prepare { .. } => self.member.ready_to_join(),
            MemberEvent::Assigned {
                generation,
                assignment,
                leader,
                ..
            } => {
                let assignment = Assignment::decode(&assignment).expect("a readable assignment");
                assert_eq!(assignment.failure, None);
                let is_first = self.generation == 0;
                let gave_up = self.agent.owned.difference(&assignment.active).count();
                self.agent.owned = assignment.active;
                (self.generation, self.leads, self.followup) = (generation, leader, assignment.followup);
                self.member.hurry(assignment.followup);
                // A restarted static member may be the one that a hand-over waits for: the group takes no notice of its return.
                let returned = is_first && assignment.followup && self.is_static;
                if gave_up > 0 || returned {
                    self.agent.rejoins += 1;
                    self.member.rejoin("gave tasks up");
                }
            }
            MemberEvent::Lost { .. } => {
                self.agent.owned.clear();
                self.losses += 1;
            }
            MemberEvent::Fenced { reason } => {
                self.agent.owned.clear();
                self.end = Some(reason);
            }
            MemberEvent::Left { confirmed } => self.end = Some(format!("left, confirmed: {confirmed}")),
        }
    }
}

#[test]
fn members_come_and_go() {
    let mut group = Group::new(6);
    let mut story = String::new();
    let mut tell = |group: &mut Group, what: &str, millis: u64| {
        group.pass(millis);
        write!(story, "{what}, {millis} ms later:\n{}", group.show()).unwrap();
    };
    group.start("a", None);
    tell(&mut group, "a starts", 0);
    group.start("b", None);
    tell(&mut group, "b starts", 0);
    // a hears of it by its next heartbeat, lets go, and the hand-over takes one more round.
    tell(&mut group, "the next heartbeat", 3_000);
    group.start("c", None);
    tell(&mut group, "c starts", 3_200);
    group.leave("b");
    tell(&mut group, "b leaves", 3_200);
    group.crash("c");
    tell(&mut group, "c dies", 40_000);
    tell(&mut group, "its session expires", 10_000);
    expect![[r#"
        a starts, 0 ms later:
        a* in 1: 0_0 0_1 0_2 0_3 0_4 0_5
        b starts, 0 ms later:
        a* in 1: 0_0 0_1 0_2 0_3 0_4 0_5
        b in 0: 
        the next heartbeat, 3000 ms later:
        a* in 2: 0_0 0_1 0_2
        b in 2: 
        c starts, 3200 ms later:
        a* in 4: 0_0 0_1
        b in 4: 0_2 0_4
        c in 4: 0_3 0_5
        b leaves, 3200 ms later:
        a* in 5: 0_0 0_1 0_2
        b: left, confirmed: true
        c in 5: 0_3 0_4 0_5
        c dies, 40000 ms later:
        a* in 5: 0_0 0_1 0_2
        b: left, confirmed: true
        its session expires, 10000 ms later:
        a* in 6: 0_0 0_1 0_2 0_3 0_4 0_5
        b: left, confirmed: true
    "#]]
    .assert_eq(&story);
}

#[test]
fn a_leader_that_dies_between_join_and_sync_is_replaced() {
    let mut group = Group::new(4);
    group.start("a", None);
    group.start("b", None);
    group.pass(4_000);
    let leader = group
        .participants
        .iter()
        .find(|(_, member)| member.leads)
        .map(|(name, _)| name.clone())
        .unwrap();
    let doomed = leader.clone();
    let plan = move |client: &str, point: Point| match point {
        Point::GroupSync if client == doomed => Fault::CrashBefore,
        _ => Fault::None,
    };
    group.cluster.set_faults(Some(Arc::new(plan)));
    group.start("c", None);
    group.pass(3_000);
    assert!(!group.participants.contains_key(&leader), "it was to die at its sync");
    group.pass(60_000);
    group.is_balanced().unwrap();
    assert_eq!(group.participants.len(), 2);
}

#[test]
fn members_that_wait_for_a_dead_leaders_assignment_keep_their_place() {
    let mut group = Group::new(2);
    // pod-0 leads. It dies between the join, which pod-2 completes as the last, and its own sync.
    group.start("pod-2", None);
    group.start("pod-0", None);
    group.pass(3_601);
    group.start("pod-1", None);
    group.pass(2_401);
    group.crash("pod-0");
    // All sessions of the generation end at one moment: only the dead leader's may count.
    group.pass(60_000);
    group.is_balanced().unwrap();
    assert!(group.participants.values().all(|member| member.losses == 0));
}

#[test]
fn a_static_member_comes_back_to_its_tasks_without_a_rebalance() {
    let mut group = Group::new(4);
    for name in ["pod-0", "pod-1"] {
        group.start(name, Some(name));
    }
    group.pass(5_000);
    let before = group.show();
    for name in ["pod-0", "pod-1"] {
        // The leader among them: it leads on and lets the assignment stand.
        let leads = group.participants[name].leads;
        let owned = group.participants[name].agent.owned.clone();
        let generation = group.participants[name].generation;
        group.crash(name);
        group.pass(10_000);
        group.start(name, Some(name));
        group.pass(5_000);
        let back = &group.participants[name];
        if leads {
            assert_eq!(
                (back.generation, &back.agent.owned, back.leads),
                (generation, &owned, true),
                "{before}"
            );
        } else {
            assert_eq!(back.agent.owned, owned, "{before}{}", group.show());
        }
        group.is_balanced().unwrap();
    }
}

#[test]
fn a_hand_over_ends_although_the_member_that_was_to_let_go_restarts() {
    let mut group = Group::new(6);
    group.start("pod-0", Some("pod-0"));
    group.pass(601);
    group.start("pod-1", Some("pod-1"));
    group.pass(2_801);
    group.crash("pod-0");
    group.start("pod-2", Some("pod-2"));
    group.pass(2_501);
    // pod-1 has joined with what it owns, of which it is to give up a part, and never learns that.
    group.crash("pod-1");
    group.start("pod-1", Some("pod-1"));
    group.start("pod-0", Some("pod-0"));
    group.pass(5_000);
    group.is_balanced().unwrap();
}

#[test]
fn two_processes_with_one_instance_id_fence_the_older() {
    let mut group = Group::new(2);
    group.start("first", Some("pod-0"));
    group.pass(1_000);
    // Until its next heartbeat the older does not know: a real one is fenced by its producer and its generation.
    let older = &mut group.participants.get_mut("first").unwrap().agent;
    older.owned.clear();
    group.start("second", Some("pod-0"));
    group.pass(5_000);
    expect![[r#"
        first*: another process joined group `app` as instance `pod-0`: two processes must not share a group.instance.id
        second* in 1: 0_0 0_1
    "#]]
    .assert_eq(&group.show());
}

#[test]
fn a_live_group_of_another_kind_is_refused() {
    let mut group = Group::new(1);
    let client = group.cluster.client("java");
    let options = MemberOptions {
        protocol_type: "consumer".into(),
        ..MemberOptions::new("app")
    };
    let mut java = Member::new(client.coordinator("app").unwrap(), options);
    let tasks = group.tasks.clone();
    let mut agent = Agent {
        tasks,
        process_id: Uuid::nil(),
        owned: BTreeSet::new(),
        rejoins: 0,
    };
    assert_eq!(java.step(Duration::ZERO, &mut agent, Duration::ZERO).unwrap().len(), 1);
    group.start("a", None);
    group.pass(100);
    let end = group.participants["a"].end.clone().unwrap_or_default();
    assert!(end.contains("live members of another kind"), "{end}");
    let held = client.offsets("app").unwrap().describe(Duration::ZERO).unwrap();
    let named = name_foreign_group("app", &held);
    assert!(
        named.starts_with("group `app` is held by consumers (classic group protocol") && named.contains("`java` on"),
        "{named}"
    );
}

/// Something that befalls a group.
#[derive(Clone, Debug)]
enum Act {
    Start(u8),
    Crash(u8),
    Leave(u8),
    Pass(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0..5u8).prop_map(Act::Start),
        1 => (0..5u8).prop_map(Act::Crash),
        1 => (0..5u8).prop_map(Act::Leave),
        3 => (1..8_000u64).prop_map(Act::Pass),
    ];
    proptest::collection::vec(act, 1..25)
}

proptest! {
    /// Members start, die, leave; requests and answers get lost: no task is ever run twice, and in the end all are run, evenly.
    #[test]
    fn any_history_ends_balanced(acts in acts(), partitions in 1..20i32, is_static: bool, lost_percent in 0..15u64, seed: u64) {
        let mut group = Group::new(partitions);
        let dice = AtomicU64::new(seed);
        let lost = Arc::new(Mutex::new(true));
        let plan_lost = lost.clone();
        group.cluster.set_faults(Some(Arc::new(move |_: &str, point: Point| {
            let group_call = matches!(point, Point::GroupJoin | Point::GroupSync | Point::GroupHeartbeat);
            let roll = splitmix(dice.fetch_add(1, Ordering::Relaxed)) % 200;
            match roll {
                _ if !group_call || !*plan_lost.lock() => Fault::None,
                _ if roll < lost_percent => Fault::LoseRequest(ErrorKind::Retriable),
                _ if roll < 2 * lost_percent => Fault::LoseAnswer(ErrorKind::Retriable),
                _ => Fault::None,
            }
        })));
        for act in acts {
            match act {
                Act::Start(n) => {
                    let name = format!("pod-{n}");
                    if group.participants.get(&name).is_none_or(|member| member.end.is_some()) {
                        group.start(&name, is_static.then_some(name.as_str()));
                    }
                }
                Act::Crash(n) => group.crash(&format!("pod-{n}")),
                Act::Leave(n) => group.leave(&format!("pod-{n}")),
                Act::Pass(millis) => group.pass(millis),
            }
        }
        *lost.lock() = false;
        group.pass(120_000);
        prop_assert!(group.is_balanced().is_ok(), "{}", group.is_balanced().unwrap_err());
        prop_assert!(group.participants.values().all(|member| member.losses == 0 || lost_percent > 0));
    }
}

fn splitmix(seed: u64) -> u64 {
    let mut mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
