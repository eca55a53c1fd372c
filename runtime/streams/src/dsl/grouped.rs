//! Grouped streams, and what is aggregated of them.

use std::sync::Arc;

use millrace_topology::{AggregateSpec, Stream, Table, Window};

use super::draft::{SharedDraft, attempt};
use super::fold::fold;
use super::materialized::{Materialized, NoValueSerde};
use super::options::{Grouped, TimeWindows};
use super::table::KTable;
use crate::node::Aggregator;
use crate::serde::LongSerde;
use crate::{BoxError, Windowed};

/// Records grouped by key, to be aggregated over all time: `org.apache.kafka.streams.kstream.KGroupedStream`.
///
/// Records without key or value are dropped, as Java does.
pub struct KGroupedStream<K, V> {
    draft: SharedDraft,
    stream: Option<Stream>,
    grouped: Grouped<K, V>,
}

/// Records grouped by key and window: `org.apache.kafka.streams.kstream.TimeWindowedKStream`.
///
/// Records without key, and those of windows that are closed, are dropped; null values are aggregated, as Java does.
pub struct TimeWindowedKStream<K, V> {
    grouped: KGroupedStream<K, V>,
    windows: TimeWindows,
}

impl<K, V> Clone for KGroupedStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            draft: SharedDraft::clone(&self.draft),
            stream: self.stream.clone(),
            grouped: self.grouped.clone(),
        }
    }
}

impl<K, V> Clone for TimeWindowedKStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            grouped: self.grouped.clone(),
            windows: self.windows,
        }
    }
}

impl<K: 'static, V: 'static> KGroupedStream<K, V> {
    pub(super) fn new(draft: &SharedDraft, stream: Option<Stream>, grouped: Grouped<K, V>) -> Self {
        Self {
            draft: SharedDraft::clone(draft),
            stream,
            grouped,
        }
    }

    /// Per window instead of over all time.
    #[must_use]
    pub fn windowed_by(&self, windows: TimeWindows) -> TimeWindowedKStream<K, V> {
        TimeWindowedKStream {
            grouped: self.clone(),
            windows,
        }
    }

    /// Lowers the aggregation; the caller registers its code under the node that `register` gets.
    fn lower<A: 'static, R: Clone + 'static>(
        &self,
        window: Option<Window>,
        materialized: Materialized<A>,
        aggregator: Arc<dyn Aggregator<K, V, A, R>>,
    ) -> Option<Table>
    where
        K: Clone,
    {
        let stream = self.stream.as_ref()?;
        attempt(&self.draft, |draft| {
            let (key, value) = (&self.grouped.key, &self.grouped.value);
            let stored = materialized.value();
            let function = draft.function();
            let spec = AggregateSpec {
                name: materialized.name,
                repartition: self.grouped.name.clone(),
                window,
                changelog: materialized.changelog,
                caching: materialized.caching,
                retention_ms: materialized.retention_ms,
                ..AggregateSpec::new(key.format(), value.format(), stored.format(), function)
            };
            let table = draft.builder.aggregate(stream, spec)?;
            if let Some(nodes) = table.repartition() {
                draft.repartition(nodes, key, value);
            }
            let (node, key) = (table.node(), Arc::clone(key));
            match window {
                None => draft.nodes.aggregate(node, key, stored, aggregator),
                Some(_) => draft.nodes.aggregate_windowed(node, key, stored, aggregator),
            }
            Ok(table)
        })
    }
}

impl<K: Clone + 'static, V: 'static> KGroupedStream<K, V> {
    /// Adds every record to its key's aggregate. `add` returns the new aggregate, or an `Option` of it, in which `None` deletes the row.
    pub fn aggregate<A: Clone + 'static, O: Into<Option<A>>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> O + Send + Sync + 'static,
        materialized: Materialized<A>,
    ) -> KTable<K, A> {
        self.try_aggregate(
            initial,
            move |key, value, before| Ok(add(key, value, before)),
            materialized,
        )
    }

    /// [`KGroupedStream::aggregate`] with a function that may fail; then the aggregate stays as it was.
    pub fn try_aggregate<A: Clone + 'static, O: Into<Option<A>>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> Result<O, BoxError> + Send + Sync + 'static,
        materialized: Materialized<A>,
    ) -> KTable<K, A> {
        let add = move |key: &K, value: Option<&V>, before: A| match value {
            Some(value) => add(key, value, before).map(Into::into),
            // The node drops records without value before they get here.
            None => Ok(Some(before)),
        };
        let table = self.lower(None, materialized, fold(initial, add));
        KTable::new(&self.draft, table)
    }

    /// Aggregates with code of your own, which may store another type than it shows downstream, and sees where the record came from.
    pub fn aggregate_with<A: 'static, R: Clone + 'static>(
        &self,
        aggregator: impl Aggregator<K, V, A, R>,
        materialized: Materialized<A>,
    ) -> KTable<K, R> {
        let table = self.lower(None, materialized, Arc::new(aggregator));
        KTable::new(&self.draft, table)
    }

    /// How many records each key has had.
    pub fn count(&self, materialized: Materialized<NoValueSerde>) -> KTable<K, i64> {
        self.aggregate(
            || 0_i64,
            |_, _, count| count + 1,
            materialized.with_value_serde(LongSerde),
        )
    }
}

impl<K: Clone + 'static, V: 'static> TimeWindowedKStream<K, V> {
    fn table<A: 'static, R: Clone + 'static>(
        &self,
        materialized: Materialized<A>,
        aggregator: Arc<dyn Aggregator<K, V, A, R>>,
    ) -> KTable<Windowed<K>, R> {
        let window = Some(self.windows.window());
        let table = self.grouped.lower(window, materialized, aggregator);
        KTable::new(&self.grouped.draft, table)
    }

    /// Adds every record to the aggregate of its key and window. `add` returns the new aggregate, or an `Option` of it, in which `None`
    /// deletes the row.
    pub fn aggregate<A: Clone + 'static, O: Into<Option<A>>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, Option<&V>, A) -> O + Send + Sync + 'static,
        materialized: Materialized<A>,
    ) -> KTable<Windowed<K>, A> {
        self.try_aggregate(
            initial,
            move |key, value, before| Ok(add(key, value, before)),
            materialized,
        )
    }

    /// [`TimeWindowedKStream::aggregate`] with a function that may fail; then the aggregate stays as it was.
    pub fn try_aggregate<A: Clone + 'static, O: Into<Option<A>>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, Option<&V>, A) -> Result<O, BoxError> + Send + Sync + 'static,
        materialized: Materialized<A>,
    ) -> KTable<Windowed<K>, A> {
        let add = move |key: &K, value: Option<&V>, before: A| add(key, value, before).map(Into::into);
        self.table(materialized, fold(initial, add))
    }

    /// Aggregates with code of your own, which may store another type than it shows downstream, and sees where the record came from.
    pub fn aggregate_with<A: 'static, R: Clone + 'static>(
        &self,
        aggregator: impl Aggregator<K, V, A, R>,
        materialized: Materialized<A>,
    ) -> KTable<Windowed<K>, R> {
        self.table(materialized, Arc::new(aggregator))
    }

    /// How many records each key has had in each window.
    pub fn count(&self, materialized: Materialized<NoValueSerde>) -> KTable<Windowed<K>, i64> {
        self.aggregate(
            || 0_i64,
            |_, _, count| count + 1,
            materialized.with_value_serde(LongSerde),
        )
    }
}
