//! Whether everything is processed: the input up to where it stood at the start, and what it caused in repartition topics.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_kafka::log::{Admin, Isolation, OffsetSpec, Offsets, TopicPartition};

use crate::Result;
use crate::layout::Layout;

/// The ends to be reached.
pub(crate) struct CaughtUp {
    /// Last stable offsets of the input, as they were at the start.
    input: Vec<(TopicPartition, i64)>,
    /// Sub-topologies fed by repartition topics, upstream first: their partitions.
    repartition: Vec<TopicPartition>,
}

impl CaughtUp {
    /// Notes where the input stands now.
    pub(crate) fn now(layout: &Layout, admin: &mut dyn Admin, timeout: Duration) -> Result<Self> {
        let input = partitions(&layout.source_topics(), admin, timeout)?;
        let starts: Vec<_> = input
            .iter()
            .map(|partition| (partition.clone(), OffsetSpec::Earliest))
            .collect();
        let starts = admin.list_offsets(&starts, timeout)?;
        let ends = ends(&input, Isolation::ReadCommitted, admin, timeout)?;
        // Where nothing can be read, nothing will be committed.
        let readable = input
            .into_iter()
            .zip(starts)
            .zip(ends)
            .filter(|((_, start), end)| start < end);
        Ok(Self {
            input: readable.map(|((partition, _), end)| (partition, end)).collect(),
            repartition: Vec::new(),
        })
    }

    /// Whether the whole group has committed all of it. Once the input is committed nothing more flows into the first repartition topics; once those are
    /// committed, into the next. So the ends of repartition topics are asked for after the input is done, and reached ends are
    /// final only if all of them are reached at once.
    pub(crate) fn reached(
        &mut self,
        layout: &Layout,
        admin: &mut dyn Admin,
        offsets: &mut dyn Offsets,
        timeout: Duration,
    ) -> Result<bool> {
        if !committed_past(&self.input, offsets, timeout)? {
            return Ok(false);
        }
        if self.repartition.is_empty() {
            let topics = layout.repartition_topics();
            if topics.is_empty() {
                return Ok(true);
            }
            self.repartition = partitions(&topics, admin, timeout)?;
        }
        // High watermarks: a commit is answered before its markers are written, and until then the last stable offset hides what was committed.
        let before: Vec<_> = {
            let ends = ends(&self.repartition, Isolation::ReadUncommitted, admin, timeout)?;
            self.repartition.iter().cloned().zip(ends).collect()
        };
        if !committed_past(&before, offsets, timeout)? {
            return Ok(false);
        }
        // What was processed between the two questions may have written on: then the ends have moved.
        let after = ends(&self.repartition, Isolation::ReadUncommitted, admin, timeout)?;
        Ok(before.iter().map(|(_, end)| *end).eq(after))
    }
}

fn partitions(topics: &[std::sync::Arc<str>], admin: &mut dyn Admin, timeout: Duration) -> Result<Vec<TopicPartition>> {
    let names: Vec<&str> = topics.iter().map(AsRef::as_ref).collect();
    let infos = admin.topics(&names, timeout)?;
    let known = topics
        .iter()
        .zip(infos)
        .filter_map(|(topic, info)| info.map(|info| (topic, info.partitions)));
    Ok(known
        .flat_map(|(topic, count)| (0..count).map(|partition| TopicPartition::new(topic.clone(), partition)))
        .collect())
}

fn ends(
    partitions: &[TopicPartition],
    isolation: Isolation,
    admin: &mut dyn Admin,
    timeout: Duration,
) -> Result<Vec<i64>> {
    let asked: Vec<_> = partitions
        .iter()
        .map(|partition| (partition.clone(), OffsetSpec::Latest(isolation)))
        .collect();
    Ok(admin.list_offsets(&asked, timeout)?)
}

/// An empty partition needs no commit: its start is its end.
fn committed_past(targets: &[(TopicPartition, i64)], offsets: &mut dyn Offsets, timeout: Duration) -> Result<bool> {
    let open: BTreeMap<&TopicPartition, i64> = targets
        .iter()
        .filter(|(_, end)| *end > 0)
        .map(|(partition, end)| (partition, *end))
        .collect();
    let partitions: Vec<TopicPartition> = open.keys().map(|partition| (*partition).clone()).collect();
    let committed = offsets.fetch(&partitions, false, timeout)?;
    Ok(open
        .values()
        .zip(committed)
        .all(|(end, committed)| committed.is_some_and(|committed| committed.offset >= *end)))
}
