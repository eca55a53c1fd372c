//! Kafka Streams and Millrace under one application id, one after the other, on the same changelog, repartition topic and offsets.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use millrace_e2e::data::{Input, Transactions};
use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Broker, Exit, JavaApp, Millrace, compare, feed, knob, unique};

use crate::left::{Left, equal_in_all, topic};
use crate::model::{Orders, PARTITIONS, exactly_once, wait_for_output};

const MINUTE: Duration = Duration::from_secs(60);
const JVM: [&str; 2] = ["-Xmx384m", "-XX:+UseSerialGC"];
const WINDOW_MS: i64 = 300_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Java,
    Millrace,
}
use Engine::{Java, Millrace as Ours};

/// One application over its three parts.
struct Relay {
    engines: [Engine; 3],
    app: &'static str,
    id: String,
    output: String,
    state: tempfile::TempDir,
}

enum Runner {
    Java(JavaApp),
    Ours(Box<Millrace>),
}

impl Relay {
    fn new(broker: &Broker, app: &'static str, engines: [Engine; 3]) -> Relay {
        Relay {
            engines,
            app,
            id: unique(&format!("relay-{app}")),
            output: topic(broker, "relay-out", PARTITIONS),
            state: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// Java begins with an empty disk each time, Millrace with what it left there.
    fn start(&self, broker: &Broker, input: &str, part: usize) -> Runner {
        match self.engines[part] {
            Java => Runner::Java(self.java(broker, input).start()),
            Ours => Runner::Ours(Box::new(
                self.ours(broker, input, self.state.path()).until_caught_up().start(),
            )),
        }
    }

    fn java(&self, broker: &Broker, input: &str) -> millrace_e2e::JavaAppBuilder {
        JavaApp::run(broker, self.app, &self.id, input, &self.output)
            .config("processing.guarantee", "exactly_once_v2")
            .config("statestore.cache.max.bytes", 0)
            .jvm(&JVM)
    }

    fn ours(&self, broker: &Broker, input: &str, state: &Path) -> millrace_e2e::MillraceBuilder {
        let manifest = match self.app {
            "totals" => Manifest::totals(broker, &self.id, input, &self.output),
            _ => Manifest::by_shop(broker, &self.id, input, &self.output),
        };
        let manifest = manifest
            .config("processing.guarantee", "exactly_once_v2")
            .config("statestore.cache.max.bytes", 0)
            .config("commit.interval.ms", 100);
        Millrace::run(manifest)
            .named(&format!("millrace {:?} {}", self.engines, self.id))
            .state_dir(state)
    }
}

impl Runner {
    fn finish(self) {
        match self {
            Runner::Java(app) => app.wait_caught_up(MINUTE),
            Runner::Ours(mut app) => app.expect_exit(0, MINUTE),
        }
    }
}

/// All relays run the same part at once; a part is fed when all have done the one before.
fn run(broker: &Broker, input: &str, relays: &[&Relay], parts: &[Vec<Input>]) {
    for (number, part) in parts.iter().enumerate() {
        feed::feed(broker, &[input], part);
        let runners: Vec<_> = relays.iter().map(|relay| relay.start(broker, input, number)).collect();
        runners.into_iter().for_each(Runner::finish);
    }
}

/// A third of the input each. Right behind a cut there are late records for windows that hold something already: whoever begins there does not
/// know stream time, so they count, but Kafka Streams' stores no longer show what they held.
fn thirds(seed: u64) -> Vec<Vec<Input>> {
    let records = Transactions::seeded(seed).records(24_000).generate();
    let mut thirds: Vec<Vec<Input>> = records.chunks(8_000).map(<[Input]>::to_vec).collect();
    for third in 1..thirds.len() {
        let (before, after) = thirds.split_at_mut(third);
        let mut late = late_records(&before[third - 1]);
        late.append(&mut after[0]);
        after[0] = late;
    }
    thirds
}

fn late_records(before: &[Input]) -> Vec<Input> {
    const MINUTE_MS: i64 = 60_000;
    let mut newest = BTreeMap::new();
    for record in before {
        let newest = newest.entry(record.partition).or_insert(0);
        *newest = record.timestamp.max(*newest);
    }
    let mut late = Vec::new();
    for (partition, newest) in newest {
        for minutes in [22, 12, 7, 4] {
            let window = (newest - minutes * MINUTE_MS).div_euclid(WINDOW_MS) * WINDOW_MS;
            let held = before.iter().find(|record| {
                let counted = record
                    .value
                    .as_ref()
                    .is_some_and(|v| v.ends_with(b"\"}") && v.starts_with(b"{\"id\":\"t-"));
                record.partition == partition && counted && record.timestamp.div_euclid(WINDOW_MS) * WINDOW_MS == window
            });
            let held = held.expect("each window of each partition holds something");
            // Twice, so that the second finds what the first has left.
            late.extend([held.clone(), held.clone()]);
        }
    }
    late
}

#[test]
fn windows_are_taken_over_both_ways() {
    let broker = Broker::shared();
    let seed = knob("MILLRACE_SEED", 61);
    println!("input of seed {seed}");
    let input = topic(broker, "relay-in", PARTITIONS);
    let [java, ours_between, java_between] =
        [[Java; 3], [Java, Ours, Java], [Ours, Java, Ours]].map(|engines| Relay::new(broker, "totals", engines));
    run(broker, &input, &[&java, &ours_between, &java_between], &thirds(seed));

    let expected = Left::read(broker, &java.id, &input, &java.output);
    for relay in [&ours_between, &java_between] {
        println!("{:?}", relay.engines);
        let left = Left::read(broker, &relay.id, &input, &relay.output);
        equal_in_all(&expected, &left, 10_000);
    }
}

#[test]
fn a_repartition_topic_is_taken_over_both_ways() {
    const THIRD: usize = 3_000;
    let broker = Broker::shared();
    let input = topic(broker, "relay-shops-in", PARTITIONS);
    let orders = Orders::new();
    let relays = [[Java, Ours, Java], [Ours, Java, Ours]].map(|engines| Relay::new(broker, "by-shop", engines));
    for part in 0..2 {
        orders.feed_all(broker, &input, part * THIRD..(part + 1) * THIRD);
        // Java leaves when the input is done: what it has put into the repartition topic may be left for the next one.
        let runners = relays.each_ref().map(|relay| relay.start(broker, &input, part));
        runners.into_iter().for_each(Runner::finish);
    }
    orders.feed_all(broker, &input, 2 * THIRD..3 * THIRD);
    let [java_last, ours_last] = &relays;
    let mut java = java_last.java(broker, &input).until_terminated().start();
    ours_last.start(broker, &input, 2).finish();
    wait_for_output(broker, &java_last.output, 3 * THIRD, MINUTE);

    // Java lives: its group is refused.
    let disk = tempfile::tempdir().expect("a temporary directory");
    let mut intruder = java_last.ours(broker, &input, disk.path()).start();
    intruder.expect_exit(6, MINUTE);
    let said = intruder.process.stderr();
    assert!(said.contains("MILL-G001") && said.contains(&java_last.id), "{said}");
    java.process.terminate();
    assert_eq!(java.process.wait(MINUTE), Exit::Code(143), "Java leaves in peace");

    for relay in &relays {
        println!("{:?}", relay.engines);
        exactly_once(broker, &relay.output, &orders.shops(3 * THIRD));
        let changelog = format!("{}-shop-totals-changelog", relay.id);
        exactly_once(broker, &changelog, &orders.shops_logged(3 * THIRD));
    }
    let positions = relays
        .each_ref()
        .map(|relay| millrace_e2e::admin::positions(broker, &relay.id, &input));
    assert_eq!(
        compare::same_positions(&positions[0], &positions[1]),
        Ok(PARTITIONS as usize)
    );
}
