//! Topics, configs and offsets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::Client;
use super::fault::Point;
use super::state::unknown_topic;
use crate::log::{Admin, ClusterInfo, ConfigEntry, NewTopic, OffsetSpec, TopicInfo, TopicPartition};
use crate::{Error, ErrorKind, Result};

pub(super) struct InprocAdmin {
    client: Client,
}

impl InprocAdmin {
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Admin for InprocAdmin {
    fn cluster(&mut self, _timeout: Duration) -> Result<ClusterInfo> {
        self.client.call(Point::AdminCluster, |state| {
            Ok(ClusterInfo {
                cluster_id: state.options.cluster_id.clone(),
                brokers: 1,
            })
        })
    }

    fn topics(&mut self, names: &[&str], _timeout: Duration) -> Result<Vec<Option<TopicInfo>>> {
        self.client.call(Point::AdminTopics, |state| {
            let info = |name: &&str| {
                let topic = state.topics.get(*name)?;
                Some(TopicInfo {
                    name: (*name).into(),
                    id: topic.id,
                    partitions: topic.partitions.len() as i32,
                })
            };
            Ok(names.iter().map(info).collect())
        })
    }

    fn topic_names(&mut self, _timeout: Duration) -> Result<Vec<String>> {
        self.client.call(Point::AdminTopics, |state| {
            let mut names: Vec<String> = state.topics.keys().map(ToString::to_string).collect();
            names.sort_unstable();
            Ok(names)
        })
    }

    fn create_topics(
        &mut self,
        topics: &[NewTopic],
        validate_only: bool,
        _timeout: Duration,
    ) -> Result<Vec<Result<()>>> {
        self.client.call(Point::AdminCreateTopics, |state| {
            Ok(topics
                .iter()
                .map(|spec| state.create_topic(spec, validate_only))
                .collect())
        })
    }

    fn delete_topics(&mut self, names: &[&str], _timeout: Duration) -> Result<Vec<Result<()>>> {
        self.client.call(Point::AdminDeleteTopics, |state| {
            let mut delete = |name: &&str| {
                state.topics.remove(*name).ok_or_else(|| unknown_topic(name))?;
                state.forget_offsets(name);
                Ok(())
            };
            Ok(names.iter().map(&mut delete).collect())
        })
    }

    fn topic_config(&mut self, topic: &str, _timeout: Duration) -> Result<BTreeMap<String, ConfigEntry>> {
        self.client
            .call(Point::AdminTopicConfig, |state| Ok(state.topic(topic)?.config()))
    }

    fn list_offsets(&mut self, of: &[(TopicPartition, OffsetSpec)], _timeout: Duration) -> Result<Vec<i64>> {
        self.client.call(Point::AdminListOffsets, |state| {
            let offset = |(at, spec): &(TopicPartition, OffsetSpec)| {
                let partition = state.partition(at)?;
                Ok(match spec {
                    OffsetSpec::Earliest => partition.start(),
                    OffsetSpec::Latest(isolation) => partition.end(*isolation),
                    OffsetSpec::Timestamp(timestamp) => partition.offset_at(*timestamp),
                })
            };
            of.iter().map(offset).collect()
        })
    }

    fn delete_records(&mut self, before: &[(TopicPartition, i64)], _timeout: Duration) -> Result<()> {
        self.client.call(Point::AdminDeleteRecords, |state| {
            for (at, offset) in before {
                if !state.topic(&at.topic)?.deletes {
                    let text = format!("cannot delete records of {at}: its cleanup.policy is not delete");
                    return Err(Error::new(ErrorKind::Config, text));
                }
                let partition = state.partition_mut(at)?;
                let end = partition.high_watermark();
                // -1 is the high watermark.
                let offset = if *offset == -1 { end } else { *offset };
                if offset < 0 || offset > end {
                    let text = format!("cannot delete records of {at} before {offset}: it ends at {end}");
                    return Err(Error::new(ErrorKind::OffsetOutOfRange, text));
                }
                partition.truncate_before(offset);
            }
            Ok(())
        })
    }

    fn fence_producer(&mut self, transactional_id: &str, timeout: Duration) -> Result<()> {
        let after = self.client.enter(Point::AdminFenceProducer)?;
        let fenced = self
            .client
            .ask_coordinator(transactional_id, timeout, ErrorKind::Retriable, |state| {
                state.init_producer(transactional_id, None)
            });
        self.client.leave(after, fenced.map(|_| ()))
    }
}
