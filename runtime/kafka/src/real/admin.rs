//! Topics, configs and offsets of a Kafka cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    InitProducerIdRequest, ListOffsetsRequest, ProducerId, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use rustc_hash::{FxHashMap, FxHashSet};

use super::wire::{Client, CoordinatorKind, Deadline, error_of, topic_name};
use crate::log::{Admin, ClusterInfo, ConfigEntry, Isolation, NewTopic, OffsetSpec, TopicInfo, TopicPartition};
use crate::{Error, ErrorKind, Result};

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
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

    /// ListOffsets of one isolation; the answers replace those of `out` at the indices given.
    fn offsets_at(
        &mut self,
        of: &[(usize, &TopicPartition, i64)],
        isolation: Isolation,
        deadline: Deadline,
        out: &mut [i64],
    ) -> Result<()> {
        if of.is_empty() {
            return Ok(());
        }
        let index: FxHashMap<(&str, i32), usize> = of
            .iter()
            .map(|(index, at, _)| ((&*at.topic, at.partition), *index))
            .collect();
        self.client.retrying(deadline, |client, deadline| {
            let by_leader = by_leader(client, of.iter().map(|(_, at, time)| (*at, *time)), deadline)?;
            for (leader, topics) in by_leader {
                let topics = topics
                    .into_iter()
                    .map(|(topic, partitions)| {
                        let partitions = partitions
                            .into_iter()
                            .map(|(partition, timestamp)| {
                                ListOffsetsPartition::default()
                                    .with_partition_index(partition)
                                    .with_timestamp(timestamp)
                                    .with_current_leader_epoch(-1)
                            })
                            .collect();
                        ListOffsetsTopic::default()
                            .with_name(topic_name(topic))
                            .with_partitions(partitions)
                    })
                    .collect();
                let request = ListOffsetsRequest::default()
                    .with_replica_id(BrokerId(-1))
                    .with_isolation_level(match isolation {
                        Isolation::ReadUncommitted => 0,
                        Isolation::ReadCommitted => 1,
                    })
                    .with_topics(topics);
                let answer = client.ask(leader, &request, 7, deadline)?;
                for topic in &answer.topics {
                    for partition in &topic.partitions {
                        let at = (topic.name.0.as_str(), partition.partition_index);
                        if partition.error_code != 0 {
                            let what = format!("offset of {}-{}", at.0, at.1);
                            return Err(error_of(partition.error_code, what, None));
                        }
                        if let Some(index) = index.get(&at) {
                            out[*index] = partition.offset;
                        }
                    }
                }
            }
            Ok(())
        })
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
        let deadline = Deadline::after(timeout);
        let mut out = vec![-1; of.len()];
        // One request has one isolation, and names each partition once.
        let mut rounds: Vec<Round<'_>> = Vec::new();
        for (index, (at, spec)) in of.iter().enumerate() {
            let (isolation, time) = match spec {
                OffsetSpec::Earliest => (Isolation::ReadUncommitted, EARLIEST),
                OffsetSpec::Latest(isolation) => (*isolation, LATEST),
                OffsetSpec::Timestamp(time) => (Isolation::ReadUncommitted, *time),
            };
            let free = rounds
                .iter()
                .position(|round| round.isolation == isolation && !round.named.contains(at));
            let round = free.unwrap_or_else(|| {
                rounds.push(Round {
                    isolation,
                    named: FxHashSet::default(),
                    entries: Vec::new(),
                });
                rounds.len() - 1
            });
            rounds[round].named.insert(at);
            rounds[round].entries.push((index, at, time));
        }
        for round in &rounds {
            self.offsets_at(&round.entries, round.isolation, deadline, &mut out)?;
        }
        let at_end: Vec<(usize, &TopicPartition, i64)> = of
            .iter()
            .enumerate()
            .filter(|(index, (_, spec))| out[*index] < 0 && matches!(spec, OffsetSpec::Timestamp(_)))
            .map(|(index, (at, _))| (index, at, LATEST))
            .collect();
        self.offsets_at(&at_end, Isolation::ReadUncommitted, deadline, &mut out)?;
        Ok(out)
    }

    fn delete_records(&mut self, before: &[(TopicPartition, i64)], timeout: Duration) -> Result<()> {
        self.client.retrying(Deadline::after(timeout), |client, deadline| {
            for (leader, topics) in by_leader(client, before.iter().map(|(at, offset)| (at, *offset)), deadline)? {
                let topics = topics
                    .into_iter()
                    .map(|(topic, partitions)| {
                        let partitions = partitions
                            .into_iter()
                            .map(|(partition, offset)| {
                                DeleteRecordsPartition::default()
                                    .with_partition_index(partition)
                                    .with_offset(offset)
                            })
                            .collect();
                        DeleteRecordsTopic::default()
                            .with_name(topic_name(topic))
                            .with_partitions(partitions)
                    })
                    .collect();
                let request = DeleteRecordsRequest::default()
                    .with_topics(topics)
                    .with_timeout_ms(millis(deadline.remaining()));
                let answer = client.ask(leader, &request, 2, deadline)?;
                for topic in &answer.topics {
                    if let Some(partition) = topic.partitions.iter().find(|partition| partition.error_code != 0) {
                        let what = format!("delete records of {}-{}", topic.name.0, partition.partition_index);
                        return Err(error_of(partition.error_code, what, None));
                    }
                }
            }
            Ok(())
        })
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

/// What one ListOffsets can ask: an index into the question, the partition, and the time as the wire has it.
struct Round<'a> {
    isolation: Isolation,
    named: FxHashSet<&'a TopicPartition>,
    entries: Vec<(usize, &'a TopicPartition, i64)>,
}

type OfBroker<'a, T> = BTreeMap<&'a str, Vec<(i32, T)>>;

/// Groups what is asked of partitions by their leaders, from fresh metadata.
fn by_leader<'a, T>(
    client: &mut Client,
    asked: impl Iterator<Item = (&'a TopicPartition, T)>,
    deadline: Deadline,
) -> Result<BTreeMap<i32, OfBroker<'a, T>>> {
    let asked: Vec<(&TopicPartition, T)> = asked.collect();
    let mut names: Vec<&str> = asked.iter().map(|(at, _)| &*at.topic).collect();
    names.sort_unstable();
    names.dedup();
    let leaders = client.leaders(&names, deadline)?;
    let mut grouped: BTreeMap<i32, OfBroker<'a, T>> = BTreeMap::new();
    for (at, what) in asked {
        match leaders.get(&(at.topic.to_string(), at.partition)) {
            None => return Err(Error::new(ErrorKind::UnknownTopic, format!("{at} does not exist"))),
            Some(-1) => return Err(Error::new(ErrorKind::Retriable, format!("{at} has no leader"))),
            Some(leader) => {
                grouped
                    .entry(*leader)
                    .or_default()
                    .entry(&at.topic)
                    .or_default()
                    .push((at.partition, what));
            }
        }
    }
    Ok(grouped)
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
