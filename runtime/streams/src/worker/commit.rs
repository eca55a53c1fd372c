//! The commit: caches, producer, offsets, transaction, then the state. In this order, whatever happens.
//!
//! A crash before the transaction's end leaves state and offsets as they were; a crash after it leaves state behind its changelog, and the
//! restore reads the difference. There is no moment at which state is ahead.

use std::time::Duration;

use crate::Result;
use crate::config::ProcessingGuarantee;
use crate::task::{Task, TaskEnvironment};

use super::TOUCH_EVERY;
use super::clients::uncommitted_bound;
use super::{Worker, defect};

impl Worker {
    /// Commits when it is time: the interval is over, too much is uncommitted, or nothing is left to do before a stop.
    pub(super) fn maybe_commit(&mut self) -> Result<()> {
        let now = self.shared.clock.monotonic();
        let uncommitted: usize = self.running.values().map(Task::uncommitted_bytes).sum();
        let too_much = uncommitted > uncommitted_bound(&self.shared.config);
        let idle = self.shared.until_caught_up && !self.running.values().any(Task::has_input);
        let due = now.saturating_sub(self.last_commit) >= self.commit_interval(idle);
        if !(due || too_much) {
            return Ok(());
        }
        if self.commit_blocked {
            // A rebalance is under way. A transaction that would time out before the assignment comes commits anyway and accepts an abort.
            let half = self.shared.config.transaction_timeout / 2;
            if self
                .transaction_since
                .is_none_or(|since| now.saturating_sub(since) <= half)
                || self.membership.is_none()
            {
                return Ok(());
            }
        }
        self.commit()
    }

    /// `commit.interval.ms`; a short one where the worker has nothing else to do before it may stop.
    pub(super) fn commit_interval(&self, idle: bool) -> Duration {
        let interval = self.shared.config.commit_interval;
        if idle && self.shared.until_caught_up {
            interval.min(Duration::from_millis(20))
        } else {
            interval
        }
    }

    /// Commits everything consumed so far.
    pub(super) fn commit(&mut self) -> Result<()> {
        let started = self.shared.clock.monotonic();
        self.last_commit = started;
        if !self.running.values().any(Task::is_dirty) && self.transaction_since.is_none() {
            return Ok(());
        }
        let Some(collector) = &mut self.collector else {
            return Ok(());
        };
        let Some(membership) = &self.membership else {
            return Ok(());
        };
        for task in self.running.values_mut().filter(|task| task.is_dirty()) {
            let mut environment = TaskEnvironment {
                collector,
                policies: &self.policies,
                metrics: &self.metrics,
            };
            task.flush_caches(&mut environment)?;
        }
        collector.flush()?;
        let mut offsets = Vec::new();
        for task in self.running.values() {
            task.committable(self.consumer.as_ref(), &mut offsets);
        }
        #[cfg(test)]
        if crate::mutant::is_planted(crate::mutant::Mutant::ApplyBeforeCommit) {
            let now_ms = self.shared.clock.now_ms();
            for task in self.running.values_mut().filter(|task| task.is_dirty()) {
                task.committed(collector, now_ms, &self.shared.flush_bounds)?;
            }
        }
        tracing::debug!(worker = self.index, ?offsets, "committing");
        #[cfg(test)]
        let nobody = millrace_kafka::log::GroupMembership {
            group: membership.group.clone(),
            generation: -1,
            member_id: String::new(),
            instance_id: None,
        };
        #[cfg(test)]
        let membership = if self.shared.config.exactly_once()
            && crate::mutant::is_planted(crate::mutant::Mutant::OffsetsWithoutGeneration)
        {
            &nobody
        } else {
            membership
        };
        match self.shared.config.processing_guarantee {
            #[cfg(test)]
            ProcessingGuarantee::ExactlyOnceV2
                if crate::mutant::is_planted(crate::mutant::Mutant::OffsetsOutsideTransaction) =>
            {
                collector.commit(&[], membership)?;
                self.offsets.commit(&offsets, membership, self.shared.call_timeout())?;
            }
            ProcessingGuarantee::ExactlyOnceV2 => collector.commit(&offsets, membership)?,
            ProcessingGuarantee::AtLeastOnce if offsets.is_empty() => {}
            ProcessingGuarantee::AtLeastOnce => {
                self.offsets.commit(&offsets, membership, self.shared.call_timeout())?
            }
        }
        self.transaction_since = None;
        let now_ms = self.shared.clock.now_ms();
        for task in self.running.values_mut().filter(|task| task.is_dirty()) {
            task.committed(collector, now_ms, &self.shared.flush_bounds)?;
        }
        if collector.in_transaction() {
            return Err(defect("a transaction is open after its commit"));
        }
        let took = self.shared.clock.monotonic().saturating_sub(started);
        self.last_commit = self.shared.clock.monotonic();
        self.metrics.commits.add(1);
        self.metrics.commit_micros.set(took.as_micros() as i64);
        Ok(())
    }

    /// Notes on disk, now and then, that quiet stores stand at the end of their changelogs: else they would count as left behind for longer
    /// than `delete.retention.ms`, and be rebuilt after a crash.
    fn touch_tasks(&mut self, now: Duration) -> Result<()> {
        if now.saturating_sub(self.last_touch) < TOUCH_EVERY {
            return Ok(());
        }
        self.last_touch = now;
        let now_ms = self.shared.clock.now_ms();
        self.running.values_mut().try_for_each(|task| task.touch(now_ms))
    }

    /// Deletes from repartition topics what is processed and committed (`repartition.purge.interval.ms`).
    pub(super) fn maybe_purge(&mut self) -> Result<()> {
        let now = self.shared.clock.monotonic();
        if now.saturating_sub(self.last_purge) < self.shared.config.repartition_purge_interval {
            return Ok(());
        }
        self.last_purge = now;
        self.touch_tasks(now)?;
        let mut before = Vec::new();
        for task in self.running.values() {
            task.purgeable(self.consumer.as_ref(), &mut before);
        }
        before.retain(|(_, offset)| *offset > 0);
        if before.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.admin.delete_records(&before, self.shared.call_timeout())
            && !std::mem::replace(&mut self.purge_warned, true)
        {
            tracing::warn!(%error, "repartition topics cannot be purged and will grow: allow the application DELETE on them");
        }
        Ok(())
    }
}
