//! How changelog keys become row keys. Runs on the record path: nothing here allocates for keys of usual length.
//!
//! A row key starts with a tag byte. Key-value rows follow with the changelog key; window rows put an 8-byte segment
//! before it, so that expiry is the deletion of a contiguous range. These bytes are on disk: frozen.

use smallvec::SmallVec;

use crate::StoreKind;

/// Tag of the one row that holds the position. Sorts after all data: each flush writes it, and before the data it would make every
/// file of a window store reach from the oldest segment to the newest, so that each compaction would rewrite the whole store.
pub(crate) const META_ROW: &[u8] = &[0xFF];
/// Tag of data rows.
pub(crate) const DATA: u8 = 1;
/// `i64 start ‖ i32 sequence number` at the end of a window's changelog key.
pub(crate) const WINDOW_SUFFIX: usize = 12;

/// A row key on the stack.
pub(crate) type RowKey = SmallVec<[u8; 128]>;

/// The layout a column family was created with. A changed retention does not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowLayout {
    KeyValue,
    Window { interval_ms: i64 },
}

impl RowLayout {
    /// The layout of a store that is created now.
    pub fn of(kind: StoreKind) -> Self {
        kind.segment_interval_ms()
            .map_or(Self::KeyValue, |interval_ms| Self::Window { interval_ms })
    }

    /// Whether rows of this layout serve a store of that kind, whatever its retention was.
    pub fn is_of(self, kind: StoreKind) -> bool {
        matches!(
            (self, kind),
            (Self::KeyValue, StoreKind::KeyValue) | (Self::Window { .. }, StoreKind::Window { .. })
        )
    }

    pub fn interval_ms(self) -> Option<i64> {
        match self {
            Self::KeyValue => None,
            Self::Window { interval_ms } => Some(interval_ms),
        }
    }

    /// Bytes before the changelog key.
    pub fn head(self) -> usize {
        match self {
            Self::KeyValue => 1,
            Self::Window { .. } => 9,
        }
    }

    /// The row key of a changelog key; None if the key is too short to be a window's.
    #[inline]
    pub fn row_key(self, key: &[u8]) -> Option<RowKey> {
        let mut row = RowKey::new();
        self.push_row_key(key, &mut row)?;
        Some(row)
    }

    /// As [`row_key`](Self::row_key), appended to `out`.
    #[inline]
    pub fn push_row_key(self, key: &[u8], out: &mut impl Bytes) -> Option<()> {
        out.push_bytes(&[DATA]);
        if let Self::Window { interval_ms } = self {
            let start = window_start(key)?;
            out.push_bytes(&segment_bytes(start.div_euclid(interval_ms)));
        }
        out.push_bytes(key);
        Some(())
    }
}

/// A growable run of bytes: `Vec` or a row key on the stack.
pub(crate) trait Bytes {
    fn push_bytes(&mut self, bytes: &[u8]);
}

impl Bytes for RowKey {
    #[inline]
    fn push_bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Bytes for Vec<u8> {
    #[inline]
    fn push_bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A segment's bytes, ordered as the number is.
pub(crate) fn segment_bytes(segment: i64) -> [u8; 8] {
    (segment.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The segment of a window's row key.
pub(crate) fn segment_of_row(row: &[u8]) -> Option<i64> {
    let bytes: [u8; 8] = row.get(1..9)?.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// The first row key of a segment.
pub(crate) fn segment_row(segment: i64) -> [u8; 9] {
    let mut row = [DATA; 9];
    row[1..].copy_from_slice(&segment_bytes(segment));
    row
}

/// Start of a window, from its changelog key (or any bytes that end like one).
#[inline]
pub(crate) fn window_start(key: &[u8]) -> Option<i64> {
    let at = key.len().checked_sub(WINDOW_SUFFIX)?;
    Some(i64::from_be_bytes(key[at..at + 8].try_into().ok()?))
}

/// Makes the changelog key of a window: `key ‖ start ‖ sequence number`.
pub(crate) fn window_key(key: &[u8], start: i64, sequence: i32) -> RowKey {
    let mut out = RowKey::new();
    out.extend_from_slice(key);
    out.extend_from_slice(&start.to_be_bytes());
    out.extend_from_slice(&sequence.to_be_bytes());
    out
}

/// The smallest bytes greater than everything that starts with `bytes`, in place; the bytes must not be all 0xFF.
pub(crate) fn make_successor(bytes: &mut Vec<u8>) {
    while let Some(last) = bytes.last_mut() {
        if *last < 0xFF {
            *last += 1;
            return;
        }
        bytes.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_bytes_are_frozen() {
        assert_eq!(META_ROW, [0xFF]);
        // A scan's upper bound may be the tag after the data's.
        assert!(META_ROW > &[DATA + 1, 0][..]);
        assert_eq!(&RowLayout::KeyValue.row_key(b"ab").unwrap()[..], b"\x01ab");
        let key = window_key(b"k", 120_000, 3);
        assert_eq!(
            &RowLayout::Window { interval_ms: 60_000 }.row_key(&key).unwrap()[..],
            b"\x01\x80\0\0\0\0\0\0\x02k\0\0\0\0\0\x01\xd4\xc0\0\0\0\x03"
        );
        assert!(RowLayout::Window { interval_ms: 60_000 }.row_key(&key[..11]).is_none());
        assert!(segment_bytes(-1) < segment_bytes(0) && segment_bytes(0) < segment_bytes(1));
        assert_eq!(segment_of_row(&segment_row(-7)), Some(-7));
    }

    #[test]
    fn successor_skips_full_bytes() {
        for (bytes, expected) in [
            (vec![1, 2], vec![1, 3]),
            (vec![1, 0xFF], vec![2]),
            (vec![1, 0xFF, 0xFF], vec![2]),
        ] {
            let mut made = bytes;
            make_successor(&mut made);
            assert_eq!(made, expected);
        }
    }
}
