//! What an expression can name: known types before, a record later.

use std::fmt;

use crate::value::Value;

/// A type as far as it is known before there are records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Known only when the record is there: everything inside of JSON.
    Dyn,
    /// Null.
    Null,
    /// True or false.
    Bool,
    /// A 64-bit integer.
    Int,
    /// A double.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A point in time.
    Timestamp,
    /// A length of time.
    Duration,
    /// A list.
    List,
    /// An object.
    Map,
    /// A value that may be there, from `value.?x`; never the type of a whole expression.
    Optional,
}

impl Type {
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    /// Whether a value of this type can be one of `other`.
    pub(crate) fn fits(self, other: Type) -> bool {
        self == other
            || (self == Type::Dyn && other != Type::Optional)
            || (other == Type::Dyn && self != Type::Optional)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Dyn => "any",
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Double => "double",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Timestamp => "timestamp",
            Type::Duration => "duration",
            Type::List => "list",
            Type::Map => "object",
            Type::Optional => "optional",
        })
    }
}

/// What an expression may name, with types as far as they are known: always `key`, `value`, `timestamp`, `headers`, `topic`,
/// `partition` and `offset`; `window.start` and `window.end` after a windowed aggregation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub(crate) key: Type,
    pub(crate) value: Type,
    pub(crate) window: bool,
}

impl Scope {
    /// For records with a key and a value of these types.
    #[must_use]
    pub fn new(key: Type, value: Type) -> Self {
        Scope {
            key,
            value,
            window: false,
        }
    }

    /// With `window.start` and `window.end`.
    #[must_use]
    pub fn with_window(mut self) -> Self {
        self.window = true;
        self
    }
}

/// The headers of a record.
pub trait Headers {
    /// The value of the last header of this name; a header without value counts as empty.
    fn get(&self, name: &str) -> Option<&[u8]>;

    /// Calls `visit` with every name, in any order, repeated ones at will.
    fn names(&self, visit: &mut dyn FnMut(&str));
}

/// No headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn get(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn names(&self, _: &mut dyn FnMut(&str)) {}
}

impl Headers for Vec<(String, Vec<u8>)> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_slice())
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        self.iter().for_each(|(name, _)| visit(name));
    }
}

/// One record, as an expression sees it.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The key.
    pub key: &'a Value,
    /// The value.
    pub value: &'a Value,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The topic that the record was read from.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its headers.
    pub headers: &'a dyn Headers,
    /// Start and end of the window, in milliseconds since 1970.
    pub window: Option<(i64, i64)>,
}

impl fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}@{} {} -> {}",
            self.topic, self.partition, self.offset, self.key, self.value
        )
    }
}
