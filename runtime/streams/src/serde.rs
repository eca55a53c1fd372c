//! Bytes to values and back, byte for byte as Kafka's own serializers do it.
//!
//! Record path: `serialize` appends to the caller's buffer; `deserialize` shares the batch's bytes where it can.

use bytes::Bytes;
use millrace_topology::FormatName;

use crate::{BoxError, Windowed};

/// A serializer and a deserializer of one type.
pub trait Serde<T>: Send + Sync + 'static {
    /// Reads a value; `topic` is for schemas and messages.
    fn deserialize(&self, topic: &str, data: &Bytes) -> Result<T, BoxError>;
    /// Appends the value's bytes to `out`.
    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), BoxError>;
    /// The part of a serialised key that decides its partition: all of it, but for windowed keys, which go where their inner key goes.
    fn partition_key<'a>(&self, serialized: &'a [u8]) -> &'a [u8] {
        serialized
    }
    /// The format's name in the plan, for people, and for comparing plans: two formats of one name must read each other's bytes. By default
    /// the name of the serde's type.
    fn format(&self) -> FormatName {
        std::any::type_name::<Self>().into()
    }
}

/// Kafka's `StringSerde`: UTF-8; what is not UTF-8 becomes U+FFFD.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringSerde;

impl Serde<String> for StringSerde {
    fn deserialize(&self, _topic: &str, data: &Bytes) -> Result<String, BoxError> {
        Ok(String::from_utf8_lossy(data).into_owned())
    }

    fn serialize(&self, _topic: &str, value: &String, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn format(&self) -> FormatName {
        "string".into()
    }
}

/// Kafka's `LongSerde`: 8 bytes, big endian.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongSerde;

impl Serde<i64> for LongSerde {
    fn deserialize(&self, _topic: &str, data: &Bytes) -> Result<i64, BoxError> {
        Ok(i64::from_be_bytes(eight(data, "long")?))
    }

    fn serialize(&self, _topic: &str, value: &i64, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn format(&self) -> FormatName {
        "long".into()
    }
}

/// Kafka's `DoubleSerde`: 8 bytes, big endian.
#[derive(Clone, Copy, Debug, Default)]
pub struct DoubleSerde;

impl Serde<f64> for DoubleSerde {
    fn deserialize(&self, _topic: &str, data: &Bytes) -> Result<f64, BoxError> {
        Ok(f64::from_be_bytes(eight(data, "double")?))
    }

    fn serialize(&self, _topic: &str, value: &f64, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn format(&self) -> FormatName {
        "double".into()
    }
}

fn eight(data: &Bytes, what: &str) -> Result<[u8; 8], BoxError> {
    <[u8; 8]>::try_from(data.as_ref()).map_err(|_| format!("a {what} has 8 bytes, this has {}", data.len()).into())
}

/// Kafka's `BytesSerde`.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesSerde;

impl Serde<Bytes> for BytesSerde {
    fn deserialize(&self, _topic: &str, data: &Bytes) -> Result<Bytes, BoxError> {
        Ok(data.clone())
    }

    fn serialize(&self, _topic: &str, value: &Bytes, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn format(&self) -> FormatName {
        "bytes".into()
    }
}

/// Any serde type as JSON (serde_json).
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonSerde;

impl<T: serde::Serialize + serde::de::DeserializeOwned> Serde<T> for JsonSerde {
    fn deserialize(&self, _topic: &str, data: &Bytes) -> Result<T, BoxError> {
        Ok(serde_json::from_slice(data)?)
    }

    fn serialize(&self, _topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
        Ok(serde_json::to_writer(out, value)?)
    }

    fn format(&self) -> FormatName {
        "json".into()
    }
}

/// Kafka's `TimeWindowedSerde`: the inner key's bytes, then the window's start, 8 bytes, big endian. The end follows from the size.
#[derive(Clone, Debug)]
pub struct TimeWindowedSerde<S> {
    inner: S,
    size_ms: i64,
}

impl<S> TimeWindowedSerde<S> {
    /// Windows of `size_ms` milliseconds around keys of `inner`.
    pub fn new(inner: S, size_ms: i64) -> Self {
        Self { inner, size_ms }
    }
}

impl<K, S: Serde<K>> Serde<Windowed<K>> for TimeWindowedSerde<S> {
    fn deserialize(&self, topic: &str, data: &Bytes) -> Result<Windowed<K>, BoxError> {
        let Some(split) = data.len().checked_sub(8) else {
            return Err(format!("a windowed key has at least 8 bytes, this has {}", data.len()).into());
        };
        let key = self.inner.deserialize(topic, &data.slice(..split))?;
        let start = i64::from_be_bytes(eight(&data.slice(split..), "window start")?);
        Ok(Windowed {
            key,
            start,
            end: start.saturating_add(self.size_ms),
        })
    }

    fn serialize(&self, topic: &str, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        self.inner.serialize(topic, &value.key, out)?;
        out.extend_from_slice(&value.start.to_be_bytes());
        Ok(())
    }

    fn partition_key<'a>(&self, serialized: &'a [u8]) -> &'a [u8] {
        &serialized[..serialized.len() - 8]
    }

    fn format(&self) -> FormatName {
        format!("windowed({})", self.inner.format()).into()
    }
}

impl<T: 'static, S: Serde<T> + ?Sized> Serde<T> for std::sync::Arc<S> {
    fn deserialize(&self, topic: &str, data: &Bytes) -> Result<T, BoxError> {
        (**self).deserialize(topic, data)
    }

    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
        (**self).serialize(topic, value, out)
    }

    fn partition_key<'a>(&self, serialized: &'a [u8]) -> &'a [u8] {
        (**self).partition_key(serialized)
    }

    fn format(&self) -> FormatName {
        (**self).format()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windowed_keys_are_partitioned_by_their_inner_key() {
        let serde = TimeWindowedSerde::new(StringSerde, 300_000);
        let mut out = Vec::new();
        serde
            .serialize(
                "t",
                &Windowed {
                    key: "ada".to_owned(),
                    start: 600_000,
                    end: 900_000,
                },
                &mut out,
            )
            .unwrap();
        assert_eq!(out, [b"ada".as_slice(), &600_000_i64.to_be_bytes()].concat());
        assert_eq!(Serde::<Windowed<String>>::partition_key(&serde, &out), b"ada");
        let back: Windowed<String> = serde.deserialize("t", &Bytes::from(out)).unwrap();
        assert_eq!(
            back,
            Windowed {
                key: "ada".to_owned(),
                start: 600_000,
                end: 900_000
            }
        );
    }
}
