//! Reading parts of a checked document. On the record path: only strings with escapes allocate.

use bytes::Bytes;

use super::doc::JsonDoc;
use super::text::{key_equals, skip_plain, unescape};
use crate::expression::EvalError;
use crate::value::{Str, Value};

/// A value inside of a checked document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonRef<'a> {
    doc: &'a Bytes,
    start: u32,
    end: u32,
}

/// The type of a JSON value. Numbers without fraction or exponent are `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    List,
    String,
    Int,
    Double,
    Bool,
    Null,
}

impl<'a> JsonRef<'a> {
    pub(crate) fn whole(doc: &'a Bytes) -> Self {
        Self::new(doc, 0, doc.len())
    }

    pub(super) fn new(doc: &'a Bytes, start: usize, end: usize) -> Self {
        JsonRef {
            doc,
            start: start as u32,
            end: end as u32,
        }
    }

    #[inline]
    pub(crate) fn raw(self) -> &'a [u8] {
        &self.doc[self.start as usize..self.end as usize]
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        let raw = self.raw();
        match raw[0] {
            b'{' => Kind::Object,
            b'[' => Kind::List,
            b'"' => Kind::String,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            _ if raw.iter().all(|b| matches!(b, b'-' | b'0'..=b'9')) => Kind::Int,
            _ => Kind::Double,
        }
    }

    /// The value of a field of an object; of duplicate keys the last. `None` if this is no object.
    pub(crate) fn field(self, name: &[u8]) -> Option<JsonRef<'a>> {
        find_field(self, name)
    }

    /// What stands between the quotes of a string.
    #[inline]
    pub(crate) fn between_quotes(self) -> &'a [u8] {
        &self.doc[self.start as usize + 1..self.end as usize - 1]
    }

    /// Whether a string, such as a key, is this text.
    #[inline]
    pub(crate) fn is_text(self, text: &str) -> bool {
        let raw = self.between_quotes();
        raw == text.as_bytes() || (raw.contains(&b'\\') && key_equals(raw, true, text.as_bytes()))
    }

    /// The text of a string, in the document's buffer if it has no escapes.
    pub(crate) fn text_bytes(self) -> Bytes {
        let text = self.between_quotes();
        if text.contains(&b'\\') {
            Bytes::from(unescape(text))
        } else {
            self.doc.slice(self.start as usize + 1..self.end as usize - 1)
        }
    }

    /// The value by itself: scalars are read, objects and lists stay JSON.
    pub(crate) fn to_value(self) -> Result<Value, EvalError> {
        Ok(match self.kind() {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(self.raw()[0] == b't'),
            Kind::Int => Value::Int(parse_int(self.raw())?),
            Kind::Double => Value::Double(parse_double(self.raw())),
            Kind::String => Value::String(Str::from_checked(self.text_bytes())),
            Kind::Object | Kind::List => Value::Json(self.to_doc()),
        })
    }

    pub(crate) fn to_doc(self) -> JsonDoc {
        JsonDoc::part(self.doc.slice(self.start as usize..self.end as usize))
    }
}

/// A JSON number without fraction or exponent.
///
/// # Errors
/// If it does not fit into 64 bits.
pub(crate) fn parse_int(raw: &[u8]) -> Result<i64, EvalError> {
    let (negative, digits) = match raw {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // Eighteen digits always fit.
    if digits.len() <= 18 {
        let n = digits.iter().fold(0i64, |n, &d| n * 10 + i64::from(d - b'0'));
        return Ok(if negative { -n } else { n });
    }
    let text = crate::value::checked(raw);
    text.parse()
        .map_err(|_| EvalError::new(format!("the integer {text} does not fit into 64 bits")))
}

/// Any JSON number, as the nearest double.
pub(crate) fn parse_double(raw: &[u8]) -> f64 {
    // A number of few digits and a small power of ten is exact by one division (Clinger's fast path).
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    if raw.len() <= 16 {
        let (negative, digits) = match raw {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let (mut mantissa, mut decimals, mut seen_point, mut plain) = (0u64, 0usize, false, true);
        for &b in digits {
            match b {
                b'0'..=b'9' => {
                    mantissa = mantissa * 10 + u64::from(b - b'0');
                    decimals += usize::from(seen_point);
                }
                b'.' => seen_point = true,
                _ => plain = false,
            }
        }
        if plain {
            let n = mantissa as f64 / POWERS[decimals];
            return if negative { -n } else { n };
        }
    }
    crate::value::checked(raw)
        .parse()
        .expect("a checked number is a number for Rust")
}

/// The end of the value that starts at `at`, in a checked document.
fn value_end(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        b'"' => string_end(bytes, at),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0usize, at);
            loop {
                match bytes[at] {
                    b'"' => at = string_end(bytes, at) - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        _ => {
            let length = bytes[at..]
                .iter()
                .position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r'));
            length.map_or(bytes.len(), |n| at + n)
        }
    }
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        at = skip_plain(bytes, at);
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn next_token(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes[at], b' ' | b'\n' | b'\t' | b'\r' | b',' | b':') {
        at += 1;
    }
    at
}

/// The entries of an object, in the document's order, duplicates included; nothing for anything else.
pub(crate) fn entries<'a>(object: JsonRef<'a>) -> impl Iterator<Item = (JsonRef<'a>, JsonRef<'a>)> {
    let bytes = &object.doc[..object.end as usize];
    let mut at = if bytes[object.start as usize] == b'{' {
        object.start as usize + 1
    } else {
        bytes.len()
    };
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        at = next_token(bytes, at);
        if bytes[at] == b'}' {
            return None;
        }
        let key = JsonRef::new(object.doc, at, string_end(bytes, at));
        let start = next_token(bytes, key.end as usize);
        at = value_end(bytes, start);
        Some((key, JsonRef::new(object.doc, start, at)))
    })
}

/// The elements of a list; nothing for anything else.
pub(crate) fn elements<'a>(list: JsonRef<'a>) -> impl Iterator<Item = JsonRef<'a>> {
    let bytes = &list.doc[..list.end as usize];
    let mut at = if bytes[list.start as usize] == b'[' {
        list.start as usize + 1
    } else {
        bytes.len()
    };
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let start = next_token(bytes, at);
        if bytes[start] == b']' {
            return None;
        }
        at = value_end(bytes, start);
        Some(JsonRef::new(list.doc, start, at))
    })
}

/// The value of a field of an object; of duplicate keys the last.
pub(crate) fn find_field<'a>(object: JsonRef<'a>, name: &[u8]) -> Option<JsonRef<'a>> {
    let mut found = None;
    for (key, value) in entries(object) {
        let key = key.between_quotes();
        if key_equals(key, key.contains(&b'\\'), name) {
            found = Some(value);
        }
    }
    found
}
