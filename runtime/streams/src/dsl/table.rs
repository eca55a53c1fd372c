//! Tables: the latest value of every key.

use std::marker::PhantomData;
use std::sync::Arc;

use millrace_topology::{OnError, Table};

use super::draft::{Draft, SharedDraft, attempt};
use super::stream::KStream;
use crate::BoxError;
use crate::node::{PredicateFn, ValueFn};

/// A table with keys `K` (windowed or not) and values `V`: `org.apache.kafka.streams.kstream.KTable`. Cheap to clone.
pub struct KTable<K, V> {
    draft: SharedDraft,
    table: Option<Table>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for KTable<K, V> {
    fn clone(&self) -> Self {
        Self {
            draft: SharedDraft::clone(&self.draft),
            table: self.table.clone(),
            types: PhantomData,
        }
    }
}

impl<K: 'static, V: 'static> KTable<K, V> {
    pub(super) fn new(draft: &SharedDraft, table: Option<Table>) -> Self {
        Self {
            draft: SharedDraft::clone(draft),
            table,
            types: PhantomData,
        }
    }

    fn step<T>(&self, call: impl FnOnce(&mut Draft, &Table) -> T) -> Option<T> {
        let table = self.table.as_ref()?;
        attempt(&self.draft, |draft| Ok(call(draft, table)))
    }

    /// A new value for every row; deletions stay deletions.
    pub fn map_values<V2: 'static>(&self, function: impl Fn(&K, &V) -> V2 + Send + Sync + 'static) -> KTable<K, V2> {
        self.try_map_values(move |key, value| Ok(function(key, value)))
    }

    /// [`KTable::map_values`] with a function that may fail.
    pub fn try_map_values<V2: 'static>(
        &self,
        function: impl Fn(&K, &V) -> Result<V2, BoxError> + Send + Sync + 'static,
    ) -> KTable<K, V2> {
        let code: ValueFn<K, V, V2> = Arc::new(move |record, _| match (record.key, record.value) {
            (Some(key), Some(value)) => function(key, value).map(Some),
            _ => Ok(None),
        });
        let table = self.step(|draft, table| {
            let function = draft.function();
            let mapped = draft.builder.table_map_values(table, function);
            draft.nodes.table_map_values(mapped.node(), code);
            mapped
        });
        KTable::new(&self.draft, table)
    }

    /// The table's changes as a stream; the value of a deletion is null.
    pub fn to_stream(&self) -> KStream<K, V> {
        let stream = self.step(|draft, table| {
            let stream = draft.builder.to_stream(table);
            draft.nodes.to_stream::<K, V>(stream.node());
            stream
        });
        KStream::new(&self.draft, stream)
    }

    /// What happens to records that the step which made this table fails on; else `processing.exception.handler`.
    #[must_use]
    pub fn on_error(self, on_error: OnError) -> Self {
        self.step(|draft, table| draft.processing.insert(table.node(), on_error));
        self
    }
}

impl<K: 'static, V: Clone + 'static> KTable<K, V> {
    /// Keeps the rows for which the predicate holds; the others are deletions.
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(move |key, value| Ok(predicate(key, value)), false)
    }

    /// [`KTable::filter`] with a predicate that may fail.
    pub fn try_filter(&self, predicate: impl Fn(&K, &V) -> Result<bool, BoxError> + Send + Sync + 'static) -> Self {
        self.filtered(predicate, false)
    }

    /// Keeps the rows for which the predicate does not hold; the others are deletions.
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(move |key, value| Ok(predicate(key, value)), true)
    }

    /// [`KTable::filter_not`] with a predicate that may fail.
    pub fn try_filter_not(&self, predicate: impl Fn(&K, &V) -> Result<bool, BoxError> + Send + Sync + 'static) -> Self {
        self.filtered(predicate, true)
    }

    fn filtered(
        &self,
        predicate: impl Fn(&K, &V) -> Result<bool, BoxError> + Send + Sync + 'static,
        negate: bool,
    ) -> Self {
        // The node asks for rows that are there only; a deletion never gets here.
        let predicate: PredicateFn<K, V> = Arc::new(move |record, _| match (record.key, record.value) {
            (Some(key), Some(value)) => predicate(key, value),
            _ => Ok(negate),
        });
        let table = self.step(|draft, table| {
            let function = draft.function();
            let filtered = draft.builder.table_filter(table, function, negate);
            draft.nodes.table_filter(filtered.node(), predicate, negate);
            filtered
        });
        Self::new(&self.draft, table)
    }
}
