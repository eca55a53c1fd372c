//! The language's formats as the engine's serdes.
//!
//! Record path: a document shares the batch's bytes; writing appends to the caller's buffer.

use std::sync::Arc;

use bytes::Bytes;
use millrace::serde::{Serde, TimeWindowedSerde};
use millrace::{BoxError, Windowed};
use millrace_language::format::Format;
use millrace_language::json::Shape;
use millrace_language::value::Value;
use millrace_topology::FormatName;

/// A format, and the fields that will be asked of its documents.
#[derive(Clone, Debug)]
pub(super) struct Coder {
    format: Format,
    shape: Shape,
}

impl Coder {
    /// A format by its name in the plan.
    ///
    /// # Panics
    /// If there is no such format: the lowering has checked it.
    pub(super) fn named(name: &FormatName, shape: Shape) -> Self {
        let format = Format::parse(&name.0).unwrap_or_else(|| panic!("{name} is no format: a defect of the lowering"));
        Self { format, shape }
    }

    /// For what is written, or read back whole.
    pub(super) fn written(name: &FormatName) -> Self {
        Self::named(name, Shape::empty())
    }
}

impl Serde<Value> for Coder {
    #[inline]
    fn deserialize(&self, _topic: &str, data: &Bytes) -> Result<Value, BoxError> {
        Ok(self.format.decode(data.clone(), &self.shape)?)
    }

    #[inline]
    fn serialize(&self, _topic: &str, value: &Value, out: &mut Vec<u8>) -> Result<(), BoxError> {
        Ok(self.format.encode(value, out)?)
    }
}

/// The serde of plain keys.
pub(super) fn key_coder(name: &FormatName) -> Arc<dyn Serde<Value>> {
    Arc::new(Coder::written(name))
}

/// The serde of windowed keys, from `windowed(<format>)`. It is only written with, so the window's size does not matter.
pub(super) fn windowed_key_coder(name: &FormatName) -> Arc<dyn Serde<Windowed<Value>>> {
    let inner = name.0.strip_prefix("windowed(").and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.unwrap_or_else(|| panic!("{name} is no windowed format: a defect of the lowering"));
    Arc::new(TimeWindowedSerde::new(
        Coder::written(&FormatName::from(inner)),
        i64::MAX,
    ))
}
