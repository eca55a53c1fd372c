//! Clients that are made anew, because the credentials that they were made with have changed.

use std::time::Duration;

use super::Worker;
use crate::Result;

/// How often it is looked whether clients are outdated.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Worker {
    /// Commits, and goes on with new clients, if the log has others by now. While a rebalance is under way it waits: the old clients
    /// still work, as brokers check credentials when connections are made.
    pub(super) fn maybe_renew(&mut self) -> Result<()> {
        let now = self.shared.clock.monotonic();
        if now.saturating_sub(self.last_renewal) < LOOK_EVERY {
            return Ok(());
        }
        self.last_renewal = now;
        let epoch = self.shared.log.epoch();
        let is_rebalancing = self.commit_blocked && self.membership.is_some();
        if epoch == self.epoch || is_rebalancing {
            return Ok(());
        }
        self.commit()?;
        let consumer = self.shared.log.consumer(&self.shared.main_consumer(self.index))?;
        let restore_consumer = self
            .shared
            .log
            .restore_consumer(&self.shared.restore_consumer(self.index))?;
        // All is committed: tasks are closed and opened as if they had come from elsewhere.
        let tasks = self.all_tasks();
        self.close_tasks(&tasks, true);
        if let Some(collector) = self.collector.take() {
            collector.discard();
        }
        self.consumer = consumer;
        self.restore_consumer = restore_consumer;
        self.epoch = epoch;
        self.waiting = tasks;
        tracing::info!(target: "millrace::event", event = "clients-renewed", worker = self.index + 1, epoch, "new clients with the changed credentials, after a commit");
        Ok(())
    }
}
