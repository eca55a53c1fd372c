//! What a node may do while it works on a record.
//!
//! Record path: see [`crate::node`].

use std::sync::Arc;

use millrace_topology::NodeId;

use super::OutputTopic;
use super::collector::Collector;
use super::handlers::Policies;
use super::stores::{Row, StoreSlot, StoredContext, TaskStores};
use crate::metrics::TaskMetrics;
use crate::{BoxError, RecordContext, Result};

/// The record at hand, the task's stores, and the way out.
pub struct Context<'a> {
    pub(crate) record: RecordContext<'a>,
    pub(crate) topic: &'a Arc<str>,
    pub(crate) stores: &'a mut TaskStores,
    pub(crate) collector: &'a mut Collector,
    pub(crate) policies: &'a Policies,
    pub(crate) metrics: &'a TaskMetrics,
}

impl Context<'_> {
    /// The input record that all this comes from.
    #[must_use]
    pub fn record(&self) -> &RecordContext<'_> {
        &self.record
    }

    /// Counts a record that ends here, and says why at debug level.
    pub fn dropped(&self, reason: &'static str) {
        self.metrics.dropped.add(1);
        tracing::debug!(
            topic = self.record.topic,
            partition = self.record.partition,
            offset = self.record.offset,
            reason,
            "record dropped"
        );
    }

    /// A user's function failed: the processing handler decides.
    #[cold]
    pub(crate) fn processing_failed(&mut self, node: NodeId, error: BoxError) -> Result<()> {
        self.policies
            .processing_failed(node, &error, &self.record, self.collector, self.metrics)
    }

    /// A value could not be written in the sink's format: the production handler decides.
    #[cold]
    pub(crate) fn serialization_failed(&mut self, node: NodeId, topic: &str, error: BoxError) -> Result<()> {
        self.policies.production_failed(
            node,
            topic,
            &error.to_string(),
            &self.record,
            self.collector,
            self.metrics,
        )
    }

    /// Sends to a topic; `routing` is what decides the partition.
    pub(crate) fn send(
        &mut self,
        node: NodeId,
        topic: OutputTopic,
        routing: Option<&[u8]>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
    ) -> Result<()> {
        let partition = self.collector.partition(topic, routing, self.record.partition);
        match self
            .collector
            .send(topic, partition, key, value, timestamp, self.record.headers)
        {
            Ok(()) => {
                self.metrics.sent.add(1);
                Ok(())
            }
            Err(error) if error.kind() == millrace_kafka::ErrorKind::RecordRejected => {
                let name = self.collector.name(topic);
                self.policies.production_failed(
                    node,
                    &name,
                    &error.to_string(),
                    &self.record,
                    self.collector,
                    self.metrics,
                )
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Moves a windowed node's stream time up to `timestamp` and gives it.
    #[inline]
    pub(crate) fn observe_stream_time(&mut self, slot: StoreSlot, timestamp: i64) -> i64 {
        self.stores.observe_stream_time(slot, timestamp)
    }

    /// A row: from the overlay, or from RocksDB through it.
    #[inline]
    pub(crate) fn read(&mut self, slot: StoreSlot, row_key: &[u8]) -> Result<Option<Row>> {
        self.stores.read(slot, row_key)
    }

    /// Leaves a row in the record cache; `false` where the store has none.
    pub(crate) fn cache_row(&mut self, slot: StoreSlot, row_key: &[u8], row: Option<&[u8]>, timestamp: i64) -> bool {
        if !self.stores.is_cached(slot) {
            return false;
        }
        self.stores
            .cache_row(slot, row_key, row, self.topic, &self.record, timestamp);
        true
    }

    /// Writes a row that is forwarded at once, and its changelog record.
    pub(crate) fn put_row(
        &mut self,
        slot: StoreSlot,
        row_key: &[u8],
        row: Option<&[u8]>,
        timestamp: i64,
    ) -> Result<()> {
        self.stores.put_row(slot, row_key, row);
        self.log_row(slot, row_key, row, timestamp)
    }

    /// Writes the changelog record of a row: the bare value, the row's time as the record's timestamp.
    pub(crate) fn log_row(
        &mut self,
        slot: StoreSlot,
        row_key: &[u8],
        row: Option<&[u8]>,
        timestamp: i64,
    ) -> Result<()> {
        let Some(changelog) = self.stores.changelog(slot) else {
            return Ok(());
        };
        let partition = self.stores.partition();
        self.collector.send(
            changelog,
            partition,
            Some(row_key),
            row.map(|row| &row[8..]),
            timestamp,
            &[],
        )?;
        Ok(())
    }

    /// The same task, in the context of the record that a cached row came from.
    pub(crate) fn within<'b>(&'b mut self, stored: &'b StoredContext) -> Context<'b> {
        Context {
            record: RecordContext {
                topic: &stored.topic,
                partition: stored.partition,
                offset: stored.offset,
                timestamp: stored.timestamp,
                headers: stored.headers.as_deref().unwrap_or(&[]),
                raw_key: None,
                raw_value: None,
            },
            topic: &stored.topic,
            stores: self.stores,
            collector: self.collector,
            policies: self.policies,
            metrics: self.metrics,
        }
    }
}
