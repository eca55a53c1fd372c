//! Text that shares its buffer, and names that live as long as the process.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use bytes::Bytes;

/// UTF-8 text over a shared buffer. Cloning counts a reference; it never copies.
///
/// ```
/// use millrace_language::value::Str;
///
/// let user = Str::from("user-1");
/// assert_eq!(user.as_str(), "user-1");
/// assert_eq!(Str::from_java(bytes::Bytes::from_static(b"a\xff")), "a\u{fffd}");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str(Bytes);

impl Str {
    /// Text whose bytes are known to be UTF-8 because they were checked as part of something larger.
    pub(crate) fn from_checked(bytes: Bytes) -> Self {
        debug_assert!(std::str::from_utf8(&bytes).is_ok());
        Str(bytes)
    }

    /// Text from bytes as Java reads them (`new String(bytes, UTF_8)`, JDK 17): what is no UTF-8 becomes U+FFFD, in as many
    /// replacement characters as Java writes.
    #[must_use]
    pub fn from_java(bytes: Bytes) -> Self {
        match decode_like_java(&bytes) {
            Cow::Borrowed(_) => Str(bytes),
            Cow::Owned(text) => Str::from(text),
        }
    }

    /// Text that lives as long as the process; cloning it touches no counter.
    #[must_use]
    pub fn from_static(text: &'static str) -> Self {
        Str(Bytes::from_static(text.as_bytes()))
    }

    /// Its UTF-8 bytes: enough to compare, search and write it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text. This checks the bytes again, some nanoseconds for a short text: prefer [`Str::as_bytes`] on the record path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        checked_text(&self.0)
    }

    /// The shared buffer.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The shared buffer.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// Bytes of a [`Str`], or of a JSON document, as text.
pub(crate) fn checked_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text was checked when it was read")
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Str(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Str(Bytes::from(text.into_bytes()))
    }
}

impl From<Name> for Str {
    fn from(name: Name) -> Self {
        Str::from_static(name.0)
    }
}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A field name out of a manifest. Equal names are one text in memory, which lives as long as the process: there are as many as
/// manifests have words, and a record that carries one then counts no reference that another core counts too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(&'static str);

impl Name {
    /// The one copy of `text`. Takes a lock: for compiling only.
    #[must_use]
    pub fn new(text: &str) -> Self {
        static NAMES: LazyLock<Mutex<HashMap<&'static str, ()>>> = LazyLock::new(Mutex::default);
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, ())) = names.get_key_value(text) {
            return Name(known);
        }
        let kept: &'static str = Box::leak(text.into());
        names.insert(kept, ());
        Name(kept)
    }

    /// Its text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// Decodes UTF-8 with the number of replacement characters that JDK 17 writes.
///
/// Java and the Unicode recommendation (which `String::from_utf8_lossy` follows) agree but for one case: an encoded surrogate,
/// `ED A0..BF xx`, is one error for Java, as far as its bytes are there, and one error a byte for Rust.
pub(crate) fn decode_like_java(bytes: &[u8]) -> Cow<'_, str> {
    let mut rest = bytes;
    let mut text = match std::str::from_utf8(rest) {
        Ok(text) => return Cow::Borrowed(text),
        Err(_) => String::with_capacity(bytes.len() + 8),
    };
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return Cow::Owned(text);
            }
            Err(e) => {
                let (valid, bad) = rest.split_at(e.valid_up_to());
                text.push_str(checked_text(valid));
                text.push('\u{fffd}');
                rest = &bad[malformed_length(bad, e.error_len())..];
            }
        }
    }
}

fn malformed_length(bad: &[u8], length: Option<usize>) -> usize {
    let continuation = |b: Option<&u8>| b.is_some_and(|b| (0x80..0xC0).contains(b));
    let encoded_surrogate = bad[0] == 0xED && bad.get(1).is_some_and(|b| (0xA0..0xC0).contains(b));
    match (encoded_surrogate, length) {
        (true, _) if continuation(bad.get(2)) => 3,
        (true, _) => 2,
        (false, Some(length)) => length,
        // The text ends inside of a character.
        (false, None) => bad.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All four-byte strings over an alphabet of critical bytes, decoded and encoded again; the checksum is JDK 17's.
    #[test]
    fn replacement_characters_are_as_many_as_javas() {
        const ALPHABET: [u8; 25] = [
            0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
            0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff,
        ];
        let mut crc = 0xFFFF_FFFFu32;
        let mut add = |byte: u8| {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1));
            }
        };
        for index in 0..ALPHABET.len().pow(4) {
            let digit = |n: u32| ALPHABET[index / ALPHABET.len().pow(3 - n) % ALPHABET.len()];
            let bytes = [digit(0), digit(1), digit(2), digit(3)];
            decode_like_java(&bytes).bytes().for_each(&mut add);
            add(b'\n');
        }
        assert_eq!(!crc, 0x3aa9_ae46);
    }

    #[test]
    fn single_cases_of_java() {
        for (bytes, expected) in [
            (&b"\xff"[..], "R"),
            (b"\xc0\x80", "RR"),
            (b"\xed\xa0\x80", "R"),
            (b"\xed\xa0a", "Ra"),
            (b"\xed\xa0", "R"),
            (b"\xf0\x9f\x98", "R"),
            (b"\xf0\x9fa", "Ra"),
            (b"\xf4\x90\x80\x80", "RRRR"),
            (b"\xed\xbf\xbf\xed\xa0\x80", "RR"),
            (b"\xe0\x80", "RR"),
        ] {
            assert_eq!(decode_like_java(bytes).replace('\u{fffd}', "R"), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn equal_names_are_one_text() {
        assert!(std::ptr::eq(
            Name::new("amount").as_str(),
            Name::new(&String::from("amount")).as_str()
        ));
        assert_ne!(Name::new("amount"), Name::new("Amount"));
    }
}
