//! The seed's application: a filtered sum and count per user and five minutes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kafka::clock::Clock as _;
use millrace_topology::{AggregateSpec, Builder, FunctionId, SinkSpec, SourceSpec, Window};

use super::harness::Harness;
use crate::node::{Aggregator, NodeTable};
use crate::serde::{JsonSerde, Serde, StringSerde};
use crate::{Application, BoxError, Record, RecordContext};

type Json = serde_json::Value;

#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Totals {
    total_amount: i64,
    count: i64,
}

struct SumAndCount;

impl Aggregator<String, Json, Totals, Totals> for SumAndCount {
    fn initial(&self) -> Totals {
        Totals::default()
    }

    fn add(
        &self,
        record: Record<'_, String, Json>,
        _: &RecordContext<'_>,
        before: Totals,
    ) -> Result<Option<Totals>, BoxError> {
        let amount = record
            .value
            .and_then(|value| value["amount"].as_i64())
            .ok_or("no amount")?;
        Ok(Some(Totals {
            total_amount: before.total_amount + amount,
            count: before.count + 1,
        }))
    }

    fn view<'a>(&self, aggregate: &'a Totals) -> Result<Cow<'a, Totals>, BoxError> {
        Ok(Cow::Borrowed(aggregate))
    }
}

pub(super) fn application() -> Application {
    let mut builder = Builder::new();
    let source = builder
        .stream(SourceSpec::new("transactions", "string", "json"))
        .unwrap();
    let filtered = builder.filter(&source, FunctionId(0), false);
    let spec = AggregateSpec::new("string", "json", "json", FunctionId(1))
        .named("totals")
        .windowed(Window::Tumbling {
            size_ms: 300_000,
            grace_ms: 0,
        });
    let table = builder.aggregate(&filtered, spec).unwrap();
    let stream = builder.to_stream(&table);
    let plain = builder.unwindow_key(&stream);
    let sink = builder
        .to(&plain, SinkSpec::new("aggregated", "string", "json"))
        .unwrap();

    let (strings, json): (Arc<dyn Serde<String>>, Arc<dyn Serde<Json>>) = (Arc::new(StringSerde), Arc::new(JsonSerde));
    let mut nodes = NodeTable::new();
    nodes.source(source.node(), Arc::clone(&strings), Arc::clone(&json), None);
    nodes.filter::<String, Json>(
        filtered.node(),
        Arc::new(|record, _| {
            Ok(record
                .value
                .and_then(|value| value["amount"].as_f64())
                .ok_or("no amount")?
                > 0.0)
        }),
        false,
    );
    let totals: Arc<dyn Serde<Totals>> = Arc::new(JsonSerde);
    nodes.aggregate_windowed::<String, Json, Totals, Totals>(
        table.node(),
        Arc::clone(&strings),
        Arc::clone(&totals),
        Arc::new(SumAndCount),
    );
    nodes.to_stream::<crate::Windowed<String>, Totals>(stream.node());
    nodes.unwindow_key::<String, Totals>(plain.node());
    nodes.sink(sink, strings, totals);
    Application::new(builder.build().unwrap(), nodes, BTreeMap::new())
}

/// The start of a window.
pub(super) const T: i64 = 1_700_000_100_000;

fn text(records: &[super::harness::Seen]) -> String {
    let line = |(partition, key, value, timestamp): &super::harness::Seen| {
        format!(
            "{partition} {} {} @{}",
            key.as_deref().unwrap_or("-"),
            value.as_deref().unwrap_or("-"),
            timestamp - T
        )
    };
    records.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_update_is_forwarded_without_a_cache() {
    for guarantee in ["exactly_once_v2", "at_least_once"] {
        let harness = Harness::new(&[
            ("processing.guarantee", guarantee),
            ("statestore.cache.max.bytes", "0"),
            ("commit.interval.ms", "100"),
        ]);
        harness.cluster.create_topic("transactions", 2).unwrap();
        harness.cluster.create_topic("aggregated", 1).unwrap();
        let mut instance = harness.instance("a", &application()).unwrap();
        harness.append("transactions", 0, "ada", r#"{"amount":5}"#, T);
        harness.append("transactions", 0, "ada", r#"{"amount":0}"#, T + 1);
        harness.append("transactions", 0, "ada", r#"{"amount":7}"#, T + 10);
        harness.append("transactions", 0, "ada", r#"{"amount":1}"#, T + 300_000);
        harness.append("transactions", 0, "ada", r#"{"amount":100}"#, T + 299_999);
        harness.append("transactions", 1, "bob", r#"{"amount":2}"#, T + 5);
        harness.run(&mut [&mut instance], 1_000);
        expect_test::expect![[r#"
            0 ada {"totalAmount":5,"count":1} @0
            0 ada {"totalAmount":12,"count":2} @10
            0 ada {"totalAmount":1,"count":1} @300000
            0 bob {"totalAmount":2,"count":1} @5"#]]
        .assert_eq(&text(&harness.read("aggregated", 1)));
        let changelog = harness.read("app-totals-changelog", 2);
        assert_eq!(changelog.len(), 4, "{guarantee}");
        // Committed offsets stand behind the last record; partition time is the highest.
        let committed = harness.cluster.committed("app", "transactions", 0).unwrap();
        assert_eq!(committed.offset, 5);
        assert_eq!(
            crate::task::OffsetMetadata::decode(&committed.metadata).partition_time,
            T + 300_000
        );
        assert_eq!(instance.metrics().total(|worker| worker.dropped.get()), 1);
        harness.stop(instance);
    }
}

#[test]
fn the_record_cache_forwards_the_last_update_of_a_commit() {
    let harness = Harness::new(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("commit.interval.ms", "100"),
    ]);
    harness.cluster.create_topic("transactions", 1).unwrap();
    harness.cluster.create_topic("aggregated", 1).unwrap();
    let mut instance = harness.instance("a", &application()).unwrap();
    for amount in 1..=10 {
        harness.append(
            "transactions",
            0,
            "ada",
            &format!(r#"{{"amount":{amount}}}"#),
            T + amount,
        );
    }
    harness.run(&mut [&mut instance], 500);
    assert_eq!(
        text(&harness.read("aggregated", 1)),
        r#"0 ada {"totalAmount":55,"count":10} @10"#
    );
    harness.stop(instance);
}

#[test]
fn a_crash_is_not_seen_under_exactly_once() {
    let harness = Harness::new(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("statestore.cache.max.bytes", "0"),
        ("commit.interval.ms", "100"),
        ("session.timeout.ms", "6000"),
    ]);
    harness.cluster.create_topic("transactions", 1).unwrap();
    harness.cluster.create_topic("aggregated", 1).unwrap();
    let mut first = harness.instance("a", &application()).unwrap();
    for amount in 1..=5 {
        harness.append(
            "transactions",
            0,
            "ada",
            &format!(r#"{{"amount":{amount}}}"#),
            T + amount,
        );
    }
    harness.run(&mut [&mut first], 500);
    for amount in 6..=8 {
        harness.append(
            "transactions",
            0,
            "ada",
            &format!(r#"{{"amount":{amount}}}"#),
            T + amount,
        );
    }
    // Processed, not committed: then the process is gone.
    first.step().unwrap();
    harness.cluster.client("a").crash();
    drop(first);
    harness.clock.advance(std::time::Duration::from_secs(10));
    let mut second = harness.instance("b", &application()).unwrap();
    harness.run(&mut [&mut second], 15_000);
    let counts: Vec<String> = harness
        .read("aggregated", 1)
        .into_iter()
        .filter_map(|(_, _, value, _)| value)
        .collect();
    let expected: Vec<String> = (1..=8)
        .map(|n| format!(r#"{{"totalAmount":{},"count":{n}}}"#, n * (n + 1) / 2))
        .collect();
    assert_eq!(counts, expected);
    harness.stop(second);
}

#[test]
fn two_instances_split_the_partitions_and_a_third_takes_its_share() {
    let harness = Harness::new(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("statestore.cache.max.bytes", "0"),
        ("commit.interval.ms", "100"),
        ("session.timeout.ms", "6000"),
    ]);
    harness.cluster.create_topic("transactions", 6).unwrap();
    harness.cluster.create_topic("aggregated", 1).unwrap();
    let application = application();
    let (mut a, mut b) = (
        harness.instance("a", &application).unwrap(),
        harness.instance("b", &application).unwrap(),
    );
    harness.run(&mut [&mut a, &mut b], 6_000);
    let running = |instance: &crate::Instance| instance.metrics().workers()[0].running.get();
    assert_eq!((running(&a), running(&b)), (3, 3));
    let mut c = harness.instance("c", &application).unwrap();
    harness.run(&mut [&mut a, &mut b, &mut c], 12_000);
    assert_eq!((running(&a), running(&b), running(&c)), (2, 2, 2));
    harness.stop(a);
    harness.run(&mut [&mut b, &mut c], 12_000);
    assert_eq!((running(&b), running(&c)), (3, 3));
    harness.stop(b);
    harness.stop(c);
}

#[test]
fn the_wall_clock_is_that_of_the_instance() {
    let harness = Harness::new(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("statestore.cache.max.bytes", "0"),
        ("default.timestamp.extractor", "WallclockTimestampExtractor"),
    ]);
    harness.cluster.create_topic("transactions", 1).unwrap();
    harness.cluster.create_topic("aggregated", 1).unwrap();
    let mut instance = harness.instance("a", &application()).unwrap();
    harness.run(&mut [&mut instance], 500);
    harness.append("transactions", 0, "ada", r#"{"amount":5}"#, 1);
    let before = harness.clock.now_ms();
    harness.run(&mut [&mut instance], 500);
    let times: Vec<i64> = harness.read("aggregated", 1).iter().map(|(.., time)| *time).collect();
    assert_eq!(times, [before]);
    harness.stop(instance);
}
