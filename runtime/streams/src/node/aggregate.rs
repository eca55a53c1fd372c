//! Grouped aggregation, over all time or over tumbling windows (`KStreamAggregate`, `KStreamWindowAggregate`).
//!
//! Record path: see [`super`]; one state access per record, which the overlay answers for hot rows.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use millrace_topology::NodeId;

use super::scratch::reuse;
use super::{Change, Children, Process};
use crate::serde::Serde;
use crate::task::{CachedRow, Context, Row, StoreSlot};
use crate::{BoxError, Record, RecordContext, Result, Windowed};

/// A user's aggregation: what a group starts from, and how a record is added.
///
/// `A` is what is stored, `R` what goes downstream.
pub trait Aggregator<K, V, A, R: Clone>: Send + Sync + 'static {
    /// The aggregate of no record.
    fn initial(&self) -> A;
    /// The aggregate with one more record; `None` deletes the row.
    fn add(&self, record: Record<'_, K, V>, context: &RecordContext<'_>, aggregate: A) -> Result<Option<A>, BoxError>;
    /// What downstream sees of a stored aggregate.
    fn view<'a>(&self, aggregate: &'a A) -> Result<Cow<'a, R>, BoxError>;
}

/// Forwards what waits in the record cache.
pub(crate) trait Flush {
    /// Forwards every unforwarded row, in the order in which they became so.
    fn flush(&mut self, context: &mut Context<'_>) -> Result<()>;
}

/// How rows of this node are keyed and what key goes downstream.
pub(super) trait Keying<K>: 'static {
    /// The downstream key.
    type Out: 'static;
    /// Appends what follows the key's bytes in the store.
    fn suffix(window_start: i64, row_key: &mut Vec<u8>);
    /// Splits a row key into the group key's bytes and the window's start.
    fn split(row_key: &[u8]) -> (&[u8], i64);
    /// Makes the downstream key.
    fn key(key: K, start: i64, size_ms: i64) -> Self::Out;
}

/// Over all time.
pub(super) struct Plain;

impl<K: 'static> Keying<K> for Plain {
    type Out = K;
    fn suffix(_: i64, _: &mut Vec<u8>) {}
    fn split(row_key: &[u8]) -> (&[u8], i64) {
        (row_key, 0)
    }
    fn key(key: K, _: i64, _: i64) -> K {
        key
    }
}

/// Per window: `key | i64 start | i32 0` (`WindowKeySchema`).
pub(super) struct PerWindow;

impl<K: 'static> Keying<K> for PerWindow {
    type Out = Windowed<K>;
    fn suffix(window_start: i64, row_key: &mut Vec<u8>) {
        row_key.extend_from_slice(&window_start.to_be_bytes());
        row_key.extend_from_slice(&0_i32.to_be_bytes());
    }
    fn split(row_key: &[u8]) -> (&[u8], i64) {
        let (key, rest) = row_key.split_at(row_key.len() - 12);
        (key, i64::from_be_bytes(rest[..8].try_into().expect("8 of 12 bytes")))
    }
    fn key(key: K, start: i64, size_ms: i64) -> Windowed<K> {
        Windowed {
            key,
            start,
            end: start.saturating_add(size_ms),
        }
    }
}

/// The node.
pub(super) struct Aggregate<K, V, A, R: Clone, W: Keying<K>> {
    pub id: NodeId,
    pub slot: StoreSlot,
    /// Size and grace of the windows, milliseconds; `None` over all time.
    pub window: Option<(i64, i64)>,
    pub store_name: Arc<str>,
    pub key_serde: Arc<dyn Serde<K>>,
    pub value_serde: Arc<dyn Serde<A>>,
    pub aggregator: Arc<dyn Aggregator<K, V, A, R>>,
    /// Whether old values are asked for downstream.
    pub sends_old: bool,
    pub children: Children<W::Out, Change<R>>,
    pub row_key: Vec<u8>,
    pub row_value: Vec<u8>,
    pub cached: CachedRow,
}

impl<K: Clone + 'static, V: 'static, A: 'static, R: Clone + 'static, W: Keying<K>> Aggregate<K, V, A, R, W> {
    fn window_start(&self, timestamp: i64, context: &mut Context<'_>) -> Option<i64> {
        let Some((size, grace)) = self.window else {
            return Some(0);
        };
        let stream_time = context.observe_stream_time(self.slot, timestamp);
        let start = timestamp - timestamp.rem_euclid(size);
        if start.saturating_add(size) > stream_time.saturating_sub(grace) {
            Some(start.max(0))
        } else {
            None
        }
    }

    /// Row bytes are `i64 timestamp | value`, as in Java's timestamped stores.
    fn update(&mut self, record: Record<'_, K, V>, key: &K, start: i64, context: &mut Context<'_>) -> Result<()> {
        reuse(&mut self.row_key);
        if let Err(error) = self.key_serde.serialize(&self.store_name, key, &mut self.row_key) {
            return context.processing_failed(self.id, error);
        }
        W::suffix(start, &mut self.row_key);
        let (before, old_timestamp) = match context.read(self.slot, &self.row_key)? {
            None => (self.aggregator.initial(), i64::MIN),
            Some(row) => {
                let (timestamp, bytes) = row.split();
                match self.value_serde.deserialize(&self.store_name, &bytes) {
                    Ok(aggregate) => (aggregate, timestamp),
                    Err(error) => return context.processing_failed(self.id, error),
                }
            }
        };
        let timestamp = record.timestamp.max(old_timestamp);
        // Of a row that is cached it is what was forwarded before that counts.
        let old = match (self.sends_old && !context.stores.is_cached(self.slot)).then(|| self.view(Some(&before))) {
            Some(Err(error)) => return context.processing_failed(self.id, error),
            Some(Ok(old)) => old,
            None => None,
        };
        let after = match self.aggregator.add(record, context.record(), before) {
            Ok(after) => after,
            Err(error) => return context.processing_failed(self.id, error),
        };
        reuse(&mut self.row_value);
        if let Some(after) = &after {
            self.row_value.extend_from_slice(&timestamp.to_be_bytes());
            if let Err(error) = self.value_serde.serialize(&self.store_name, after, &mut self.row_value) {
                return context.processing_failed(self.id, error);
            }
        }
        let row = after.is_some().then_some(self.row_value.as_slice());
        if context.cache_row(self.slot, &self.row_key, row, timestamp) {
            return self.make_room(context);
        }
        context.put_row(self.slot, &self.row_key, row, timestamp)?;
        self.forward(key.clone(), start, after.as_ref(), old, timestamp, context)
    }

    /// Keeps the record cache within its budget. As in Kafka, one row that must be forwarded takes all unforwarded ones with it.
    fn make_room(&mut self, context: &mut Context<'_>) -> Result<()> {
        let mut row = std::mem::take(&mut self.cached);
        let mut done = Ok(());
        while done.is_ok() && context.stores.evict(self.slot, &mut row) {
            done = self
                .forward_row(&row, context)
                .and_then(|()| self.forward_dirty(&mut row, context));
        }
        self.cached = row;
        done
    }

    fn forward_dirty(&mut self, row: &mut CachedRow, context: &mut Context<'_>) -> Result<()> {
        for _ in 0..context.stores.dirty_count(self.slot) {
            if !context.stores.pop_dirty(self.slot, row) {
                break;
            }
            self.forward_row(row, context)?;
        }
        context.stores.release_headers(self.slot);
        Ok(())
    }

    /// Writes the changelog record of a row that leaves the cache unforwarded, and forwards it in its own record's context.
    fn forward_row(&mut self, cached: &CachedRow, context: &mut Context<'_>) -> Result<()> {
        let stored = context.stores.stored_context(self.slot, cached);
        let (row_key, row) = (cached.key(), cached.value());
        // As in Java's caching stores: what came and went within the cache is nobody's business.
        let mut old = None;
        if row.is_none() || self.sends_old {
            old = context.stores.forwarded_before(self.slot, cached)?;
            if row.is_none() && old.is_none() {
                return Ok(());
            }
        }
        let mut context = context.within(&stored);
        let context = &mut context;
        context.log_row(self.slot, row_key, row, stored.timestamp)?;
        let (key_bytes, start) = W::split(row_key);
        let key = match self
            .key_serde
            .deserialize(&self.store_name, &Bytes::copy_from_slice(key_bytes))
        {
            Ok(key) => key,
            Err(error) => return context.processing_failed(self.id, error),
        };
        let old = old.filter(|_| self.sends_old).map(|row| self.aggregate_of(row));
        let old = match old
            .transpose()
            .and_then(|old| self.view(old.as_ref().map(|(_, old)| old)))
        {
            Ok(old) => old,
            Err(error) => return context.processing_failed(self.id, error),
        };
        match row.map(|row| self.aggregate_of(Row::copy_from(row))).transpose() {
            Ok(Some((timestamp, aggregate))) => self.forward(key, start, Some(&aggregate), old, timestamp, context),
            Ok(None) => self.forward(key, start, None, old, stored.timestamp, context),
            Err(error) => context.processing_failed(self.id, error),
        }
    }

    /// A row's time and aggregate.
    fn aggregate_of(&self, row: Row) -> Result<(i64, A), BoxError> {
        let (timestamp, bytes) = row.split();
        Ok((timestamp, self.value_serde.deserialize(&self.store_name, &bytes)?))
    }

    /// What downstream sees of an aggregate.
    fn view(&self, aggregate: Option<&A>) -> Result<Option<R>, BoxError> {
        let view = aggregate.map(|aggregate| self.aggregator.view(aggregate)).transpose()?;
        Ok(view.map(Cow::into_owned))
    }

    /// Hands downstream what it sees of a row.
    fn forward(
        &mut self,
        key: K,
        start: i64,
        row: Option<&A>,
        old: Option<R>,
        timestamp: i64,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let change = match self.view(row) {
            Ok(new) => Change { new, old },
            Err(error) => return context.processing_failed(self.id, error),
        };
        let size = self.window.map_or(0, |(size, _)| size);
        let out = W::key(key, start, size);
        let record = Record {
            key: Some(&out),
            value: Some(&change),
            timestamp,
        };
        self.children.forward(record, context)
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static, R: Clone + 'static, W: Keying<K>> Process<K, V>
    for Aggregate<K, V, A, R, W>
{
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        let Some(key) = record.key else {
            context.dropped("null key in an aggregation");
            return Ok(());
        };
        // Over all time Java drops null values; per window it hands them to the aggregator.
        if self.window.is_none() && record.value.is_none() {
            context.dropped("null value in an aggregation");
            return Ok(());
        }
        match self.window_start(record.timestamp, context) {
            Some(start) => self.update(record, key, start, context),
            None => {
                context.dropped("its window is closed");
                Ok(())
            }
        }
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static, R: Clone + 'static, W: Keying<K>> Flush for Aggregate<K, V, A, R, W> {
    fn flush(&mut self, context: &mut Context<'_>) -> Result<()> {
        let mut row = std::mem::take(&mut self.cached);
        let done = self.forward_dirty(&mut row, context);
        self.cached = row;
        done
    }
}

/// Lets the task flush a node that its parent also feeds.
pub(super) struct Handle<N>(pub Rc<RefCell<N>>);

impl<K, V, N: Process<K, V>> Process<K, V> for Handle<N> {
    #[inline]
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        self.0.borrow_mut().process(record, context)
    }
}

impl<N: Flush> Flush for Handle<N> {
    fn flush(&mut self, context: &mut Context<'_>) -> Result<()> {
        self.0.borrow_mut().flush(context)
    }
}
