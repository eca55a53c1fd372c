//! A volume that was away while its changelog was compacted: what was deleted meanwhile must not come back.

use std::sync::Arc;
use std::time::Duration;

use millrace_state::{Environment, EnvironmentConfig, MemoryVolume, StateVolume};

use super::dsl::{strings, words};
use super::harness::Harness;
use crate::Application;
use crate::dsl::{Grouped, Materialized, StreamsBuilder};
use crate::serde::StringSerde;

const HOUR: Duration = Duration::from_secs(3_600);

/// Joins the letters of each word; `-` deletes what there is.
fn application() -> Application {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "letters")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .aggregate(
            String::new,
            |_, letter, before| (letter != "-").then(|| before + letter),
            Materialized::named("joined").with_value_serde(StringSerde),
        )
        .to_stream()
        .to("words", strings());
    builder.build().unwrap()
}

/// Runs an instance on the volume for these letters of partition 0; how many changelog records it restored.
fn run(harness: &Harness, name: &str, volume: Arc<dyn StateVolume>, letters: &[(&str, &str)]) -> u64 {
    let mut instance = harness.instance_on(name, &application(), volume).unwrap();
    for (key, letter) in letters {
        harness.append("letters", 0, key, letter, 1);
    }
    harness.run(&mut [&mut instance], 2_000);
    let restored = instance.metrics().total(|worker| worker.restored.get());
    harness.stop(instance);
    restored
}

/// What the volume's owner writes for `gone` when it is back, and how much it restored, after the volume was away for so long.
fn back_after(away: Duration, volume: Arc<dyn StateVolume>) -> (String, u64) {
    let mut harness = Harness::new(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("statestore.cache.max.bytes", "0"),
        ("commit.interval.ms", "100"),
    ]);
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let state_dir = |dir: &tempfile::TempDir, harness: &mut Harness| {
        let path = dir.path().display().to_string();
        harness.config.insert("state.dir".to_owned(), path);
    };
    harness.cluster.create_topic("letters", 1).unwrap();
    harness.cluster.create_topic("words", 1).unwrap();

    state_dir(&first, &mut harness);
    let before = [("gone", "a"), ("kept", "x"), ("old", "o"), ("older", "p")];
    run(&harness, "a", Arc::clone(&volume), &before);
    state_dir(&second, &mut harness);
    run(
        &harness,
        "b",
        Arc::new(MemoryVolume::new(2)),
        &[("gone", "-"), ("kept", "y")],
    );
    harness.clock.advance(away);
    let changelog = "app-joined-changelog";
    if away > 24 * HOUR {
        harness.cluster.compact(changelog).unwrap();
    } else {
        harness.cluster.compact_keeping_tombstones(changelog).unwrap();
    }
    state_dir(&first, &mut harness);
    let restored = run(&harness, "a", volume, &[("gone", "b"), ("kept", "z")]);
    let words = harness.read("words", 1).split_off(6);
    let words: Vec<String> = words
        .into_iter()
        .map(|(_, key, value, _)| format!("{}={}", key.unwrap_or_default(), value.unwrap_or_default()))
        .collect();
    (words.join(" "), restored)
}

#[test]
fn no_deleted_key_comes_back_and_a_fresh_volume_is_not_rebuilt() {
    let rocks = || -> Arc<dyn StateVolume> { Arc::new(Environment::new(EnvironmentConfig::within(32 << 20)).unwrap()) };
    let memory = || -> Arc<dyn StateVolume> { Arc::new(MemoryVolume::new(1)) };
    for (name, volume) in [("RocksDB", &rocks as &dyn Fn() -> _), ("memory", &memory)] {
        // The tail: a tombstone and an update.
        let fresh = back_after(23 * HOUR, volume());
        assert_eq!(fresh, ("gone=b kept=xyz".to_owned(), 2), "{name}");
        // All that compaction left, which is three rows: the tombstone is gone, and so must the key be.
        let stale = back_after(25 * HOUR, volume());
        assert_eq!(stale, ("gone=b kept=xyz".to_owned(), 3), "{name}");
    }
}
