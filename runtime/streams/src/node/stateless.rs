//! Nodes without state: filter, map, mapValues, selectKey, merge.
//!
//! Record path: see [`super`].

use millrace_topology::NodeId;

use super::{Children, KeyValueFn, PredicateFn, Process, ValueFn};
use crate::task::Context;
use crate::{Record, Result, Windowed};

/// `KStream.filter` and `filterNot`.
pub(super) struct Filter<K, V> {
    pub id: NodeId,
    pub predicate: PredicateFn<K, V>,
    pub negate: bool,
    pub children: Children<K, V>,
}

impl<K, V> Process<K, V> for Filter<K, V> {
    #[inline]
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        match (self.predicate)(record, context.record()) {
            Ok(matches) if matches != self.negate => self.children.forward(record, context),
            Ok(_) => Ok(()),
            Err(error) => context.processing_failed(self.id, error),
        }
    }
}

/// `KStream.map`.
pub(super) struct Map<K, V, K2, V2> {
    pub id: NodeId,
    pub function: KeyValueFn<K, V, K2, V2>,
    pub children: Children<K2, V2>,
}

impl<K, V, K2, V2> Process<K, V> for Map<K, V, K2, V2> {
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        match (self.function)(record, context.record()) {
            Ok((key, value)) => {
                let mapped = Record {
                    key: key.as_ref(),
                    value: value.as_ref(),
                    timestamp: record.timestamp,
                };
                self.children.forward(mapped, context)
            }
            Err(error) => context.processing_failed(self.id, error),
        }
    }
}

/// `KStream.mapValues`.
pub(super) struct MapValues<K, V, V2> {
    pub id: NodeId,
    pub function: ValueFn<K, V, V2>,
    pub children: Children<K, V2>,
}

impl<K, V, V2> Process<K, V> for MapValues<K, V, V2> {
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        match (self.function)(record, context.record()) {
            Ok(value) => {
                let mapped = Record {
                    key: record.key,
                    value: value.as_ref(),
                    timestamp: record.timestamp,
                };
                self.children.forward(mapped, context)
            }
            Err(error) => context.processing_failed(self.id, error),
        }
    }
}

/// `KStream.selectKey`.
pub(super) struct SelectKey<K, V, K2> {
    pub id: NodeId,
    pub function: ValueFn<K, V, K2>,
    pub children: Children<K2, V>,
}

impl<K, V, K2> Process<K, V> for SelectKey<K, V, K2> {
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        match (self.function)(record, context.record()) {
            Ok(key) => {
                let keyed = Record {
                    key: key.as_ref(),
                    value: record.value,
                    timestamp: record.timestamp,
                };
                self.children.forward(keyed, context)
            }
            Err(error) => context.processing_failed(self.id, error),
        }
    }
}

/// The `map` that takes the plain key out of a windowed one.
pub(super) struct UnwindowKey<K, V> {
    pub children: Children<K, V>,
}

impl<K, V> Process<Windowed<K>, V> for UnwindowKey<K, V> {
    #[inline]
    fn process(&mut self, record: Record<'_, Windowed<K>, V>, context: &mut Context<'_>) -> Result<()> {
        let plain = Record {
            key: record.key.map(|windowed| &windowed.key),
            value: record.value,
            timestamp: record.timestamp,
        };
        self.children.forward(plain, context)
    }
}

/// `KStream.merge`: passes on.
pub(super) struct Pass<K, V> {
    pub children: Children<K, V>,
}

impl<K, V> Process<K, V> for Pass<K, V> {
    #[inline]
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        self.children.forward(record, context)
    }
}

/// What Java puts before the sink of a grouping's repartition topic: records without key are dropped and counted.
pub(super) struct RepartitionFilter<K, V> {
    pub children: Children<K, V>,
}

impl<K, V> Process<K, V> for RepartitionFilter<K, V> {
    #[inline]
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        if record.key.is_none() {
            context.dropped("null key before a repartition");
            return Ok(());
        }
        self.children.forward(record, context)
    }
}
