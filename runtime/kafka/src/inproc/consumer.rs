//! The reader. On the record path: one lock and one copy per partition and poll.

use std::time::Duration;

use indexmap::IndexMap;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::client::{Client, number};
use super::fault::Point;
use super::state::{State, unknown_topic};
use crate::log::{BatchBuilder, Consumer, ConsumerSpec, Isolation, Polled, TopicPartition};
use crate::{Error, ErrorKind, Result};

/// With split reads, at most so many records come at once.
const SPLIT_RECORDS: usize = 8;

pub(super) struct InprocConsumer {
    client: Client,
    isolation: Isolation,
    max_partition_bytes: usize,
    assigned: IndexMap<TopicPartition, Assigned>,
    /// Where the next poll begins, so that no partition starves.
    next: usize,
    split: Option<SmallRng>,
}

struct Assigned {
    /// The topic as it was when the partition was first read.
    topic: Option<Uuid>,
    position: i64,
    paused: bool,
    known_end: Option<i64>,
    /// Whether anything was said about this partition since it was assigned.
    told: bool,
}

impl InprocConsumer {
    pub fn new(client: Client, spec: &ConsumerSpec) -> Self {
        let max_partition_bytes = number(&spec.config, "max.partition.fetch.bytes", 1 << 20).unwrap_or(1 << 20);
        let split = client.locked(|state| {
            state
                .options
                .split_reads
                .then(|| SmallRng::seed_from_u64(state.rng.random::<u64>()))
        });
        Self {
            client,
            isolation: spec.isolation,
            max_partition_bytes,
            assigned: IndexMap::new(),
            next: 0,
            split,
        }
    }

    fn fill(&mut self, state: &State, max_records: usize, out: &mut Vec<Polled>) -> Option<()> {
        let before = out.len();
        let mut left = max_records.max(1);
        if let Some(rng) = &mut self.split {
            if rng.random_bool(0.1) {
                return None;
            }
            left = rng.random_range(1..=left.min(SPLIT_RECORDS));
        }
        let mut failed = Vec::new();
        let count = self.assigned.len();
        for step in 0..count {
            if left == 0 {
                break;
            }
            let index = (self.next + step) % count;
            let Some((at, assigned)) = self.assigned.get_index_mut(index) else {
                continue;
            };
            if assigned.paused || self.split.as_mut().is_some_and(|rng| rng.random_bool(0.2)) {
                continue;
            }
            match read(state, at, assigned, self.isolation, left, self.max_partition_bytes, out) {
                Ok(records) => left -= records,
                Err(error) => failed.push((at.clone(), error)),
            }
        }
        if count > 0 {
            self.next = (self.next + 1) % count;
        }
        for (partition, error) in failed {
            self.assigned.shift_remove(&partition);
            out.push(Polled::Failed { partition, error });
        }
        (out.len() > before).then_some(())
    }
}

/// Reads one partition on; the number of records.
fn read(
    state: &State,
    at: &TopicPartition,
    assigned: &mut Assigned,
    isolation: Isolation,
    max_records: usize,
    max_bytes: usize,
    out: &mut Vec<Polled>,
) -> Result<usize> {
    let id = state.topic(&at.topic)?.id;
    if *assigned.topic.get_or_insert(id) != id {
        return Err(unknown_topic(&at.topic).context("deleted and made anew while it was read"));
    }
    let partition = state.partition(at)?;
    let (start, end) = (partition.start(), partition.high_watermark());
    if assigned.position < start || assigned.position > end {
        let text = format!(
            "offset {} of {at} is outside the log, which spans {start} to {end}",
            assigned.position
        );
        return Err(Error::new(ErrorKind::OffsetOutOfRange, text));
    }
    let mut builder = BatchBuilder::default();
    let read = partition.read(assigned.position, isolation, max_records, max_bytes, &mut builder);
    let moved = read.position != assigned.position;
    assigned.known_end = Some(read.end);
    assigned.position = read.position;
    let records = builder.len();
    if records > 0 {
        let batch = builder.finish(at.clone());
        let trails = batch.get(records - 1).offset() + 1 < read.position;
        out.push(Polled::Records(batch));
        if trails && read.position == read.end {
            out.push(Polled::End {
                partition: at.clone(),
                position: read.position,
            });
        }
    } else if read.position >= read.end && (moved || !assigned.told) {
        out.push(Polled::End {
            partition: at.clone(),
            position: read.position,
        });
    }
    assigned.told = true;
    Ok(records)
}

impl Consumer for InprocConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<()> {
        let after = self.client.enter(Point::ConsumerAssign)?;
        for (at, offset) in partitions {
            let fresh = Assigned {
                topic: None,
                position: *offset,
                paused: false,
                known_end: None,
                told: false,
            };
            match self.assigned.get_mut(at) {
                Some(assigned) => {
                    (assigned.position, assigned.told) = (*offset, false);
                }
                None => {
                    self.assigned.insert(at.clone(), fresh);
                }
            }
        }
        self.client.leave(after, Ok(()))
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let after = self.client.enter(Point::ConsumerUnassign)?;
        for at in partitions {
            self.assigned.shift_remove(at);
        }
        self.client.leave(after, Ok(()))
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for at in partitions {
            if let Some(assigned) = self.assigned.get_mut(at) {
                assigned.paused = true;
            }
        }
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for at in partitions {
            if let Some(assigned) = self.assigned.get_mut(at) {
                assigned.paused = false;
            }
        }
        Ok(())
    }

    fn poll(&mut self, timeout: Duration, max_records: usize, out: &mut Vec<Polled>) -> Result<()> {
        let after = self.client.enter(Point::ConsumerPoll)?;
        let client = self.client.clone();
        let polled = client.wait(timeout, |state| self.fill(state, max_records, out), |_| {});
        self.client.leave(after, polled.map(|_| ()))
    }

    fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.assigned.get(partition).map(|assigned| assigned.position)
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<i64> {
        self.assigned.get(partition)?.known_end
    }
}
