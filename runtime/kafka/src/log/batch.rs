//! Records as they arrive: one arena per batch, no allocation per record.

use std::ops::Range;

use bytes::Bytes;

use super::TopicPartition;

/// One header of a record; a null value is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The header's name.
    pub name: String,
    /// Its bytes.
    pub value: Option<Bytes>,
}

#[derive(Clone, Debug)]
struct Entry {
    offset: i64,
    timestamp: i64,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
}

/// Records of one partition in offset order; offsets may have gaps (markers, aborted records, compaction).
#[derive(Clone, Debug)]
pub struct RecordBatch {
    partition: TopicPartition,
    arena: Bytes,
    entries: Vec<Entry>,
    headers: Vec<Header>,
}

/// One record of a [`RecordBatch`].
#[derive(Clone, Copy)]
pub struct RecordView<'a> {
    batch: &'a RecordBatch,
    entry: &'a Entry,
}

impl RecordBatch {
    /// The partition that all its records come from.
    #[must_use]
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes that the batch keeps alive: keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// The record at `index`, from 0.
    ///
    /// # Panics
    /// If there is no such record.
    #[must_use]
    pub fn get(&self, index: usize) -> RecordView<'_> {
        RecordView {
            batch: self,
            entry: &self.entries[index],
        }
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = RecordView<'_>> {
        self.entries.iter().map(|entry| RecordView { batch: self, entry })
    }
}

impl<'a> RecordView<'a> {
    /// Its offset in the partition.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.entry.offset
    }

    /// Milliseconds since the epoch; negative where the producer wrote it so (-1: none).
    #[must_use]
    pub fn timestamp(&self) -> i64 {
        self.entry.timestamp
    }

    /// The key's bytes, sharing the batch's arena.
    #[must_use]
    pub fn key(&self) -> Option<Bytes> {
        self.entry.key.clone().map(|range| self.batch.arena.slice(range))
    }

    /// The value's bytes, sharing the batch's arena.
    #[must_use]
    pub fn value(&self) -> Option<Bytes> {
        self.entry.value.clone().map(|range| self.batch.arena.slice(range))
    }

    /// The key's bytes, borrowed.
    #[must_use]
    pub fn key_slice(&self) -> Option<&'a [u8]> {
        self.entry.key.clone().map(|range| &self.batch.arena[range])
    }

    /// The value's bytes, borrowed.
    #[must_use]
    pub fn value_slice(&self) -> Option<&'a [u8]> {
        self.entry.value.clone().map(|range| &self.batch.arena[range])
    }

    /// Its headers in order.
    #[must_use]
    pub fn headers(&self) -> &'a [Header] {
        &self.batch.headers[self.entry.headers.clone()]
    }
}

/// Fills a [`RecordBatch`].
#[derive(Debug, Default)]
pub struct BatchBuilder {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    headers: Vec<Header>,
}

impl BatchBuilder {
    /// A builder with room for so many records, whose keys and values have so many bytes together.
    #[must_use]
    pub fn with_capacity(records: usize, bytes: usize) -> Self {
        Self {
            arena: Vec::with_capacity(bytes),
            entries: Vec::with_capacity(records),
            headers: Vec::new(),
        }
    }

    /// Adds a record; offsets must rise.
    pub fn push(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl IntoIterator<Item = Header>,
    ) {
        debug_assert!(
            self.entries.last().is_none_or(|last| last.offset < offset),
            "offsets must rise"
        );
        let first_header = self.headers.len();
        self.headers.extend(headers);
        let key = key.map(|bytes| self.append(bytes));
        let value = value.map(|bytes| self.append(bytes));
        self.entries.push(Entry {
            offset,
            timestamp,
            key,
            value,
            headers: first_header..self.headers.len(),
        });
    }

    /// The number of records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The batch, whose records all come from `partition`.
    #[must_use]
    pub fn finish(self, partition: TopicPartition) -> RecordBatch {
        RecordBatch {
            partition,
            arena: Bytes::from(self.arena),
            entries: self.entries,
            headers: self.headers,
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        start..self.arena.len()
    }
}
