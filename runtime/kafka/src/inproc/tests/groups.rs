//! Groups over time: our own members on the in-process coordinator, with sessions that end and members that stay away.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{NOW, with_markers};
use crate::Result;
use crate::clock::{Clock, ManualClock};
use crate::group::{GroupAssignor, Member, MemberEvent, MemberOptions};
use crate::inproc::{Client, Cluster, ClusterOptions, MarkerPolicy};
use crate::log::{
    Coordinator, HeartbeatRequest, JoinRequest, JoinedMember, LeaveRequest, Log, Request, Response, SyncRequest,
};

/// Gives the letters of the alphabet's start to the members in turn.
struct Letters;

impl GroupAssignor for Letters {
    fn metadata(&mut self) -> Bytes {
        Bytes::from_static(b"any")
    }

    fn assign(&mut self, members: &[JoinedMember]) -> Result<Vec<(String, Bytes)>> {
        let share = |index: usize| {
            ["a", "b", "c", "d"]
                .iter()
                .skip(index)
                .step_by(members.len())
                .copied()
                .collect()
        };
        let give = |(index, member): (usize, &JoinedMember)| {
            let letters: String = share(index);
            (member.member_id.clone(), Bytes::from(letters))
        };
        Ok(members.iter().enumerate().map(give).collect())
    }
}

/// Instances of an application, stepped in turn on one clock.
struct World {
    cluster: Cluster,
    clock: Arc<ManualClock>,
    instances: Vec<Instance>,
}

struct Instance {
    client: Client,
    member: Member,
    owns: String,
    log: Vec<String>,
}

impl World {
    fn new() -> Self {
        let (cluster, clock) = with_markers(MarkerPolicy::Immediate, 1);
        Self {
            cluster,
            clock,
            instances: Vec::new(),
        }
    }

    fn start(&mut self, name: &str, instance_id: Option<&str>) {
        let client = self.cluster.client(name);
        let options = MemberOptions {
            instance_id: instance_id.map(str::to_owned),
            session_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(60),
            ..MemberOptions::new("g")
        };
        let member = Member::new(client.coordinator("g").unwrap(), options);
        self.instances.push(Instance {
            client,
            member,
            owns: String::new(),
            log: Vec::new(),
        });
    }

    /// Lets `seconds` pass, half a second at a time.
    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 2 {
            self.clock.advance(Duration::from_millis(500));
            for _ in 0..4 {
                self.instances
                    .iter_mut()
                    .filter(|i| !i.client.is_crashed())
                    .for_each(|i| i.step(&self.clock));
            }
        }
    }

    fn owned(&self) -> Vec<&str> {
        self.instances.iter().map(|instance| instance.owns.as_str()).collect()
    }

    fn state(&self) -> String {
        let description = self
            .cluster
            .client("observer")
            .offsets("g")
            .unwrap()
            .describe(NOW)
            .unwrap();
        format!("{} of {}", description.state, description.members.len())
    }
}

impl Instance {
    fn step(&mut self, clock: &ManualClock) {
        for event in self
            .member
            .step(clock.monotonic(), &mut Letters, Duration::ZERO)
            .unwrap()
        {
            match event {
                MemberEvent::Prepare { .. } => self.member.ready_to_join(),
                MemberEvent::Assigned {
                    assignment, generation, ..
                } => {
                    self.owns = String::from_utf8(assignment.to_vec()).unwrap();
                    self.log.push(format!("{generation}: {}", self.owns));
                }
                MemberEvent::Lost { .. } => self.log.push("lost".into()),
                MemberEvent::Fenced { .. } => self.log.push("fenced".into()),
                MemberEvent::Left { .. } => self.log.push("left".into()),
            }
        }
    }
}

#[test]
fn members_come_crash_and_leave() {
    let mut world = World::new();
    world.start("one", None);
    world.run(2);
    assert_eq!(world.owned(), ["abcd"]);
    world.start("two", None);
    world.run(5);
    assert_eq!(world.owned(), ["ac", "bd"]);
    assert_eq!(world.state(), "Stable of 2");
    world.instances[0].client.crash();
    world.run(5);
    assert_eq!(world.owned(), ["ac", "bd"], "its session is not over");
    world.run(10);
    assert_eq!(world.owned()[1], "abcd");
    assert_eq!(world.state(), "Stable of 1");
    let now = world.clock.monotonic();
    world.instances[1].member.leave(now, "done");
    world.run(2);
    assert_eq!(world.state(), "Empty of 0");
    assert_eq!(world.instances[1].log, ["2: bd", "3: abcd", "left"]);
}

#[test]
fn a_static_member_bounces_within_its_session_without_a_rebalance() {
    let mut world = World::new();
    world.start("one", Some("i-0"));
    world.start("two", Some("i-1"));
    world.run(10);
    let before = world.owned().join(" ");
    let generations = world.instances[1].log.len();
    world.instances[0].client.crash();
    world.run(5);
    world.start("one again", Some("i-0"));
    world.run(20);
    assert_eq!(world.owned()[2], before.split(' ').next().unwrap(), "what it had");
    assert_eq!(world.instances[1].log.len(), generations, "the other noticed nothing");
    assert_eq!(world.state(), "Stable of 2");
}

#[test]
fn the_second_holder_of_an_instance_id_fences_the_first() {
    let mut world = World::new();
    world.start("one", Some("i-0"));
    world.run(2);
    world.start("its double", Some("i-0"));
    world.run(5);
    assert_eq!(world.instances[0].log, ["1: abcd", "fenced"]);
    assert_eq!(world.owned()[1], "abcd");
}

/// A bare member, for requests that ours never sends.
struct Bare {
    coordinator: Box<dyn Coordinator>,
    id: String,
}

impl Bare {
    fn new(cluster: &Cluster) -> Self {
        let mut bare = Self {
            coordinator: cluster.client("bare").coordinator("g").unwrap(),
            id: String::new(),
        };
        bare.send_join("m");
        match bare.answer() {
            Some(Response::Join(Err(error))) if error.code == 79 => bare.id = error.member_id.unwrap(),
            other => panic!("{other:?}"),
        }
        bare
    }

    fn send_join(&mut self, protocol: &str) {
        let join = JoinRequest {
            member_id: self.id.clone(),
            instance_id: None,
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(60),
            protocol_type: "consumer".into(),
            protocols: vec![(protocol.to_owned(), Bytes::new())],
            reason: String::new(),
        };
        self.coordinator.send(Request::Join(join)).unwrap();
    }

    fn answer(&mut self) -> Option<Response> {
        self.coordinator.poll(NOW).unwrap()
    }

    /// The generation, or the error's code.
    fn joined(&mut self) -> std::result::Result<i32, i16> {
        match self.answer() {
            Some(Response::Join(Ok(joined))) => Ok(joined.generation),
            Some(Response::Join(Err(error))) => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    fn sync(&mut self, generation: i32, protocol: &str) {
        let sync = SyncRequest {
            generation,
            member_id: self.id.clone(),
            instance_id: None,
            protocol_type: "consumer".into(),
            protocol: protocol.to_owned(),
            assignments: vec![],
        };
        self.coordinator.send(Request::Sync(sync)).unwrap();
    }

    /// The error's code.
    fn synced(&mut self) -> std::result::Result<(), i16> {
        match self.answer() {
            Some(Response::Sync(answer)) => answer.map(|_| ()).map_err(|error| error.code),
            other => panic!("{other:?}"),
        }
    }

    fn beat(&mut self, generation: i32) -> std::result::Result<(), i16> {
        let beat = HeartbeatRequest {
            generation,
            member_id: self.id.clone(),
            instance_id: None,
        };
        self.coordinator.send(Request::Heartbeat(beat)).unwrap();
        match self.answer() {
            Some(Response::Heartbeat(answer)) => answer.map_err(|error| error.code),
            other => panic!("{other:?}"),
        }
    }
}

/// Two members in the first and second generation, both stable.
fn two() -> (Cluster, Arc<ManualClock>, Bare, Bare) {
    let (cluster, clock) = with_markers(MarkerPolicy::Immediate, 1);
    let mut a = Bare::new(&cluster);
    a.send_join("m");
    assert_eq!(a.joined(), Ok(1));
    let mut b = Bare::new(&cluster);
    b.send_join("m");
    assert!(b.answer().is_none(), "it waits for the other");
    a.send_join("m");
    assert_eq!((a.joined(), b.joined()), (Ok(2), Ok(2)));
    b.sync(2, "m");
    assert!(b.answer().is_none(), "it waits for the leader");
    a.sync(2, "m");
    assert_eq!((a.synced(), b.synced()), (Ok(()), Ok(())));
    (cluster, clock, a, b)
}

#[test]
fn who_does_not_rejoin_in_time_is_out() {
    let (_cluster, clock, mut a, mut b) = two();
    a.send_join("m");
    // It beats, and so stays in its session, but it does not rejoin.
    for _ in 0..59 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(b.beat(2), Err(27));
    }
    assert!(a.answer().is_none());
    clock.advance(Duration::from_secs(1));
    assert_eq!(a.joined(), Ok(3));
    assert_eq!(b.beat(2), Err(25));
}

#[test]
fn who_does_not_sync_in_time_is_out() {
    let (_cluster, clock, mut a, mut b) = two();
    a.send_join("m");
    b.send_join("m");
    assert_eq!((a.joined(), b.joined()), (Ok(3), Ok(3)));
    a.sync(3, "m");
    assert_eq!(a.synced(), Ok(()));
    for second in 0..60 {
        assert_eq!((a.beat(3), b.beat(3)), (Ok(()), Ok(())), "after {second} s");
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!((a.beat(3), b.beat(3)), (Err(27), Err(25)));
}

#[test]
fn a_rebalance_takes_back_the_syncs_that_wait() {
    let (cluster, _clock, mut a, mut b) = two();
    a.send_join("m");
    b.send_join("m");
    assert_eq!((a.joined(), b.joined()), (Ok(3), Ok(3)));
    b.sync(3, "m");
    let mut c = Bare::new(&cluster);
    c.send_join("m");
    assert_eq!(b.synced(), Err(27));
    assert_eq!(a.beat(3), Err(27));
}

#[test]
fn an_id_that_is_not_used_expires() {
    let (cluster, clock, mut a, mut b) = two();
    let mut late = Bare::new(&cluster);
    a.send_join("m");
    b.send_join("m");
    assert!(a.answer().is_none(), "the group waits for whoever was given an id");
    clock.advance(Duration::from_secs(10));
    assert_eq!((a.joined(), b.joined()), (Ok(3), Ok(3)));
    late.send_join("m");
    assert_eq!(late.joined(), Err(25));
}

#[test]
fn protocols_must_be_shared() {
    let (cluster, _clock, mut a, _b) = two();
    let mut other = Bare {
        coordinator: cluster.client("bare").coordinator("g").unwrap(),
        id: String::new(),
    };
    other.send_join("unheard of");
    assert_eq!(other.joined(), Err(23));
    a.sync(2, "unheard of");
    assert_eq!(a.synced(), Err(23));
}

#[test]
fn a_follower_without_news_is_told_the_generation_and_a_leader_starts_a_rebalance() {
    let (_cluster, _clock, mut a, mut b) = two();
    b.send_join("m");
    assert_eq!(b.joined(), Ok(2));
    assert_eq!(a.beat(2), Ok(()));
    a.send_join("m");
    assert!(a.answer().is_none());
    assert_eq!(b.beat(2), Err(27));
}

#[test]
fn an_initial_rebalance_waits_for_more_members() {
    let clock = Arc::new(ManualClock::at(0));
    let delay = Duration::from_secs(3);
    let options = ClusterOptions {
        clock: clock.clone(),
        initial_rebalance_delay: delay,
        ..ClusterOptions::default()
    };
    let cluster = Cluster::new(options);
    let (mut a, mut b) = (Bare::new(&cluster), Bare::new(&cluster));
    a.send_join("m");
    clock.advance(Duration::from_secs(2));
    assert!(a.answer().is_none());
    b.send_join("m");
    clock.advance(Duration::from_secs(1));
    assert!(a.answer().is_none(), "a new member extends the delay");
    clock.advance(Duration::from_secs(3));
    assert_eq!((a.joined(), b.joined()), (Ok(1), Ok(1)));
}

#[test]
fn a_session_must_be_within_the_brokers_bounds() {
    let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
    let mut coordinator = cluster.client("i").coordinator("g").unwrap();
    let join = JoinRequest {
        member_id: String::new(),
        instance_id: None,
        session_timeout: Duration::from_secs(5),
        rebalance_timeout: NOW,
        protocol_type: "consumer".into(),
        protocols: vec![("m".into(), Bytes::new())],
        reason: String::new(),
    };
    coordinator.send(Request::Join(join)).unwrap();
    assert!(matches!(coordinator.poll(NOW).unwrap(), Some(Response::Join(Err(error))) if error.code == 26));
}

#[test]
fn a_static_member_leaves_by_its_instance_alone() {
    let mut world = World::new();
    world.start("one", Some("i-0"));
    world.run(2);
    let mut admin = world.cluster.client("admin").coordinator("g").unwrap();
    for expected in [None, Some(25)] {
        let leave = LeaveRequest {
            member_id: String::new(),
            instance_id: Some("i-0".into()),
            reason: "scale-in".into(),
        };
        admin.send(Request::Leave(leave)).unwrap();
        match admin.poll(NOW).unwrap() {
            Some(Response::Leave(answer)) => assert_eq!(answer.err().map(|error| error.code), expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.state(), "Empty of 0");
}
