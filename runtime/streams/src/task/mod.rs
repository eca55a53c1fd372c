//! A task: one partition of one sub-topology, with its input queues, its nodes and its state.

mod collector;
mod context;
mod handlers;
mod metadata;
mod queue;
mod restore;
mod stores;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::assignor::TaskId;
use millrace_kafka::clock::SharedClock;
use millrace_kafka::log::{Consumer, OffsetAndMetadata, RecordBatch, TopicPartition};
use millrace_state::FlushBounds;
use millrace_topology::OnError;

pub(crate) use self::collector::{Collector, OutputTopic};
pub use self::context::Context;
pub(crate) use self::handlers::Policies;
pub(crate) use self::metadata::{OffsetMetadata, UNKNOWN_TIME};
pub(crate) use self::queue::Fetched;
pub(crate) use self::restore::{Logged, Restoration};
pub(crate) use self::stores::{CacheBudget, CachedRow, ChangelogSetup, Row, StoreSetup, StoreSlot, TaskStores};

use self::queue::{Chooser, PartitionQueue, Surroundings};
use crate::Result;
use crate::config::{TaskIdle, TimestampExtractor};
use crate::metrics::TaskMetrics;
use crate::node::{Flush, InputReader, Wired};

/// What a task needs of its worker whenever it moves.
pub(crate) struct TaskEnvironment<'a> {
    pub collector: &'a mut Collector,
    pub policies: &'a Policies,
    pub metrics: &'a TaskMetrics,
}

/// One input partition of a task that starts.
pub(crate) struct TaskInput {
    pub partition: TopicPartition,
    pub reader: Box<dyn InputReader>,
    pub on_error: OnError,
    pub extractor: TimestampExtractor,
    /// For an extractor that asks for the time.
    pub clock: SharedClock,
    /// The first offset to process.
    pub start: i64,
    /// Whether `start` itself is progress to commit.
    pub skipped: bool,
    pub partition_time: i64,
    pub internal: bool,
}

/// A running task.
pub(crate) struct Task {
    pub id: TaskId,
    queues: Vec<PartitionQueue>,
    internal: Vec<bool>,
    chooser: Chooser,
    flushers: Vec<Box<dyn Flush>>,
    stores: TaskStores,
    /// Metadata that other writers keep under keys of their own: it is carried on.
    foreign: BTreeMap<String, i64>,
}

impl Task {
    pub(crate) fn new(
        id: TaskId,
        inputs: Vec<TaskInput>,
        wired: Wired,
        stores: TaskStores,
        foreign: BTreeMap<String, i64>,
        idle: TaskIdle,
    ) -> Self {
        let internal = inputs.iter().map(|input| input.internal).collect();
        let queues = inputs.into_iter().map(PartitionQueue::new).collect();
        Self {
            id,
            queues,
            internal,
            chooser: Chooser::new(idle),
            flushers: wired.flushers,
            stores,
            foreign,
        }
    }

    /// The input partitions.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.queues.iter().map(|queue| &queue.partition)
    }

    /// Queues records of one of its partitions.
    pub(crate) fn push(&mut self, batch: RecordBatch, environment: &mut TaskEnvironment<'_>) -> Result<()> {
        let Some(queue) = self
            .queues
            .iter_mut()
            .find(|queue| queue.partition == *batch.partition())
        else {
            return Ok(());
        };
        queue.push(batch, &mut surroundings(&mut self.stores, environment))
    }

    /// Notes that the consumer moved over markers of a partition.
    pub(crate) fn note_position(&mut self, partition: &TopicPartition, position: i64) {
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.partition == *partition) {
            queue.note_position(position);
        }
    }

    /// Notes that the consumer goes on at another offset, by the reset policy: that, too, is progress to commit.
    pub(crate) fn skip_to(&mut self, partition: &TopicPartition, offset: i64) {
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.partition == *partition) {
            queue.skip_to(offset);
        }
    }

    /// Processes up to `limit` records; gives how many.
    pub(crate) fn process(
        &mut self,
        limit: usize,
        fetched: &dyn Fetched,
        now: Duration,
        environment: &mut TaskEnvironment<'_>,
    ) -> Result<usize> {
        for done in 0..limit {
            let Some(index) = self.chooser.choose(&self.queues, fetched, now) else {
                return Ok(done);
            };
            let mut surroundings = surroundings(&mut self.stores, environment);
            self.queues[index].process_head(&mut surroundings)?;
        }
        Ok(limit)
    }

    /// Whether a record waits.
    pub(crate) fn has_input(&self) -> bool {
        self.queues.iter().any(|queue| !queue.is_empty())
    }

    /// Whether anything was consumed since the last commit.
    pub(crate) fn is_dirty(&self) -> bool {
        self.queues.iter().any(PartitionQueue::is_dirty)
    }

    /// Bytes of input that wait.
    pub(crate) fn input_bytes(&self) -> usize {
        self.queues.iter().map(PartitionQueue::bytes).sum()
    }

    /// Bytes of rows that wait for a commit.
    pub(crate) fn uncommitted_bytes(&self) -> usize {
        self.stores.uncommitted_bytes()
    }

    /// Partitions whose queue passes the bound and that are to be paused, and those to be resumed.
    pub(crate) fn adjust_pauses(
        &mut self,
        max_records: usize,
        pause: &mut Vec<TopicPartition>,
        resume: &mut Vec<TopicPartition>,
        over_bytes: bool,
    ) {
        for queue in &mut self.queues {
            let full = queue.len() > max_records || (over_bytes && !queue.is_empty());
            if full != queue.paused {
                queue.paused = full;
                if full { &mut *pause } else { &mut *resume }.push(queue.partition.clone());
            }
        }
    }

    /// The highest time processed from any partition, milliseconds.
    pub(crate) fn stream_time(&self) -> i64 {
        self.queues
            .iter()
            .map(PartitionQueue::partition_time)
            .max()
            .unwrap_or(UNKNOWN_TIME)
    }

    /// Forwards what waits in the record caches, upstream first.
    pub(crate) fn flush_caches(&mut self, environment: &mut TaskEnvironment<'_>) -> Result<()> {
        let nowhere: Arc<str> = Arc::from("");
        for flusher in &mut self.flushers {
            let mut context = Context {
                record: crate::RecordContext {
                    topic: "",
                    partition: self.id.partition,
                    offset: -1,
                    timestamp: UNKNOWN_TIME,
                    headers: &[],
                    raw_key: None,
                    raw_value: None,
                },
                topic: &nowhere,
                stores: &mut self.stores,
                collector: environment.collector,
                policies: environment.policies,
                metrics: environment.metrics,
            };
            flusher.flush(&mut context)?;
        }
        Ok(())
    }

    /// What to commit: the next offset of each partition, with the times that Kafka Streams keeps beside it.
    pub(crate) fn committable(&self, consumer: &dyn Consumer, out: &mut Vec<(TopicPartition, OffsetAndMetadata)>) {
        let mut processors = self.foreign.clone();
        processors.extend(
            self.stores
                .stream_times()
                .map(|(store, time)| (OffsetMetadata::stream_time_key(store), time)),
        );
        for queue in self.queues.iter().filter(|queue| queue.is_dirty()) {
            let offset = queue.committable(consumer.position(&queue.partition));
            let mut metadata = OffsetMetadata {
                partition_time: queue.partition_time(),
                processors: processors.clone(),
            };
            if self.stores.has_windows() {
                metadata
                    .processors
                    .insert(OffsetMetadata::offset_key(&queue.partition), offset);
            }
            out.push((
                queue.partition.clone(),
                OffsetAndMetadata {
                    offset,
                    metadata: metadata.encode(),
                },
            ));
        }
    }

    /// After a commit: the state takes over what was committed.
    pub(crate) fn committed(&mut self, collector: &Collector, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        self.queues.iter_mut().for_each(PartitionQueue::set_clean);
        self.stores.apply(collector, now_ms, bounds)
    }

    /// Notes that its stores stand at the end of their changelogs now.
    pub(crate) fn touch(&mut self, now_ms: i64) -> Result<()> {
        self.stores.touch(now_ms)
    }

    /// Starts to flush what lags on disk.
    pub(crate) fn flush_if_lagging(&mut self, now_ms: i64, bounds: &FlushBounds) -> Result<()> {
        self.stores.flush_if_lagging(now_ms, bounds)
    }

    /// Repartition partitions with the offset below which nothing is needed any more.
    pub(crate) fn purgeable(&self, consumer: &dyn Consumer, out: &mut Vec<(TopicPartition, i64)>) {
        for (queue, internal) in self.queues.iter().zip(&self.internal) {
            if *internal && !queue.is_dirty() {
                out.push((
                    queue.partition.clone(),
                    queue.committable(consumer.position(&queue.partition)),
                ));
            }
        }
    }

    /// Lets go of its state as it stands, before it is ended.
    pub(crate) fn abandon_state(&mut self) {
        self.stores.abandon();
    }

    /// Ends the task and gives its state back, without what was not committed.
    pub(crate) fn into_stores(self) -> TaskStores {
        self.stores
    }
}

fn surroundings<'a>(stores: &'a mut TaskStores, environment: &'a mut TaskEnvironment<'_>) -> Surroundings<'a> {
    Surroundings {
        stores,
        collector: environment.collector,
        policies: environment.policies,
        metrics: environment.metrics,
    }
}
