//! A checked document with the places of the fields that were asked for.

use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use super::read::{JsonRef, Kind, entries};
use super::scan::{JsonError, scan};
use super::shape::{Path, Shape};
use crate::value::{Map, Str, Value};

/// A JSON value that is still its bytes: checked whole, read field by field.
///
/// ```
/// use millrace_language::json::{JsonDoc, Shape};
///
/// let doc = JsonDoc::decode(br#" {"a": 1, "b": [true]} "#[..].into(), &Shape::empty()).unwrap();
/// assert_eq!(doc.raw(), &br#"{"a": 1, "b": [true]}"#[..]);
/// let error = JsonDoc::decode(br#"{"a": 1,}"#[..].into(), &Shape::empty()).unwrap_err();
/// assert_eq!(error.to_string(), "'}' where a field name in double quotes is due at byte 8");
/// ```
#[derive(Clone)]
pub struct JsonDoc {
    raw: Bytes,
    slots: Slots,
}

pub(super) type Slots = SmallVec<[Slot; 4]>;

/// Where the value of a path lies. Documents are limited to 4 GiB so that this is small.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    path: u32,
    start: u32,
    /// Zero: the document has no such field.
    len: u32,
}

impl Slot {
    pub(super) fn absent(path: Path) -> Self {
        Slot {
            path: path.id(),
            start: 0,
            len: 0,
        }
    }

    pub(super) fn set(&mut self, start: usize, end: usize) {
        self.start = start as u32;
        self.len = (end - start) as u32;
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Makes it relative to the document instead of the input.
    pub(super) fn shift(&mut self, by: u32) {
        if self.len > 0 {
            self.start -= by;
        }
    }
}

/// What a document's slots say of a path.
pub(crate) enum Known<'a> {
    /// Its value.
    Present(JsonRef<'a>),
    /// The document does not have it.
    Absent,
    /// Nobody asked for this path when the document was read.
    Unknown,
}

impl JsonDoc {
    /// Checks `bytes` and notes the fields of `shape`.
    ///
    /// # Errors
    /// If they are no JSON; the message says at which byte.
    pub fn decode(bytes: Bytes, shape: &Shape) -> Result<Self, JsonError> {
        let mut slots = shape.slots();
        let raw = match scan(&bytes, shape, &mut slots)? {
            value if value == (0..bytes.len()) => bytes,
            value => bytes.slice(value),
        };
        Ok(JsonDoc { raw, slots })
    }

    /// A part of a checked document.
    pub(crate) fn part(raw: Bytes) -> Self {
        JsonDoc {
            raw,
            slots: Slots::new(),
        }
    }

    /// The JSON.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The JSON of a field; `None` if the document does not have it.
    #[must_use]
    pub fn raw_field(&self, path: Path) -> Option<&[u8]> {
        let found = match self.known(path) {
            Known::Present(value) => Some(value),
            Known::Absent => None,
            Known::Unknown => path
                .segments()
                .iter()
                .try_fold(self.root(), |at, name| at.field(name.as_str().as_bytes())),
        };
        found.map(JsonRef::raw)
    }

    /// Whether it is a JSON object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.raw.first() == Some(&b'{')
    }

    pub(crate) fn type_name(&self) -> &'static str {
        self.root().kind().name()
    }

    pub(crate) fn root(&self) -> JsonRef<'_> {
        JsonRef::whole(&self.raw)
    }

    #[inline]
    pub(crate) fn known(&self, path: Path) -> Known<'_> {
        match self.slots.iter().find(|slot| slot.path == path.id()) {
            Some(Slot { len: 0, .. }) => Known::Absent,
            Some(slot) => Known::Present(JsonRef::new(
                &self.raw,
                slot.start as usize,
                (slot.start + slot.len) as usize,
            )),
            None => Known::Unknown,
        }
    }

    /// The fields of an object. Nested objects and lists stay documents, and so does an integer that does not fit into 64 bits: it is
    /// an error for whoever reads it, not for who passes it on.
    pub(crate) fn fields(&self) -> Map {
        let mut map = Map::with_capacity(8);
        for (key, value) in entries(self.root()) {
            let field = value.to_value().unwrap_or_else(|_| Value::Json(value.to_doc()));
            map.insert(Str::from_checked(key.text_bytes()), field);
        }
        map
    }
}

impl PartialEq for JsonDoc {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl fmt::Debug for JsonDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonDoc({})", String::from_utf8_lossy(&self.raw))
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Object => "object",
            Kind::List => "list",
            Kind::String => "string",
            Kind::Int => "int",
            Kind::Double => "double",
            Kind::Bool => "bool",
            Kind::Null => "null",
        }
    }
}
