//! The one pass over a document that checks it and notes the fields of a shape. On the record path: no allocation but for keys
//! with escapes while a shape is looked for.

use std::fmt;

use super::doc::Slots;
use super::shape::{Node, Shape};
use super::text::{key_equals, skip_plain};

/// Why a document is no JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Bytes from the start of the document.
    pub offset: usize,
    message: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for JsonError {}

// Jackson's StreamReadConstraints.
const MAX_DEPTH: u32 = 1000;
const MAX_DIGITS: usize = 1000;
const MAX_NAME: usize = 50_000;
const MAX_STRING: usize = 20_000_000;

/// Where the first value of the input lies; `None` if there is only white space.
pub(super) fn scan(bytes: &[u8], shape: &Shape, slots: &mut Slots) -> Result<std::ops::Range<usize>, JsonError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.as_bytes(),
        Err(e) => &bytes[..e.valid_up_to()],
    };
    let mut scanner = Scanner {
        bytes: text,
        broken_text: text.len() < bytes.len(),
        at: 0,
        depth: 0,
        shape,
        slots,
    };
    if bytes.len() > u32::MAX as usize {
        return Err(scanner.error("the document is larger than 4 GiB"));
    }
    if text.starts_with(b"\xef\xbb\xbf") {
        scanner.at = 3;
    }
    scanner.white_space();
    let start = scanner.at;
    scanner.value(Some(shape.root()))?;
    let end = scanner.at;
    scanner.root_end()?;
    for slot in slots.iter_mut() {
        slot.shift(start as u32);
    }
    Ok(start..end)
}

struct Scanner<'b, 's> {
    /// The part of the input that is UTF-8.
    bytes: &'b [u8],
    broken_text: bool,
    at: usize,
    depth: u32,
    shape: &'s Shape,
    slots: &'s mut Slots,
}

impl<'s> Scanner<'_, 's> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, node: Option<&'s Node>) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => {
                self.string(MAX_STRING)?;
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => self.nested(|s| s.object(node)),
            Some(b'[') => self.nested(Self::array),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn nested(&mut self, content: impl FnOnce(&mut Self) -> Result<(), JsonError>) -> Result<(), JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("the document nests deeper than 1000 levels"));
        }
        self.depth += 1;
        self.at += 1;
        self.white_space();
        content(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.white_space();
            self.value(None)?;
            self.white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected("a comma or ]")),
            }
        }
    }

    fn object(&mut self, node: Option<&'s Node>) -> Result<(), JsonError> {
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.white_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a field name in double quotes"));
            }
            let key = self.at + 1;
            let escaped = self.string(MAX_NAME)?;
            let child = node.and_then(|node| self.child(node, key, self.at - 1, escaped));
            self.white_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("a colon"));
            }
            self.at += 1;
            self.white_space();
            let start = self.at;
            if let Some(child) = child {
                // Of duplicate keys the last wins, and with it what is (not) below it.
                for slot in &mut self.slots[child.slots_from as usize..child.slots_to as usize] {
                    slot.clear();
                }
                self.value(Some(child))?;
                if let Some(slot) = child.slot {
                    self.slots[slot as usize].set(start, self.at);
                }
            } else {
                self.value(None)?;
            }
            self.white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected("a comma or }")),
            }
        }
    }

    #[inline]
    fn child(&self, node: &'s Node, start: usize, end: usize, escaped: bool) -> Option<&'s Node> {
        let key = &self.bytes[start..end];
        let (_, child) = node
            .children
            .iter()
            .find(|(name, _)| key_equals(key, escaped, name.as_str().as_bytes()))?;
        Some(self.shape.node(*child))
    }

    /// A string, and whether it has escapes.
    #[inline]
    fn string(&mut self, limit: usize) -> Result<bool, JsonError> {
        let start = self.at + 1;
        self.at = start;
        let mut escaped = false;
        loop {
            self.at = skip_plain(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(control) => {
                    return Err(self.error(&format!(
                        "the control character \\u{control:04X} must be escaped in a string"
                    )));
                }
                None => return Err(self.unexpected("the end of a string")),
            }
        }
        // Bytes are at least as many as Java's characters: only a text that is long enough is counted.
        if self.at - start > limit && super::text::java_length(&self.bytes[start..self.at]) > limit {
            self.at = start - 1;
            return Err(self.error(&format!("the string is longer than {limit} characters")));
        }
        self.at += 1;
        Ok(escaped)
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.unexpected("a hexadecimal digit"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.unexpected("an escape that JSON knows")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let mut digits = self.digits()?;
        if leading_zero && digits > 1 {
            self.at = start;
            return Err(self.error("a number must not start with a zero"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            digits += self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            digits += self.digits()?;
        }
        if digits > MAX_DIGITS {
            self.at = start;
            return Err(self.error("the number has more than 1000 digits"));
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<usize, JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.unexpected("a digit"))
        } else {
            Ok(self.at - start)
        }
    }

    #[inline]
    fn literal(&mut self, word: &[u8]) -> Result<(), JsonError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.error("neither a value in quotes nor true, false or null"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Nothing but white space may follow the value: a second value would be lost silently.
    fn root_end(&mut self) -> Result<(), JsonError> {
        self.white_space();
        if self.at == self.bytes.len() && !self.broken_text {
            Ok(())
        } else {
            Err(self.unexpected("the end of the document"))
        }
    }

    #[cold]
    fn unexpected(&self, wanted: &str) -> JsonError {
        match self.peek() {
            Some(b) if b.is_ascii_graphic() => self.error(&format!("{:?} where {wanted} is due", char::from(b))),
            Some(b) if b < 0x80 => self.error(&format!("the control character \\u{b:04X} where {wanted} is due")),
            Some(_) => self.error(&format!("a character outside of ASCII where {wanted} is due")),
            None if self.broken_text => self.error("invalid UTF-8"),
            None => self.error(&format!("the input ends where {wanted} is due")),
        }
    }

    #[cold]
    fn error(&self, message: &str) -> JsonError {
        JsonError {
            offset: self.at,
            message: message.to_owned(),
        }
    }
}
