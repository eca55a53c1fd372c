//! What Kafka Streams keeps in a committed offset's metadata: partition time and processor metadata.
//!
//! base64 of `byte magic=2 | i64 partition time | processor metadata`; processor metadata is empty or `i32 n`, then n times `i32 length | key | i64 value`
//! (`TopicPartitionMetadata`, `ProcessorMetadata`). Stream times of windowed nodes are kept under keys that no store can have
//! (`stream-time:<store>`; a store's name has no colon), so that Java reads past them. Java also carries them on, out of date; so the offset that they
//! were committed with stands beside them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_kafka::log::TopicPartition;

/// The time of a partition, or stream time, that is not known.
pub(crate) const UNKNOWN_TIME: i64 = -1;

/// What keys of ours begin with.
const OURS: &str = "stream-time:";

/// A committed offset's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OffsetMetadata {
    /// The highest timestamp processed from the partition, milliseconds; -1: unknown.
    pub partition_time: i64,
    /// What processors keep there, by key. The same on all partitions of a task.
    pub processors: BTreeMap<String, i64>,
}

impl OffsetMetadata {
    /// The metadata key of a windowed node's stream time.
    pub(crate) fn stream_time_key(store: &str) -> String {
        format!("{OURS}{store}")
    }

    /// The metadata key of the offset that the stream times were committed with; no store's name begins with an `@`.
    pub(crate) fn offset_key(partition: &TopicPartition) -> String {
        format!("{OURS}@{partition}")
    }

    /// Takes our own keys out and gives the stream times by store; `None` if another engine has committed since, or always.
    pub(crate) fn take_stream_times(
        &mut self,
        partition: &TopicPartition,
        offset: i64,
    ) -> Option<BTreeMap<String, i64>> {
        let is_ours = self.processors.get(&Self::offset_key(partition)) == Some(&offset);
        let mut times = BTreeMap::new();
        self.processors.retain(|key, value| {
            let Some(store) = key.strip_prefix(OURS) else {
                return true;
            };
            if !store.starts_with('@') {
                times.insert(store.to_owned(), *value);
            }
            false
        });
        is_ours.then_some(times)
    }

    /// As Java writes it.
    pub(crate) fn encode(&self) -> String {
        let mut bytes = vec![2_u8];
        bytes.extend_from_slice(&self.partition_time.to_be_bytes());
        if !self.processors.is_empty() {
            bytes.extend_from_slice(&(self.processors.len() as i32).to_be_bytes());
            for (key, value) in &self.processors {
                bytes.extend_from_slice(&(key.len() as i32).to_be_bytes());
                bytes.extend_from_slice(key.as_bytes());
                bytes.extend_from_slice(&value.to_be_bytes());
            }
        }
        STANDARD.encode(bytes)
    }

    /// As Java reads it: what cannot be understood is unknown, with a warning.
    pub(crate) fn decode(text: &str) -> Self {
        let unknown = Self {
            partition_time: UNKNOWN_TIME,
            processors: BTreeMap::new(),
        };
        if text.is_empty() {
            return unknown;
        }
        STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| Self::read(&bytes))
            .unwrap_or_else(|| {
                tracing::warn!(
                    metadata = text,
                    "a committed offset carries metadata that Kafka Streams did not write: times are unknown"
                );
                unknown
            })
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (magic, mut rest) = bytes.split_first()?;
        let partition_time = take_i64(&mut rest)?;
        let mut processors = BTreeMap::new();
        if *magic == 2 && !rest.is_empty() {
            for _ in 0..take_i32(&mut rest)? {
                let length = usize::try_from(take_i32(&mut rest)?).ok()?;
                let (key, after) = rest.split_at_checked(length)?;
                rest = after;
                processors.insert(String::from_utf8(key.to_vec()).ok()?, take_i64(&mut rest)?);
            }
        }
        (*magic == 1 || *magic == 2).then_some(Self {
            partition_time,
            processors,
        })
    }
}

fn take_i64(rest: &mut &[u8]) -> Option<i64> {
    let (head, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(i64::from_be_bytes(*head))
}

fn take_i32(rest: &mut &[u8]) -> Option<i32> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(i32::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_keeps_everything() {
        let metadata = OffsetMetadata {
            partition_time: 1_700_000_000_000,
            processors: BTreeMap::from([(OffsetMetadata::stream_time_key("s"), 7)]),
        };
        assert_eq!(OffsetMetadata::decode(&metadata.encode()), metadata);
    }

    /// `new TopicPartitionMetadata(42, new ProcessorMetadata()).encode()` of Kafka Streams 4.3.1.
    #[test]
    fn java_reads_and_writes_the_same_bytes() {
        let metadata = OffsetMetadata {
            partition_time: 42,
            processors: BTreeMap::new(),
        };
        assert_eq!(metadata.encode(), "AgAAAAAAAAAq");
        assert_eq!(OffsetMetadata::decode("AgAAAAAAAAAq"), metadata);
    }

    #[test]
    fn stream_times_count_with_the_offset_that_they_were_committed_with() {
        let partition = TopicPartition::new("in", 3);
        let committed = OffsetMetadata {
            partition_time: 9,
            processors: BTreeMap::from([
                (OffsetMetadata::stream_time_key("s"), 7),
                (OffsetMetadata::offset_key(&partition), 100),
                ("java-s".to_owned(), 5),
            ]),
        };
        let take = |partition: &TopicPartition, offset| {
            let mut metadata = committed.clone();
            let times = metadata.take_stream_times(partition, offset);
            assert_eq!(metadata.processors, BTreeMap::from([("java-s".to_owned(), 5)]));
            times
        };
        assert_eq!(take(&partition, 100), Some(BTreeMap::from([("s".to_owned(), 7)])));
        assert_eq!(take(&partition, 101), None, "Java went on, and carried them along");
        assert_eq!(
            take(&TopicPartition::new("in", 2), 100),
            None,
            "Java spreads keys over a task's partitions"
        );
    }

    #[test]
    fn foreign_metadata_means_unknown() {
        for text in ["", "hello", "AwAAAAAAAAAq", "Ag=="] {
            assert_eq!(OffsetMetadata::decode(text).partition_time, UNKNOWN_TIME, "{text}");
        }
    }
}
