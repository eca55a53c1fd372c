//! Ordered reads: one machine for RocksDB, memory and the overlay, so that the three cannot disagree about order.
//!
//! Rows come in row order: key-value stores by key; window stores by segment, then `key ‖ start`, which is the order of
//! Kafka's segmented RocksDB stores.

use crate::row::{DATA, RowLayout, WINDOW_SUFFIX, make_successor, segment_of_row, segment_row, window_start};
use crate::{Result, StoreIndex};

/// Which way a scan runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Smallest row first.
    #[default]
    Ascending,
    /// Largest row first.
    Descending,
}

/// Which keys a scan visits. For window stores these are the inner keys, without start and sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRange<'a> {
    /// Every key.
    All,
    /// This key alone.
    One(&'a [u8]),
    /// From one key to another, both included; None is unbounded.
    Between(Option<&'a [u8]>, Option<&'a [u8]>),
    /// Keys that start with these bytes.
    Prefix(&'a [u8]),
}

/// An ordered read of one store.
///
/// ```
/// use millrace_state::{KeyRange, Order, Scan, StoreIndex};
/// let windows_of_a_key = Scan::new(StoreIndex(0), KeyRange::One(b"key")).starts(0, 60_000).order(Order::Descending);
/// # let _ = windows_of_a_key;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    pub(crate) store: StoreIndex,
    pub(crate) keys: KeyRange<'a>,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) order: Order,
}

impl<'a> Scan<'a> {
    /// All rows of `store` in `keys`, ascending.
    #[must_use]
    pub fn new(store: StoreIndex, keys: KeyRange<'a>) -> Self {
        Self {
            store,
            keys,
            from: i64::MIN,
            to: i64::MAX,
            order: Order::Ascending,
        }
    }

    /// Only windows that start in `from..=to`; means nothing for key-value stores.
    #[must_use]
    pub fn starts(mut self, from: i64, to: i64) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    /// Sets the direction.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }
}

/// Rows of a scan, one at a time; what is lent is valid until the next [`advance`](Self::advance).
pub trait Rows {
    /// Goes to the next (at first: the first) row; false at the end.
    fn advance(&mut self) -> Result<bool>;
    /// The changelog key of the row it stands on.
    fn key(&self) -> &[u8];
    /// The value of the row it stands on.
    fn value(&self) -> &[u8];
    /// The key that rows are ordered by. Its bytes are this crate's own.
    fn row_key(&self) -> &[u8];
}

/// A sorted run of rows to scan over.
pub(crate) trait Cursor {
    /// Goes to the first row at or after `key`.
    fn seek(&mut self, key: &[u8]);
    /// Goes to the last row at or before `key`.
    fn seek_for_prev(&mut self, key: &[u8]);
    fn next(&mut self);
    fn prev(&mut self);
    /// The row it stands on; a None value is a deletion that hides rows below.
    fn row(&self) -> Option<(&[u8], Option<&[u8]>)>;
    /// Why there is no row, if that is not the end.
    fn status(&self) -> Result<()>;
}

/// A scan's bounds, owned, with what a layout makes of them.
pub(crate) struct Bounds {
    layout: RowLayout,
    keys: OwnedKeys,
    from: i64,
    to: i64,
    order: Order,
    first_segment: i64,
    last_segment: i64,
}

enum OwnedKeys {
    All,
    One(Vec<u8>),
    Between(Option<Vec<u8>>, Option<Vec<u8>>),
    Prefix(Vec<u8>),
}

impl Bounds {
    /// `first_live` is the oldest segment that reads may see.
    pub fn new(scan: &Scan<'_>, layout: RowLayout, first_live: Option<i64>) -> Self {
        let keys = match scan.keys {
            KeyRange::All => OwnedKeys::All,
            KeyRange::One(key) => OwnedKeys::One(key.to_vec()),
            KeyRange::Between(from, to) => OwnedKeys::Between(from.map(<[u8]>::to_vec), to.map(<[u8]>::to_vec)),
            KeyRange::Prefix(prefix) => OwnedKeys::Prefix(prefix.to_vec()),
        };
        let (first_segment, last_segment) = match layout {
            RowLayout::KeyValue => (0, 0),
            RowLayout::Window { interval_ms } => {
                let first = scan.from.div_euclid(interval_ms).max(first_live.unwrap_or(i64::MIN));
                (first, scan.to.div_euclid(interval_ms))
            }
        };
        Self {
            layout,
            keys,
            from: scan.from,
            to: scan.to,
            order: scan.order,
            first_segment,
            last_segment,
        }
    }

    /// The least row key that the scan can yield.
    pub fn lowest(&self) -> Vec<u8> {
        self.segment_bounds(self.first_segment).0
    }

    /// A row key beyond all that the scan can yield.
    pub fn beyond(&self) -> Vec<u8> {
        let mut end = self.segment_bounds(self.last_segment).1;
        end.push(0);
        end
    }

    fn is_empty(&self) -> bool {
        let windowed = matches!(self.layout, RowLayout::Window { .. });
        let inverted = matches!(&self.keys, OwnedKeys::Between(Some(from), Some(to)) if from > to);
        inverted || windowed && (self.from > self.to || self.first_segment > self.last_segment)
    }

    /// Least and greatest row keys, both included, that a segment can hold for this scan.
    fn segment_bounds(&self, segment: i64) -> (Vec<u8>, Vec<u8>) {
        let head = match self.layout {
            RowLayout::KeyValue => vec![DATA],
            RowLayout::Window { .. } => segment_row(segment).to_vec(),
        };
        let with = |bytes: &[u8]| [&head[..], bytes].concat();
        let after = |bytes: &[u8]| {
            let mut end = with(bytes);
            make_successor(&mut end);
            end
        };
        match (&self.keys, self.layout) {
            (OwnedKeys::All, _) => (head.clone(), after(&[])),
            (OwnedKeys::Prefix(prefix), _) => (with(prefix), after(prefix)),
            (OwnedKeys::One(key), RowLayout::KeyValue) => (with(key), with(key)),
            (OwnedKeys::One(key), RowLayout::Window { .. }) => {
                let end = |start: i64, sequence: i32| {
                    [&head[..], key, &start.to_be_bytes(), &sequence.to_be_bytes()].concat()
                };
                // Starts are compared as unsigned bytes; a negative one never occurs.
                (end(self.from.max(0), 0), end(self.to.max(0), i32::MAX))
            }
            (OwnedKeys::Between(from, to), RowLayout::KeyValue) => (
                with(from.as_deref().unwrap_or_default()),
                to.as_ref().map_or_else(|| after(&[]), |to| with(to)),
            ),
            // A row's key may be a prefix of the bound and its row still sort after it: read on to the segment's end.
            (OwnedKeys::Between(from, _), RowLayout::Window { .. }) => {
                (with(from.as_deref().unwrap_or_default()), after(&[]))
            }
        }
    }

    /// Whether a row between the bounds belongs to the scan.
    fn matches(&self, row: &[u8]) -> bool {
        let Some(key) = row.get(self.layout.head()..) else {
            return false;
        };
        let key = match self.layout {
            RowLayout::KeyValue => key,
            RowLayout::Window { .. } => match window_start(key) {
                Some(start) if (self.from..=self.to).contains(&start) => &key[..key.len() - WINDOW_SUFFIX],
                _ => return false,
            },
        };
        match &self.keys {
            OwnedKeys::All => true,
            OwnedKeys::One(one) => key == one,
            OwnedKeys::Between(from, to) => {
                from.as_ref().is_none_or(|from| key >= from.as_slice())
                    && to.as_ref().is_none_or(|to| key <= to.as_slice())
            }
            OwnedKeys::Prefix(prefix) => key.starts_with(prefix),
        }
    }

    fn segment_of(&self, row: &[u8]) -> i64 {
        match self.layout {
            RowLayout::KeyValue => 0,
            RowLayout::Window { .. } => segment_of_row(row).unwrap_or(i64::MIN),
        }
    }
}

/// Runs a scan over a cursor, skipping from segment to segment.
pub(crate) struct RowScan<C> {
    cursor: C,
    bounds: Bounds,
    /// Bounds of the segment it reads.
    segment: i64,
    low: Vec<u8>,
    high: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    On,
    Done,
}

impl<C: Cursor> RowScan<C> {
    pub fn new(cursor: C, bounds: Bounds) -> Self {
        let segment = match bounds.order {
            Order::Ascending => bounds.first_segment,
            Order::Descending => bounds.last_segment,
        };
        Self {
            cursor,
            bounds,
            segment,
            low: Vec::new(),
            high: Vec::new(),
            state: State::Before,
        }
    }

    /// The row it stands on; a None value is a deletion.
    pub fn row(&self) -> (&[u8], Option<&[u8]>) {
        self.cursor.row().expect("a scan that advanced stands on a row")
    }

    pub fn advance(&mut self) -> Result<bool> {
        match self.state {
            State::Done => return Ok(false),
            State::Before if self.bounds.is_empty() => {
                self.state = State::Done;
                return Ok(false);
            }
            State::Before => {
                self.enter(self.segment);
                self.state = State::On;
            }
            State::On => self.step(),
        }
        while let Some((row, _)) = self.cursor.row() {
            if row.first() != Some(&DATA) {
                break;
            }
            let segment = self.bounds.segment_of(row);
            let past = match self.bounds.order {
                Order::Ascending => row > self.high.as_slice(),
                Order::Descending => row < self.low.as_slice(),
            };
            if segment != self.segment || past {
                if !self.leave(segment) {
                    break;
                }
            } else if self.bounds.matches(row) {
                return Ok(true);
            } else {
                self.step();
            }
        }
        self.state = State::Done;
        self.cursor.status()?;
        Ok(false)
    }

    fn step(&mut self) {
        match self.bounds.order {
            Order::Ascending => self.cursor.next(),
            Order::Descending => self.cursor.prev(),
        }
    }

    /// Goes to the segment after this one that may hold rows; false if there is none.
    fn leave(&mut self, found: i64) -> bool {
        let (next, within) = match self.bounds.order {
            Order::Ascending => {
                let next = if found > self.segment {
                    found
                } else {
                    self.segment.saturating_add(1)
                };
                (next, next <= self.bounds.last_segment && next != self.segment)
            }
            Order::Descending => {
                let next = if found < self.segment {
                    found
                } else {
                    self.segment.saturating_sub(1)
                };
                (next, next >= self.bounds.first_segment && next != self.segment)
            }
        };
        if within {
            self.enter(next);
        }
        within
    }

    fn enter(&mut self, segment: i64) {
        self.segment = segment;
        (self.low, self.high) = self.bounds.segment_bounds(segment);
        match self.bounds.order {
            Order::Ascending => self.cursor.seek(&self.low),
            Order::Descending => self.cursor.seek_for_prev(&self.high),
        }
    }
}

impl<C: Cursor> Rows for RowScan<C> {
    fn advance(&mut self) -> Result<bool> {
        RowScan::advance(self)
    }

    fn key(&self) -> &[u8] {
        &self.row().0[self.bounds.layout.head()..]
    }

    fn value(&self) -> &[u8] {
        self.row().1.unwrap_or_default()
    }

    fn row_key(&self) -> &[u8] {
        self.row().0
    }
}
