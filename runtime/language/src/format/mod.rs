//! Keys and values as Kafka's serdes write them. On the record path.
//!
//! | name | bytes | Java |
//! |---|---|---|
//! | `string` | UTF-8; what is no UTF-8 becomes U+FFFD | `StringSerializer`, `StringDeserializer` |
//! | `long` | 8 bytes, big endian | `LongSerializer`, `LongDeserializer` |
//! | `double` | 8 bytes, big endian | `DoubleSerializer`, `DoubleDeserializer` |
//! | `bytes` | as they are | `ByteArraySerializer`, `ByteArrayDeserializer` |
//! | `json` | JSON text, see [`crate::json`] | Jackson |
//!
//! A record without key or value (Kafka's null) never gets here: it is [`Value::Null`] on both sides, and the caller's business.

use std::fmt;

use bytes::Bytes;

use crate::expression::Type;
use crate::json::{JsonDoc, Kind, Shape, write_value};
use crate::value::{Str, Value};

/// How a key or value is written in a topic.
///
/// ```
/// use millrace_language::format::Format;
/// use millrace_language::json::Shape;
/// use millrace_language::value::Value;
///
/// let long = Format::parse("long").unwrap();
/// let five = long.decode(vec![0, 0, 0, 0, 0, 0, 0, 5].into(), &Shape::empty()).unwrap();
/// assert_eq!(five, Value::from(5));
///
/// let mut out = Vec::new();
/// let error = long.encode(&Value::from("5"), &mut out).unwrap_err();
/// assert_eq!(error.to_string(), "the format is long and the value is a string: convert it with int(..)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// UTF-8 text.
    String,
    /// JSON.
    Json,
    /// A 64-bit integer.
    Long,
    /// A double.
    Double,
    /// Bytes as they are.
    Bytes,
}

/// Bytes that are not in the format, or a value that the format cannot write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    message: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FormatError {}

impl Format {
    /// All formats.
    pub const ALL: [Format; 5] = [
        Format::String,
        Format::Json,
        Format::Long,
        Format::Double,
        Format::Bytes,
    ];

    /// A format by its name in a manifest.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Its name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::String => "string",
            Format::Json => "json",
            Format::Long => "long",
            Format::Double => "double",
            Format::Bytes => "bytes",
        }
    }

    /// The type that expressions see. A record without a value is null for them whatever the type.
    #[must_use]
    pub fn value_type(self) -> Type {
        match self {
            Format::String => Type::String,
            Format::Json => Type::Dyn,
            Format::Long => Type::Int,
            Format::Double => Type::Double,
            Format::Bytes => Type::Bytes,
        }
    }

    /// Reads a key or value. `shape` says which fields of a document will be asked for; other formats do not look at it.
    ///
    /// # Errors
    /// If the bytes are not in this format. Text never is an error.
    pub fn decode(self, bytes: Bytes, shape: &Shape) -> Result<Value, FormatError> {
        match self {
            Format::String => Ok(Value::String(Str::from_java(bytes))),
            Format::Json => match JsonDoc::decode(bytes, shape) {
                Ok(doc) => Ok(Value::Json(doc)),
                Err(e) => Err(error(format!("not valid JSON: {e}"))),
            },
            Format::Long => eight(&bytes, "long").map(|b| Value::Int(i64::from_be_bytes(b))),
            Format::Double => eight(&bytes, "double").map(|b| Value::Double(f64::from_be_bytes(b))),
            Format::Bytes => Ok(Value::Bytes(bytes)),
        }
    }

    /// Appends a key or value to `out`. JSON writes null as `null`; for the other formats null is an error, since a record without
    /// key or value has no bytes at all.
    ///
    /// # Errors
    /// If the value is not of this format's type, or is a number that JSON cannot write (the message names the field).
    pub fn encode(self, value: &Value, out: &mut Vec<u8>) -> Result<(), FormatError> {
        // A scalar that is still a document, e.g. a string read from a JSON topic, goes out as what it is.
        let read;
        let scalar = match value {
            Value::Json(doc) if self != Format::Json && !matches!(doc.root().kind(), Kind::Object | Kind::List) => {
                read = doc.root().to_value().map_err(|e| error(e.to_string()))?;
                &read
            }
            other => other,
        };
        match (self, scalar) {
            (Format::Json, any) => {
                let start = out.len();
                write_value(any, out).map_err(|e| {
                    out.truncate(start);
                    let field = if e.field.is_empty() {
                        "the value"
                    } else {
                        e.field.as_str()
                    };
                    error(format!("{field} is {}, which JSON cannot write", e.number))
                })?;
            }
            (Format::String, Value::String(text)) => out.extend_from_slice(text.as_bytes()),
            (Format::Long, Value::Int(n)) => out.extend_from_slice(&n.to_be_bytes()),
            (Format::Double, Value::Double(d)) => out.extend_from_slice(&d.to_be_bytes()),
            (Format::Double, Value::Int(n)) => out.extend_from_slice(&(*n as f64).to_be_bytes()),
            (Format::Bytes, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
            (Format::Bytes, Value::String(text)) => out.extend_from_slice(text.as_bytes()),
            (_, other) => return Err(self.refuse(other)),
        }
        Ok(())
    }

    #[cold]
    fn refuse(self, value: &Value) -> FormatError {
        let hint = match (self, value) {
            (_, Value::Null) => "",
            (Format::String, Value::Json(_) | Value::Map(_) | Value::List(_)) => ": use the format json for it",
            (Format::String, _) => ": convert it with string(..)",
            (Format::Long, Value::String(_) | Value::Double(_)) => ": convert it with int(..)",
            (Format::Double, Value::String(_)) => ": convert it with double(..)",
            _ => "",
        };
        let article = match value.type_name() {
            "null" => "",
            "int" | "object" => "an ",
            _ => "a ",
        };
        error(format!(
            "the format is {} and the value is {article}{}{hint}",
            self.name(),
            value.type_name()
        ))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn eight(bytes: &[u8], name: &str) -> Result<[u8; 8], FormatError> {
    bytes
        .try_into()
        .map_err(|_| error(format!("a {name} has 8 bytes, and this has {}", bytes.len())))
}

#[cold]
fn error(message: String) -> FormatError {
    FormatError { message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Map;

    fn round(format: Format, bytes: &'static [u8]) -> Result<Vec<u8>, String> {
        let value = format
            .decode(Bytes::from_static(bytes), &Shape::empty())
            .map_err(|e| e.to_string())?;
        let mut out = Vec::new();
        format.encode(&value, &mut out).map_err(|e| e.to_string())?;
        Ok(out)
    }

    #[test]
    fn bytes_are_those_of_kafkas_serdes() {
        for (format, bytes, written) in [
            (Format::String, &b"caf\xc3\xa9"[..], &b"caf\xc3\xa9"[..]),
            (Format::String, b"a\xffb", "a\u{fffd}b".as_bytes()),
            (Format::String, b"", b""),
            (
                Format::Long,
                b"\xff\xff\xff\xff\xff\xff\xff\xfe",
                b"\xff\xff\xff\xff\xff\xff\xff\xfe",
            ),
            (Format::Double, b"\x3f\xf8\0\0\0\0\0\0", b"\x3f\xf8\0\0\0\0\0\0"),
            (Format::Bytes, b"\0\xff", b"\0\xff"),
            (Format::Json, b" {\"b\": 1.50, \"a\":[ ]} ", b"{\"b\": 1.50, \"a\":[ ]}"),
        ] {
            assert_eq!(round(format, bytes).as_deref(), Ok(written), "{format}");
        }
        assert_eq!(
            round(Format::Long, b"1234").unwrap_err(),
            "a long has 8 bytes, and this has 4"
        );
        assert_eq!(
            round(Format::Json, b"{\"a\":1").unwrap_err(),
            "not valid JSON: the input ends where a comma or } is due at byte 6"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let inner = Value::from(Map::from_iter([(
            "mean",
            Value::from(vec![Value::from(1.0), Value::from(f64::NAN)]),
        )]));
        let outer = Value::from(Map::from_iter([("user", Value::from("u")), ("stats", inner)]));
        let mut out = b"kept".to_vec();
        let error = Format::Json.encode(&outer, &mut out).unwrap_err();
        assert_eq!(error.to_string(), "stats.mean[1] is NaN, which JSON cannot write");
        assert_eq!(out, b"kept");
        let error = Format::Json.encode(&Value::from(f64::INFINITY), &mut out).unwrap_err();
        assert_eq!(error.to_string(), "the value is inf, which JSON cannot write");
        let error = Format::String.encode(&Value::from(5), &mut out).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the format is string and the value is an int: convert it with string(..)"
        );
    }

    #[test]
    fn a_scalar_document_is_written_as_its_type() {
        let mut out = Vec::new();
        let text = Format::Json
            .decode(Bytes::from_static(b"\"u\\u0031\""), &Shape::empty())
            .unwrap();
        Format::String.encode(&text, &mut out).unwrap();
        assert_eq!(out, b"u1");
    }
}
