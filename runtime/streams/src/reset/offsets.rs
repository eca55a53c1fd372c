//! Where each partition of the input is now, and where it is to be.

use millrace_kafka::ErrorKind;
use millrace_kafka::log::{Isolation, OffsetSpec, TopicInfo, TopicPartition};

use super::{OffsetReset, Reset, ResetTarget};
use crate::{Code, Error, Result};

impl Reset {
    /// The new offset of every partition of `inputs`. If `stable`, waits until no transaction can change the committed ones any more.
    pub(super) fn new_offsets(&mut self, inputs: &[TopicInfo], stable: bool) -> Result<Vec<OffsetReset>> {
        let mut partitions: Vec<TopicPartition> = inputs
            .iter()
            .flat_map(|topic| {
                (0..topic.partitions).map(|partition| TopicPartition::new(topic.name.as_str(), partition))
            })
            .collect();
        partitions.sort();
        let patience = if stable { self.stable_timeout } else { self.timeout };
        let committed = self.offsets.fetch(&partitions, stable, patience).map_err(|error| {
            if stable && error.kind() == ErrorKind::Retriable {
                let text = format!(
                    "{error}: a transaction of a process that is gone may still be open on the offsets; it ends with its time-out \
                     (transaction.timeout.ms), then reset again"
                );
                Error::new(Code::K005, text)
            } else {
                error.into()
            }
        })?;
        let starts = self.listed(&partitions, OffsetSpec::Earliest)?;
        let ends = self.listed(&partitions, OffsetSpec::Latest(Isolation::ReadUncommitted))?;
        let by_time = match self.target {
            ResetTarget::Timestamp(time) => Some(self.listed(&partitions, OffsetSpec::Timestamp(time))?),
            _ => None,
        };
        let written = self.layout.sink_topics();
        let resets = partitions.into_iter().enumerate().map(|(index, partition)| {
            let (start, end) = (starts[index], ends[index]);
            let from = committed[index].as_ref().map(|at| at.offset);
            let is_intermediate = written.contains(&partition.topic);
            let wanted = match self.target {
                _ if is_intermediate => end,
                ResetTarget::Earliest => start,
                ResetTarget::Latest => end,
                ResetTarget::Offset(offset) => offset,
                ResetTarget::ShiftBy(by) => from.unwrap_or(start).saturating_add(by),
                // The end moves while one asks.
                ResetTarget::Timestamp(_) => by_time.as_ref().map_or(start, |found| found[index].min(end)),
            };
            let to = wanted.clamp(start, end.max(start));
            OffsetReset {
                partition,
                from,
                to,
                asked: (to != wanted).then_some(wanted),
                is_intermediate,
            }
        });
        Ok(resets.collect())
    }

    fn listed(&mut self, partitions: &[TopicPartition], spec: OffsetSpec) -> Result<Vec<i64>> {
        let of: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
        Ok(self.admin.list_offsets(&of, self.timeout)?)
    }
}
