//! Nodes on tables: filter and mapValues keep deletions, toStream unpacks the change.
//!
//! A filter needs the row's old value: whoever did not see the row need not be told that it is gone.
//!
//! Record path: see [`super`].

use millrace_topology::NodeId;

use super::{Change, Children, PredicateFn, Process, ValueFn};
use crate::task::Context;
use crate::{BoxError, Record, RecordContext, Result};

/// `KTable.filter` and `filterNot` without a store: what no longer matches is forwarded as a deletion, what did not match before either
/// is not forwarded at all (`KTableFilter`).
pub(super) struct TableFilter<K, V> {
    pub id: NodeId,
    pub predicate: PredicateFn<K, V>,
    pub negate: bool,
    /// Whether children ask for old values.
    pub sends_old: bool,
    pub children: Children<K, Change<V>>,
}

impl<K, V> TableFilter<K, V> {
    fn keeps(
        &self,
        record: Record<'_, K, Change<V>>,
        value: Option<&V>,
        context: &RecordContext<'_>,
    ) -> Result<bool, BoxError> {
        let row = Record {
            key: record.key,
            value,
            timestamp: record.timestamp,
        };
        Ok(value.is_some() && (self.predicate)(row, context)? != self.negate)
    }
}

impl<K, V: Clone> Process<K, Change<V>> for TableFilter<K, V> {
    fn process(&mut self, record: Record<'_, K, Change<V>>, context: &mut Context<'_>) -> Result<()> {
        let Some(change) = record.value else { return Ok(()) };
        let (new, old) = match self
            .keeps(record, change.new.as_ref(), context.record())
            .and_then(|new| Ok((new, self.keeps(record, change.old.as_ref(), context.record())?)))
        {
            Ok(kept) => kept,
            Err(error) => return context.processing_failed(self.id, error),
        };
        // A value that nobody looks at may stay.
        if new && (old || !self.sends_old) {
            return self.children.forward(record, context);
        }
        if !new && !old {
            return Ok(());
        }
        let kept = |keep: bool, value: &Option<V>| if keep && self.sends_old { value.clone() } else { None };
        let change = Change {
            new: kept(new, &change.new),
            old: kept(old, &change.old),
        };
        let changed = Record {
            key: record.key,
            value: Some(&change),
            timestamp: record.timestamp,
        };
        self.children.forward(changed, context)
    }
}

/// `KTable.mapValues` without a store; a deletion stays one (`KTableMapValues`).
pub(super) struct TableMapValues<K, V, V2> {
    pub id: NodeId,
    pub function: ValueFn<K, V, V2>,
    /// Whether children ask for old values.
    pub sends_old: bool,
    pub children: Children<K, Change<V2>>,
}

impl<K, V, V2> Process<K, Change<V>> for TableMapValues<K, V, V2> {
    fn process(&mut self, record: Record<'_, K, Change<V>>, context: &mut Context<'_>) -> Result<()> {
        let Some(change) = record.value else { return Ok(()) };
        let mapped = |value: Option<&V>| match value {
            None => Ok(None),
            Some(_) => {
                let row = Record {
                    key: record.key,
                    value,
                    timestamp: record.timestamp,
                };
                (self.function)(row, context.record())
            }
        };
        let old = change.old.as_ref().filter(|_| self.sends_old);
        let change = match mapped(change.new.as_ref()).and_then(|new| Ok(Change { new, old: mapped(old)? })) {
            Ok(change) => change,
            Err(error) => return context.processing_failed(self.id, error),
        };
        let changed = Record {
            key: record.key,
            value: Some(&change),
            timestamp: record.timestamp,
        };
        self.children.forward(changed, context)
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
