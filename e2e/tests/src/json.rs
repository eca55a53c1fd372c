//! JSON as it is compared: fields in their order, integers as integers, doubles by their bits.
//!
//! Texts may differ where values do not: JDK 17 prints some doubles with more digits than needed.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value whose equality is the comparison's: `{"a":1,"b":2}` is not `{"b":2,"a":1}`, `1` is not `1.0`, `0.0` is not `-0.0`.
#[derive(Clone)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i128),
    Double(f64),
    String(String),
    List(Vec<Json>),
    /// In the order of the text, duplicates included.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one JSON text.
    ///
    /// # Errors
    /// What serde_json says, if it is none.
    pub fn parse(text: &[u8]) -> Result<Json, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// A field of an object.
    pub fn get(&self, field: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.iter().find(|(name, _)| name == field).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) => true,
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Int(a), Json::Int(b)) => a == b,
            (Json::Double(a), Json::Double(b)) => a.to_bits() == b.to_bits(),
            (Json::String(a), Json::String(b)) => a == b,
            (Json::List(a), Json::List(b)) => a == b,
            (Json::Object(a), Json::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(b) => write!(f, "{b}"),
            Json::Int(n) => write!(f, "{n}"),
            Json::Double(d) => write!(f, "{d:?}"),
            Json::String(s) => write!(f, "{s:?}"),
            Json::List(items) => f.debug_list().entries(items).finish(),
            Json::Object(fields) => f.debug_map().entries(fields.iter().map(|(k, v)| (k, v))).finish(),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, b: bool) -> Result<Json, E> {
                Ok(Json::Bool(b))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Json, E> {
                Ok(Json::Int(n.into()))
            }
            fn visit_u64<E>(self, n: u64) -> Result<Json, E> {
                Ok(Json::Int(n.into()))
            }
            fn visit_f64<E>(self, d: f64) -> Result<Json, E> {
                Ok(Json::Double(d))
            }
            fn visit_str<E>(self, s: &str) -> Result<Json, E> {
                Ok(Json::String(s.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Json::Object(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_by_order_kind_and_bits() {
        for (a, b, equal) in [
            (r#"{"a":1,"b":2}"#, r#"{ "a": 1, "b": 2 }"#, true),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, false),
            ("1", "1.0", false),
            ("0.0", "-0.0", false),
            ("2.0E-3", "0.002", true),
            // One double, as JDK 17 and as everybody else prints it.
            ("2.0000000000000003E-3", "0.0020000000000000003", true),
            ("0.1", "0.10000000000000002", false),
            (r#""\u00e9""#, "\"é\"", true),
            ("[1,null]", "[1,null]", true),
            ("[1,null]", "[1]", false),
            ("9007199254740993", "9007199254740992", false),
        ] {
            let read = |text: &str| Json::parse(text.as_bytes()).unwrap();
            assert_eq!(read(a) == read(b), equal, "{a} and {b}");
        }
    }
}
