//! The topics of an application: checked before anything is created, then created.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_kafka::ErrorKind;
use millrace_kafka::log::{Admin, NewTopic, Operation, Right};
use millrace_topology::{InternalTopic, InternalTopicRole, InternalTopicSettings, Layout as PlanLayout, Plan};

use crate::config::StreamsConfig;
use crate::layout::Layout;
use crate::{Code, Error, Result};

/// Checks and creates topics for one plan.
pub(crate) struct Topics<'a> {
    pub plan: &'a Plan,
    pub layout: &'a Layout,
    pub config: &'a StreamsConfig,
    pub dead_letter_topic: Option<&'a str>,
}

/// What was found on the cluster, and what is to be made there.
pub(crate) struct Survey {
    /// Tasks and internal topics, by the partition counts found.
    pub plan: PlanLayout,
    missing: Vec<NewTopic>,
}

impl Topics<'_> {
    /// Looks at all topics; every problem is an error, and nothing is created.
    pub(crate) fn survey(&self, admin: &mut dyn Admin, timeout: Duration) -> Result<Survey> {
        let sources = self.layout.source_topics();
        let sinks = self.layout.sink_topics();
        let counts = self.require(admin, &sources, Code::T001, "input", timeout)?;
        self.require(admin, &sinks, Code::T002, "output", timeout)?;
        let settings = InternalTopicSettings {
            additional_retention_ms: self.config.windowstore_changelog_additional_retention.as_millis() as i64,
            defaults: self.config.topic_configs.clone(),
        };
        let plan = self
            .plan
            .layout(&self.layout.application_id, &counts, &settings)
            .map_err(|error| {
                let code = match error {
                    millrace_topology::Error::NotCopartitioned { .. } => Code::T004,
                    _ => Code::T003,
                };
                Error::new(code, error.to_string())
            })?;
        let names: Vec<&str> = plan.internal_topics.iter().map(|topic| topic.name.as_str()).collect();
        let found = admin.topics(&names, timeout)?;
        let mut missing = Vec::new();
        for (topic, found) in plan.internal_topics.iter().zip(found) {
            match found {
                None => missing.push(NewTopic {
                    name: topic.name.clone(),
                    partitions: topic.partitions,
                    replication_factor: self.config.replication_factor,
                    config: topic.config.clone(),
                }),
                Some(found) => check(topic, found.partitions, admin, timeout)?,
            }
        }
        self.survey_dead_letters(admin, &counts, &mut missing, timeout)?;
        Ok(Survey { plan, missing })
    }

    fn require(
        &self,
        admin: &mut dyn Admin,
        topics: &[std::sync::Arc<str>],
        code: Code,
        what: &str,
        timeout: Duration,
    ) -> Result<BTreeMap<String, i32>> {
        let names: Vec<&str> = topics.iter().map(AsRef::as_ref).collect();
        let found = admin.topics(&names, timeout)?;
        let missing: Vec<&str> = names
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(name, _)| *name)
            .collect();
        if !missing.is_empty() {
            let (noun, verb) = if missing.len() == 1 {
                ("topic", "does")
            } else {
                ("topics", "do")
            };
            return Err(Error::new(
                code,
                format!(
                    "{what} {noun} {} {verb} not exist: create them, or mend their names in the manifest",
                    missing.join(", ")
                ),
            ));
        }
        Ok(found
            .into_iter()
            .flatten()
            .map(|info| (info.name, info.partitions))
            .collect())
    }

    /// The dead-letter topic: one that was named by hand must exist, the application's own is made where it is needed.
    fn survey_dead_letters(
        &self,
        admin: &mut dyn Admin,
        counts: &BTreeMap<String, i32>,
        missing: &mut Vec<NewTopic>,
        timeout: Duration,
    ) -> Result<()> {
        let Some(topic) = self.dead_letter_topic else {
            return Ok(());
        };
        if admin.topics(&[topic], timeout)?[0].is_some() {
            return Ok(());
        }
        if self.config.errors_dead_letter_queue_topic_name.is_some() {
            return Err(Error::new(
                Code::T007,
                format!(
                    "dead-letter topic {topic} (errors.dead.letter.queue.topic.name) does not exist: create it, or mend its name"
                ),
            ));
        }
        missing.push(NewTopic {
            name: topic.to_owned(),
            partitions: counts.values().copied().max().unwrap_or(1),
            replication_factor: self.config.replication_factor,
            config: BTreeMap::new(),
        });
        Ok(())
    }
}

impl Survey {
    /// Creates what is missing: asks the cluster to check all of it first, so that nothing is made half-way. Whether anything was.
    pub(crate) fn create(&self, admin: &mut dyn Admin, timeout: Duration) -> Result<bool> {
        self.validate(admin, timeout)?;
        if self.missing.is_empty() {
            return Ok(false);
        }
        for (topic, created) in self
            .missing
            .iter()
            .zip(admin.create_topics(&self.missing, false, timeout)?)
        {
            match created {
                Ok(()) => tracing::info!(
                    topic = topic.name,
                    partitions = topic.partitions,
                    "internal topic created"
                ),
                Err(error) if error.kind() == ErrorKind::TopicExists => {}
                Err(error) => return Err(refused(topic, &error)),
            }
        }
        wait_until_known(admin, &self.missing, timeout)?;
        Ok(true)
    }

    /// Asks the cluster whether it would create what is missing.
    pub(crate) fn validate(&self, admin: &mut dyn Admin, timeout: Duration) -> Result<()> {
        if self.missing.is_empty() {
            return Ok(());
        }
        for (topic, answer) in self
            .missing
            .iter()
            .zip(admin.create_topics(&self.missing, true, timeout)?)
        {
            match answer {
                Err(error) if error.kind() != ErrorKind::TopicExists => return Err(refused(topic, &error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Creation is asynchronous on the brokers: the next calls need the topics in the metadata.
fn wait_until_known(admin: &mut dyn Admin, topics: &[NewTopic], timeout: Duration) -> Result<()> {
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let started = std::time::Instant::now();
    loop {
        if admin.topics(&names, timeout)?.iter().all(Option::is_some) {
            return Ok(());
        }
        if started.elapsed() > timeout {
            return Err(Error::new(
                Code::T005,
                format!("topics {} were created and do not show up", names.join(", ")),
            ));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn refused(topic: &NewTopic, error: &millrace_kafka::Error) -> Error {
    if error.kind() == ErrorKind::Unauthorized {
        return Error::new(
            Code::K003,
            format!(
                "the principal lacks {}, or on the cluster: this internal topic cannot be created: {error}",
                Right::on_topic(Operation::Create, &*topic.name)
            ),
        );
    }
    let code = Code::T005;
    Error::new(
        code,
        format!(
            "internal topic {} ({} partitions) cannot be created: {error}",
            topic.name, topic.partitions
        ),
    )
}

/// An internal topic that exists must be what the plan needs.
fn check(topic: &InternalTopic, partitions: i32, admin: &mut dyn Admin, timeout: Duration) -> Result<()> {
    if partitions != topic.partitions {
        return Err(Error::new(
            Code::T003,
            format!(
                "internal topic {} has {partitions} partitions, the plan needs {}: the input's partition count or the plan changed. Use another \
                 applicationId, or delete the topic and the application's state to start over",
                topic.name, topic.partitions
            ),
        ));
    }
    if matches!(topic.role, InternalTopicRole::Changelog(_)) {
        let config = admin.topic_config(&topic.name, timeout)?;
        if let Some(policy) = config.get("cleanup.policy")
            && !policy.value.contains("compact")
        {
            return Err(Error::new(
                Code::T003,
                format!(
                    "changelog {} has cleanup.policy={}: it would lose state; set it to {}",
                    topic.name, policy.value, topic.config["cleanup.policy"]
                ),
            ));
        }
    }
    Ok(())
}
