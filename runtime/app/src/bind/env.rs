//! A record of the engine as expressions see it.
//!
//! Record path: borrows, allocates nothing.

use std::sync::Arc;

use millrace::kafka::log::Header;
use millrace::node::NodeTable;
use millrace::serde::Serde;
use millrace::{Record, RecordContext, Windowed};
use millrace_language::expression::{Env, Headers};
use millrace_language::value::Value;
use millrace_topology::{FormatName, NodeId};

use super::formats::{key_coder, windowed_key_coder};

/// What is absent.
static NULL: Value = Value::Null;

/// A key on an edge: a value, or a value within a window.
pub(super) trait Key: Clone + Send + 'static {
    /// The key that expressions see.
    fn value(&self) -> &Value;
    /// The window, milliseconds since 1970.
    fn window(&self) -> Option<(i64, i64)>;
    /// Registers a sink that is fed such keys.
    fn sink(table: &mut NodeTable, id: NodeId, key: &FormatName, value: Arc<dyn Serde<Value>>);
}

impl Key for Value {
    fn value(&self) -> &Value {
        self
    }

    fn window(&self) -> Option<(i64, i64)> {
        None
    }

    fn sink(table: &mut NodeTable, id: NodeId, key: &FormatName, value: Arc<dyn Serde<Value>>) {
        table.sink::<Value, Value>(id, key_coder(key), value);
    }
}

impl Key for Windowed<Value> {
    fn value(&self) -> &Value {
        &self.key
    }

    fn window(&self) -> Option<(i64, i64)> {
        Some((self.start, self.end))
    }

    fn sink(table: &mut NodeTable, id: NodeId, key: &FormatName, value: Arc<dyn Serde<Value>>) {
        table.sink::<Windowed<Value>, Value>(id, windowed_key_coder(key), value);
    }
}

/// Runs `work` with the record as an expression sees it.
#[inline]
pub(super) fn with_env<K: Key, R>(
    record: &Record<'_, K, Value>,
    context: &RecordContext<'_>,
    work: impl FnOnce(&Env<'_>) -> R,
) -> R {
    let headers = RecordHeaders(context.headers);
    work(&Env {
        key: record.key.map_or(&NULL, Key::value),
        value: record.value.unwrap_or(&NULL),
        timestamp: record.timestamp,
        topic: context.topic,
        partition: context.partition,
        offset: context.offset,
        headers: &headers,
        window: record.key.and_then(Key::window),
    })
}

/// The engine's headers, as the language asks for them.
struct RecordHeaders<'a>(&'a [Header]);

impl Headers for RecordHeaders<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        let last = self.0.iter().rev().find(|header| header.name == name)?;
        Some(last.value.as_deref().unwrap_or_default())
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        self.0.iter().for_each(|header| visit(&header.name));
    }
}
