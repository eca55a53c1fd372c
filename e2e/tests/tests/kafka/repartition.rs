//! Grouping by another key: through a repartition topic, in several tasks and processes, exactly once.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_e2e::data::{Input, Transactions};
use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::{Isolation, read_all, watermarks};
use millrace_e2e::{Broker, Millrace, admin, feed, murmur2, unique};
use serde_json::Value;

use crate::left::topic;

const PARTITIONS: i32 = 4;

/// Total, orders and largest amount per shop, computed from the input alone.
fn expected(records: &[Input]) -> BTreeMap<String, (i64, i64, i64)> {
    let mut shops = BTreeMap::new();
    for record in records {
        let value: Value =
            serde_json::from_slice(record.value.as_deref().expect("plain records have values")).expect("and JSON");
        let (shop, amount) = (
            value["shop"].as_str().expect("a shop"),
            value["amount"].as_i64().expect("an amount"),
        );
        let (total, orders, largest) = shops.entry(shop.to_owned()).or_insert((0, 0, 0));
        (*total, *orders, *largest) = (*total + amount, *orders + 1, amount.max(*largest));
    }
    shops
}

#[test]
fn totals_by_another_key_are_those_of_the_input() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "shops-in", PARTITIONS),
        topic(broker, "shops-out", PARTITIONS),
        unique("shops"),
    );
    let records = Transactions::seeded(31).records(60_000).without_faults().generate();
    feed::feed(broker, &[&input], &records);
    let manifest = Manifest::by_shop(broker, &id, &input, &output)
        .config("processing.guarantee", "exactly_once_v2")
        .config("statestore.cache.max.bytes", 0)
        .config("commit.interval.ms", 100)
        .config("repartition.purge.interval.ms", 200)
        .config("num.stream.threads", 2);
    // Two processes: each waits until the group has done everything.
    let mut apps: Vec<Millrace> = ["A", "B"]
        .into_iter()
        .map(|name| {
            Millrace::run(manifest.clone())
                .named(&format!("millrace {name}"))
                .until_caught_up()
                .start()
        })
        .collect();
    for app in &mut apps {
        app.expect_exit(0, Duration::from_secs(90));
    }

    let written = read_all(broker, &output, Isolation::Committed);
    assert_eq!(
        written.len(),
        records.len(),
        "without a cache, each record is one update"
    );
    let mut last = BTreeMap::new();
    for record in &written {
        let key = record.key.clone().expect("results have keys");
        assert_eq!(
            record.partition,
            murmur2::partition(&key, PARTITIONS),
            "results go where their key goes"
        );
        let value: Value = serde_json::from_slice(record.value.as_deref().expect("no deletions")).expect("JSON");
        let average = value["total"].as_f64().unwrap() / value["orders"].as_f64().unwrap();
        assert_eq!(value["average"].as_f64(), Some(average), "{value}");
        let figures = ["total", "orders", "largest"].map(|field| value[field].as_i64().expect("an integer"));
        last.insert(
            String::from_utf8(key).expect("text"),
            (figures[0], figures[1], figures[2]),
        );
    }
    assert_eq!(last, expected(&records));

    let repartition = format!("{id}-shop-totals-repartition");
    assert_eq!(
        admin::internal_topics(broker, &id),
        BTreeMap::from([
            (format!("{id}-shop-totals-changelog"), PARTITIONS as usize),
            (repartition.clone(), PARTITIONS as usize),
        ])
    );
    let configs = admin::topic_configs(broker, &repartition);
    for (name, value) in [
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("segment.bytes", "52428800"),
        ("message.timestamp.type", "CreateTime"),
    ] {
        assert_eq!(
            configs.get(name).map(String::as_str),
            Some(value),
            "{name} of {configs:?}"
        );
    }
    let purged: i64 = watermarks(broker, &repartition).iter().map(|(low, _)| low).sum();
    assert!(purged > 0, "what was processed is deleted from the repartition topic");
}
