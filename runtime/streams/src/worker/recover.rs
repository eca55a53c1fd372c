//! What a worker does about errors that are no end: drop what is uncommitted, and start again from what is committed.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_kafka::assignor::TaskId;
use millrace_kafka::log::TopicPartition;
use millrace_topology::StartFrom;

use super::{Report, Worker, close};
use crate::error::Recovery;
use crate::{Code, Error, Result};

impl Worker {
    /// Recovers from an error, or gives it back if it is fatal.
    pub(super) fn recover(&mut self, error: Error) -> Result<()> {
        self.note_missing(&error)?;
        match error.recovery().clone() {
            Recovery::Fatal => return Err(error),
            Recovery::Revive => {
                tracing::warn!(%error, "the work since the last commit is dropped and done again");
                self.start_again();
            }
            Recovery::SetAside(dir) => {
                let damaged = self.abandon(&dir);
                self.start_again();
                if let Some(task) = damaged {
                    self.set_aside(task, &error)?;
                } else {
                    // Given away in this very step: its next owner meets the damage again.
                    tracing::warn!(%error, "the work since the last commit is dropped and done again");
                }
            }
            Recovery::AwaitRoom(dir) => {
                self.abandon(&dir);
                self.start_again();
                self.note_full_disk(&error);
            }
            Recovery::Rejoin => {
                tracing::warn!(%error, "this member was overtaken: its tasks are dropped and it joins again");
                self.drop_tasks();
                let generation = self.membership.take().map_or(-1, |membership| membership.generation);
                self.commit_blocked = true;
                self.report(Report::Rejoin {
                    generation,
                    reason: error.to_string(),
                });
            }
        }
        self.back_off();
        Ok(())
    }

    /// Drops all tasks without a commit; they wait to be opened anew.
    fn start_again(&mut self) {
        let tasks = self.all_tasks();
        self.drop_tasks();
        self.waiting = tasks;
    }

    /// Waits longer with each failure in a row, up to 2 s.
    pub(super) fn back_off(&mut self) {
        let pause = Duration::from_millis(100 << self.retries.min(5)).min(Duration::from_secs(2));
        self.retries += 1;
        self.retry_at = self.shared.clock.monotonic() + pause;
    }

    /// Ends all tasks without a commit, and the producer with its open transaction.
    pub(super) fn drop_tasks(&mut self) {
        let tasks = self.all_tasks();
        if let Some(collector) = self.collector.take() {
            collector.discard();
        }
        self.transaction_since = None;
        self.close_tasks(&tasks, false);
    }

    /// Ends tasks. What is uncommitted is forgotten; state on disk is closed as it was committed. `committed`: all of it was, just now.
    pub(super) fn close_tasks(&mut self, tasks: &BTreeSet<TaskId>, committed: bool) {
        for id in tasks {
            self.waiting.remove(id);
            if let Some(opening) = self.opening.remove(id) {
                if let Err(error) = opening.restoration.release(self.restore_consumer.as_mut()) {
                    tracing::warn!(task = %id, %error, "the restore was not let go of cleanly");
                }
                if let Some(db) = opening.db
                    && let Err(error) = db.close()
                {
                    tracing::warn!(task = %id, %error, "the task's state was not closed cleanly");
                }
            }
            if let Some(task) = self.running.remove(id) {
                let partitions: Vec<TopicPartition> = task.partitions().cloned().collect();
                if let Err(error) = self.consumer.unassign(&partitions) {
                    tracing::warn!(task = %id, %error, "the task's input was not let go of cleanly");
                }
                for partition in &partitions {
                    self.by_partition.remove(partition);
                }
                let mut stores = task.into_stores();
                if committed && let Err(error) = stores.touch(self.shared.clock.now_ms()) {
                    tracing::warn!(task = %id, %error, "the state's time could not be noted");
                }
                close(*id, stores);
            }
        }
    }

    /// The position asked for is outside the input's log: the reset policy says where to go on.
    pub(super) fn reset_position(&mut self, partition: &TopicPartition, error: &millrace_kafka::Error) -> Result<()> {
        let Some(task) = self.by_partition.get(partition) else {
            return Ok(());
        };
        let part = self.shared.layout.part(*task);
        let input = part.inputs.iter().find(|input| input.topic == partition.topic);
        // What is not purged from a repartition topic is needed, whatever the policy for input.
        let start_from = input.and_then(|input| {
            if input.internal {
                Some(StartFrom::Earliest)
            } else {
                input.start_from
            }
        });
        let Some(spec) = self.shared.reset_to(start_from) else {
            return Err(Error::new(
                Code::T006,
                format!(
                    "{partition}: {error}. The records between were deleted before they were read; set auto.offset.reset or the topic's startFrom to go on"
                ),
            ));
        };
        let offset = self.admin.list_offsets(&[(partition.clone(), spec)], self.timeout())?[0];
        tracing::warn!(%partition, offset, %error, "the input no longer holds the next record: going on elsewhere");
        self.consumer.assign(&[(partition.clone(), offset)])?;
        if let Some(task) = self.by_partition.get(partition).and_then(|id| self.running.get_mut(id)) {
            task.skip_to(partition, offset);
        }
        Ok(())
    }
}
