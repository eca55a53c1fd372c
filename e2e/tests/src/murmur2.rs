//! Kafka's default partitioner: murmur2 of the serialised key. An implementation of the tests' own, so that the engine's is not its own judge.

/// The hash, as the Java client computes it (seed 0x9747b28c).
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mix = |mut k: u32| {
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k.wrapping_mul(M)
    };
    let mut h = 0x9747_b28c ^ u32::try_from(data.len()).expect("keys are small");
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let k = u32::from_le_bytes(word.try_into().expect("four bytes"));
        h = h.wrapping_mul(M) ^ mix(k);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// The partition of a key among `partitions`.
///
/// ```
/// assert_eq!(millrace_e2e::murmur2::partition(b"foobar", 4), 2);
/// ```
pub fn partition(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff).cast_signed() % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of Kafka's UtilsTest.
    #[test]
    fn equals_kafkas_vectors() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }
}
