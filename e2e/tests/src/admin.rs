//! Topics, their configurations, and what a group has committed.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::{Broker, wait_until};

const WITHIN: Duration = Duration::from_secs(30);

fn client(broker: &Broker) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .create()
        .expect("an admin client")
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(WITHIN))
        .operation_timeout(Some(WITHIN))
}

/// Creates a topic that keeps everything (`retention.ms=-1`), with further `configs`, and waits until it is there.
///
/// # Panics
/// If it cannot be created.
pub fn create_topic(broker: &Broker, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    // On as many brokers as the cluster is set up for.
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1)).set("retention.ms", "-1");
    for (key, value) in configs {
        topic = topic.set(key, value);
    }
    let results = block_on(client(broker).create_topics([&topic], &options())).expect("the broker answers");
    for result in results {
        result.unwrap_or_else(|(topic, e)| panic!("creating topic {topic}: {e}"));
    }
    // The controller has made it; the brokers hear of it, and of its leaders, a little later.
    let client = client(broker);
    wait_until(&format!("topic {name} is known"), WITHIN, || {
        let metadata = client.inner().fetch_metadata(Some(name), WITHIN).ok()?;
        let known = metadata.topics()[0].partitions();
        let led = known.iter().filter(|partition| partition.leader() >= 0).count();
        (led == partitions.unsigned_abs() as usize).then_some(())
    });
}

/// Deletes topics; those that do not exist are passed over.
pub fn delete_topics(broker: &Broker, names: &[&str]) {
    block_on(client(broker).delete_topics(names, &options())).expect("the broker answers");
}

/// Deletes the records of one partition below an offset.
///
/// # Panics
/// If the broker refuses.
pub fn delete_records(broker: &Broker, topic: &str, partition: i32, before: i64) {
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(topic, partition, Offset::Offset(before))
        .expect("a valid offset");
    let deleted = block_on(client(broker).delete_records(&offsets, &options())).expect("the broker answers");
    for element in deleted.elements() {
        element
            .error()
            .unwrap_or_else(|e| panic!("deleting records of {topic}: {e}"));
    }
}

/// The broker that leads a partition, and those that have all of it; `None` while nobody leads it.
pub fn leader(broker: &Broker, topic: &str, partition: i32) -> Option<(i32, Vec<i32>)> {
    let metadata = client(broker)
        .inner()
        .fetch_metadata(Some(topic), WITHIN)
        .expect("a broker answers");
    let found = metadata.topics()[0].partitions().iter().find(|p| p.id() == partition)?;
    (found.leader() >= 0).then(|| (found.leader(), found.isr().to_vec()))
}

/// Every topic of the cluster with its number of partitions.
pub fn topics(broker: &Broker) -> BTreeMap<String, usize> {
    let metadata = client(broker)
        .inner()
        .fetch_metadata(None, WITHIN)
        .expect("the broker answers");
    metadata
        .topics()
        .iter()
        .map(|t| (t.name().to_owned(), t.partitions().len()))
        .collect()
}

/// The topics whose name starts with `<application id>-`: changelogs, repartition topics, dead letters.
pub fn internal_topics(broker: &Broker, application_id: &str) -> BTreeMap<String, usize> {
    let prefix = format!("{application_id}-");
    topics(broker)
        .into_iter()
        .filter(|(name, _)| name.starts_with(&prefix))
        .collect()
}

/// What was set on a topic itself, broker-wide settings and defaults left out.
///
/// # Panics
/// If there is no such topic.
pub fn topic_configs(broker: &Broker, topic: &str) -> BTreeMap<String, String> {
    let wanted = ResourceSpecifier::Topic(topic);
    let mut results = block_on(client(broker).describe_configs([&wanted], &options())).expect("the broker answers");
    let resource = results
        .remove(0)
        .unwrap_or_else(|e| panic!("configuration of topic {topic}: {e}"));
    resource
        .entries
        .into_iter()
        .filter(|entry| entry.source == ConfigSource::DynamicTopic)
        .map(|entry| (entry.name, entry.value.unwrap_or_default()))
        .collect()
}

/// What a group has committed of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Offset of the next record to read.
    pub offset: i64,
    /// Largest timestamp that was read from the partition, -1 if none; `None` if there is no metadata.
    pub partition_time: Option<i64>,
    /// Further times by name, as processors keep them.
    pub processor_times: BTreeMap<String, i64>,
}

/// Committed positions of a group on a topic, by partition; partitions without one are absent.
///
/// # Panics
/// If the broker does not answer, or the metadata is not what Kafka Streams writes.
pub fn positions(broker: &Broker, group: &str, topic: &str) -> BTreeMap<i32, Position> {
    positions_by(&positions_reader(broker, group), topic)
}

/// A client for [`positions_by`]. It sees what is committed now, without waiting for a transaction that is about to change it.
pub fn positions_reader(broker: &Broker, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", group)
        .set("isolation.level", "read_uncommitted")
        .create()
        .expect("a consumer")
}

/// As [`positions`], by a consumer that is kept: for those who ask often.
///
/// # Panics
/// As [`positions`].
pub fn positions_by(consumer: &BaseConsumer, topic: &str) -> BTreeMap<i32, Position> {
    let metadata = consumer
        .fetch_metadata(Some(topic), WITHIN)
        .expect("the broker answers");
    let mut wanted = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        wanted.add_partition(topic, partition.id());
    }
    // A young broker's coordinator is moving or loading for a moment.
    let moving = [
        RDKafkaErrorCode::NotCoordinator,
        RDKafkaErrorCode::CoordinatorLoadInProgress,
        RDKafkaErrorCode::CoordinatorNotAvailable,
    ];
    let committed = wait_until("the group's coordinator answers", WITHIN, || {
        match consumer.committed_offsets(wanted.clone(), WITHIN) {
            Ok(committed) => Some(committed),
            Err(error) if error.rdkafka_error_code().is_some_and(|code| moving.contains(&code)) => None,
            Err(error) => panic!("the coordinator does not answer: {error}"),
        }
    });
    let mut positions = BTreeMap::new();
    for element in committed.elements() {
        if let Offset::Offset(offset) = element.offset() {
            let (partition_time, processor_times) = decode_metadata(element.metadata())
                .unwrap_or_else(|| panic!("metadata of {topic}-{}: {:?}", element.partition(), element.metadata()));
            positions.insert(
                element.partition(),
                Position {
                    offset,
                    partition_time,
                    processor_times,
                },
            );
        }
    }
    positions
}

/// Kafka Streams' TopicPartitionMetadata: base64 of a byte 2, the partition time, and a map of names to times, absent when empty.
fn decode_metadata(text: &str) -> Option<(Option<i64>, BTreeMap<String, i64>)> {
    if text.is_empty() {
        return Some((None, BTreeMap::new()));
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let mut rest = bytes.strip_prefix(&[2])?;
    let partition_time = i64::from_be_bytes(take(&mut rest)?);
    let mut times = BTreeMap::new();
    if !rest.is_empty() {
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            let length = usize::try_from(u32::from_be_bytes(take(&mut rest)?)).ok()?;
            let (name, after) = rest.split_at_checked(length)?;
            rest = after;
            times.insert(
                String::from_utf8(name.to_owned()).ok()?,
                i64::from_be_bytes(take(&mut rest)?),
            );
        }
    }
    rest.is_empty().then_some((Some(partition_time), times))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// Runs one future here: rdkafka's admin futures are completed by a thread of its own, so that parking this one is enough.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(bytes: &[&[u8]]) -> String {
        base64::engine::general_purpose::STANDARD.encode(bytes.concat())
    }

    #[test]
    fn metadata_is_read_as_kafka_streams_writes_it() {
        let time = 1_700_000_000_123_i64;
        assert_eq!(decode_metadata(""), Some((None, BTreeMap::new())));
        assert_eq!(
            decode_metadata(&encode(&[&[2], &time.to_be_bytes()])),
            Some((Some(time), BTreeMap::new()))
        );
        let with_map = encode(&[
            &[2],
            &time.to_be_bytes(),
            &1u32.to_be_bytes(),
            &2u32.to_be_bytes(),
            b"ab",
            &7i64.to_be_bytes(),
        ]);
        assert_eq!(
            decode_metadata(&with_map),
            Some((Some(time), BTreeMap::from([("ab".to_owned(), 7)])))
        );
    }

    #[test]
    fn what_kafka_streams_does_not_write_is_refused() {
        let time = 5_i64.to_be_bytes();
        for broken in [
            "not base64!".to_owned(),
            encode(&[&[1], &time]),
            encode(&[&[2], &time[..7]]),
            encode(&[&[2], &time, &1u32.to_be_bytes()]),
            encode(&[&[2], &time, &1u32.to_be_bytes(), &9u32.to_be_bytes(), b"ab"]),
            encode(&[&[2], &time, &0u32.to_be_bytes(), &[0]]),
        ] {
            assert_eq!(decode_metadata(&broken), None, "{broken}");
        }
    }
}
