//! A stretch of a partition: records in one arena, in offset order.
//!
//! On the record path: one copy in, one copy out, nothing allocated per record unless it has headers.

use crate::log::{BatchBuilder, Header};

/// A segment takes no more records once it holds this many bytes of keys and values…
const FULL_BYTES: usize = 1 << 20;
/// …or this many records.
const FULL_RECORDS: usize = 1 << 14;

/// No producer: the record is in no transaction.
pub(super) const NO_PRODUCER: i64 = -1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    /// The end of a transaction: it has an offset and is never handed out.
    Marker,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub offset: i64,
    pub timestamp: i64,
    /// The producer whose transaction the record is in, or [`NO_PRODUCER`].
    pub producer: i64,
    start: u32,
    /// -1 is null.
    key_len: i32,
    /// -1 is null.
    value_len: i32,
    headers_start: u32,
    headers_len: u32,
    pub kind: Kind,
}

#[derive(Debug, Default)]
pub(super) struct Segment {
    entries: Vec<Entry>,
    arena: Vec<u8>,
    headers: Vec<Header>,
    max_timestamp: i64,
}

impl Segment {
    pub fn is_full(&self) -> bool {
        self.arena.len() >= FULL_BYTES || self.entries.len() >= FULL_RECORDS
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * size_of::<Entry>()
    }

    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    pub fn first_offset(&self) -> Option<i64> {
        self.entries.first().map(|entry| entry.offset)
    }

    pub fn last_offset(&self) -> Option<i64> {
        self.entries.last().map(|entry| entry.offset)
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries at or after `offset`.
    pub fn entries_from(&self, offset: i64) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.offset < offset);
        &self.entries[first..]
    }

    pub fn push(&mut self, at: Stamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) {
        let start = self.arena.len() as u32;
        self.arena.extend_from_slice(key.unwrap_or_default());
        self.arena.extend_from_slice(value.unwrap_or_default());
        let headers_start = self.headers.len() as u32;
        self.headers.extend_from_slice(headers);
        if self.entries.is_empty() || at.timestamp > self.max_timestamp {
            self.max_timestamp = at.timestamp;
        }
        self.entries.push(Entry {
            offset: at.offset,
            timestamp: at.timestamp,
            producer: at.producer,
            start,
            key_len: key.map_or(-1, |bytes| bytes.len() as i32),
            value_len: value.map_or(-1, |bytes| bytes.len() as i32),
            headers_start,
            headers_len: headers.len() as u32,
            kind: at.kind,
        });
    }

    pub fn key(&self, entry: &Entry) -> Option<&[u8]> {
        let start = entry.start as usize;
        (entry.key_len >= 0).then(|| &self.arena[start..start + entry.key_len as usize])
    }

    pub fn value(&self, entry: &Entry) -> Option<&[u8]> {
        let start = entry.start as usize + entry.key_len.max(0) as usize;
        (entry.value_len >= 0).then(|| &self.arena[start..start + entry.value_len as usize])
    }

    pub fn headers(&self, entry: &Entry) -> &[Header] {
        let start = entry.headers_start as usize;
        &self.headers[start..start + entry.headers_len as usize]
    }

    pub fn size(entry: &Entry) -> usize {
        entry.key_len.max(0) as usize + entry.value_len.max(0) as usize
    }

    pub fn copy(&self, entry: &Entry, out: &mut BatchBuilder) {
        out.push(
            entry.offset,
            entry.timestamp,
            self.key(entry),
            self.value(entry),
            self.headers(entry).iter().cloned(),
        );
    }

    /// Takes over an entry of another segment, offset and all.
    pub fn adopt(&mut self, other: &Segment, entry: &Entry) {
        let stamp = Stamp {
            offset: entry.offset,
            timestamp: entry.timestamp,
            producer: entry.producer,
            kind: entry.kind,
        };
        self.push(stamp, other.key(entry), other.value(entry), other.headers(entry));
    }
}

/// What the log adds to a record's own content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub offset: i64,
    pub timestamp: i64,
    pub producer: i64,
    pub kind: Kind,
}
