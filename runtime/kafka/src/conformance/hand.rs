//! A member of the script's group, driven by hand.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{PATIENCE, Rig};
use crate::ErrorKind;
use crate::log::{
    Coordinator, GroupMembership, HeartbeatRequest, JoinRequest, JoinResponse, LeaveRequest, Request, Response,
    SyncRequest,
};

pub(super) const ILLEGAL_GENERATION: i16 = 22;
pub(super) const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
pub(super) const UNKNOWN_MEMBER_ID: i16 = 25;
pub(super) const INVALID_SESSION_TIMEOUT: i16 = 26;
pub(super) const REBALANCE_IN_PROGRESS: i16 = 27;
pub(super) const MEMBER_ID_REQUIRED: i16 = 79;
pub(super) const FENCED_INSTANCE_ID: i16 = 82;

/// A member; its fields are what its requests carry, for scripts to change.
pub(super) struct Hand {
    pub coordinator: Box<dyn Coordinator>,
    pub group: String,
    pub instance: Option<String>,
    /// Empty before the first join.
    pub id: String,
    pub generation: i32,
    pub session: Duration,
    pub rebalance: Duration,
    pub protocol_type: &'static str,
    /// Name and metadata, in order of preference. Brokers read the metadata of the type `consumer` as a subscription: five bytes or less
    /// are too short for one, and let alone; a join with longer nonsense is never answered.
    pub protocols: Vec<(&'static str, &'static str)>,
    /// What the last join chose.
    pub protocol: String,
}

impl Hand {
    /// A dynamic member with this metadata, for the group `g`.
    pub fn new(rig: &Rig, metadata: &'static str) -> Self {
        let group = rig.name("g");
        Self {
            coordinator: rig.log.coordinator(&group).expect("a coordinator"),
            group,
            instance: None,
            id: String::new(),
            generation: -1,
            session: Duration::from_secs(20),
            rebalance: Duration::from_secs(20),
            protocol_type: "consumer",
            protocols: vec![("stream", metadata)],
            protocol: String::new(),
        }
    }

    /// A static member.
    pub fn of_instance(rig: &Rig, instance: &str, metadata: &'static str) -> Self {
        Self {
            instance: Some(instance.to_owned()),
            ..Self::new(rig, metadata)
        }
    }

    /// A member that is gone after so long without a heartbeat.
    pub fn session(mut self, session: Duration) -> Self {
        self.session = session;
        self
    }

    pub fn rebalance(mut self, rebalance: Duration) -> Self {
        self.rebalance = rebalance;
        self
    }

    /// Joins and syncs as the only member and gives itself `all`.
    pub fn alone(mut self) -> Self {
        let joined = self.join();
        assert_eq!(joined.leader, self.id, "it is alone");
        let own = self.id.clone();
        assert_eq!(self.sync(&[(&own, "all")]), Ok("all".into()));
        self
    }

    /// Asks, and asks again while the coordinator of a young broker is still loading.
    fn ask(&mut self, request: &Request) -> Response {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.coordinator.send(request.clone()).expect("send");
            match self.answer() {
                Response::Lost(error) if error.kind() == ErrorKind::Retriable && Instant::now() < deadline => {}
                answer => return answer,
            }
        }
    }

    pub fn answer(&mut self) -> Response {
        self.coordinator.poll(PATIENCE).expect("poll").expect("an answer")
    }

    pub fn join_request(&self) -> Request {
        let protocols = self
            .protocols
            .iter()
            .map(|(name, metadata)| ((*name).to_owned(), Bytes::from_static(metadata.as_bytes())));
        Request::Join(JoinRequest {
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            session_timeout: self.session,
            rebalance_timeout: self.rebalance,
            protocol_type: self.protocol_type.to_owned(),
            protocols: protocols.collect(),
            reason: "conformance".to_owned(),
        })
    }

    /// Fetches the id that a dynamic member has to come back with.
    pub fn take_id(&mut self) {
        let request = self.join_request();
        match self.ask(&request) {
            Response::Join(Err(error)) if error.code == MEMBER_ID_REQUIRED => {
                self.id = error.member_id.expect("MEMBER_ID_REQUIRED carries the id");
            }
            other => panic!("{other:?}"),
        }
    }

    /// Sends a join whose answer waits for others; see [`Hand::joined`].
    pub fn ask_to_join(&mut self) {
        if self.id.is_empty() && self.instance.is_none() {
            self.take_id();
        }
        self.coordinator.send(self.join_request()).expect("send");
    }

    /// The answer to the join.
    pub fn joined(&mut self) -> JoinResponse {
        let answer = self.answer();
        self.take_join(answer).expect("joined")
    }

    /// The error that the join is answered with.
    pub fn join_refused(&mut self) -> i16 {
        let answer = self.answer();
        self.take_join(answer).expect_err("the join is refused")
    }

    fn take_join(&mut self, answer: Response) -> Result<JoinResponse, i16> {
        match answer {
            Response::Join(Ok(joined)) => {
                self.id.clone_from(&joined.member_id);
                self.protocol.clone_from(&joined.protocol);
                self.generation = joined.generation;
                Ok(joined)
            }
            Response::Join(Err(error)) => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    /// Joins a group where nobody is waited for.
    pub fn join(&mut self) -> JoinResponse {
        self.try_join().expect("joined")
    }

    pub fn try_join(&mut self) -> Result<JoinResponse, i16> {
        let request = self.join_request();
        match self.ask(&request) {
            Response::Join(Err(error)) if error.code == MEMBER_ID_REQUIRED => {
                self.id = error.member_id.expect("MEMBER_ID_REQUIRED carries the id");
                let request = self.join_request();
                let answer = self.ask(&request);
                self.take_join(answer)
            }
            answer => self.take_join(answer),
        }
    }

    pub fn ask_to_sync(&mut self, assignments: &[(&str, &'static str)]) {
        self.coordinator.send(self.sync_request(assignments)).expect("send");
    }

    fn sync_request(&self, assignments: &[(&str, &'static str)]) -> Request {
        Request::Sync(SyncRequest {
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            protocol_type: self.protocol_type.to_owned(),
            protocol: self.protocol.clone(),
            assignments: assignments
                .iter()
                .map(|(id, given)| ((*id).to_owned(), Bytes::from_static(given.as_bytes())))
                .collect(),
        })
    }

    /// The answer to the sync: the assignment, or the error.
    pub fn synced(&mut self) -> Result<String, i16> {
        let answer = self.answer();
        take_sync(answer)
    }

    pub fn sync(&mut self, assignments: &[(&str, &'static str)]) -> Result<String, i16> {
        let request = self.sync_request(assignments);
        take_sync(self.ask(&request))
    }

    /// The heartbeat's error; 0 is none.
    pub fn heartbeat(&mut self) -> i16 {
        let request = Request::Heartbeat(HeartbeatRequest {
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
        });
        match self.ask(&request) {
            Response::Heartbeat(result) => result.map_or_else(|error| error.code, |()| 0),
            other => panic!("{other:?}"),
        }
    }

    /// Beats until that is answered with an error: over a network the others' requests may arrive later.
    pub fn beat_until_told(&mut self) -> i16 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.heartbeat() {
                0 => assert!(Instant::now() < deadline, "every heartbeat is welcome"),
                code => return code,
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn leave_request(&self) -> Request {
        Request::Leave(LeaveRequest {
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            reason: "conformance".to_owned(),
        })
    }

    /// The leave's error; 0 is none.
    pub fn leave(&mut self) -> i16 {
        let request = self.leave_request();
        match self.ask(&request) {
            Response::Leave(result) => result.map_or_else(|error| error.code, |()| 0),
            other => panic!("{other:?}"),
        }
    }

    /// What its commits carry.
    pub fn membership(&self) -> GroupMembership {
        GroupMembership {
            group: self.group.clone(),
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
        }
    }
}

fn take_sync(answer: Response) -> Result<String, i16> {
    match answer {
        Response::Sync(Ok(synced)) => Ok(String::from_utf8_lossy(&synced.assignment).into_owned()),
        Response::Sync(Err(error)) => Err(error.code),
        other => panic!("{other:?}"),
    }
}

/// Two members, `a` leading and `b` following, each with what is its own.
pub(super) fn two(rig: &Rig, dress: impl Fn(Hand) -> Hand) -> (Hand, Hand) {
    let mut a = dress(Hand::new(rig, "a")).alone();
    let mut b = dress(Hand::new(rig, "b"));
    join_both(&mut a, &mut b);
    (a, b)
}

/// `b` comes, `a` hears of it, and both have a generation.
pub(super) fn join_both(a: &mut Hand, b: &mut Hand) {
    b.ask_to_join();
    assert_eq!(a.beat_until_told(), REBALANCE_IN_PROGRESS);
    a.ask_to_join();
    let joined = a.joined();
    b.joined();
    assert_eq!((joined.leader.as_str(), joined.members.len()), (a.id.as_str(), 2));
    b.ask_to_sync(&[]);
    let (own, other) = (a.id.clone(), b.id.clone());
    assert_eq!(a.sync(&[(&own, "one"), (&other, "two")]), Ok("one".into()));
    assert_eq!(b.synced(), Ok("two".into()));
}
