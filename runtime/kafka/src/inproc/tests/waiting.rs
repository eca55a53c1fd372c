//! Calls that wait, on the machine's clock: what wakes them.

use std::time::{Duration, Instant};

use super::{bare_producer, consumer, producer, send};
use crate::ErrorKind;
use crate::inproc::{Cluster, ClusterOptions, MarkerPolicy};
use crate::log::Isolation::ReadCommitted;

/// What a call may wait at most; no script comes near it.
const LONG: Duration = Duration::from_secs(60);

fn cluster(markers: MarkerPolicy) -> Cluster {
    let cluster = Cluster::new(ClusterOptions {
        markers,
        ..ClusterOptions::default()
    });
    cluster.create_topic("t", 1).unwrap();
    cluster
}

/// Runs `wait` on a thread of its own, and `wake` on this one; the wait must end by the wake.
fn woken<T: Send>(wait: impl FnOnce() -> T + Send, wake: impl FnOnce()) -> T {
    let start = Instant::now();
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(wait);
        wake();
        waiting.join().unwrap()
    });
    assert!(start.elapsed() < LONG / 2, "it was the time-out that ended the wait");
    answer
}

#[test]
fn a_reader_is_woken_by_a_record() {
    let cluster = cluster(MarkerPolicy::Immediate);
    let mut reader = consumer(&cluster.client("i"), ReadCommitted, 0, 0);
    // The first poll tells that the partition is at its end.
    reader.poll(LONG, 10, &mut Vec::new()).unwrap();
    let mut polled = Vec::new();
    woken(
        || reader.poll(LONG, 10, &mut polled).unwrap(),
        || {
            cluster.append("t", 0, None, Some(b"a"), 1, &[]).unwrap();
        },
    );
    assert_eq!(polled.len(), 1);
}

#[test]
fn a_reader_is_woken_by_the_crash_of_its_process() {
    let cluster = cluster(MarkerPolicy::Immediate);
    let client = cluster.client("i");
    let mut reader = consumer(&client, ReadCommitted, 0, 0);
    reader.poll(LONG, 10, &mut Vec::new()).unwrap();
    let error = woken(
        || reader.poll(LONG, 10, &mut Vec::new()).unwrap_err(),
        || client.crash(),
    );
    assert_eq!(error.kind(), ErrorKind::Fatal);
}

#[test]
fn a_successor_is_woken_by_the_last_marker() {
    let cluster = cluster(MarkerPolicy::Manual);
    let mut old = producer(&cluster.client("i"), "p");
    old.begin().unwrap();
    send(old.as_mut(), 0, "a");
    old.commit(LONG).unwrap();
    let mut next = bare_producer(&cluster.client("j"), "p");
    woken(
        || next.init_transactions(LONG).unwrap(),
        || {
            cluster.deliver_markers();
        },
    );
}

#[test]
fn a_wait_ends_with_its_time() {
    let cluster = cluster(MarkerPolicy::Manual);
    let mut reader = consumer(&cluster.client("i"), ReadCommitted, 0, 0);
    reader.poll(LONG, 10, &mut Vec::new()).unwrap();
    let (start, wait) = (Instant::now(), Duration::from_millis(120));
    let mut polled = Vec::new();
    reader.poll(wait, 10, &mut polled).unwrap();
    assert!(polled.is_empty() && start.elapsed() >= wait);
}
