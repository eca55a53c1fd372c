//! JSON as the record path needs it: checked whole in one pass, read lazily, passed through as the bytes it came in.
//!
//! * [`JsonDoc::decode`] checks a document once and, in the same pass, notes where the fields lie that expressions will ask for
//!   (a [`Shape`]). Nothing is allocated for up to four fields.
//! * Whatever else is asked for is found by a scan of the checked bytes, and strings are unescaped only when they are read.
//! * A document that is passed on is written as its own bytes.
//!
//! What is valid is what Jackson's `ObjectMapper.readTree(byte[])` accepts (2.21) with `FAIL_ON_TRAILING_TOKENS`, because that is what
//! careful Java applications beside us accept:
//!
//! * The whole record is one JSON value, white space around it aside. Input that is empty, and anything after the value, is an error:
//!   it would be lost silently otherwise. (Jackson's default ignores the rest, and reads nothing as `MissingNode`.)
//! * At most 1000 levels of nesting, 1000 digits a number, 50,000 characters a name, 20,000,000 a string.
//! * A byte order mark of UTF-8 is skipped. Of duplicate keys the last wins, in the place of the first.
//!
//! Two things differ on purpose. Every invalid UTF-8 sequence is refused (Jackson lets overlong forms pass), and UTF-16 and UTF-32,
//! which Jackson guesses from zero bytes, are refused as the invalid JSON that they are to everybody else.

mod doc;
mod read;
mod scan;
mod shape;
mod text;
mod write;

pub use doc::JsonDoc;
pub(crate) use doc::Known;
pub(crate) use read::{JsonRef, Kind, elements, entries, find_field};
pub(crate) use read::{parse_double, parse_int};
pub use scan::JsonError;
pub use shape::{Path, Shape};
pub(crate) use text::unescape;
pub(crate) use write::write_value;

#[cfg(test)]
mod tests;
