//! An application is run, reset and run again.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_state::MemoryVolume;

use super::harness::Harness;
use super::seed::{T, application};
use crate::config::StreamsConfig;
use crate::reset::{Reset, ResetPlan, ResetTarget};
use crate::{Code, Instance};

/// The seed's application on ten records of one partition and two of another.
fn scene(state_dir: &std::path::Path) -> Harness {
    let harness = Harness::new(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("statestore.cache.max.bytes", "0"),
        ("commit.interval.ms", "100"),
        ("session.timeout.ms", "6000"),
        ("state.dir", state_dir.to_str().unwrap()),
    ]);
    harness.cluster.create_topic("transactions", 2).unwrap();
    harness.cluster.create_topic("aggregated", 1).unwrap();
    for amount in 1..=10 {
        let value = format!(r#"{{"amount":{amount}}}"#);
        harness.append("transactions", 0, "ada", &value, T + 60_000 * amount);
    }
    harness.append("transactions", 1, "bob", r#"{"amount":2}"#, T);
    harness.append("transactions", 1, "bob", r#"{"amount":3}"#, T + 1);
    harness
}

fn reset(harness: &Harness, target: ResetTarget) -> Reset {
    let config = StreamsConfig::parse(&harness.config).unwrap().config;
    let log = harness.cluster.client("operator").shared_log();
    Reset::new(application().plan(), &config, &log, target).unwrap()
}

fn execute(harness: &Harness, target: ResetTarget) -> ResetPlan {
    let mut reset = reset(harness, target);
    let plan = reset.prepare(false).unwrap();
    reset.execute(&plan, &MemoryVolume::new(1)).unwrap();
    plan
}

fn run_to_the_end(harness: &Harness) {
    let mut instance = harness.instance("a", &application()).unwrap();
    harness.run(&mut [&mut instance], 1_000);
    harness.stop(instance);
}

/// `transactions-0 10 -> 0`, a line each.
fn moves(plan: &ResetPlan) -> Vec<String> {
    let line = |of: &crate::reset::OffsetReset| {
        let from = of.from.map_or_else(|| "-".to_owned(), |from| from.to_string());
        let asked = of.asked.map_or_else(String::new, |asked| format!(" not {asked}"));
        format!("{} {from} -> {}{asked}", of.partition, of.to)
    };
    plan.offsets.iter().map(line).collect()
}

fn committed(harness: &Harness) -> BTreeMap<i32, Option<(i64, String)>> {
    let at = |partition| harness.cluster.committed("app", "transactions", partition);
    (0..2)
        .map(|partition| (partition, at(partition).map(|at| (at.offset, at.metadata))))
        .collect()
}

fn start(harness: &Harness, name: &str) -> Instance {
    let mut instance = harness.instance(name, &application()).unwrap();
    harness.run(&mut [&mut instance], 500);
    instance
}

#[test]
fn after_a_reset_everything_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let harness = scene(dir.path());
    run_to_the_end(&harness);
    let first = harness.read("aggregated", 1);
    assert_eq!(first.len(), 12);
    let before = (committed(&harness), harness.cluster.topic_names());

    let plan = reset(&harness, ResetTarget::Earliest).survey().unwrap();
    assert_eq!(moves(&plan), ["transactions-0 10 -> 0", "transactions-1 2 -> 0"]);
    let topics: Vec<_> = plan.internal_topics.iter().map(|topic| &*topic.name).collect();
    assert_eq!(topics, ["app-totals-changelog"]);
    assert_eq!((committed(&harness), harness.cluster.topic_names()), before);
    assert_eq!(harness.read("aggregated", 1), first);

    assert_eq!(execute(&harness, ResetTarget::Earliest), plan);
    let start = Some((0, String::new()));
    assert_eq!(committed(&harness), BTreeMap::from([(0, start.clone()), (1, start)]));
    assert_eq!(harness.cluster.topic_names(), ["aggregated", "transactions"]);

    // The state on this volume was left: its changelog is another one now, so it is rebuilt from nothing.
    run_to_the_end(&harness);
    let both = harness.read("aggregated", 1);
    assert_eq!(both[..12], first);
    let sorted = |records: &[super::harness::Seen]| {
        let mut records = records.to_vec();
        // Two tasks write one partition: their order among each other is free.
        records.sort_by(|a, b| a.1.cmp(&b.1));
        records
    };
    assert_eq!(sorted(&both[12..]), sorted(&first));
    assert_eq!(before.0, committed(&harness));
}

#[test]
fn targets_are_held_to_what_the_partition_has() {
    let dir = tempfile::tempdir().unwrap();
    let harness = scene(dir.path());
    run_to_the_end(&harness);
    let table: &[(ResetTarget, [&str; 2])] = &[
        (ResetTarget::Earliest, ["10 -> 0", "2 -> 0"]),
        (ResetTarget::Latest, ["10 -> 10", "2 -> 2"]),
        (ResetTarget::Offset(1), ["10 -> 1", "2 -> 1"]),
        (ResetTarget::Offset(5), ["10 -> 5", "2 -> 2 not 5"]),
        (ResetTarget::Offset(99), ["10 -> 10 not 99", "2 -> 2 not 99"]),
        (ResetTarget::ShiftBy(-2), ["10 -> 8", "2 -> 0"]),
        (ResetTarget::ShiftBy(-3), ["10 -> 7", "2 -> 0 not -1"]),
        (ResetTarget::ShiftBy(1), ["10 -> 10 not 11", "2 -> 2 not 3"]),
        (ResetTarget::Timestamp(T + 1), ["10 -> 0", "2 -> 1"]),
        (ResetTarget::Timestamp(T + 150_000), ["10 -> 2", "2 -> 2"]),
        (ResetTarget::Timestamp(0), ["10 -> 0", "2 -> 0"]),
    ];
    for (target, expected) in table {
        let plan = reset(&harness, *target).survey().unwrap();
        let expected = [
            format!("transactions-0 {}", expected[0]),
            format!("transactions-1 {}", expected[1]),
        ];
        assert_eq!(moves(&plan), expected, "{target:?}");
    }
    execute(&harness, ResetTarget::Offset(5));
    assert_eq!(committed(&harness)[&0], Some((5, String::new())));
    // Where nothing is committed it counts from the start.
    let mut fresh = scene(dir.path());
    fresh.config.insert("application.id".to_owned(), "other".to_owned());
    let plan = reset(&fresh, ResetTarget::ShiftBy(1)).survey().unwrap();
    assert_eq!(moves(&plan), ["transactions-0 - -> 1", "transactions-1 - -> 1"]);
}

#[test]
fn a_live_group_is_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let harness = scene(dir.path());
    let instance = start(&harness, "a");
    let before = (committed(&harness), harness.cluster.topic_names());
    let mut reset = reset(&harness, ResetTarget::Earliest);
    let error = reset.prepare(false).unwrap_err();
    assert_eq!(error.code(), Code::G003);
    let seen = reset.survey().unwrap();
    assert_eq!(seen.members.len(), 1);
    assert!(error.message().contains(&seen.members[0].member_id), "{error}");
    assert_eq!((committed(&harness), harness.cluster.topic_names()), before);
    harness.stop(instance);
    reset.prepare(false).unwrap();
}

#[test]
fn members_that_are_gone_are_removed_by_force() {
    let dir = tempfile::tempdir().unwrap();
    let harness = scene(dir.path());
    let instance = start(&harness, "a");
    harness.cluster.client("a").crash();
    drop(instance);
    let mut reset = reset(&harness, ResetTarget::Earliest);
    assert_eq!(reset.prepare(false).unwrap_err().code(), Code::G003);
    let plan = reset.prepare(true).unwrap();
    assert_eq!(plan.members.len(), 1);
    reset.execute(&plan, &MemoryVolume::new(1)).unwrap();
    assert_eq!(committed(&harness)[&0], Some((0, String::new())));
}

#[test]
fn a_member_that_comes_in_between_keeps_everything_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let harness = scene(dir.path());
    run_to_the_end(&harness);
    let mut reset = reset(&harness, ResetTarget::Earliest);
    let plan = reset.prepare(false).unwrap();
    let instance = start(&harness, "b");
    let before = (committed(&harness), harness.cluster.topic_names());
    let error = reset.execute(&plan, &MemoryVolume::new(1)).unwrap_err();
    assert_eq!(error.code(), Code::G003, "{error}");
    assert_eq!((committed(&harness), harness.cluster.topic_names()), before);
    harness.stop(instance);
}

#[test]
fn topics_of_an_earlier_plan_go_and_those_of_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    let harness = scene(dir.path());
    run_to_the_end(&harness);
    for topic in [
        "app-old-store-changelog",
        "app-old-store-repartition",
        "app-dead-letter",
        "application-x-changelog",
        "totals-changelog",
    ] {
        harness.cluster.create_topic(topic, 3).unwrap();
    }
    let plan = execute(&harness, ResetTarget::Latest);
    let topics: Vec<_> = (plan.internal_topics.iter())
        .map(|topic| (&*topic.name, topic.partitions, topic.is_planned))
        .collect();
    assert_eq!(
        topics,
        [
            ("app-old-store-changelog", 3, false),
            ("app-old-store-repartition", 3, false),
            ("app-totals-changelog", 2, true),
        ]
    );
    assert_eq!(
        harness.cluster.topic_names(),
        [
            "aggregated",
            "app-dead-letter",
            "application-x-changelog",
            "totals-changelog",
            "transactions"
        ]
    );
}

#[test]
fn an_input_that_is_missing_is_named_and_nothing_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let harness = scene(dir.path());
    harness.cluster.create_topic("app-totals-changelog", 2).unwrap();
    let mut admin = millrace_kafka::log::Log::admin(&harness.cluster.client("operator")).unwrap();
    let gone = admin.delete_topics(&["transactions"], Duration::ZERO).unwrap();
    assert!(gone[0].is_ok());
    let error = reset(&harness, ResetTarget::Earliest).prepare(true).unwrap_err();
    assert_eq!(error.code(), Code::T001);
    assert!(error.message().contains("transactions"), "{error}");
    assert!(
        harness
            .cluster
            .topic_names()
            .contains(&"app-totals-changelog".to_owned())
    );
}

#[test]
fn local_state_goes_and_the_identity_stays() {
    let dir = tempfile::tempdir().unwrap();
    let harness = scene(dir.path());
    let ours = dir.path().join("app");
    for path in ["app/0_0", "app/0_1.damaged", "app-two/0_0"] {
        std::fs::create_dir_all(dir.path().join(path)).unwrap();
        std::fs::write(dir.path().join(path).join("file"), "rows").unwrap();
    }
    std::fs::write(ours.join("millrace-process"), "").unwrap();
    let environment = millrace_state::Environment::new(millrace_state::EnvironmentConfig::default()).unwrap();

    let lock = std::fs::File::open(ours.join("millrace-process")).unwrap();
    lock.lock().unwrap();
    let mut reset = reset(&harness, ResetTarget::Earliest);
    assert!(reset.survey().unwrap().state.unwrap().is_held);
    let error = reset.prepare(true).unwrap_err();
    assert_eq!(error.code(), Code::S001);
    assert!(error.message().contains(ours.to_str().unwrap()), "{error}");
    drop(lock);

    let plan = reset.prepare(false).unwrap();
    assert_eq!(plan.state.as_ref().unwrap().entries, ["0_0", "0_1.damaged"]);
    assert!(ours.join("0_0/file").exists(), "nothing goes before its time");
    reset.execute(&plan, &environment).unwrap();
    let left: Vec<_> = std::fs::read_dir(&ours)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["millrace-process"]);
    assert!(dir.path().join("app-two/0_0/file").exists(), "another application's");
    assert_eq!(reset.survey().unwrap().state, None);
}
