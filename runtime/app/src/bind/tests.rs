//! Manifests on the in-process log, step by step: what goes in, what must come out.

use std::sync::Arc;
use std::time::Duration;

use millrace::kafka::clock::ManualClock;
use millrace::kafka::inproc::{Cluster, ClusterOptions};
use millrace::kafka::log::Isolation;
use millrace::state::MemoryVolume;
use millrace::{Instance, InstanceOptions};
use uuid::Uuid;

use super::application;
use crate::checked::{Overrides, check};
use crate::manifest::Problem;

const SEED: &str = include_str!("../../../../examples/transaction-aggregator.yaml");

/// key, value, timestamp
type Given<'a> = (Option<&'a str>, Option<&'a str>, i64);

struct Ran {
    cluster: Cluster,
    end: millrace::Result<()>,
}

/// Runs a manifest over one partition of input, caching off, until everything is committed.
fn run(manifest: &str, input: &str, outputs: &[&str], records: &[Given<'_>]) -> Ran {
    let clock = Arc::new(ManualClock::at(0));
    let cluster = Cluster::new(ClusterOptions {
        clock: clock.clone(),
        ..ClusterOptions::default()
    });
    for topic in [&[input], outputs].concat() {
        cluster.create_topic(topic, 1).unwrap();
    }
    for (key, value, timestamp) in records {
        cluster
            .append(
                input,
                0,
                key.map(str::as_bytes),
                value.map(str::as_bytes),
                *timestamp,
                &[],
            )
            .unwrap();
    }
    let config = vec![("statestore.cache.max.bytes".to_owned(), "0".to_owned())];
    let overrides = Overrides {
        config,
        state_dir: Some("state".to_owned()),
        ..Overrides::default()
    };
    let checked = check("app.yaml", manifest, &overrides)
        .unwrap_or_else(|problems| panic!("{}", problems.iter().map(Problem::render).collect::<String>()));
    let options = InstanceOptions {
        clock: clock.clone(),
        until_caught_up: true,
        transient: Some(Uuid::from_u128(1)),
        ..InstanceOptions::new(Arc::new(MemoryVolume::new(1)))
    };
    let log = cluster.client("instance").shared_log();
    let end = Instance::new(application(checked.program), checked.config, log, options).and_then(|mut instance| {
        for _ in 0..10_000 {
            if instance.is_stopped() {
                return Ok(());
            }
            instance.step()?;
            clock.advance(Duration::from_millis(20));
        }
        panic!("it has not caught up in 10,000 steps");
    });
    Ran { cluster, end }
}

impl Ran {
    fn output(&self, topic: &str) -> Vec<String> {
        let show = |bytes: &Option<bytes::Bytes>| {
            bytes
                .as_ref()
                .map_or_else(|| "null".to_owned(), |b| String::from_utf8_lossy(b).into_owned())
        };
        let records = self.cluster.dump(topic, 0, Isolation::ReadCommitted).unwrap();
        records
            .iter()
            .map(|record| format!("{} {} {}", record.timestamp, show(&record.key), show(&record.value)))
            .collect()
    }
}

#[test]
fn the_example_sums_per_user_and_window() {
    let minute = 60_000;
    let ran = run(
        SEED,
        "transactions-topic",
        &["aggregated-transactions", "transaction-aggregator-v1-dead-letter"],
        &[
            (Some("ada"), Some(r#"{"amount": 10}"#), 0),
            (Some("bob"), Some(r#"{"amount": 2.5}"#), minute),
            (Some("ada"), Some(r#"{"amount": 0.5, "note": "ü"}"#), 2 * minute),
            (Some("ada"), Some(r#"{"amount": 0}"#), 3 * minute),
            (Some("bob"), Some(r#"{"amount": "#), 3 * minute),
            (None, Some(r#"{"amount": 1}"#), 3 * minute),
            (Some("ada"), Some(r#"{"amount": -7}"#), 4 * minute),
            (Some("bob"), Some(r#"{"amount": 4}"#), 5 * minute),
            (Some("ada"), Some(r#"{"amount": 100}"#), 4 * minute),
            (Some("ada"), Some(r#"{"amount": 1}"#), 6 * minute),
        ],
    );
    ran.end.as_ref().unwrap();
    assert_eq!(
        ran.output("aggregated-transactions"),
        [
            r#"0 ada {"totalAmount":10,"count":1}"#,
            r#"60000 bob {"totalAmount":2.5,"count":1}"#,
            r#"120000 ada {"totalAmount":10.5,"count":2}"#,
            // Broken JSON is put aside, no key and a closed window are dropped.
            r#"300000 bob {"totalAmount":4,"count":1}"#,
            r#"360000 ada {"totalAmount":1,"count":1}"#,
        ]
    );
    assert_eq!(
        ran.output("transaction-aggregator-v1-dead-letter"),
        [r#"180000 bob {"amount": "#]
    );
}

const STEPS: &str = r#"
apiVersion: millrace.dev/v1alpha1
kind: StreamApp
metadata: {name: steps}
spec:
  kafka: {bootstrapServers: "kafka:9092"}
  topology:
    topics:
      in: {name: in, key: string, value: json, timestamp: "value.at"}
      out: {name: out, key: string, value: json}
      counts: {name: counts, key: string, value: long}
      windows: {name: windows, key: string, value: json}
    pipelines:
      - name: flat
        from: in
        onError: continue
        steps:
          - filterNot: "has(value.skip)"
          - mapValues: {add: [{twice: "value.n * 2"}]}
          - map: {key: "value.user", value: "value.n > 2 ? value : null"}
        to: out
      - name: windowed
        from: in
        onError: continue
        steps:
          - aggregate: {name: mean, by: "value.user", window: {tumbling: 1m}, fields: [{mean: "avg(value.n)"}]}
          - mapValues: {add: [{from: "string(window.start)"}]}
        to: {topic: windows, key: windowed}
"#;

#[test]
fn steps_compose() {
    let ran = run(
        STEPS,
        "in",
        &["out", "windows", "counts", "steps-mean-repartition"],
        &[
            (Some("k"), Some(r#"{"user":"u","n":1,"at":1000}"#), 9),
            (Some("k"), Some(r#"{"user":"u","n":4,"at":2000}"#), 9),
            (Some("k"), Some(r#"{"user":"v","n":3,"at":3000,"skip":true}"#), 9),
            (Some("k"), Some(r#"{"user":"v","at":4000}"#), 9),
        ],
    );
    ran.end.as_ref().unwrap();
    assert_eq!(
        ran.output("out"),
        ["1000 u null", r#"2000 u {"user":"u","n":4,"at":2000,"twice":8}"#]
    );
    let window = "u\0\0\0\0\0\0\0\0";
    assert_eq!(
        ran.output("windows")[..2],
        [
            format!(r#"1000 {window} {{"mean":1.0,"from":"1970-01-01T00:00:00Z"}}"#),
            format!(r#"2000 {window} {{"mean":2.5,"from":"1970-01-01T00:00:00Z"}}"#)
        ]
    );
}

#[test]
fn a_failing_record_ends_it_and_is_named() {
    let manifest = SEED.replace(", onError: deadLetter", "");
    let given = [
        (Some("ada"), Some(r#"{"amount": 1}"#), 0),
        (Some("ada"), Some(r#"{"sum": 1}"#), 0),
    ];
    let ran = run(&manifest, "transactions-topic", &["aggregated-transactions"], &given);
    let error = ran.end.unwrap_err();
    assert_eq!(error.code(), millrace::Code::R002);
    for word in ["transactions-topic", "partition 0", "offset 1", "amount"] {
        assert!(error.message().contains(word), "{word} is not in {error}");
    }
}
