//! State many times larger than the memory that the process may have.

use std::path::Path;
use std::time::{Duration, Instant};

use millrace_e2e::cgroup::MemoryGroup;
use millrace_e2e::data::Input;
use millrace_e2e::feed::Feeder;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Broker, Millrace, admin, knob, murmur2, soak, unique};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::left::topic;

const PARTITIONS: i32 = 4;
const MIB: u64 = 1 << 20;
/// Bytes of text in a record; random, so that nothing compresses them.
const TEXT: usize = 2_000;
/// Records that may wait to be processed.
const AHEAD: u64 = 40_000;

/// `MILLRACE_MEMORY_SECONDS` of updates under a limit of `MILLRACE_MEMORY_LIMIT` MiB, on state that is `MILLRACE_MEMORY_FACTOR` times as large; then
/// all of it is restored from nothing under the same limit.
#[test]
#[ignore = "the part `memory` of make soak: ten minutes"]
fn state_is_many_times_larger_than_memory() {
    let limit = knob("MILLRACE_MEMORY_LIMIT", 256_u64) * MIB;
    let lasts = Duration::from_secs(knob("MILLRACE_MEMORY_SECONDS", 600));
    let factor = knob("MILLRACE_MEMORY_FACTOR", 20_u64);
    let seed = knob("MILLRACE_SEED", 20_u64);
    let keys = limit * factor / TEXT as u64 + 1;
    let broker = Broker::start("1g");
    // What is processed may go; the pace keeps what is not.
    let (input, output, id) = (
        unique("memory-in"),
        topic(&broker, "memory-out", PARTITIONS),
        unique("memory"),
    );
    let segments = [("segment.bytes", "67108864"), ("retention.bytes", "268435456")];
    admin::create_topic(&broker, &input, PARTITIONS, &segments);
    let manifest = Manifest::latest(&broker, &id, &input, &output)
        .config("processing.guarantee", "exactly_once_v2")
        .config("commit.interval.ms", 500)
        .config("millrace.state.memory.max.bytes", limit / 4)
        .config("statestore.cache.max.bytes", limit / 32)
        .config("statestore.uncommitted.max.bytes", limit / 16)
        .config("input.buffer.max.bytes", limit / 16)
        .config("producer.buffer.memory", limit / 16);
    let state = tempfile::Builder::new()
        .prefix("millrace-memory-")
        .tempdir()
        .expect("a directory");
    let group = MemoryGroup::new(&unique("soak"), limit);
    let within = group.command();
    let within: Vec<&str> = within.iter().map(String::as_str).collect();
    let mut app = Millrace::run(manifest.clone())
        .within(&within)
        .state_dir(state.path())
        .start();
    app.wait_for_event("running", Duration::from_secs(30), |_| true);

    let (feeder, reader) = (Feeder::new(&broker), admin::positions_reader(&broker, &id));
    let mut random = StdRng::seed_from_u64(seed);
    let (begun, mut fed, mut most) = (Instant::now(), 0_u64, 0);
    while fed < keys || begun.elapsed() < lasts {
        for _ in 0..1_000 {
            // Every key once, in an order that is none; then any.
            let key = if fed < keys {
                fed.wrapping_mul(2_654_435_761) % keys
            } else {
                random.random_range(0..keys)
            };
            feeder.send(&input, &record(key, &mut random));
            fed += 1;
        }
        feeder.flush();
        while fed.saturating_sub(processed(&reader, &input)) > AHEAD {
            assert_eq!(
                app.process.try_exit(),
                None,
                "it must not end; it held {} MiB at most",
                most / MIB
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        let resident = group.resident();
        most = most.max(resident);
        if fed.is_multiple_of(100_000) {
            println!(
                "{fed} records, {} MiB resident, {} s",
                resident / MIB,
                begun.elapsed().as_secs()
            );
        }
    }
    let until = Instant::now() + Duration::from_secs(120);
    while processed(&reader, &input) < fed {
        assert!(Instant::now() < until, "the rest of the input is not processed");
        std::thread::sleep(Duration::from_millis(100));
    }
    let ran = begun.elapsed();
    app.stop();
    let on_disk = size_of(state.path());
    assert!(
        on_disk >= limit * factor * 9 / 10,
        "the state has become {} MiB only",
        on_disk / MIB
    );
    drop(state);

    let begun = Instant::now();
    let state = tempfile::Builder::new()
        .prefix("millrace-memory-")
        .tempdir()
        .expect("a directory");
    let mut app = Millrace::run(manifest).within(&within).state_dir(state.path()).start();
    while app.events("running").len() < PARTITIONS as usize {
        assert_eq!(
            app.process.try_exit(),
            None,
            "it must not end; it held {} MiB at most",
            most / MIB
        );
        assert!(begun.elapsed() < Duration::from_secs(900), "the restore does not end");
        most = most.max(group.resident());
        std::thread::sleep(Duration::from_millis(50));
    }
    let restore_took = begun.elapsed();
    app.stop();
    let restored: i64 = app.events("restored").iter().map(|event| event.records).sum();
    assert!(restored as u64 >= keys, "{restored} records restored, of {keys} keys");
    assert_eq!(group.kills(), 0, "processes killed for want of memory");
    soak::figures(&serde_json::json!({
        "seed": seed,
        "limitMiB": limit / MIB,
        "stateMiB": on_disk / MIB,
        "records": fed,
        "seconds": ran.as_secs(),
        "residentMiB": most / MIB,
        "restoredRecords": restored,
        "restoreSeconds": restore_took.as_secs(),
        "oomKills": 0,
    }));
}

fn record(key: u64, random: &mut StdRng) -> Input {
    let key = format!("key-{key:012}");
    let mut value = String::with_capacity(TEXT + 16);
    value.push_str(r#"{"text":""#);
    // Six random bits a letter.
    for _ in 0..TEXT / 8 {
        let bits: u64 = random.random();
        value.extend((0..8).map(|at| char::from(LETTERS[(bits >> (6 * at)) as usize & 63])));
    }
    value.push_str(r#""}"#);
    Input {
        partition: murmur2::partition(key.as_bytes(), PARTITIONS),
        key: Some(key.into_bytes()),
        value: Some(value.into_bytes()),
        timestamp: millrace_e2e::data::now(),
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn processed(reader: &rdkafka::consumer::BaseConsumer, input: &str) -> u64 {
    let positions = admin::positions_by(reader, input);
    positions
        .values()
        .map(|position| position.offset.max(0).cast_unsigned())
        .sum()
}

fn size_of(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("a directory").flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size_of(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
