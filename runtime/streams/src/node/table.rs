//! Nodes on tables: filter and mapValues keep deletions, toStream unpacks the change.
//!
//! Record path: see [`super`].

use millrace_topology::NodeId;

use super::{Change, Children, PredicateFn, Process, ValueFn};
use crate::task::Context;
use crate::{Record, Result};

/// `KTable.filter` and `filterNot` without a store: what does not match is forwarded as a deletion (`KTableFilter`).
pub(super) struct TableFilter<K, V> {
    pub id: NodeId,
    pub predicate: PredicateFn<K, V>,
    pub negate: bool,
    pub children: Children<K, Change<V>>,
}

impl<K, V> Process<K, Change<V>> for TableFilter<K, V> {
    fn process(&mut self, record: Record<'_, K, Change<V>>, context: &mut Context<'_>) -> Result<()> {
        let row = Record {
            key: record.key,
            value: record.value.and_then(|change| change.new.as_ref()),
            timestamp: record.timestamp,
        };
        let keep = match row.value {
            None => false,
            Some(_) => match (self.predicate)(row, context.record()) {
                Ok(matches) => matches != self.negate,
                Err(error) => return context.processing_failed(self.id, error),
            },
        };
        if keep {
            self.children.forward(record, context)
        } else {
            let gone = Change { new: None };
            self.children.forward(
                Record {
                    key: record.key,
                    value: Some(&gone),
                    timestamp: record.timestamp,
                },
                context,
            )
        }
    }
}

/// `KTable.mapValues` without a store; a deletion stays one (`KTableMapValues`).
pub(super) struct TableMapValues<K, V, V2> {
    pub id: NodeId,
    pub function: ValueFn<K, V, V2>,
    pub children: Children<K, Change<V2>>,
}

impl<K, V, V2> Process<K, Change<V>> for TableMapValues<K, V, V2> {
    fn process(&mut self, record: Record<'_, K, Change<V>>, context: &mut Context<'_>) -> Result<()> {
        let row = Record {
            key: record.key,
            value: record.value.and_then(|change| change.new.as_ref()),
            timestamp: record.timestamp,
        };
        let new = match row.value {
            None => None,
            Some(_) => match (self.function)(row, context.record()) {
                Ok(value) => value,
                Err(error) => return context.processing_failed(self.id, error),
            },
        };
        let change = Change { new };
        self.children.forward(
            Record {
                key: record.key,
                value: Some(&change),
                timestamp: record.timestamp,
            },
            context,
        )
    }
}

/// `KTable.toStream`.
pub(super) struct ToStream<K, V> {
    pub children: Children<K, V>,
}

impl<K, V> Process<K, Change<V>> for ToStream<K, V> {
    #[inline]
    fn process(&mut self, record: Record<'_, K, Change<V>>, context: &mut Context<'_>) -> Result<()> {
        let row = Record {
            key: record.key,
            value: record.value.and_then(|change| change.new.as_ref()),
            timestamp: record.timestamp,
        };
        self.children.forward(row, context)
    }
}
