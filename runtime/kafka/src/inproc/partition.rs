//! One partition: records and markers by offset, its open and aborted transactions, its ends.
//!
//! On the record path: appends and reads are bulk copies under the cluster's lock.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::segment::{Kind, NO_PRODUCER, Segment, Stamp};
use crate::log::{BatchBuilder, Header, Isolation};

/// A transaction that was aborted here: its records lie in `first..last`, the marker at `last`.
#[derive(Clone, Copy, Debug)]
struct Aborted {
    producer: i64,
    first: i64,
    last: i64,
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    segments: VecDeque<Segment>,
    start: i64,
    end: i64,
    /// First offset of each transaction that is open here, by producer.
    open: BTreeMap<i64, i64>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
    bytes: usize,
    /// Bytes left by the last compaction.
    compacted_bytes: usize,
}

/// Where a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadTo {
    /// The next offset to be read.
    pub position: i64,
    /// The end at the reader's isolation.
    pub end: i64,
}

impl Partition {
    pub fn start(&self) -> i64 {
        self.start
    }

    pub fn high_watermark(&self) -> i64 {
        self.end
    }

    /// The first offset of the earliest open transaction that is still in the log, or the end.
    pub fn last_stable_offset(&self) -> i64 {
        let first_open = self.open.values().copied().min().unwrap_or(self.end);
        first_open.max(self.start)
    }

    pub fn end(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.end,
            Isolation::ReadCommitted => self.last_stable_offset(),
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn compacted_bytes(&self) -> usize {
        self.compacted_bytes
    }

    /// Appends a record, of `producer`'s open transaction or of none ([`NO_PRODUCER`]); its offset.
    pub fn append(
        &mut self,
        producer: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> i64 {
        if producer != NO_PRODUCER {
            self.open.entry(producer).or_insert(self.end);
        }
        self.push(
            Stamp {
                offset: self.end,
                timestamp,
                producer,
                kind: Kind::Data,
            },
            key,
            value,
            headers,
        )
    }

    /// Ends `producer`'s transaction here. The marker takes an offset even if the producer wrote nothing.
    pub fn append_marker(&mut self, producer: i64, timestamp: i64, commit: bool) {
        let marker = self.end;
        self.push(
            Stamp {
                offset: marker,
                timestamp,
                producer,
                kind: Kind::Marker,
            },
            None,
            None,
            &[],
        );
        if let Some(first) = self.open.remove(&producer)
            && !commit
        {
            self.aborted.push(Aborted {
                producer,
                first,
                last: marker,
            });
        }
    }

    fn push(&mut self, stamp: Stamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> i64 {
        if self.segments.back().is_none_or(Segment::is_full) {
            self.segments.push_back(Segment::default());
        }
        if let Some(segment) = self.segments.back_mut() {
            let before = segment.bytes();
            segment.push(stamp, key, value, headers);
            self.bytes += segment.bytes() - before;
        }
        self.end = stamp.offset + 1;
        stamp.offset
    }

    /// Copies records from `position` on into `out`: at most `max_records`, and no more once `max_bytes` are passed. `position` lies in the log.
    pub fn read(
        &self,
        position: i64,
        isolation: Isolation,
        max_records: usize,
        max_bytes: usize,
        out: &mut BatchBuilder,
    ) -> ReadTo {
        let end = self.end(isolation);
        if position >= end {
            return ReadTo { position, end };
        }
        let aborted = match isolation {
            Isolation::ReadCommitted => self.aborted_between(position, end),
            Isolation::ReadUncommitted => Vec::new(),
        };
        let mut bytes = 0;
        let mut records = 0;
        let first = self
            .segments
            .partition_point(|segment| segment.last_offset().is_none_or(|last| last < position));
        for segment in self.segments.range(first..) {
            for entry in segment.entries_from(position) {
                if entry.offset >= end {
                    return ReadTo { position: end, end };
                }
                if entry.kind == Kind::Marker || is_aborted(&aborted, entry.producer, entry.offset) {
                    continue;
                }
                if records >= max_records || (bytes >= max_bytes && records > 0) {
                    return ReadTo {
                        position: entry.offset,
                        end,
                    };
                }
                segment.copy(entry, out);
                records += 1;
                bytes += Segment::size(entry);
            }
        }
        ReadTo { position: end, end }
    }

    fn aborted_between(&self, position: i64, end: i64) -> Vec<Aborted> {
        let first = self.aborted.partition_point(|aborted| aborted.last < position);
        self.aborted[first..]
            .iter()
            .filter(|aborted| aborted.first < end)
            .copied()
            .collect()
    }

    /// Drops what lies below `offset` (DeleteRecords).
    pub fn truncate_before(&mut self, offset: i64) {
        self.start = self.start.max(offset.min(self.end));
        while self
            .segments
            .front()
            .is_some_and(|segment| segment.last_offset().is_none_or(|last| last < self.start))
        {
            self.drop_front();
        }
        let start = self.start;
        self.aborted.retain(|aborted| aborted.last >= start);
    }

    /// Drops whole segments from the front while the log holds more than `max_bytes`; never the last one, nor what an open transaction needs.
    pub fn retain_bytes(&mut self, max_bytes: usize) {
        while self.bytes > max_bytes && self.segments.len() > 1 {
            let Some(next) = self.segments[1].first_offset() else {
                return;
            };
            if next > self.last_stable_offset() {
                return;
            }
            self.truncate_before(next);
        }
    }

    fn drop_front(&mut self) {
        if let Some(segment) = self.segments.pop_front() {
            self.bytes -= segment.bytes();
        }
    }

    /// Keeps the last value of each key below the last stable offset, and no aborted records; tombstones go as told. Offsets stay.
    pub fn compact(&mut self, drop_tombstones: bool) {
        let stable = self.last_stable_offset();
        let aborted = std::mem::take(&mut self.aborted);
        let mut latest: FxHashMap<Bytes, i64> = FxHashMap::default();
        self.each(|segment, entry| {
            if entry.kind == Kind::Data
                && entry.offset < stable
                && !is_aborted(&aborted, entry.producer, entry.offset)
                && let Some(key) = segment.key(entry)
            {
                latest.insert(Bytes::copy_from_slice(key), entry.offset);
            }
        });
        let mut kept: VecDeque<Segment> = VecDeque::new();
        let start = self.start;
        self.each(|segment, entry| {
            if entry.offset < start {
                return;
            }
            let keep = entry.offset >= stable
                || match (entry.kind, segment.key(entry)) {
                    // Markers below the stable offset have done their work once the aborted records are gone.
                    (Kind::Marker, _) => false,
                    (Kind::Data, _) if is_aborted(&aborted, entry.producer, entry.offset) => false,
                    (Kind::Data, None) => true,
                    (Kind::Data, Some(key)) => {
                        latest.get(key) == Some(&entry.offset) && !(drop_tombstones && segment.value(entry).is_none())
                    }
                };
            if keep {
                if kept.back().is_none_or(Segment::is_full) {
                    kept.push_back(Segment::default());
                }
                if let Some(back) = kept.back_mut() {
                    back.adopt(segment, entry);
                }
            }
        });
        self.segments = kept;
        self.aborted = aborted.into_iter().filter(|aborted| aborted.last >= stable).collect();
        self.bytes = self.segments.iter().map(Segment::bytes).sum();
        self.compacted_bytes = self.bytes;
    }

    fn each(&self, mut visit: impl FnMut(&Segment, &super::segment::Entry)) {
        for segment in &self.segments {
            for entry in segment.entries() {
                visit(segment, entry);
            }
        }
    }

    /// The first offset whose timestamp is at or after `timestamp`, or the end. Markers count, as they do for a broker.
    pub fn offset_at(&self, timestamp: i64) -> i64 {
        self.segments
            .iter()
            .filter(|segment| !segment.is_empty() && segment.max_timestamp() >= timestamp)
            .flat_map(Segment::entries)
            .find(|entry| entry.offset >= self.start && entry.timestamp >= timestamp)
            .map_or(self.end, |entry| entry.offset)
    }
}

fn is_aborted(aborted: &[Aborted], producer: i64, offset: i64) -> bool {
    producer != NO_PRODUCER
        && aborted
            .iter()
            .any(|range| range.producer == producer && (range.first..=range.last).contains(&offset))
}
