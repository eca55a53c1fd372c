//! A member of a group, driven by hand.

use std::time::Duration;

use bytes::Bytes;
use millrace_kafka::ErrorKind;
use millrace_kafka::log::*;
use millrace_kafka::real::KafkaLog;

use super::rig::*;

/// A member of a group, driven by hand.
pub struct Member {
    pub coordinator: Box<dyn millrace_kafka::log::Coordinator>,
    pub group: String,
    pub instance: Option<String>,
    pub id: String,
    pub generation: i32,
}

impl Member {
    pub fn new(log: &KafkaLog, group: &str, instance: Option<&str>) -> Self {
        Self {
            coordinator: log.coordinator(group).unwrap(),
            group: group.to_owned(),
            instance: instance.map(str::to_owned),
            id: String::new(),
            generation: -1,
        }
    }

    pub fn answer(&mut self) -> Response {
        self.coordinator.poll(SOON).unwrap().expect("an answer")
    }

    pub fn ask_to_join(&mut self, metadata: &'static [u8]) {
        let join = JoinRequest {
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(20),
            protocol_type: "millrace".to_owned(),
            protocols: vec![("millrace".to_owned(), Bytes::from_static(metadata))],
            reason: "test".to_owned(),
        };
        self.coordinator.send(Request::Join(join)).unwrap();
    }

    pub fn joined(&mut self, metadata: &'static [u8]) -> JoinResponse {
        loop {
            match self.answer() {
                Response::Join(Ok(joined)) => {
                    self.id.clone_from(&joined.member_id);
                    self.generation = joined.generation;
                    return joined;
                }
                // The coordinator of a young broker is still loading: what a member does about it, too, is to ask again.
                Response::Lost(error) if error.kind() == ErrorKind::Retriable => self.ask_to_join(metadata),
                Response::Join(Err(error)) if error.code == 79 => {
                    self.id = error.member_id.expect("MEMBER_ID_REQUIRED carries the id");
                    self.ask_to_join(metadata);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn join(&mut self, metadata: &'static [u8]) -> JoinResponse {
        self.ask_to_join(metadata);
        self.joined(metadata)
    }

    pub fn sync(&mut self, assignments: Vec<(String, Bytes)>) -> Bytes {
        let sync = SyncRequest {
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            protocol_type: "millrace".to_owned(),
            protocol: "millrace".to_owned(),
            assignments,
        };
        self.coordinator.send(Request::Sync(sync)).unwrap();
        match self.answer() {
            Response::Sync(Ok(synced)) => synced.assignment,
            other => panic!("{other:?}"),
        }
    }

    pub fn ask_heartbeat(&mut self) {
        let heartbeat = HeartbeatRequest {
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
        };
        self.coordinator.send(Request::Heartbeat(heartbeat)).unwrap();
    }

    pub fn heartbeat(&mut self) -> i16 {
        self.ask_heartbeat();
        match self.answer() {
            Response::Heartbeat(Ok(())) => 0,
            Response::Heartbeat(Err(error)) => error.code,
            other => panic!("{other:?}"),
        }
    }

    pub fn leave(&mut self) {
        let leave = LeaveRequest {
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
            reason: "done".to_owned(),
        };
        self.coordinator.send(Request::Leave(leave)).unwrap();
        match self.answer() {
            Response::Leave(Ok(())) => {}
            other => panic!("{other:?}"),
        }
    }

    pub fn membership(&self) -> GroupMembership {
        GroupMembership {
            group: self.group.clone(),
            generation: self.generation,
            member_id: self.id.clone(),
            instance_id: self.instance.clone(),
        }
    }
}
