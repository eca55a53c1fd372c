//! What a commit applies. Filled on the record path's commit step: one growing arena, no allocation per row.

use smallvec::SmallVec;

use crate::{Position, StoreIndex};

/// What an emptied batch keeps, of bytes and of operations each: one large commit must not hold its memory for ever.
const KEPT_BYTES: usize = 1 << 20;

/// Rows, positions and stream times to be applied to one task, in order.
///
/// Keys are changelog keys, values are stored as they are. [`TaskStore::apply`](crate::TaskStore::apply) empties the
/// batch and keeps its memory, unless it has grown large.
///
/// ```
/// use millrace_state::{Batch, StoreIndex};
/// let mut batch = Batch::new();
/// batch.put(StoreIndex(0), b"key", b"value");
/// batch.delete(StoreIndex(0), b"other");
/// assert_eq!(batch.len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Batch {
    arena: Vec<u8>,
    ops: Vec<Op>,
    marks: SmallVec<[(StoreIndex, Mark); 4]>,
}

#[derive(Clone, Copy, Debug)]
struct Op {
    store: StoreIndex,
    is_delete: bool,
    key_len: u32,
    value_len: u32,
}

/// What a batch says about a store as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    pub position: Option<Position>,
    pub stream_time: Option<i64>,
}

/// One row of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowChange<'a> {
    pub store: StoreIndex,
    pub key: &'a [u8],
    /// None deletes.
    pub value: Option<&'a [u8]>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a row.
    #[inline]
    pub fn put(&mut self, store: StoreIndex, key: &[u8], value: &[u8]) {
        self.push(store, key, Some(value));
    }

    /// Deletes a row.
    #[inline]
    pub fn delete(&mut self, store: StoreIndex, key: &[u8]) {
        self.push(store, key, None);
    }

    /// Sets a row, or deletes it for None.
    #[inline]
    pub fn push(&mut self, store: StoreIndex, key: &[u8], value: Option<&[u8]>) {
        let bytes = value.unwrap_or_default();
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(bytes);
        self.ops.push(Op {
            store,
            is_delete: value.is_none(),
            key_len: u32::try_from(key.len()).expect("a record is smaller than 4 GiB"),
            value_len: u32::try_from(bytes.len()).expect("a record is smaller than 4 GiB"),
        });
    }

    /// Where `store` stands in its changelog once this batch is applied.
    pub fn set_position(&mut self, store: StoreIndex, position: Position) {
        self.mark(store).position = Some(position);
    }

    /// The store's committed stream time once this batch is applied; it never goes back. Segments that expire by it are
    /// deleted with the batch, and rows of the batch that fall into them are dropped.
    pub fn advance_stream_time(&mut self, store: StoreIndex, stream_time: i64) {
        let mark = self.mark(store);
        mark.stream_time = Some(mark.stream_time.map_or(stream_time, |known| known.max(stream_time)));
    }

    /// Rows set or deleted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether applying it would do nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.marks.is_empty()
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Forgets everything, keeps the memory up to a mebibyte.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.arena.shrink_to(KEPT_BYTES);
        self.ops.clear();
        self.ops.shrink_to(KEPT_BYTES / size_of::<Op>());
        self.marks.clear();
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = RowChange<'_>> {
        let mut rest = &self.arena[..];
        self.ops.iter().map(move |op| {
            let (key, tail) = rest.split_at(op.key_len as usize);
            let (value, tail) = tail.split_at(op.value_len as usize);
            rest = tail;
            RowChange {
                store: op.store,
                key,
                value: (!op.is_delete).then_some(value),
            }
        })
    }

    pub(crate) fn marks(&self) -> &[(StoreIndex, Mark)] {
        &self.marks
    }

    /// The stream time that this batch brings to `store`.
    pub(crate) fn stream_time(&self, store: StoreIndex) -> Option<i64> {
        self.marks
            .iter()
            .find(|(index, _)| *index == store)
            .and_then(|(_, mark)| mark.stream_time)
    }

    fn mark(&mut self, store: StoreIndex) -> &mut Mark {
        let at = self
            .marks
            .iter()
            .position(|(index, _)| *index == store)
            .unwrap_or_else(|| {
                self.marks.push((store, Mark::default()));
                self.marks.len() - 1
            });
        &mut self.marks[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_commit_does_not_keep_its_memory() {
        let mut batch = Batch::new();
        for _ in 0..200_000 {
            batch.put(StoreIndex(0), b"key", b"a value of some bytes");
        }
        assert!(batch.arena.capacity() > KEPT_BYTES && batch.ops.capacity() * size_of::<Op>() > KEPT_BYTES);
        batch.clear();
        assert_eq!(batch.arena.capacity(), KEPT_BYTES);
        assert_eq!(batch.ops.capacity(), KEPT_BYTES / size_of::<Op>());
    }
}
