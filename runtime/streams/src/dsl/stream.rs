//! Streams of records.

use std::marker::PhantomData;
use std::sync::Arc;

use millrace_topology::{OnError, RepartitionSpec, SinkSpec, Stream};

use super::draft::{Draft, SharedDraft, attempt};
use super::error::BuildFault;
use super::grouped::KGroupedStream;
use super::options::{Grouped, Produced, Repartitioned};
use crate::node::{KeyValueFn, PredicateFn, ValueFn};
use crate::{BoxError, Windowed};

/// A stream of records with keys `K` and values `V`: `org.apache.kafka.streams.kstream.KStream`. Cheap to clone; every step on it is a
/// further branch.
pub struct KStream<K, V> {
    draft: SharedDraft,
    /// `None` after a call that was refused: then further steps are left out, and the build says why.
    stream: Option<Stream>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            draft: SharedDraft::clone(&self.draft),
            stream: self.stream.clone(),
            types: PhantomData,
        }
    }
}

impl<K: 'static, V: 'static> KStream<K, V> {
    pub(super) fn new(draft: &SharedDraft, stream: Option<Stream>) -> Self {
        Self {
            draft: SharedDraft::clone(draft),
            stream,
            types: PhantomData,
        }
    }

    /// Adds a step to the draft, unless something went wrong upstream.
    fn step<T>(&self, call: impl FnOnce(&mut Draft, &Stream) -> Result<T, BuildFault>) -> Option<T> {
        let stream = self.stream.as_ref()?;
        attempt(&self.draft, |draft| call(draft, stream))
    }

    fn then<K2: 'static, V2: 'static>(&self, call: impl FnOnce(&mut Draft, &Stream) -> Stream) -> KStream<K2, V2> {
        KStream::new(&self.draft, self.step(|draft, stream| Ok(call(draft, stream))))
    }

    /// Keeps the records for which the predicate holds.
    pub fn filter(&self, predicate: impl Fn(Option<&K>, Option<&V>) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(
            Arc::new(move |record, _| Ok(predicate(record.key, record.value))),
            false,
        )
    }

    /// [`KStream::filter`] with a predicate that may fail.
    pub fn try_filter(
        &self,
        predicate: impl Fn(Option<&K>, Option<&V>) -> Result<bool, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.filtered(Arc::new(move |record, _| predicate(record.key, record.value)), false)
    }

    /// Keeps the records for which the predicate does not hold.
    pub fn filter_not(&self, predicate: impl Fn(Option<&K>, Option<&V>) -> bool + Send + Sync + 'static) -> Self {
        self.filtered(Arc::new(move |record, _| Ok(predicate(record.key, record.value))), true)
    }

    /// [`KStream::filter_not`] with a predicate that may fail.
    pub fn try_filter_not(
        &self,
        predicate: impl Fn(Option<&K>, Option<&V>) -> Result<bool, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.filtered(Arc::new(move |record, _| predicate(record.key, record.value)), true)
    }

    fn filtered(&self, predicate: PredicateFn<K, V>, negate: bool) -> Self {
        self.then(|draft, stream| {
            let function = draft.function();
            let filtered = draft.builder.filter(stream, function, negate);
            draft.nodes.filter(filtered.node(), predicate, negate);
            filtered
        })
    }

    /// A new key and a new value for every record; `None` is null. A grouping after it repartitions.
    pub fn map<K2: 'static, V2: 'static>(
        &self,
        function: impl Fn(Option<&K>, Option<&V>) -> (Option<K2>, Option<V2>) + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.mapped(Arc::new(move |record, _| Ok(function(record.key, record.value))))
    }

    /// [`KStream::map`] with a function that may fail.
    pub fn try_map<K2: 'static, V2: 'static>(
        &self,
        function: impl Fn(Option<&K>, Option<&V>) -> Result<(Option<K2>, Option<V2>), BoxError> + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.mapped(Arc::new(move |record, _| function(record.key, record.value)))
    }

    fn mapped<K2: 'static, V2: 'static>(&self, code: KeyValueFn<K, V, K2, V2>) -> KStream<K2, V2> {
        self.then(|draft, stream| {
            let function = draft.function();
            let mapped = draft.builder.map(stream, function);
            draft.nodes.map(mapped.node(), code);
            mapped
        })
    }

    /// A new value for every record; `None` is null.
    pub fn map_values<V2: 'static>(
        &self,
        function: impl Fn(Option<&K>, Option<&V>) -> Option<V2> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.mapped_values(Arc::new(move |record, _| Ok(function(record.key, record.value))))
    }

    /// [`KStream::map_values`] with a function that may fail.
    pub fn try_map_values<V2: 'static>(
        &self,
        function: impl Fn(Option<&K>, Option<&V>) -> Result<Option<V2>, BoxError> + Send + Sync + 'static,
    ) -> KStream<K, V2> {
        self.mapped_values(Arc::new(move |record, _| function(record.key, record.value)))
    }

    fn mapped_values<V2: 'static>(&self, code: ValueFn<K, V, V2>) -> KStream<K, V2> {
        self.then(|draft, stream| {
            let function = draft.function();
            let mapped = draft.builder.map_values(stream, function);
            draft.nodes.map_values(mapped.node(), code);
            mapped
        })
    }

    /// A new key for every record; `None` is null. A grouping after it repartitions.
    pub fn select_key<K2: 'static>(
        &self,
        function: impl Fn(Option<&K>, Option<&V>) -> Option<K2> + Send + Sync + 'static,
    ) -> KStream<K2, V> {
        self.keyed(Arc::new(move |record, _| Ok(function(record.key, record.value))))
    }

    /// [`KStream::select_key`] with a function that may fail.
    pub fn try_select_key<K2: 'static>(
        &self,
        function: impl Fn(Option<&K>, Option<&V>) -> Result<Option<K2>, BoxError> + Send + Sync + 'static,
    ) -> KStream<K2, V> {
        self.keyed(Arc::new(move |record, _| function(record.key, record.value)))
    }

    fn keyed<K2: 'static>(&self, code: ValueFn<K, V, K2>) -> KStream<K2, V> {
        self.then(|draft, stream| {
            let function = draft.function();
            let keyed = draft.builder.select_key(stream, function);
            draft.nodes.select_key(keyed.node(), code);
            keyed
        })
    }

    /// All records of both streams; those of one stream keep their order.
    pub fn merge(&self, other: &Self) -> Self {
        let merged = match &other.stream {
            None => None,
            Some(other_stream) => self.step(|draft, stream| {
                if !SharedDraft::ptr_eq(&self.draft, &other.draft) {
                    return Err(BuildFault::ForeignStream);
                }
                let merged = draft.builder.merge(stream, other_stream);
                draft.nodes.merge::<K, V>(merged.node());
                Ok(merged)
            }),
        };
        Self::new(&self.draft, merged)
    }

    /// Sends the records through a topic of the application's own, partitioned by their keys. Records without key are dropped.
    pub fn repartition(&self, repartitioned: Repartitioned<K, V>) -> Self {
        let stream = self.step(|draft, stream| {
            let spec = RepartitionSpec {
                name: repartitioned.name,
                partitions: repartitioned.partitions,
                key: repartitioned.key.format(),
                value: repartitioned.value.format(),
            };
            let stream = draft.builder.repartition(stream, spec)?;
            let nodes = stream.repartition().expect("this stream was repartitioned");
            draft.repartition(nodes, &repartitioned.key, &repartitioned.value);
            Ok(stream)
        });
        Self::new(&self.draft, stream)
    }

    /// Groups the records by their keys; if the key may have changed since the records were last partitioned, the aggregation sends them
    /// through a repartition topic first.
    pub fn group_by_key(&self, grouped: Grouped<K, V>) -> KGroupedStream<K, V> {
        KGroupedStream::new(&self.draft, self.stream.clone(), grouped)
    }

    /// Groups the records by a new key, through a repartition topic; `None` drops the record.
    pub fn group_by<K2: 'static>(
        &self,
        key: impl Fn(Option<&K>, Option<&V>) -> Option<K2> + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<K2, V> {
        self.select_key(key).group_by_key(grouped)
    }

    /// [`KStream::group_by`] with a function that may fail.
    pub fn try_group_by<K2: 'static>(
        &self,
        key: impl Fn(Option<&K>, Option<&V>) -> Result<Option<K2>, BoxError> + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<K2, V> {
        self.try_select_key(key).group_by_key(grouped)
    }

    /// Writes the records to a topic, which must exist.
    pub fn to(&self, topic: impl Into<String>, produced: Produced<K, V>) {
        self.step(|draft, stream| {
            let spec = SinkSpec::new(topic, produced.key.format(), produced.value.format());
            let sink = draft.builder.to(stream, spec)?;
            draft.nodes.sink(sink, produced.key, produced.value);
            Ok(())
        });
    }

    /// What happens to records that the step which made this stream fails on; else `processing.exception.handler`. For records that
    /// cannot be read, see [`super::Consumed::on_error`].
    #[must_use]
    pub fn on_error(self, on_error: OnError) -> Self {
        self.step(|draft, stream| {
            draft.processing.insert(stream.node(), on_error);
            Ok(())
        });
        self
    }
}

impl<K: 'static, V: 'static> KStream<Windowed<K>, V> {
    /// Takes the plain key out of the windowed one: `map((windowed, value) -> KeyValue(windowed.key(), value))` without a copy.
    pub fn unwindow_key(&self) -> KStream<K, V> {
        self.then(|draft, stream| {
            let plain = draft.builder.unwindow_key(stream);
            draft.nodes.unwindow_key::<K, V>(plain.node());
            plain
        })
    }
}
