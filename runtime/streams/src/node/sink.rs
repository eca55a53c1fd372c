//! Sinks: typed records to bytes, and to their partition.
//!
//! Record path: see [`super`]; key and value are written into buffers that the sink keeps.

use std::sync::Arc;

use millrace_topology::NodeId;

use super::Process;
use super::scratch::reuse;
use crate::serde::Serde;
use crate::task::{Context, OutputTopic};
use crate::{Record, Result};

pub(super) struct Sink<K, V> {
    pub id: NodeId,
    pub topic: OutputTopic,
    pub topic_name: Arc<str>,
    pub key_serde: Arc<dyn Serde<K>>,
    pub value_serde: Arc<dyn Serde<V>>,
    pub key_buffer: Vec<u8>,
    pub value_buffer: Vec<u8>,
}

impl<K: 'static, V: 'static> Process<K, V> for Sink<K, V> {
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        reuse(&mut self.key_buffer);
        reuse(&mut self.value_buffer);
        if let Some(key) = record.key
            && let Err(error) = self.key_serde.serialize(&self.topic_name, key, &mut self.key_buffer)
        {
            return context.serialization_failed(self.id, &self.topic_name, error);
        }
        if let Some(value) = record.value
            && let Err(error) = self
                .value_serde
                .serialize(&self.topic_name, value, &mut self.value_buffer)
        {
            return context.serialization_failed(self.id, &self.topic_name, error);
        }
        let key = record.key.is_some().then_some(self.key_buffer.as_slice());
        let value = record.value.is_some().then_some(self.value_buffer.as_slice());
        let routing = key.map(|bytes| self.key_serde.partition_key(bytes));
        context.send(self.id, self.topic, routing, key, value, record.timestamp)
    }
}
