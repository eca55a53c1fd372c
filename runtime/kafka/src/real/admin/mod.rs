//! Topics, configs and offsets of a Kafka cluster.

mod access;
mod partitions;

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, InitProducerIdRequest, ProducerId,
    TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use rustc_hash::FxHashMap;

use super::wire::{Client, CoordinatorKind, Deadline, error_of, topic_name};
use crate::log::{Admin, ClusterInfo, ConfigEntry, NewTopic, OffsetSpec, Right, TopicInfo, TopicPartition};
use crate::{Error, ErrorKind, Result};

/// `UNKNOWN_TOPIC_OR_PARTITION`.
const UNKNOWN_TOPIC: i16 = 3;
/// The config source of a value that the topic itself sets (`DYNAMIC_TOPIC_CONFIG`).
const TOPIC_SOURCE: i8 = 1;
/// The resource type of a topic in DescribeConfigs.
const TOPIC_RESOURCE: i8 = 2;
/// How long a fenced transactional id's next transaction might last; it has none.
const FENCE_TRANSACTION_TIMEOUT_MS: i32 = 60_000;

/// [`Admin`] on a cluster.
pub(crate) struct KafkaAdmin {
    client: Client,
}

impl KafkaAdmin {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    fn topics_within(&mut self, names: &[&str], deadline: Deadline) -> Result<Vec<Option<TopicInfo>>> {
        self.client.retrying(deadline, |client, deadline| {
            let answer = client.metadata(names, deadline)?;
            let mut found: FxHashMap<&str, Option<TopicInfo>> = FxHashMap::default();
            for topic in &answer.topics {
                let name = topic.name.as_ref().map_or("", |name| name.0.as_str());
                let info = match topic.error_code {
                    0 => Some(TopicInfo {
                        name: name.to_owned(),
                        id: topic.topic_id,
                        partitions: count(topic.partitions.len()),
                    }),
                    UNKNOWN_TOPIC => None,
                    code => return Err(error_of(code, format_args!("topic {name}"), None)),
                };
                found.insert(name, info);
            }
            Ok(names.iter().map(|name| found.get(name).cloned().flatten()).collect())
        })
    }

    /// Waits until a broker's metadata shows (or no longer shows) the topics: it lags behind the controller's.
    fn await_topics(&mut self, names: &[&str], present: bool, deadline: Deadline) {
        while !names.is_empty() && !deadline.passed() {
            match self.topics_within(names, deadline) {
                Ok(found) if found.iter().all(|topic| topic.is_some() == present) => return,
                Ok(_) => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => {
                    tracing::debug!(%error, "cannot see whether topics have come or gone");
                    return;
                }
            }
        }
    }
}

impl Admin for KafkaAdmin {
    fn cluster(&mut self, timeout: Duration) -> Result<ClusterInfo> {
        self.client.retrying(Deadline::after(timeout), |client, deadline| {
            let answer = client.metadata(&[], deadline)?;
            let cluster_id = answer.cluster_id.map(|id| id.to_string()).unwrap_or_default();
            Ok(ClusterInfo {
                cluster_id,
                brokers: answer.brokers.len(),
            })
        })
    }

    fn topics(&mut self, names: &[&str], timeout: Duration) -> Result<Vec<Option<TopicInfo>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.topics_within(names, Deadline::after(timeout))
    }

    fn topic_names(&mut self, timeout: Duration) -> Result<Vec<String>> {
        self.client.retrying(Deadline::after(timeout), |client, deadline| {
            let answer = client.all_topics(deadline)?;
            let mut names: Vec<String> = answer
                .topics
                .into_iter()
                .filter_map(|topic| topic.name.map(|name| name.0.to_string()))
                .collect();
            names.sort_unstable();
            Ok(names)
        })
    }

    fn create_topics(
        &mut self,
        topics: &[NewTopic],
        validate_only: bool,
        timeout: Duration,
    ) -> Result<Vec<Result<()>>> {
        let deadline = Deadline::after(timeout);
        let wanted: Vec<CreatableTopic> = topics
            .iter()
            .map(|topic| {
                let configs = topic
                    .config
                    .iter()
                    .map(|(name, value)| {
                        CreatableTopicConfig::default()
                            .with_name(StrBytes::from_string(name.clone()))
                            .with_value(Some(StrBytes::from_string(value.clone())))
                    })
                    .collect();
                CreatableTopic::default()
                    .with_name(topic_name(&topic.name))
                    .with_num_partitions(topic.partitions)
                    .with_replication_factor(topic.replication_factor)
                    .with_configs(configs)
            })
            .collect();
        let results = self.client.retrying(deadline, |client, deadline| {
            let controller = client.controller(deadline)?;
            let request = CreateTopicsRequest::default()
                .with_topics(wanted.clone())
                .with_timeout_ms(millis(deadline.remaining()))
                .with_validate_only(validate_only);
            let answer = client.ask(controller, &request, 7, deadline)?;
            let found = answer.topics.iter().map(|topic| {
                let name = topic.name.0.as_str();
                (name, topic.error_code, topic.error_message.as_deref())
            });
            in_order(topics.iter().map(|topic| topic.name.as_str()), found, "create topic")
        })?;
        if !validate_only {
            let created: Vec<&str> = topics
                .iter()
                .zip(&results)
                .filter(|(_, done)| done.is_ok())
                .map(|(topic, _)| &*topic.name)
                .collect();
            self.await_topics(&created, true, deadline);
        }
        Ok(results)
    }

    fn delete_topics(&mut self, names: &[&str], timeout: Duration) -> Result<Vec<Result<()>>> {
        let deadline = Deadline::after(timeout);
        let results = self.client.retrying(deadline, |client, deadline| {
            let controller = client.controller(deadline)?;
            let states = names
                .iter()
                .map(|name| DeleteTopicState::default().with_name(Some(topic_name(name))));
            let mut request = DeleteTopicsRequest::default().with_timeout_ms(millis(deadline.remaining()));
            if client.version::<DeleteTopicsRequest>(controller, 6, deadline)? >= 6 {
                request.topics = states.collect();
            } else {
                request.topic_names = names.iter().map(|name| topic_name(name)).collect();
            }
            let answer = client.ask(controller, &request, 6, deadline)?;
            let found = answer.responses.iter().map(|topic| {
                let name = topic.name.as_ref().map_or("", |name| name.0.as_str());
                (name, topic.error_code, topic.error_message.as_deref())
            });
            in_order(names.iter().copied(), found, "delete topic")
        })?;
        let deleted: Vec<&str> = names
            .iter()
            .zip(&results)
            .filter(|(_, done)| done.is_ok())
            .map(|(name, _)| *name)
            .collect();
        self.await_topics(&deleted, false, deadline);
        Ok(results)
    }

    fn topic_config(&mut self, topic: &str, timeout: Duration) -> Result<BTreeMap<String, ConfigEntry>> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC_RESOURCE)
            .with_resource_name(StrBytes::from_string(topic.to_owned()))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        self.client.retrying(Deadline::after(timeout), |client, deadline| {
            let answer = client.ask_any(&request, 4, deadline)?;
            let Some(result) = answer.results.into_iter().next() else {
                return Err(Error::new(
                    ErrorKind::Fatal,
                    format!("config of topic {topic}: the answer is empty"),
                ));
            };
            if result.error_code != 0 {
                let what = format_args!("config of topic {topic}");
                return Err(error_of(result.error_code, what, result.error_message.as_deref()));
            }
            let entries = result.configs.into_iter().map(|config| {
                let value = config.value.map(|value| value.to_string()).unwrap_or_default();
                let is_topic_override = config.config_source == TOPIC_SOURCE;
                (
                    config.name.to_string(),
                    ConfigEntry {
                        value,
                        is_topic_override,
                    },
                )
            });
            Ok(entries.collect())
        })
    }

    fn list_offsets(&mut self, of: &[(TopicPartition, OffsetSpec)], timeout: Duration) -> Result<Vec<i64>> {
        self.offsets_of(of, timeout)
    }

    fn delete_records(&mut self, before: &[(TopicPartition, i64)], timeout: Duration) -> Result<()> {
        self.drop_before(before, timeout)
    }

    fn lacking(&mut self, rights: &[Right], timeout: Duration) -> Result<Vec<Right>> {
        self.lacking_of(rights, timeout)
    }

    fn fence_producer(&mut self, transactional_id: &str, timeout: Duration) -> Result<()> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(StrBytes::from_string(
                transactional_id.to_owned(),
            ))))
            .with_transaction_timeout_ms(FENCE_TRANSACTION_TIMEOUT_MS)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        // While the broker aborts what is open it answers CONCURRENT_TRANSACTIONS, which is retriable.
        self.client.retrying(Deadline::after(timeout), |client, deadline| {
            let coordinator = client.coordinator(CoordinatorKind::Transaction, transactional_id, deadline)?;
            let answer = client.ask(coordinator, &request, 4, deadline)?;
            match answer.error_code {
                0 => Ok(()),
                code => Err(error_of(
                    code,
                    format_args!("fence transactional id {transactional_id}"),
                    None,
                )),
            }
        })
    }
}

/// One result per name, in the order asked; a retriable error fails the whole, so that it is asked again.
fn in_order<'a>(
    names: impl Iterator<Item = &'a str>,
    found: impl Iterator<Item = (&'a str, i16, Option<&'a str>)>,
    doing: &str,
) -> Result<Vec<Result<()>>> {
    let found: FxHashMap<&str, (i16, Option<&str>)> =
        found.map(|(name, code, message)| (name, (code, message))).collect();
    names
        .map(|name| match found.get(name) {
            Some((0, _)) => Ok(Ok(())),
            Some((code, message)) => {
                let error = error_of(*code, format_args!("{doing} {name}"), *message);
                if error.kind() == ErrorKind::Retriable {
                    Err(error)
                } else {
                    Ok(Err(error))
                }
            }
            None => Ok(Err(Error::new(
                ErrorKind::Fatal,
                format!("{doing} {name}: the cluster did not answer"),
            ))),
        })
        .collect()
}

fn count(of: usize) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}

pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
