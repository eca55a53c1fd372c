//! Values as JSON. On the record path: writes into the caller's buffer and allocates nothing for text and numbers.
//!
//! * Doubles are the shortest decimal that reads back as the same double, with a point or an exponent, e.g. `5.0`, `1e+18`, `1.5e-7`.
//!   Java reads the same bits from it; the digits can differ from what JDK 17 writes, whose text is not always the shortest.
//! * Strings are escaped as Jackson does: quote, backslash and control characters, nothing else.
//! * A document that was read is written as it was.
//! * What JSON has no type for is a string: timestamps in RFC 3339, durations in seconds (`5400s`), bytes in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::value::Value;

/// The field whose number JSON cannot write, from the outside in; empty: the value itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NotANumber {
    pub(crate) field: String,
    pub(crate) number: String,
}

/// Appends `value` to `out`.
pub(crate) fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), NotANumber> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(n) => write_int(*n, out),
        Value::Double(d) if d.is_finite() => write_double(*d, out),
        Value::Double(d) => {
            return Err(NotANumber {
                field: String::new(),
                number: d.to_string(),
            });
        }
        Value::String(text) => write_string(text.as_bytes(), out),
        Value::Bytes(bytes) => write_string(STANDARD.encode(bytes).as_bytes(), out),
        Value::Timestamp(t) => write_string(t.to_string().as_bytes(), out),
        Value::Duration(d) => write_string(d.to_string().as_bytes(), out),
        Value::Json(doc) => out.extend_from_slice(doc.raw()),
        Value::List(list) => {
            out.push(b'[');
            for (i, element) in list.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(element, out).map_err(|e| e.inside(&format!("[{i}]")))?;
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.push(b'{');
            for (i, (name, element)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(name.as_bytes(), out);
                out.push(b':');
                write_value(element, out).map_err(|e| e.inside(name.as_str()))?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

impl NotANumber {
    #[cold]
    fn inside(self, outer: &str) -> Self {
        let separator = if self.field.is_empty() || self.field.starts_with('[') {
            ""
        } else {
            "."
        };
        NotANumber {
            field: format!("{outer}{separator}{}", self.field),
            number: self.number,
        }
    }
}

/// Appends a finite double.
fn write_double(d: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(zmij::Buffer::new().format_finite(d).as_bytes());
}

fn write_int(n: i64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = n.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    out.extend_from_slice(&digits[at..]);
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'"');
    let mut from = 0;
    loop {
        let at = super::text::skip_plain(text, from);
        out.extend_from_slice(&text[from..at]);
        let Some(&b) = text.get(at) else { break };
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[(b >> 4) as usize], HEX[(b & 15) as usize]]),
        }
        from = at + 1;
    }
    out.push(b'"');
}
