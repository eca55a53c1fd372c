//! `millrace reset`: shown first, refused while the application runs, and then as if it had never run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use millrace_e2e::data::{self, Transactions};
use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::{Record, watermarks};
use millrace_e2e::{Broker, Exit, Millrace, Process, admin, feed, paths, unique};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

use crate::left::{Left, changelog, equal_in_all, topic};

const PARTITIONS: i32 = 4;

/// What a reset said, and its exit code.
struct Answer {
    code: i32,
    out: String,
    err: String,
}

fn reset(manifest: &Manifest, state: &Path, args: &[&str]) -> Answer {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("app.yaml");
    std::fs::write(&file, manifest.yaml()).expect("write the manifest");
    let mut command = Command::new(paths::millrace_binary());
    command.arg("reset").arg(&file).arg("--state-dir").arg(state).args(args);
    let mut process = Process::start(format!("millrace reset {args:?}"), &mut command);
    match process.wait(Duration::from_secs(40)) {
        Exit::Code(code) => Answer {
            code,
            out: process.stdout(),
            err: process.stderr(),
        },
        Exit::Signal(signal) => panic!("reset ended by signal {signal}"),
    }
}

/// Everything below a directory, by name, but what a process writes about itself.
fn files(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(&next).expect("a directory").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(dir).expect("below it").display().to_string();
            names.push(name);
            if path.is_dir() {
                left.push(path);
            }
        }
    }
    names.sort();
    names
}

/// The committed offsets by partition.
fn offsets(broker: &Broker, id: &str, input: &str) -> BTreeMap<i32, i64> {
    let positions = admin::positions(broker, id, input);
    positions
        .into_iter()
        .map(|(partition, at)| (partition, at.offset))
        .collect()
}

/// One update without its offset: value and timestamp.
type Update<'a> = (&'a Option<Vec<u8>>, i64);

/// What each key got, by partition and key. Among keys the order is free: one that is no UTF-8 is written as another than it was read, and
/// so may share its partition with those of another task.
fn by_key(records: &[Record]) -> BTreeMap<(i32, &Option<Vec<u8>>), Vec<Update<'_>>> {
    let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in records {
        let updates = keys.entry((record.partition, &record.key)).or_default();
        updates.push((&record.value, record.timestamp));
    }
    keys
}

#[test]
fn after_a_reset_the_application_does_everything_again() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "reset-in", PARTITIONS),
        topic(broker, "reset-out", PARTITIONS),
        unique("reset"),
    );
    feed::feed(broker, &[&input], &Transactions::seeded(61).records(20_000).generate());
    let state = tempfile::tempdir().expect("a temporary directory");
    let manifest = Manifest::totals(broker, &id, &input, &output)
        .config("processing.guarantee", "exactly_once_v2")
        .config("statestore.cache.max.bytes", 0)
        .config("commit.interval.ms", 200);
    let run = || {
        Millrace::run(manifest.clone())
            .state_dir(state.path())
            .until_caught_up()
            .start()
            .expect_exit(0, Duration::from_secs(60));
        Left::read(broker, &id, &input, &output)
    };
    let first = run();
    assert!(first.output.len() > 10_000, "{} results", first.output.len());
    let committed = offsets(broker, &id, &input);

    // A dry run says it all, and changes nothing.
    let before = files(state.path());
    let dry = reset(&manifest, state.path(), &["--format", "json"]);
    assert_eq!(dry.code, 0, "{}", dry.err);
    let plan: Value = serde_json::from_str(&dry.out).expect("JSON");
    assert_eq!(plan["executed"], false);
    let planned: BTreeMap<i32, (i64, i64)> = plan["offsets"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|of| {
            let number = |field: &str| of[field].as_i64().expect("a number");
            assert_eq!(of["topic"], input);
            (number("partition") as i32, (number("from"), number("to")))
        })
        .collect();
    let expected: BTreeMap<_, _> = committed.iter().map(|(partition, at)| (*partition, (*at, 0))).collect();
    assert_eq!(planned, expected);
    assert_eq!(plan["internalTopics"][0]["name"], changelog(&id));
    assert_eq!(plan["internalTopics"].as_array().map(Vec::len), Some(1));
    assert_eq!(plan["state"]["entries"].as_array().map(Vec::len), Some(4), "{plan}");
    let unchanged = || {
        let now = Left::read(broker, &id, &input, &output);
        assert_eq!(now.output, first.output);
        assert_eq!(now.changelog, first.changelog);
        assert_eq!(now.internal_topics, first.internal_topics);
        assert_eq!(now.positions, first.positions);
    };
    unchanged();
    assert_eq!(files(state.path()), before);

    // While it runs it is refused, here and from another machine, and so it is while the group still has a member that was killed.
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let mut live = Millrace::run(manifest.clone()).state_dir(state.path()).start();
    live.wait_for_event("running", Duration::from_secs(30), |_| true);
    let refused = |state: &Path, args: &[&str]| {
        let answer = reset(&manifest, state, args);
        assert_eq!(answer.code, 6, "{}{}", answer.out, answer.err);
        assert!(answer.err.contains("MILL-G003"), "{}", answer.err);
        answer
    };
    refused(state.path(), &["--execute"]);
    refused(elsewhere.path(), &["--execute"]);
    refused(elsewhere.path(), &[]);
    // By force as well, because its process holds the state.
    let held = reset(&manifest, state.path(), &["--execute", "--force"]);
    assert_eq!(held.code, 7, "{}{}", held.out, held.err);
    live.process.kill();
    refused(state.path(), &["--execute"]);
    unchanged();

    let done = reset(&manifest, state.path(), &["--execute", "--force"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(
        done.out.contains("Done.") && !done.out.contains('\u{1b}'),
        "{}",
        done.out
    );
    assert_eq!(admin::internal_topics(broker, &id), BTreeMap::new());
    let positions = admin::positions(broker, &id, &input);
    assert!(
        positions.len() == 4
            && positions
                .values()
                .all(|at| at.offset == 0 && at.partition_time.is_none())
    );
    assert_eq!(files(state.path()), [id.clone(), format!("{id}/millrace-process")]);

    // The second run appends what the first one wrote, and leaves the same behind.
    let second = run();
    let (once, twice) = (by_key(&first.output), by_key(&second.output));
    assert_eq!(second.output.len(), 2 * first.output.len());
    for (key, once) in &once {
        assert!(twice[key] == [&once[..], &once[..]].concat(), "{key:?}");
    }
    let second = Left {
        output: first.output.clone(),
        ..second
    };
    equal_in_all(&first, &second, 10_000);
}

/// What the broker itself answers for a time; the end of the partition where it knows no record.
fn offsets_for_time(broker: &Broker, topic: &str, time: i64) -> BTreeMap<i32, i64> {
    let within = Duration::from_secs(30);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", "millrace-e2e-reader")
        .create()
        .expect("a consumer");
    let mut asked = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        asked
            .add_partition_offset(topic, partition, Offset::Offset(time))
            .expect("a valid offset");
    }
    let found = consumer.offsets_for_times(asked, within).expect("the broker answers");
    let ends = watermarks(broker, topic);
    let offset = |at: Offset, partition: i32| match at {
        Offset::Offset(offset) => offset,
        _ => ends[partition as usize].1,
    };
    found
        .elements()
        .iter()
        .map(|at| (at.partition(), offset(at.offset(), at.partition())))
        .collect()
}

#[test]
fn to_a_time_by_duration_and_to_the_end() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "reset-time-in", PARTITIONS),
        topic(broker, "reset-time-out", PARTITIONS),
        unique("reset-time"),
    );
    feed::feed(broker, &[&input], &Transactions::seeded(62).records(20_000).generate());
    let state = tempfile::tempdir().expect("a temporary directory");
    let manifest = Manifest::totals(broker, &id, &input, &output);
    let to = |args: &[&str]| {
        let answer = reset(&manifest, state.path(), &[&["--execute"], args].concat());
        assert_eq!(answer.code, 0, "{args:?}: {}", answer.err);
        offsets(broker, &id, &input)
    };
    let (start, end): (BTreeMap<i32, i64>, BTreeMap<i32, i64>) = watermarks(broker, &input)
        .into_iter()
        .zip(0..)
        .map(|((start, end), partition)| ((partition, start), (partition, end)))
        .unzip();

    assert_eq!(to(&["--to-latest"]), end);
    let back: BTreeMap<i32, i64> = end.iter().map(|(partition, end)| (*partition, end - 10)).collect();
    assert_eq!(to(&["--shift-by", "-10"]), back);
    assert_eq!(to(&["--to-earliest"]), start);

    let half = data::now() - 3_600_000;
    let text = chrono::DateTime::from_timestamp_millis(half)
        .expect("a time")
        .format("%Y-%m-%dT%H:%M:%S%.3f")
        .to_string();
    let expected = offsets_for_time(broker, &input, half);
    assert!(expected.iter().all(|(partition, at)| *at > 0 && *at < end[partition]));
    assert_eq!(to(&["--to-datetime", &text]), expected);

    // The tool looks at the clock between these two.
    let ago = |ms: i64| offsets_for_time(broker, &input, data::now() - ms);
    let earliest = ago(1_800_000);
    let found = to(&["--by-duration", "PT30M"]);
    let latest = ago(1_800_000);
    for (partition, at) in &found {
        let bounds = earliest[partition]..=latest[partition];
        assert!(bounds.contains(at), "partition {partition}: {at} is not in {bounds:?}");
        assert!(*at > expected[partition]);
    }
    let beyond = data::now() + 3_600_000;
    assert_eq!(offsets_for_time(broker, &input, beyond), end);
    assert_eq!(to(&["--by-duration", "0s"]).len(), 4);
}
