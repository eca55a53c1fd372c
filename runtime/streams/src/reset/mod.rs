//! Taking an application back to its beginning, or to another place of its input, as Kafka's application reset tool does
//! (`StreamsResetter`): committed offsets are moved, internal topics deleted, and local state too.
//!
//! The order is chosen by what a half-done reset leaves. Offsets go first, because the broker takes them only while the group is
//! empty: if that is refused, nothing has changed. State goes last: a store whose changelog was deleted is found out by the topic's
//! id and rebuilt, on other machines as well. A reset that was broken off is finished by doing it again.

mod offsets;
mod plan;
mod state;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_kafka::ErrorKind;
use millrace_kafka::log::{
    Admin, GroupMembership, MemberIdentity, OffsetAndMetadata, Offsets, SharedLog, TopicInfo, TopicPartition,
};
use millrace_state::StateVolume;
use millrace_topology::Plan;

pub use plan::{InternalTopicReset, OffsetReset, ResetPlan, ResetTarget, StateReset, is_internal_topic};

use self::state::Hold;
use crate::config::StreamsConfig;
use crate::layout::Layout;
use crate::{Code, Error, Result};

/// Brokers look for transactions to abort this often (`transaction.abort.timed.out.transaction.cleanup.interval.ms`).
const ABORT_SCAN: Duration = Duration::from_secs(10);
/// What the brokers write into their log about members that are removed.
const REASON: &str = "removed by millrace reset --force";

/// Resets one application on one cluster.
pub struct Reset {
    layout: Layout,
    target: ResetTarget,
    application_dir: PathBuf,
    timeout: Duration,
    stable_timeout: Duration,
    admin: Box<dyn Admin>,
    offsets: Box<dyn Offsets>,
    /// Keeps processes of this application off the state while it is reset.
    hold: Option<Hold>,
}

impl Reset {
    /// Makes the clients; nothing is asked yet.
    ///
    /// # Errors
    /// Clients that cannot be made.
    pub fn new(plan: &Plan, config: &StreamsConfig, log: &SharedLog, target: ResetTarget) -> Result<Self> {
        Ok(Self {
            layout: Layout::new(plan, &config.application_id),
            target,
            application_dir: config.state_dir.join(&config.application_id),
            timeout: config.request_timeout.min(Duration::from_secs(30)),
            stable_timeout: config.transaction_timeout + ABORT_SCAN + Duration::from_secs(5),
            admin: log.admin()?,
            offsets: log.offsets(&config.application_id)?,
            hold: None,
        })
    }

    /// What a reset would do now. Changes nothing, whoever runs.
    ///
    /// # Errors
    /// Input topics that do not exist, and a cluster that does not answer.
    pub fn survey(&mut self) -> Result<ResetPlan> {
        self.look(false)
    }

    /// Makes ready: locks the local state, removes the group's members if there are any and `force` allows it, and waits until no
    /// transaction is open on the offsets. What then is to be done is final.
    ///
    /// # Errors
    /// State that a live process holds, a group with members, and those of [`Reset::survey`].
    pub fn prepare(&mut self, force: bool) -> Result<ResetPlan> {
        let found = self.look(false)?;
        if let Some(error) = found.refusal(force) {
            return Err(error);
        }
        self.hold = state::hold(&self.application_dir)?;
        self.offsets.remove_members(&found.members, REASON, self.timeout)?;
        let mut plan = self.look(true)?;
        plan.members = found.members;
        Ok(plan)
    }

    /// Does what [`Reset::prepare`] found.
    ///
    /// # Errors
    /// A member that has joined meanwhile (nothing has changed then), topics that cannot be deleted, state that cannot be removed.
    pub fn execute(&mut self, plan: &ResetPlan, volume: &dyn StateVolume) -> Result<()> {
        self.commit(plan)?;
        self.delete_topics(plan)?;
        if let Some(state) = &plan.state {
            state::remove(state, volume)?;
        }
        self.hold = None;
        Ok(())
    }

    fn look(&mut self, stable: bool) -> Result<ResetPlan> {
        let cluster = self.admin.cluster(self.timeout)?;
        let inputs = self.inputs()?;
        let group = self.offsets.describe(self.timeout)?;
        let members = group.members.into_iter().map(|member| MemberIdentity {
            member_id: member.member_id,
            instance_id: member.instance_id,
        });
        Ok(ResetPlan {
            application_id: self.layout.application_id.clone(),
            cluster_id: cluster.cluster_id,
            members: members.collect(),
            offsets: self.new_offsets(&inputs, stable)?,
            internal_topics: self.internal_topics()?,
            state: state::look(&self.application_dir, self.hold.is_some())?,
        })
    }

    /// The user's topics that are read; all of them have to be there.
    fn inputs(&mut self) -> Result<Vec<TopicInfo>> {
        let topics = self.layout.source_topics();
        let names: Vec<&str> = topics.iter().map(AsRef::as_ref).collect();
        let found = self.admin.topics(&names, self.timeout)?;
        let missing: Vec<&str> = (names.iter().zip(&found))
            .filter(|(_, found)| found.is_none())
            .map(|(name, _)| *name)
            .collect();
        if missing.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        Err(Error::new(
            Code::T001,
            format!(
                "no input topic {}: the offsets of {} cannot be reset, and nothing was changed",
                missing.join(", "),
                self.layout.application_id
            ),
        ))
    }

    /// Topics that the application made for itself: those of the plan, and those that are named as if an earlier plan had had them. The
    /// user's own topics are none of them, whatever their names (KAFKA-7930).
    fn internal_topics(&mut self) -> Result<Vec<InternalTopicReset>> {
        let users: BTreeSet<Arc<str>> = (self.layout.source_topics().into_iter())
            .chain(self.layout.sink_topics())
            .collect();
        let changelogs = self.layout.parts.values().flat_map(|part| &part.stores);
        let planned: BTreeSet<Arc<str>> = changelogs
            .filter_map(|store| store.changelog.clone())
            .chain(self.layout.repartition_topics())
            .collect();
        let mut names = self.admin.topic_names(self.timeout)?;
        names.retain(|name| {
            let name = name.as_str();
            !users.contains(name) && (planned.contains(name) || is_internal_topic(&self.layout.application_id, name))
        });
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = self.admin.topics(&names, self.timeout)?;
        let topics = found.into_iter().flatten().map(|topic| InternalTopicReset {
            is_planned: planned.contains(topic.name.as_str()),
            name: topic.name,
            partitions: topic.partitions,
        });
        Ok(topics.collect())
    }

    fn commit(&mut self, plan: &ResetPlan) -> Result<()> {
        let offsets: Vec<_> = plan
            .offsets
            .iter()
            .map(|of| {
                let at = OffsetAndMetadata {
                    offset: of.to,
                    metadata: String::new(),
                };
                (of.partition.clone(), at)
            })
            .collect();
        let nobody = GroupMembership::outside(&plan.application_id);
        self.offsets.commit(&offsets, &nobody, self.timeout).map_err(|error| {
            if error.kind() == ErrorKind::Rejoin {
                let text = format!(
                    "group {} has members again: {error}. Nothing was changed but members that --force removed; stop the application, then reset",
                    plan.application_id
                );
                Error::new(Code::G003, text)
            } else {
                error.into()
            }
        })
    }

    fn delete_topics(&mut self, plan: &ResetPlan) -> Result<()> {
        let names: Vec<&str> = plan.internal_topics.iter().map(|topic| topic.name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let results = self.admin.delete_topics(&names, self.timeout)?;
        for (name, result) in names.iter().zip(results) {
            match result {
                Err(error) if error.kind() != ErrorKind::UnknownTopic => return Err(undeleted(name, &error)),
                _ => {}
            }
        }
        self.await_forgotten(plan)
    }

    /// The group's coordinator forgets the offsets of deleted topics by itself, soon: until then, a topic that is made anew would be read
    /// from where the old one was left.
    fn await_forgotten(&mut self, plan: &ResetPlan) -> Result<()> {
        let partitions: Vec<_> = (plan.internal_topics.iter())
            .flat_map(|topic| {
                (0..topic.partitions).map(|partition| TopicPartition::new(topic.name.as_str(), partition))
            })
            .collect();
        let started = Instant::now();
        loop {
            let committed = self.offsets.fetch(&partitions, false, self.timeout)?;
            let Some(left) = committed.iter().position(Option::is_some) else {
                return Ok(());
            };
            if started.elapsed() > self.timeout {
                let text = format!(
                    "{} is deleted, and the group still has a committed offset of it: reset again",
                    partitions[left]
                );
                return Err(Error::new(Code::K005, text));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl ResetPlan {
    /// Why this cannot be done as things are: members of the group, unless they are to be removed by force, or state that a live process
    /// holds.
    #[must_use]
    pub fn refusal(&self, force: bool) -> Option<Error> {
        if self.members.is_empty() || force {
            let state = self.state.as_ref().filter(|state| state.is_held)?;
            return Some(state::held(&state.directory));
        }
        let text = format!(
            "group {} has {} {}: {}. Nothing was changed",
            self.application_id,
            self.members.len(),
            if self.members.len() == 1 { "member" } else { "members" },
            self.members.iter().map(named).collect::<Vec<_>>().join(", ")
        );
        Some(Error::new(Code::G003, text))
    }
}

fn named(member: &MemberIdentity) -> String {
    match &member.instance_id {
        None => member.member_id.clone(),
        Some(instance) => format!("{} (group.instance.id {instance})", member.member_id),
    }
}

fn undeleted(topic: &str, error: &millrace_kafka::Error) -> Error {
    let code = if error.kind() == ErrorKind::Unauthorized {
        Code::K003
    } else {
        Code::T008
    };
    let text = format!(
        "internal topic {topic} cannot be deleted: {error}. The offsets are reset already; once it can be deleted, reset again before the \
         application starts"
    );
    Error::new(code, text)
}
