//! Kafka Streams and Millrace on the same 200,000 records of the same topic leave the same behind.

use std::sync::LazyLock;
use std::time::Duration;

use millrace_e2e::compare;
use millrace_e2e::data::Transactions;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Broker, Millrace, feed, unique};

use crate::left::{Left, equal, equal_in_all, equal_outside_of_updates, java_totals, topic};

const PARTITIONS: i32 = 4;

/// The one input of these tests. `MILLRACE_SEED` gives another one.
static INPUT: LazyLock<String> = LazyLock::new(|| {
    let seed = std::env::var("MILLRACE_SEED").map_or(2024, |seed| seed.parse().expect("MILLRACE_SEED is a number"));
    println!("input of seed {seed}");
    let input = topic(Broker::shared(), "transactions", PARTITIONS);
    feed::feed(Broker::shared(), &[&input], &Transactions::seeded(seed).generate());
    input
});

static JAVA_EXACTLY_ONCE: LazyLock<Left> =
    LazyLock::new(|| java_totals(Broker::shared(), &INPUT, PARTITIONS, "exactly_once_v2"));

fn millrace_totals(configs: &[(&str, &str)]) -> Left {
    let broker = Broker::shared();
    let (id, output) = (unique("millrace"), topic(broker, "millrace-out", PARTITIONS));
    let mut manifest = Manifest::totals(broker, &id, &INPUT, &output);
    for (key, value) in configs {
        manifest = manifest.config(key, value);
    }
    let mut app = Millrace::run(manifest).until_caught_up().start();
    app.expect_exit(0, Duration::from_secs(120));
    Left::read(broker, &id, &INPUT, &output)
}

#[test]
fn every_update_exactly_once() {
    let ours = millrace_totals(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("statestore.cache.max.bytes", "0"),
    ]);
    equal_in_all(&JAVA_EXACTLY_ONCE, &ours, 100_000);
}

#[test]
fn every_update_at_least_once() {
    let java = java_totals(Broker::shared(), &INPUT, PARTITIONS, "at_least_once");
    let ours = millrace_totals(&[
        ("processing.guarantee", "at_least_once"),
        ("statestore.cache.max.bytes", "0"),
    ]);
    equal_in_all(&java, &ours, 100_000);
}

#[test]
fn two_threads_do_the_same_as_one() {
    let ours = millrace_totals(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("statestore.cache.max.bytes", "0"),
        ("num.stream.threads", "2"),
    ]);
    equal_in_all(&JAVA_EXACTLY_ONCE, &ours, 100_000);
}

/// A cache so small that it evicts all the time, and one that holds everything between commits.
#[test]
fn with_a_cache_the_same_state_by_some_of_the_updates() {
    for (cache, commit) in [("65536", "200"), ("10485760", "100")] {
        let ours = millrace_totals(&[
            ("processing.guarantee", "exactly_once_v2"),
            ("statestore.cache.max.bytes", cache),
            ("commit.interval.ms", commit),
        ]);
        let java = &*JAVA_EXACTLY_ONCE;
        equal(
            "forwarded updates",
            compare::subsequence(&java.output, &ours.output),
            1_000,
        );
        equal(
            "logged updates",
            compare::subsequence(&java.changelog, &ours.changelog),
            1_000,
        );
        equal_outside_of_updates(java, &ours, 10_000);
        assert!(
            ours.output.len() < java.output.len() * 9 / 10,
            "a cache of {cache} saved nothing: {} updates",
            ours.output.len()
        );
    }
}
