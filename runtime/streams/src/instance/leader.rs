//! What this member tells the group, and what it decides when it leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use millrace_kafka::assignor::{AssignmentFailure, FailureCode, Subscription, TaskId, assign_members, refuse_all};
use millrace_kafka::group::GroupAssignor;
use millrace_kafka::log::{Admin, JoinedMember};
use millrace_kafka::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::access;
use super::topics::Topics;
use crate::worker::Shared;

/// The group's view from this member.
pub(crate) struct Leader {
    pub shared: Arc<Shared>,
    pub admin: Box<dyn Admin>,
    pub process_id: Uuid,
    pub fingerprint: Vec<u8>,
    /// Tasks assigned to this member and not given up.
    pub owned: BTreeSet<TaskId>,
    pub rejoins: u32,
    /// Transactional ids of the members of the generations that this member led.
    pub producers: BTreeMap<String, Vec<String>>,
}

impl GroupAssignor for Leader {
    fn metadata(&mut self) -> Bytes {
        let config = &self.shared.config;
        Subscription {
            fingerprint: self.fingerprint.clone(),
            owner: "millrace/".to_owned(),
            process_id: self.process_id,
            owned: self.owned.clone(),
            transactional_ids: self.shared.transactional_ids.clone(),
            rejoins: self.rejoins,
            workers: config.num_stream_threads as u32,
            ..Subscription::default()
        }
        .encode()
    }

    fn assign(&mut self, members: &[JoinedMember]) -> Result<Vec<(String, Bytes)>> {
        let shared = Arc::clone(&self.shared);
        let topics = Topics {
            plan: &shared.application.plan,
            layout: &shared.layout,
            config: &shared.config,
            dead_letter_topic: shared.dead_letter_topic.as_deref(),
        };
        let timeout = shared.call_timeout();
        let survey = topics.survey(self.admin.as_mut(), timeout).and_then(|survey| {
            if survey.create(self.admin.as_mut(), timeout)? {
                // Rights on topics that did not exist could not be seen before.
                let dead_letters = shared.dead_letter_topic.as_deref();
                access::check(self.admin.as_mut(), &shared.layout, dead_letters, &[], timeout)?;
            }
            Ok(survey)
        });
        let survey = match survey {
            Ok(survey) => survey,
            Err(error) if matches!(error.code(), crate::Code::K001 | crate::Code::K005) => {
                return Err(Error::new(ErrorKind::Retriable, error.message()));
            }
            // Every member is to stop with the same coded error.
            Err(error) => {
                return Ok(refuse_all(
                    members,
                    &AssignmentFailure::new(FailureCode::Topics, error.to_string()),
                ));
            }
        };
        self.fence_the_vanished(members);
        let tasks = survey
            .plan
            .tasks
            .iter()
            .map(|task| TaskId::new(task.subtopology.0, task.partition))
            .collect();
        let refuse = |subscription: &Subscription| {
            (subscription.fingerprint != self.fingerprint).then(|| {
                AssignmentFailure::new(
                    FailureCode::Plan,
                    format!(
                        "process {} runs another plan than process {} under the application id {}: stop one of them, or give the new plan another id",
                        subscription.process_id, self.process_id, shared.layout.application_id
                    ),
                )
            })
        };
        Ok(assign_members(&tasks, members, self.process_id, &refuse))
    }
}

impl Leader {
    /// What vanished members left open is aborted now, or the last stable offset would wait for the transaction time-out. Within half of the session
    /// time-out, as no heartbeat is sent meanwhile: a coordinator that is away, too, must not cost this member its place.
    fn fence_the_vanished(&mut self, members: &[JoinedMember]) {
        let now: BTreeMap<String, Vec<String>> = members
            .iter()
            .filter_map(|member| Subscription::decode(&member.metadata).ok())
            .map(|subscription| (subscription.process_id.to_string(), subscription.transactional_ids))
            .collect();
        let gone: Vec<String> = self
            .producers
            .iter()
            .filter(|(process, _)| !now.contains_key(*process))
            .flat_map(|(_, ids)| ids.clone())
            .collect();
        let until = self.shared.clock.monotonic() + self.shared.config.session_timeout / 2;
        for id in gone {
            let left = until.saturating_sub(self.shared.clock.monotonic());
            if let Err(error) = self.admin.fence_producer(&id, left.min(self.shared.call_timeout())) {
                tracing::warn!(transactional_id = id, %error, "a vanished member's transaction could not be aborted: it ends by its time-out");
            }
        }
        self.producers = now;
    }
}
