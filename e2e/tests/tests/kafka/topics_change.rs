//! Topics that change behind the application's back: records deleted before they were read, a changelog made anew.

use std::time::Duration;

use millrace_e2e::data::{Input, now};
use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::{Isolation, read_all, watermarks};
use millrace_e2e::{Broker, Millrace, admin, feed, unique};

use crate::left::topic;
use crate::model::{Orders, PARTITIONS, committed, wait_for_output};

const SOON: Duration = Duration::from_secs(30);

/// The input's numbers that come out.
fn written(broker: &Broker, output: &str) -> Vec<String> {
    let keys = read_all(broker, output, Isolation::Committed).into_iter();
    keys.map(|record| String::from_utf8(record.key.expect("a key")).expect("text"))
        .collect()
}

/// Ten records are committed, then ten more come, and five of them are deleted unread: `auto.offset.reset` says what then.
#[test]
fn records_deleted_unread_are_passed_over_as_configured() {
    let broker = Broker::shared();
    let input = topic(broker, "deleted-in", 1);
    let feed = |numbers: std::ops::Range<i64>| {
        let records: Vec<_> = numbers
            .map(|i| Input::text(&i.to_string(), r#"{"amount": 1000}"#, now(), 1))
            .collect();
        feed::feed(broker, &[&input], &records);
    };
    struct Case {
        reset: &'static str,
        id: String,
        output: String,
    }
    let cases = ["earliest", "latest", "none"].map(|reset| Case {
        reset,
        id: unique(reset),
        output: topic(broker, "deleted-out", 1),
    });
    let run = |case: &Case, reset: &str| {
        let manifest = Manifest::filter(broker, &case.id, &input, &case.output)
            .config("processing.guarantee", "exactly_once_v2")
            .config("consumer.auto.offset.reset", reset);
        Millrace::run(manifest).until_caught_up().start()
    };
    let begin = |reset: &'static str| cases.each_ref().map(|case| run(case, reset));

    feed(0..10);
    for mut app in begin("earliest") {
        app.expect_exit(0, SOON);
    }
    feed(10..20);
    admin::delete_records(broker, &input, 0, 15);
    for case in &cases {
        assert_eq!(admin::positions(broker, &case.id, &input)[&0].offset, 10);
    }
    for (case, mut app) in cases.iter().zip(cases.each_ref().map(|case| run(case, case.reset))) {
        app.expect_exit(if case.reset == "none" { 5 } else { 0 }, SOON);
        let said = app.process.stderr();
        match case.reset {
            "none" => {
                for word in ["MILL-T006", &format!("{input}-0"), "offset 10"] {
                    assert!(said.contains(word), "{word:?} is not in:\n{said}");
                }
            }
            _ => assert!(
                said.lines()
                    .any(|line| line.contains("WARN") && line.contains(&format!("{input}-0"))),
                "a loss is told:\n{said}"
            ),
        }
    }
    // What was passed over is committed, so that a second run does not pass over more.
    feed(20..22);
    for mut app in [run(&cases[0], "none"), run(&cases[1], "none")] {
        app.expect_exit(0, SOON);
    }
    let expected = |ranges: &[std::ops::Range<i64>]| -> Vec<String> {
        ranges.iter().cloned().flatten().map(|i| i.to_string()).collect()
    };
    assert_eq!(
        written(broker, &cases[0].output),
        expected(&[0..10, 15..22]),
        "earliest"
    );
    assert_eq!(written(broker, &cases[1].output), expected(&[0..10, 20..22]), "latest");
    assert_eq!(written(broker, &cases[2].output), expected(&[0..10]), "none");
}

/// Only the topic's id tells: the new changelog is longer than the position on disk. The state is the new one's, not the disk's.
#[test]
fn a_changelog_made_anew_rebuilds_the_store() {
    const FIRST: usize = 2_000;
    const MORE: usize = 52;
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "anew-in", PARTITIONS),
        topic(broker, "anew-out", PARTITIONS),
        unique("anew"),
    );
    let changelog = format!("{id}-shop-totals-changelog");
    let state = tempfile::tempdir().expect("a temporary directory");
    let orders = Orders::new();
    let run = || {
        let manifest = Manifest::by_shop(broker, &id, &input, &output)
            .config("processing.guarantee", "exactly_once_v2")
            .config("statestore.cache.max.bytes", 0)
            .config("commit.interval.ms", 100);
        Millrace::run(manifest).state_dir(state.path())
    };
    orders.feed_all(broker, &input, 0..FIRST);
    run().until_caught_up().start().expect_exit(0, SOON);

    let old = read_all(broker, &changelog, Isolation::Committed);
    let ends = watermarks(broker, &changelog);
    admin::delete_topics(broker, &[&changelog]);
    millrace_e2e::wait_until("the changelog is gone", SOON, || {
        (!admin::topics(broker).contains_key(&changelog)).then_some(())
    });
    admin::create_topic(broker, &changelog, PARTITIONS, &[("cleanup.policy", "compact")]);
    // Every shop has one big order more than the disk knows; twice, to be longer than before, markers included.
    let rows: Vec<Input> = old
        .iter()
        .map(|record| {
            let mut value: serde_json::Value =
                serde_json::from_slice(record.value.as_deref().expect("no deletions")).expect("JSON");
            value["largest"] = 5_000.into();
            Input {
                partition: record.partition,
                key: record.key.clone(),
                value: Some(value.to_string().into_bytes()),
                timestamp: record.timestamp,
            }
        })
        .collect();
    feed::feed(broker, &[&changelog], &[rows.clone(), rows].concat());
    for ((_, new), (_, old)) in watermarks(broker, &changelog).iter().zip(&ends) {
        assert!(new >= old, "the test needs a longer changelog: {new} after {old}");
    }

    orders.feed_all(broker, &input, FIRST..FIRST + MORE);
    let mut app = run().until_caught_up().start();
    app.expect_exit(0, SOON);
    let said = app.process.stderr();
    assert!(
        said.lines()
            .any(|line| line.contains(&changelog) && line.contains("made anew")),
        "{said}"
    );
    let written = read_all(broker, &output, Isolation::Committed);
    assert_eq!(written.len(), FIRST + MORE);
    let large = |record: &millrace_e2e::read::Record| {
        String::from_utf8_lossy(record.value.as_deref().expect("no deletions")).contains("\"largest\":5000")
    };
    assert_eq!(
        written.iter().filter(|record| large(record)).count(),
        MORE,
        "the new changelog is the state"
    );
}

/// While the application runs: it ends with a code and names the topic, and a new start makes it again.
#[test]
fn a_changelog_deleted_under_a_running_application_ends_it() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "cut-in", PARTITIONS),
        topic(broker, "cut-out", PARTITIONS),
        unique("cut"),
    );
    let changelog = format!("{id}-shop-totals-changelog");
    let orders = Orders::new();
    orders.feed_all(broker, &input, 0..500);
    let manifest = || {
        Manifest::by_shop(broker, &id, &input, &output)
            .config("processing.guarantee", "exactly_once_v2")
            .config("statestore.cache.max.bytes", 0)
            .config("commit.interval.ms", 100)
            // How long it is asked for.
            .config("request.timeout.ms", 5_000)
    };
    let mut app = Millrace::run(manifest()).start();
    wait_for_output(broker, &output, 500, SOON);
    admin::delete_topics(broker, &[&changelog]);
    orders.feed_all(broker, &input, 500..1_000);
    app.expect_exit(5, SOON);
    let said = app.process.stderr();
    assert!(said.contains("MILL-T003") && said.contains(&changelog), "{said}");
    Millrace::run(manifest()).until_caught_up().start().expect_exit(0, SOON);
    assert_eq!(committed(broker, &output), 1_000);
}
