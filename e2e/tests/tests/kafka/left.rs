//! What an application leaves behind in Kafka, and how two of them are held against each other.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_e2e::admin::{self, Position};
use millrace_e2e::compare::{self, Compared};
use millrace_e2e::read::{Isolation, Record, read_all};
use millrace_e2e::{Broker, JavaApp, unique};

/// The store of the totals; its changelog is `<application id>-user-5min-totals-changelog`.
pub const STORE: &str = "user-5min-totals";

/// Everything that is compared, read back after the application ended.
pub struct Left {
    pub output: Vec<Record>,
    pub changelog: Vec<Record>,
    pub internal_topics: BTreeMap<String, usize>,
    pub changelog_configs: BTreeMap<String, String>,
    pub positions: BTreeMap<i32, Position>,
}

impl Left {
    pub fn read(broker: &Broker, application_id: &str, input: &str, output: &str) -> Left {
        let changelog = changelog(application_id);
        let internal_topics = admin::internal_topics(broker, application_id);
        Left {
            output: read_all(broker, output, Isolation::Committed),
            changelog: read_all(broker, &changelog, Isolation::Committed),
            // Without the application's id, so that two of them compare.
            internal_topics: internal_topics
                .into_iter()
                .map(|(t, n)| (t[application_id.len()..].to_owned(), n))
                .collect(),
            changelog_configs: admin::topic_configs(broker, &changelog),
            positions: admin::positions(broker, application_id, input),
        }
    }
}

pub fn changelog(application_id: &str) -> String {
    format!("{application_id}-{STORE}-changelog")
}

/// Creates a topic of its own for this test and says its name.
pub fn topic(broker: &Broker, what: &str, partitions: i32) -> String {
    let name = unique(what);
    admin::create_topic(broker, &name, partitions, &[]);
    name
}

/// Fails with the first differences, or with too little compared.
#[track_caller]
pub fn equal(what: &str, compared: Compared, at_least: usize) {
    match compared {
        Ok(count) => assert!(count >= at_least, "{what}: only {count} compared"),
        Err(differences) => panic!("{what}: {differences}"),
    }
}

/// Every update, the state, the changelog, topics, partitions and positions are the same: for runs without a cache.
#[track_caller]
pub fn equal_in_all(java: &Left, ours: &Left, at_least: usize) {
    equal(
        "output per key",
        compare::same_updates(&java.output, &ours.output),
        at_least,
    );
    equal(
        "partition of output keys",
        compare::same_partitions(&java.output, &ours.output),
        at_least.min(100),
    );
    equal(
        "changelog per key",
        compare::same_updates(&java.changelog, &ours.changelog),
        at_least,
    );
    equal_outside_of_updates(java, ours, at_least);
}

/// What a cache does not change: the final state, topics and positions.
#[track_caller]
pub fn equal_outside_of_updates(java: &Left, ours: &Left, at_least: usize) {
    equal(
        "final value per key and window",
        compare::same_final_state(&java.changelog, &ours.changelog),
        at_least.min(1_000),
    );
    equal(
        "partition of changelog keys",
        compare::same_partitions(&java.changelog, &ours.changelog),
        at_least.min(1_000),
    );
    assert_eq!(
        java.internal_topics, ours.internal_topics,
        "internal topics and their partitions"
    );
    equal(
        "changelog settings",
        compare::same_configs(&java.changelog_configs, &ours.changelog_configs),
        3,
    );
    equal(
        "committed positions",
        compare::same_positions(&java.positions, &ours.positions),
        1,
    );
}

/// Runs Kafka Streams' totals over the input, without a cache, to its end.
pub fn java_totals(broker: &Broker, input: &str, partitions: i32, guarantee: &str) -> Left {
    let (id, output) = (unique("java"), topic(broker, "java-out", partitions));
    JavaApp::run(broker, "totals", &id, input, &output)
        .config("processing.guarantee", guarantee)
        .config("statestore.cache.max.bytes", 0)
        .config("commit.interval.ms", 500)
        .jvm(&["-Xmx512m", "-XX:+UseSerialGC"])
        .start()
        .wait_caught_up(Duration::from_secs(120));
    Left::read(broker, &id, input, &output)
}
