//! A member as the coordinator knows it.

use std::time::Duration;

use bytes::Bytes;

use super::Mailbox;
use crate::log::{JoinRequest, JoinedMember};

#[derive(Debug)]
pub(super) struct Member {
    pub id: String,
    /// Of whom its requests come.
    pub client_id: String,
    pub instance_id: Option<String>,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    /// In order of preference.
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    pub awaiting_join: Option<Mailbox>,
    pub awaiting_sync: Option<Mailbox>,
    /// When the next sign of life is due.
    pub deadline: Option<Duration>,
    /// Added since the last generation: it can expire while it waits in its join.
    pub is_new: bool,
}

impl Member {
    pub fn new(id: String, client_id: &str, request: &JoinRequest) -> Self {
        Self {
            id,
            client_id: client_id.to_owned(),
            instance_id: request.instance_id.clone(),
            session_timeout: request.session_timeout,
            rebalance_timeout: request.rebalance_timeout,
            protocols: request.protocols.clone(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            deadline: None,
            is_new: true,
        }
    }

    pub fn update(&mut self, request: &JoinRequest) {
        self.session_timeout = request.session_timeout;
        self.rebalance_timeout = request.rebalance_timeout;
        self.protocols.clone_from(&request.protocols);
    }

    pub fn is_due(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub fn expect_heartbeat(&mut self, now: Duration) {
        self.deadline = Some(now + self.session_timeout);
    }

    /// A member that waits for the group needs not beat, unless it is new.
    pub fn satisfies_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    pub fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    pub fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|(name, _)| name == protocol)
            .map_or_else(Bytes::new, |(_, metadata)| metadata.clone())
    }

    pub fn joined(&self, metadata: Bytes) -> JoinedMember {
        JoinedMember {
            member_id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            metadata,
        }
    }
}
