//! Buffers that nodes keep from record to record.
//!
//! Record path: see [`super`].

/// What an emptied buffer keeps: one record of some megabytes must not hold its memory for ever.
const KEPT: usize = 64 << 10;

/// Empties a buffer for the next record.
#[inline]
pub(super) fn reuse(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT {
        buffer.shrink_to(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_record_is_not_kept() {
        let mut buffer = vec![7; 5 << 20];
        reuse(&mut buffer);
        assert_eq!((buffer.len(), buffer.capacity()), (0, KEPT));
        buffer.extend_from_slice(&[7; 1_000]);
        reuse(&mut buffer);
        assert_eq!((buffer.len(), buffer.capacity()), (0, KEPT));
    }
}
