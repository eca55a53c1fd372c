//! What flows along the edges of an application that comes from a manifest.
//!
//! A [`Value`] is cheap to clone: text and bytes share their buffer, lists and maps are behind an `Arc`, and a JSON document stays
//! the bytes that it was read from ([`JsonDoc`]) until somebody asks for a field. Nothing here locks or waits;
//! the record path runs through this module.
//!
//! The types are CEL's, without `uint`. Maps have text keys and keep the order in which their fields were given, because that
//! order is what an operator sees in the output.

mod map;
mod text;
mod time;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use map::{Map, ObjectBuilder};
pub(crate) use text::checked_text as checked;
pub use text::{Name, Str};
pub use time::{Duration, Timestamp};

use crate::json::JsonDoc;

/// A key, a value, a field or the result of an expression.
///
/// Equality is Rust's (same type, same content; a document equals a document with the same bytes). CEL's `==`, by which `1 == 1.0`,
/// is what expressions use.
///
/// ```
/// use millrace_language::value::{Map, Value};
///
/// let total = Value::from(Map::from_iter([("totalAmount", Value::from(12.5)), ("count", Value::from(3))]));
/// assert_eq!(total.to_string(), r#"{"totalAmount":12.5,"count":3}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value: a tombstone, or JSON's `null` inside a document.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A 64-bit integer: Kafka's long, and JSON numbers without fraction or exponent.
    Int(i64),
    /// A double: every other JSON number.
    Double(f64),
    /// Text.
    String(Str),
    /// Bytes.
    Bytes(Bytes),
    /// A point in time.
    Timestamp(Timestamp),
    /// A length of time.
    Duration(Duration),
    /// A list.
    List(Arc<Vec<Value>>),
    /// An object whose fields were computed here.
    Map(Arc<Map>),
    /// An object, list or scalar that is still the JSON it was read from.
    Json(JsonDoc),
}

impl Value {
    /// The name of its type, as error messages use it: CEL's names, and `object` for a map.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Double(_) => "double",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Timestamp(_) => "timestamp",
            Value::Duration(_) => "duration",
            Value::List(_) => "list",
            Value::Map(_) => "object",
            Value::Json(doc) => doc.type_name(),
        }
    }

    /// Whether it is null: no value at all, or the JSON document `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Json(doc) => doc.raw().first() == Some(&b'n'),
            _ => false,
        }
    }
}

/// As JSON, for people: timestamps and durations as text, bytes in base64, and `NaN` for what JSON cannot write.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Value::Double(d) = self
            && !d.is_finite()
        {
            return write!(f, "{d}");
        }
        let mut out = Vec::new();
        match crate::json::write_value(self, &mut out) {
            Ok(()) => f.write_str(&String::from_utf8_lossy(&out)),
            Err(_) => write!(f, "<{} with a number that JSON cannot write>", self.type_name()),
        }
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Value::Bool(v)
    }
}

impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Value::Int(v)
    }
}

impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Value::Double(v)
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Value::String(Str::from(v))
    }
}

impl From<String> for Value {
    fn from(v: String) -> Self {
        Value::String(Str::from(v))
    }
}

impl From<Str> for Value {
    fn from(v: Str) -> Self {
        Value::String(v)
    }
}

impl From<Bytes> for Value {
    fn from(v: Bytes) -> Self {
        Value::Bytes(v)
    }
}

impl From<Vec<Value>> for Value {
    fn from(v: Vec<Value>) -> Self {
        Value::List(Arc::new(v))
    }
}

impl From<Map> for Value {
    fn from(v: Map) -> Self {
        Value::Map(Arc::new(v))
    }
}

impl From<JsonDoc> for Value {
    fn from(v: JsonDoc) -> Self {
        Value::Json(v)
    }
}
