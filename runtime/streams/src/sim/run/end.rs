//! The end of a history: when all is done, and a clean stop.

use millrace_kafka::log::Isolation;

use super::{APPLICATION_ID, State, World};
use crate::sim::history::TICK;

impl World {
    /// Whether all runs, all is processed and committed, and nothing is open.
    pub(super) fn is_done(&self) -> bool {
        let all_run = self.slots.iter().all(|slot| match &slot.state {
            State::Absent => true,
            State::Down { .. } | State::Busy => false,
            State::Up(up) => up.bounce.is_none(),
        });
        all_run
            && self.running() == self.layout.parts.len() as i64 * i64::from(self.history.app.partitions)
            && self.cluster.open_transactions().is_empty()
            && self.cluster.pending_markers() == 0
            && self.uncommitted().is_none()
    }

    /// Tasks that run, on all instances.
    fn running(&self) -> i64 {
        let up = self.slots.iter().filter_map(|slot| match &slot.state {
            State::Up(up) => Some(up.instance.metrics()),
            _ => None,
        });
        up.map(|metrics| metrics.workers().iter().map(|worker| worker.running.get()).sum::<i64>())
            .sum()
    }

    /// A partition with records whose offsets are not committed.
    fn uncommitted(&self) -> Option<String> {
        let committed = |topic: &str, partition| {
            let committed = self.cluster.committed(APPLICATION_ID, topic, partition);
            committed.map_or(0, |committed| committed.offset)
        };
        for topic in self.history.app.inputs() {
            for partition in 0..self.history.app.partitions {
                let end = self
                    .cluster
                    .end_offset(topic, partition, Isolation::ReadUncommitted)
                    .unwrap_or(0);
                if committed(topic, partition) < end {
                    return Some(format!(
                        "{topic}-{partition}: {} of {end} are committed",
                        committed(topic, partition)
                    ));
                }
            }
        }
        for topic in self.layout.repartition_topics() {
            for partition in 0..self.history.app.partitions {
                let records = self
                    .cluster
                    .dump(&topic, partition, Isolation::ReadCommitted)
                    .unwrap_or_default();
                let last = records.last().map_or(-1, |record| record.offset);
                if committed(&topic, partition) <= last {
                    return Some(format!(
                        "{topic}-{partition}: {} is committed, {last} is there",
                        committed(&topic, partition)
                    ));
                }
            }
        }
        None
    }

    pub(super) fn what_is_missing(&self) -> String {
        let up = self
            .slots
            .iter()
            .map(|slot| match &slot.state {
                State::Absent => "absent".to_owned(),
                State::Busy => "busy".to_owned(),
                State::Down { until } => format!("down until tick {until}"),
                State::Up(up) => {
                    let metrics = up.instance.metrics();
                    let sum = |gauge: &dyn Fn(&crate::metrics::TaskMetrics) -> i64| -> i64 {
                        metrics.workers().iter().map(|worker| gauge(worker)).sum()
                    };
                    format!(
                        "runs {} tasks, restores {}",
                        sum(&|worker| worker.running.get()),
                        sum(&|worker| worker.restoring.get())
                    )
                }
            })
            .collect::<Vec<_>>()
            .join("; ");
        format!(
            "instances: {up}; open transactions {:?}, markers under way {}; {}",
            self.cluster.open_transactions(),
            self.cluster.pending_markers(),
            self.uncommitted()
                .unwrap_or_else(|| "all offsets are committed".to_owned())
        )
    }

    pub(super) fn stop_all(&mut self) -> Result<(), String> {
        let begun = self.tick;
        let mut is_first = true;
        loop {
            let mut left = 0;
            for slot in &mut self.slots {
                let State::Up(up) = &mut slot.state else { continue };
                if is_first {
                    up.instance.stop();
                }
                up.instance
                    .step()
                    .map_err(|error| format!("it does not stop cleanly: {error}"))?;
                if up.instance.is_stopped() {
                    slot.state = State::Absent;
                } else {
                    left += 1;
                }
            }
            is_first = false;
            if left == 0 {
                return Ok(());
            }
            self.clock.advance(TICK);
            self.tick += 1;
            if self.tick > begun + 1_000 {
                return Err(format!("it does not stop: {}", self.what_is_missing()));
            }
        }
    }
}
