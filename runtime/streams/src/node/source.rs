//! Sources: raw records to typed ones, one reader per partition.
//!
//! Record path: see [`super`]; a reader keeps the decoded head of its queue and nothing else.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use millrace_topology::NodeId;

use super::Children;
use crate::serde::Serde;
use crate::task::Context;
use crate::{BoxError, Record, RecordContext, Result};

/// Takes the timestamp (milliseconds; negative: none) out of a record; the context's timestamp is the broker's.
pub type TimestampFn<K, V> = Arc<dyn Fn(Record<'_, K, V>, &RecordContext<'_>) -> Result<i64, BoxError> + Send + Sync>;

/// What came of decoding a raw record.
pub(crate) enum Loaded {
    /// It is the head now; the timestamp is the user's, if there is an extractor.
    Ready(Option<i64>),
    /// It cannot be read.
    Failed(BoxError),
    /// The user's timestamp function failed.
    TimestampFailed(BoxError),
}

/// The typed end of one input partition: holds the decoded head record.
pub(crate) trait InputReader {
    /// Decodes a raw record and keeps it.
    fn load(&mut self, context: &RecordContext<'_>, key: Option<&Bytes>, value: Option<&Bytes>) -> Loaded;
    /// Runs the kept record through the sub-topology.
    fn process(&mut self, timestamp: i64, context: &mut Context<'_>) -> Result<()>;
    /// The source node.
    fn node(&self) -> NodeId;
}

pub(super) struct Reader<K, V> {
    pub id: NodeId,
    pub key_serde: Arc<dyn Serde<K>>,
    pub value_serde: Arc<dyn Serde<V>>,
    pub timestamp: Option<TimestampFn<K, V>>,
    pub key: Option<K>,
    pub value: Option<V>,
    pub children: Rc<RefCell<Children<K, V>>>,
}

impl<K: 'static, V: 'static> InputReader for Reader<K, V> {
    fn load(&mut self, context: &RecordContext<'_>, key: Option<&Bytes>, value: Option<&Bytes>) -> Loaded {
        self.key = match key
            .map(|bytes| self.key_serde.deserialize(context.topic, bytes))
            .transpose()
        {
            Ok(key) => key,
            Err(error) => return Loaded::Failed(error),
        };
        self.value = match value
            .map(|bytes| self.value_serde.deserialize(context.topic, bytes))
            .transpose()
        {
            Ok(value) => value,
            Err(error) => return Loaded::Failed(error),
        };
        let Some(extract) = &self.timestamp else {
            return Loaded::Ready(None);
        };
        let record = Record {
            key: self.key.as_ref(),
            value: self.value.as_ref(),
            timestamp: context.timestamp,
        };
        match extract(record, context) {
            Ok(timestamp) => Loaded::Ready(Some(timestamp)),
            Err(error) => Loaded::TimestampFailed(error),
        }
    }

    #[inline]
    fn process(&mut self, timestamp: i64, context: &mut Context<'_>) -> Result<()> {
        let record = Record {
            key: self.key.as_ref(),
            value: self.value.as_ref(),
            timestamp,
        };
        self.children.borrow_mut().forward(record, context)
    }

    fn node(&self) -> NodeId {
        self.id
    }
}
