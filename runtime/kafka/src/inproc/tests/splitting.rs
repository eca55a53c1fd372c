//! Reads that hand out random parts.

use std::time::Duration;

use super::{consumer, held};
use crate::clock::ManualClock;
use crate::inproc::{Cluster, ClusterOptions};
use crate::log::{Consumer, Isolation, Polled, TopicPartition};

/// Reads all of `records` records, poll by poll; offsets as they came.
fn polls(reader: &mut dyn Consumer, records: usize) -> Vec<Vec<i64>> {
    let mut polls: Vec<Vec<i64>> = Vec::new();
    while polls.iter().map(Vec::len).sum::<usize>() < records {
        let mut polled = Vec::new();
        reader.poll(Duration::ZERO, 1_000, &mut polled).unwrap();
        let batches = polled.iter().filter_map(|polled| match polled {
            Polled::Records(batch) => Some(batch),
            _ => None,
        });
        polls.push(
            batches
                .flat_map(|batch| batch.iter().map(|record| record.offset()))
                .collect(),
        );
        assert!(polls.len() < 1_000, "{polls:?}");
    }
    polls
}

fn fill(cluster: &Cluster) {
    for _ in 0..100 {
        cluster.append("t", 0, None, Some(b"v"), 1, &[]).unwrap();
    }
}

#[test]
fn parts_are_random_and_nothing_is_lost_or_out_of_order() {
    let mut ways = Vec::new();
    for seed in 0..5 {
        let cluster = Cluster::new(ClusterOptions {
            clock: std::sync::Arc::new(ManualClock::at(0)),
            seed,
            split_reads: true,
            ..ClusterOptions::default()
        });
        cluster.create_topic("t", 1).unwrap();
        fill(&cluster);
        let mut reader = consumer(&cluster.client("i"), Isolation::ReadCommitted, 0, 0);
        let parts = polls(reader.as_mut(), 100);
        let all: Vec<i64> = parts.iter().flatten().copied().collect();
        assert_eq!(all, (0..100).collect::<Vec<i64>>(), "seed {seed}");
        assert_eq!(reader.position(&TopicPartition::new("t", 0)), Some(100));
        ways.push(parts);
    }
    let parts: Vec<&Vec<i64>> = ways.iter().flatten().collect();
    assert!(parts.iter().any(|part| part.is_empty()) && parts.iter().any(|part| part.len() > 1));
    ways.dedup();
    assert_eq!(ways.len(), 5, "each seed has a way of its own");
}

#[test]
fn without_it_a_read_hands_out_all_there_is() {
    let (cluster, _) = held(1);
    fill(&cluster);
    let mut reader = consumer(&cluster.client("i"), Isolation::ReadCommitted, 0, 0);
    assert_eq!(polls(reader.as_mut(), 100).len(), 1);
}
