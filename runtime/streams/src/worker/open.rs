//! From an assigned task to a running one: offsets, state, restore, nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::ErrorKind;
use millrace_kafka::assignor::TaskId;
use millrace_kafka::log::{Polled, TopicPartition};
use millrace_state::{FlushBounds, StoreIndex};
use millrace_topology::StartFrom;

use super::{Opening, Shared, Worker};
use crate::config::TimestampExtractor;
use crate::error::Recovery;
use crate::node::Wiring;
use crate::task::{
    ChangelogSetup, Collector, Logged, OffsetMetadata, Policies, Restoration, StoreSetup, StoreSlot, Task, TaskInput,
    TaskStores, UNKNOWN_TIME,
};
use crate::{Code, Error, Result};

/// How long committed offsets may be waited for in one go.
const STABLE_OFFSETS_WAIT: Duration = Duration::from_secs(1);

/// Changelog records that are taken at a time, of all stores together: so few that they stay in the processor's cache until they are among
/// the stores' rows.
const RESTORE_POLL: usize = 2_000;

/// A topic of ours that the leader made and this worker's broker has not heard of yet, or that was deleted since.
fn unknown_here(topic: &str) -> Error {
    Error::new(Code::T003, format!("internal topic {topic} does not exist (yet)")).recover_by(Recovery::Revive)
}

/// Whether asking again may help.
fn is_early(error: &Error) -> bool {
    matches!(error.code(), Code::K005 | Code::K001 | Code::S001) || is_missing(error)
}

fn is_missing(error: &Error) -> bool {
    error.code() == Code::T003 && *error.recovery() == Recovery::Revive
}

/// Where a partition starts.
struct StartAt {
    partition: TopicPartition,
    /// The first offset to process.
    offset: i64,
    /// The partition's time, milliseconds.
    time: i64,
    /// Whether the group has committed it already.
    is_committed: bool,
}

/// Where a task starts.
pub(super) struct Start {
    offsets: Vec<StartAt>,
    /// What other writers' processors keep beside the offsets.
    processors: BTreeMap<String, i64>,
    /// By store, where they are known.
    stream_times: BTreeMap<String, i64>,
    /// Another engine has committed last, at least for one partition.
    taken_over: bool,
    topic_ids: BTreeMap<Arc<str>, [u8; 16]>,
}

/// The highest of each key counts.
fn merge(into: &mut BTreeMap<String, i64>, more: BTreeMap<String, i64>) {
    for (key, value) in more {
        let known = into.entry(key).or_insert(value);
        *known = value.max(*known);
    }
}

/// The handlers in force; the dead-letter topic is looked up when there is a producer.
pub(super) fn policies(shared: &Shared) -> Policies {
    let config = &shared.config;
    Policies {
        names: shared
            .application
            .plan
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .collect(),
        processing: (*shared.application.processing).clone(),
        default_processing: config.processing_handler,
        production: config.production_handler,
        dead_letters: None,
        always_dead_letter: config.errors_dead_letter_queue_topic_name.is_some(),
    }
}

impl Worker {
    /// Opens what is waiting; tasks whose offsets are still part of an open transaction keep waiting.
    pub(super) fn open_waiting(&mut self) -> Result<()> {
        self.open_collector()?;
        let has_room = self.has_room();
        if !has_room {
            self.back_off();
        }
        for id in self.waiting.clone() {
            if !has_room && !self.shared.layout.part(id).stores.is_empty() {
                continue;
            }
            match self.open(id) {
                Ok(opening) => {
                    self.waiting.remove(&id);
                    self.opening.insert(id, opening);
                }
                // The cluster is not ready; or another worker of this process still closes the task (the volume is ours alone).
                Err(error) if is_early(&error) => {
                    self.note_missing(&error)?;
                    tracing::info!(task = %id, %error, "the task cannot be opened yet");
                    self.back_off();
                    return Ok(());
                }
                Err(error) => match error.recovery() {
                    // The task's alone: it is opened on an empty database in the next step.
                    Recovery::SetAside(_) => self.set_aside(id, &error)?,
                    Recovery::AwaitRoom(_) => {
                        self.note_full_disk(&error);
                        self.back_off();
                        return Ok(());
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// A topic of ours that stays away was deleted. The leader would make it again, empty, in the next rebalance; but state that is gone from
    /// Kafka is nothing to pass over in silence.
    pub(super) fn note_missing(&mut self, error: &Error) -> Result<()> {
        if !is_missing(error) {
            return Ok(());
        }
        let now = self.shared.clock.monotonic();
        let since = *self.missing_since.get_or_insert(now);
        if now.saturating_sub(since) <= self.shared.call_timeout() {
            return Ok(());
        }
        Err(Error::new(
            Code::T003,
            format!(
                "{}: it was deleted while the application ran. Started again, the application makes it anew and goes on from the committed \
                 offsets, without what the topic held",
                error.message()
            ),
        ))
    }

    fn open_collector(&mut self) -> Result<()> {
        if self.collector.is_some() {
            return Ok(());
        }
        let mut collector = Collector::open(&self.shared.log, &self.shared.producer(self.index), self.timeout())?;
        if let Some(topic) = &self.shared.dead_letter_topic {
            self.policies.dead_letters = Some(collector.output(topic)?);
        }
        self.collector = Some(collector);
        Ok(())
    }

    fn open(&mut self, id: TaskId) -> Result<Opening> {
        let shared = Arc::clone(&self.shared);
        let part = shared.layout.part(id);
        let mut start = self.start_offsets(id)?;
        if part.stores.is_empty() {
            let restoration = Restoration::none(id, Arc::clone(&shared.cluster_id));
            return Ok(Opening {
                restoration,
                db: None,
                start,
            });
        }
        let configs: Vec<_> = part.stores.iter().map(|store| store.config.clone()).collect();
        let dir = shared.layout.task_dir(&shared.state_dir, id);
        let mut db = shared.volume.open(&dir, &configs)?;
        let mut logged = Vec::new();
        for (index, store) in part.stores.iter().enumerate() {
            let Some(changelog) = &store.changelog else { continue };
            let topic_id = self.topic_id(changelog)?;
            start.topic_ids.insert(Arc::clone(changelog), topic_id);
            logged.push(Logged {
                at: StoreIndex(index as u16),
                store: store.config.name.clone(),
                changelog: TopicPartition::new(Arc::clone(changelog), id.partition),
                topic_id,
                delete_retention_ms: self.delete_retention(changelog)?,
                stream_time: start.stream_times.get(&store.config.name).copied(),
            });
        }
        let timeout = self.timeout();
        let restoration = Restoration::start(
            id,
            Arc::clone(&shared.cluster_id),
            logged,
            db.as_mut(),
            self.admin.as_mut(),
            self.restore_consumer.as_mut(),
            shared.clock.now_ms(),
            timeout,
        )?;
        Ok(Opening {
            restoration,
            db: Some(db),
            start,
        })
    }

    fn topic_id(&mut self, topic: &str) -> Result<[u8; 16]> {
        let info = self.admin.topics(&[topic], self.shared.call_timeout())?.remove(0);
        let info = info.ok_or_else(|| unknown_here(topic))?;
        Ok(*info.id.as_bytes())
    }

    fn delete_retention(&mut self, topic: &Arc<str>) -> Result<i64> {
        const DAY_MS: i64 = 86_400_000;
        if let Some(known) = self.delete_retention.get(topic) {
            return Ok(*known);
        }
        let config = self.admin.topic_config(topic, self.shared.call_timeout())?;
        let value = config
            .get("delete.retention.ms")
            .and_then(|entry| entry.value.parse().ok())
            .unwrap_or(DAY_MS);
        self.delete_retention.insert(Arc::clone(topic), value);
        Ok(value)
    }

    /// The committed offsets, once no transaction is open on them; elsewhere the start or the end of the topic.
    fn start_offsets(&mut self, id: TaskId) -> Result<Start> {
        let timeout = self.timeout();
        let shared = Arc::clone(&self.shared);
        let inputs = &shared.layout.part(id).inputs;
        let names: Vec<&str> = inputs.iter().map(|input| &*input.topic).collect();
        let infos = self.admin.topics(&names, timeout)?;
        let mut partitions = Vec::new();
        let mut policies = Vec::new();
        for (input, info) in inputs.iter().zip(infos) {
            let Some(info) = info else {
                return Err(if input.internal {
                    unknown_here(&input.topic)
                } else {
                    Error::new(
                        Code::T001,
                        format!(
                            "input topic {} does not exist: create it, or mend its name",
                            input.topic
                        ),
                    )
                });
            };
            if id.partition < info.partitions {
                partitions.push(TopicPartition::new(Arc::clone(&input.topic), id.partition));
                policies.push(if input.internal {
                    Some(StartFrom::Earliest)
                } else {
                    input.start_from
                });
            }
        }
        // Where a transaction is open on an offset the worker goes on with its other tasks and asks again.
        let committed = self
            .offsets
            .fetch(&partitions, true, timeout.min(STABLE_OFFSETS_WAIT))?;
        let mut start = Start {
            offsets: Vec::new(),
            processors: BTreeMap::new(),
            stream_times: BTreeMap::new(),
            taken_over: false,
            topic_ids: BTreeMap::new(),
        };
        for ((partition, policy), committed) in partitions.into_iter().zip(policies).zip(committed) {
            let Some(committed) = committed else {
                let offset = self.first_offset(&partition, policy)?;
                start.offsets.push(StartAt {
                    partition,
                    offset,
                    time: UNKNOWN_TIME,
                    is_committed: false,
                });
                continue;
            };
            let mut metadata = OffsetMetadata::decode(&committed.metadata);
            match metadata.take_stream_times(&partition, committed.offset) {
                Some(times) => merge(&mut start.stream_times, times),
                None => start.taken_over = true,
            }
            merge(&mut start.processors, metadata.processors);
            start.offsets.push(StartAt {
                partition,
                offset: committed.offset,
                time: metadata.partition_time,
                is_committed: true,
            });
        }
        Ok(start)
    }

    fn first_offset(&mut self, partition: &TopicPartition, policy: Option<StartFrom>) -> Result<i64> {
        let Some(spec) = self.shared.reset_to(policy) else {
            return Err(Error::new(
                Code::T006,
                format!(
                    "{partition} has no committed offset and auto.offset.reset is none: commit one, or set a reset policy"
                ),
            ));
        };
        Ok(self.admin.list_offsets(&[(partition.clone(), spec)], self.timeout())?[0])
    }

    /// Moves the restores on; tasks whose stores are complete start to run.
    pub(super) fn restore(&mut self, may_wait: bool) -> Result<bool> {
        if self.opening.is_empty() {
            return Ok(false);
        }
        let reading = self
            .opening
            .values()
            .any(|opening| opening.restoration.partitions().next().is_some());
        let mut progress = false;
        if reading {
            let timeout = if may_wait && self.running.is_empty() {
                self.shared.config.poll
            } else {
                Duration::ZERO
            };
            let mut polled = Vec::new();
            self.restore_consumer.poll(timeout, RESTORE_POLL, &mut polled)?;
            progress = !polled.is_empty();
            for event in polled {
                self.take_restored(event)?;
            }
        }
        let now_ms = self.shared.clock.now_ms();
        let mut complete = Vec::new();
        for (id, opening) in &mut self.opening {
            let done = match opening.db.as_deref_mut() {
                None => true,
                Some(db) => opening.restoration.finish(db, self.restore_consumer.as_mut(), now_ms)?,
            };
            if done {
                complete.push(*id);
            }
        }
        for id in complete {
            let mut opening = self.opening.remove(&id).expect("just seen");
            // Should it fail from here on, it is still ours to open.
            self.waiting.insert(id);
            if let Some(db) = &mut opening.db {
                // What took a restore to get is made durable now, whatever the bounds.
                db.flush_if_lagging(now_ms, &FlushBounds { bytes: 0, time_ms: 0 })?;
            }
            self.start(id, opening)?;
            self.waiting.remove(&id);
            progress = true;
        }
        Ok(progress)
    }

    fn take_restored(&mut self, event: Polled) -> Result<()> {
        let partition = match &event {
            Polled::Records(batch) => batch.partition().clone(),
            Polled::End { partition, .. } | Polled::Failed { partition, .. } => partition.clone(),
        };
        let opening = self
            .opening
            .values_mut()
            .find(|opening| opening.restoration.partitions().any(|reading| *reading == partition));
        let Some(Opening {
            restoration,
            db: Some(db),
            ..
        }) = opening
        else {
            return Ok(());
        };
        match event {
            Polled::Records(batch) => {
                // Not the consumer's position: it covers the whole poll, of which this batch may be the first part only.
                let position = batch.get(batch.len() - 1).offset() + 1;
                let count = restoration.take(&batch, position, db.as_mut(), self.shared.clock.now_ms())?;
                self.metrics.restored.add(count);
                Ok(())
            }
            Polled::End { position, .. } => {
                restoration.moved(&partition, position);
                Ok(())
            }
            Polled::Failed { error, .. } if error.kind() == ErrorKind::OffsetOutOfRange => {
                let (admin, consumer) = (self.admin.as_mut(), self.restore_consumer.as_mut());
                restoration.start_over(&partition, db.as_mut(), admin, consumer, self.shared.call_timeout())
            }
            Polled::Failed { error, .. } => Err(error.context(format!("restoring from {partition}")).into()),
        }
    }

    /// Wires the task's nodes and starts to read its input.
    fn start(&mut self, id: TaskId, opening: Opening) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let part = shared.layout.part(id);
        let plan = &shared.application.plan;
        let collector = self
            .collector
            .as_mut()
            .ok_or_else(|| super::defect("a task starts without a producer"))?;
        let Opening { db, start, .. } = opening;
        let mut setups = Vec::new();
        let mut slots = BTreeMap::new();
        for (index, store) in part.stores.iter().enumerate() {
            slots.insert(store.id, StoreSlot(index as u16));
            let changelog = match &store.changelog {
                None => None,
                Some(topic) => Some(ChangelogSetup {
                    topic: collector
                        .output(topic)
                        .map_err(|error| missing_is_early(topic, error))?,
                    topic_id: start.topic_ids[topic],
                }),
            };
            setups.push(StoreSetup {
                name: store.config.name.clone(),
                caching: store.caching,
                windowed: store.windowed,
                changelog,
            });
        }
        let mut outputs = BTreeMap::new();
        for (node, topic) in &part.outputs {
            let ours = shared.layout.repartition_topics().contains(topic);
            let output = collector.output(topic);
            let output = if ours {
                output.map_err(|error| missing_is_early(topic, error))?
            } else {
                output?
            };
            outputs.insert(*node, (output, Arc::clone(topic)));
        }
        let wired = Wiring::wire(plan, &shared.application.nodes, &part.nodes, &slots, &outputs);
        let inputs: Vec<TaskInput> = start
            .offsets
            .iter()
            .map(|at| {
                let input = part.inputs.iter().find(|input| input.topic == at.partition.topic);
                let input = input.expect("offsets are of inputs");
                TaskInput {
                    partition: at.partition.clone(),
                    reader: wired.sources[&input.node](),
                    on_error: input.on_error.unwrap_or(shared.config.deserialization_handler),
                    extractor: extractor(&shared, input.internal),
                    clock: Arc::clone(&shared.clock),
                    start: at.offset,
                    // Where records were passed over without being read, that is to be committed even if none comes.
                    skipped: !at.is_committed && at.offset > 0,
                    partition_time: at.time,
                    internal: input.internal,
                }
            })
            .collect();
        let partition_count = inputs.len();
        let mut stores = TaskStores::new(
            id.partition,
            Arc::clone(&shared.cluster_id),
            db,
            setups,
            std::rc::Rc::clone(&self.cache),
            &start.stream_times,
            start.taken_over,
        );
        stores.touch(shared.clock.now_ms())?;
        let task = Task::new(id, inputs, wired, stores, start.processors, shared.config.max_task_idle);
        for partition in task.partitions() {
            self.by_partition.insert(partition.clone(), id);
        }
        let assignment: Vec<_> = start.offsets.into_iter().map(|at| (at.partition, at.offset)).collect();
        self.running.insert(id, task);
        self.missing_since = None;
        self.consumer.assign(&assignment)?;
        tracing::info!(target: "millrace::event", event = "running", task = %id, inputs = partition_count, "task runs");
        Ok(())
    }
}

/// A topic of ours that the producer does not know yet is asked for again.
fn missing_is_early(topic: &str, error: millrace_kafka::Error) -> Error {
    if error.kind() == ErrorKind::UnknownTopic {
        unknown_here(topic)
    } else {
        error.into()
    }
}

fn extractor(shared: &Shared, internal: bool) -> TimestampExtractor {
    if internal {
        TimestampExtractor::FailOnInvalid
    } else {
        shared.config.default_timestamp_extractor
    }
}
