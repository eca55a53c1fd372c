//! What a record costs.

use std::time::{Duration, Instant};

use millrace_kafka::log::*;

use super::rig::*;

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn half_a_million_records_go_through_quickly() {
    const RECORDS: u32 = 500_000;
    let log = cluster();
    let name = topic(&log, 4);
    let mut producer = producer(&log, None);
    let handle = producer.topic(&name).unwrap();
    let value = [7; 100];
    let (start, busy) = (Instant::now(), thread_cpu());
    for number in 0..RECORDS {
        let record = OutgoingRecord {
            topic: handle,
            partition: i32::try_from(number % 4).unwrap(),
            key: Some(&number.to_be_bytes()),
            value: Some(&value),
            timestamp: 1_790_000_000_000,
            headers: &[],
        };
        producer.send(record).unwrap();
    }
    producer.flush(SOON).unwrap();
    let each = |time: Duration| time.as_nanos() / u128::from(RECORDS);
    println!(
        "produce: {} ns/record on the caller's thread, {} ns/record until flushed",
        each(thread_cpu() - busy),
        each(start.elapsed())
    );
    assert_eq!(
        (0..4)
            .map(|partition| producer.acknowledged(handle, partition).unwrap() + 1)
            .sum::<i64>(),
        500_000
    );

    let mut consumer = consumer(&log, Isolation::ReadCommitted);
    let all: Vec<_> = (0..4)
        .map(|partition| (TopicPartition::new(name.as_str(), partition), 0))
        .collect();
    consumer.assign(&all).unwrap();
    let (mut read, mut batches, mut ends) = (0, 0, 0);
    let mut out = Vec::new();
    let (start, busy) = (Instant::now(), thread_cpu());
    while ends < 4 {
        assert!(start.elapsed() < SOON * 3);
        consumer.poll(Duration::from_millis(100), 1_000, &mut out).unwrap();
        for polled in out.drain(..) {
            match polled {
                Polled::Records(batch) => {
                    batches += 1;
                    read += batch
                        .iter()
                        .filter(|record| record.value_slice() == Some(&value))
                        .count();
                }
                Polled::End { .. } => ends += 1,
                Polled::Failed { error, .. } => panic!("{error}"),
            }
        }
    }
    println!(
        "consume: {} ns/record on the caller's thread, {} ns/record in all, {} records a batch",
        each(thread_cpu() - busy),
        each(start.elapsed()),
        read / batches
    );
    assert_eq!(read, 500_000);
}

/// What this thread has used of the processor.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}
