//! Bringing a task's stores up to the end of their changelogs.
//!
//! A restore ends at the changelog's high watermark, asked for after the committed offsets are known, and reads committed records only;
//! progress is the consumer's position, because markers occupy offsets.

use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::assignor::TaskId;
use millrace_kafka::log::{Admin, Consumer, Isolation, OffsetSpec, RecordBatch, TopicPartition};
use millrace_state::{Position, StoreIndex, TaskStore};

use crate::{Code, Error, Result};

/// One store on its way.
struct StoreRestore {
    at: StoreIndex,
    store: String,
    partition: TopicPartition,
    topic_id: [u8; 16],
    from: i64,
    position: i64,
    end: i64,
    records: u64,
    stream_time: Option<i64>,
}

/// Rows are made and handed over so many bytes at a time: they stay in the processor's cache, and a batch of large ones takes no memory
/// beside its own.
const CHUNK_BYTES: usize = 256 << 10;

/// Rows as the store keeps them, `i64 timestamp | value`, of records that lie elsewhere.
#[derive(Default)]
struct Rows<'r> {
    values: Vec<u8>,
    rows: Vec<(&'r [u8], Option<std::ops::Range<usize>>)>,
}

impl<'r> Rows<'r> {
    fn push(&mut self, key: &'r [u8], value: Option<&[u8]>, timestamp: i64) {
        let value = value.map(|value| {
            let start = self.values.len();
            self.values.extend_from_slice(&timestamp.to_be_bytes());
            self.values.extend_from_slice(value);
            start..self.values.len()
        });
        self.rows.push((key, value));
    }

    fn bytes(&self) -> usize {
        self.values.len()
    }

    /// Gives all of them to the store, which then stands `after` them.
    fn hand_over(&mut self, store: &StoreRestore, db: &mut dyn TaskStore, after: &Position) -> Result<()> {
        let values = &self.values;
        let rows = self.rows.iter();
        let mut rows = rows.map(|(key, value)| (*key, value.clone().map(|range| &values[range])));
        db.restore(store.at, &mut rows, after, store.stream_time)?;
        self.rows.clear();
        self.values.clear();
        Ok(())
    }
}

/// A task's stores on their way.
pub(crate) struct Restoration {
    task: TaskId,
    cluster_id: Arc<str>,
    pending: Vec<StoreRestore>,
}

/// A logged store, as the restore needs it.
pub(crate) struct Logged {
    pub at: StoreIndex,
    pub store: String,
    pub changelog: TopicPartition,
    pub topic_id: [u8; 16],
    /// `delete.retention.ms` of the changelog.
    pub delete_retention_ms: i64,
    pub stream_time: Option<i64>,
}

impl Restoration {
    /// Checks what is on disk against the changelogs, wipes what cannot be trusted, and starts reading what is missing.
    #[allow(clippy::too_many_arguments)] // the clients are the worker's, lent for this call
    pub(crate) fn start(
        task: TaskId,
        cluster_id: Arc<str>,
        logged: Vec<Logged>,
        db: &mut dyn TaskStore,
        admin: &mut dyn Admin,
        consumer: &mut dyn Consumer,
        now_ms: i64,
        timeout: Duration,
    ) -> Result<Self> {
        let starts: Vec<_> = logged
            .iter()
            .map(|store| (store.changelog.clone(), OffsetSpec::Earliest))
            .collect();
        let ends: Vec<_> = logged
            .iter()
            .map(|store| (store.changelog.clone(), OffsetSpec::Latest(end_isolation())))
            .collect();
        let starts = admin.list_offsets(&starts, timeout)?;
        let ends = admin.list_offsets(&ends, timeout)?;
        let mut pending = Vec::new();
        for ((store, start), end) in logged.into_iter().zip(starts).zip(ends) {
            let mut from = start;
            if let Some(position) = db.position(store.at) {
                match distrust(position, &store, &cluster_id, start, end, now_ms) {
                    None => from = position.next_offset,
                    Some(why) => {
                        tracing::warn!(task = %task, store = store.store, why, "the store is rebuilt from its changelog");
                        db.wipe(store.at)?;
                    }
                }
            }
            pending.push(StoreRestore {
                at: store.at,
                store: store.store,
                partition: store.changelog,
                topic_id: store.topic_id,
                from,
                position: from,
                end,
                records: 0,
                stream_time: store.stream_time,
            });
        }
        let to_read: Vec<_> = pending
            .iter()
            .filter(|store| store.position < store.end)
            .map(|store| (store.partition.clone(), store.position))
            .collect();
        if !to_read.is_empty() {
            consumer.assign(&to_read)?;
        }
        Ok(Self {
            task,
            cluster_id,
            pending,
        })
    }

    /// For a task without stores.
    pub(crate) fn none(task: TaskId, cluster_id: Arc<str>) -> Self {
        Self {
            task,
            cluster_id,
            pending: Vec::new(),
        }
    }

    /// Partitions that are still being read.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.pending
            .iter()
            .filter(|store| store.position < store.end)
            .map(|store| &store.partition)
    }

    /// Takes a batch of changelog records; gives their number.
    pub(crate) fn take(
        &mut self,
        batch: &RecordBatch,
        position: i64,
        db: &mut dyn TaskStore,
        now_ms: i64,
    ) -> Result<u64> {
        let Some(store) = self
            .pending
            .iter_mut()
            .find(|store| store.partition == *batch.partition())
        else {
            return Ok(0);
        };
        let after = |next_offset| Position {
            next_offset,
            topic_id: store.topic_id,
            cluster_id: Arc::clone(&self.cluster_id),
            time_ms: now_ms,
        };
        let mut rows = Rows::default();
        for record in batch.iter() {
            let Some(key) = record.key_slice() else {
                return Err(Error::new(
                    Code::S002,
                    format!(
                        "{} holds a record without key at offset {}: it is no changelog",
                        store.partition,
                        record.offset()
                    ),
                ));
            };
            rows.push(key, record.value_slice(), record.timestamp());
            if rows.bytes() >= CHUNK_BYTES {
                rows.hand_over(store, db, &after(record.offset() + 1))?;
            }
        }
        rows.hand_over(store, db, &after(position))?;
        store.records += batch.len() as u64;
        store.position = position;
        Ok(batch.len() as u64)
    }

    /// Notes that the consumer moved on without records.
    pub(crate) fn moved(&mut self, partition: &TopicPartition, position: i64) {
        if let Some(store) = self.pending.iter_mut().find(|store| store.partition == *partition) {
            store.position = store.position.max(position);
        }
    }

    /// The changelog was cut below what was being read (compaction, retention): the store starts over.
    pub(crate) fn start_over(
        &mut self,
        partition: &TopicPartition,
        db: &mut dyn TaskStore,
        admin: &mut dyn Admin,
        consumer: &mut dyn Consumer,
        timeout: Duration,
    ) -> Result<()> {
        let Some(store) = self.pending.iter_mut().find(|store| store.partition == *partition) else {
            return Ok(());
        };
        let start = admin.list_offsets(&[(partition.clone(), OffsetSpec::Earliest)], timeout)?[0];
        tracing::warn!(task = %self.task, store = store.store, start, "the changelog no longer holds what was being restored: starting over");
        db.wipe(store.at)?;
        (store.from, store.position) = (start, start);
        consumer.assign(&[(partition.clone(), start)])?;
        Ok(())
    }

    /// Whether all is read; then the stores are readable and the consumer lets go of their changelogs.
    pub(crate) fn finish(&mut self, db: &mut dyn TaskStore, consumer: &mut dyn Consumer, now_ms: i64) -> Result<bool> {
        if self.pending.iter().any(|store| store.position < store.end) {
            return Ok(false);
        }
        for store in &self.pending {
            if store.position > store.from {
                // Markers behind the last record count as read.
                let cluster_id = Arc::clone(&self.cluster_id);
                let after = Position {
                    next_offset: store.position,
                    topic_id: store.topic_id,
                    cluster_id,
                    time_ms: now_ms,
                };
                db.restore(store.at, &mut std::iter::empty(), &after, store.stream_time)?;
            }
            db.finish_restore(store.at)?;
            tracing::info!(
                target: "millrace::event",
                event = "restored",
                task = %self.task,
                store = store.store,
                topic = %store.partition.topic,
                partition = store.partition.partition,
                records = store.records,
                from = store.from,
                to = store.position,
                "store restored"
            );
        }
        self.release(consumer)?;
        Ok(true)
    }

    /// Lets go of the changelogs, wherever the restore stands.
    pub(crate) fn release(&self, consumer: &mut dyn Consumer) -> Result<()> {
        let partitions: Vec<_> = self
            .pending
            .iter()
            .filter(|store| store.from < store.end)
            .map(|store| store.partition.clone())
            .collect();
        if !partitions.is_empty() {
            consumer.unassign(&partitions)?;
        }
        Ok(())
    }
}

/// A restore ends at the high watermark: the last stable offset may lie before what is committed already.
fn end_isolation() -> Isolation {
    #[cfg(test)]
    if crate::mutant::is_planted(crate::mutant::Mutant::RestoreToLastStable) {
        return Isolation::ReadCommitted;
    }
    Isolation::ReadUncommitted
}

/// Why a position on disk is not to be believed (law 3).
fn distrust(
    position: &Position,
    store: &Logged,
    cluster_id: &str,
    start: i64,
    end: i64,
    now_ms: i64,
) -> Option<String> {
    if *position.cluster_id != *cluster_id {
        return Some(format!(
            "it belongs to cluster {}, this is {cluster_id}",
            position.cluster_id
        ));
    }
    if position.topic_id != store.topic_id {
        return Some(format!("topic {} was deleted and made anew", store.changelog.topic));
    }
    if position.next_offset < start || position.next_offset > end {
        return Some(format!(
            "its position {} lies outside the changelog's {start}..={end}",
            position.next_offset
        ));
    }
    let still = now_ms.saturating_sub(position.time_ms);
    if position.next_offset < end && still > store.delete_retention_ms {
        return Some(format!(
            "it stood still for {still} ms, longer than delete.retention.ms {}",
            store.delete_retention_ms
        ));
    }
    None
}
