//! What is asked of the leaders of partitions: offsets, and dropping records.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, DeleteRecordsRequest, ListOffsetsRequest};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{KafkaAdmin, millis};
use crate::log::{Isolation, OffsetSpec, TopicPartition};
use crate::real::wire::{Client, Deadline, error_of, topic_name};
use crate::{Error, ErrorKind, Result};

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

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

impl KafkaAdmin {
    pub(super) fn offsets_of(&mut self, of: &[(TopicPartition, OffsetSpec)], timeout: Duration) -> Result<Vec<i64>> {
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

    pub(super) fn drop_before(&mut self, before: &[(TopicPartition, i64)], timeout: Duration) -> Result<()> {
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
