//! `kill -9` and lost disks: a reader of committed records never notices.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_e2e::data::{Input, Transactions};
use millrace_e2e::feed::Feeder;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::{Isolation, read_all, watermarks};
use millrace_e2e::{Broker, Event, Millrace, feed, knob, unique};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::left::{Left, changelog, equal_in_all, java_totals, topic};

const PARTITIONS: i32 = 4;
/// What the application is told: a store's durable position lags by this at most...
const FLUSH_LAG: Duration = Duration::from_millis(200);
/// ... and what the test grants on top, for two busy cores: commits, the flush itself, the watermarks' sampling.
const SLACK: Duration = Duration::from_secs(3);

fn manifest(broker: &Broker, id: &str, input: &str, output: &str) -> Manifest {
    Manifest::totals(broker, id, input, output)
        .config("processing.guarantee", "exactly_once_v2")
        .config("statestore.cache.max.bytes", 0)
        .config("commit.interval.ms", 100)
        .config("session.timeout.ms", 6_000)
}

/// Killed at random moments (`MILLRACE_KILLS` of them), on a kept state directory: every update once; restored is what was missing, and no more.
#[test]
fn kills_are_not_seen() {
    let (kills, seed) = (knob("MILLRACE_KILLS", 10), knob("MILLRACE_SEED", 10));
    println!("{kills} kills of seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "kill-in", PARTITIONS),
        topic(broker, "kill-out", PARTITIONS),
        unique("kill"),
    );
    let records = Transactions::seeded(seed).records(100_000).generate();
    let state = tempfile::tempdir().expect("a temporary directory");
    let fed = AtomicBool::new(false);
    // By the time that the application has run: what is dead flushes nothing.
    let samples = Mutex::new(Vec::<(Duration, Vec<(i64, i64)>)>::new());

    let restored = std::thread::scope(|scope| {
        scope.spawn(|| {
            feed_slowly(broker, &input, &records, Duration::from_millis(1_500) * kills);
            fed.store(true, Ordering::Relaxed);
        });
        let mut restored: Vec<(Duration, Vec<Event>)> = Vec::new();
        let mut lived = Duration::ZERO;
        let mut killed_at = Duration::ZERO;
        for round in 0..kills {
            let manifest =
                manifest(broker, &id, &input, &output).config("millrace.state.flush.max.lag.ms", FLUSH_LAG.as_millis());
            let run = Millrace::run(manifest).named(&format!("millrace, life {round}"));
            let mut app = run.state_dir(state.path()).start();
            app.wait_for_event("running", Duration::from_secs(30), |_| true);
            let born = Instant::now();
            let lives = Duration::from_millis(random.random_range(500..2_000));
            let dies = Instant::now() + lives;
            while Instant::now() < dies {
                samples
                    .lock()
                    .unwrap()
                    .push((lived + born.elapsed(), watermarks(broker, &changelog(&id))));
                std::thread::sleep(Duration::from_millis(100).min(dies.saturating_duration_since(Instant::now())));
            }
            app.process.kill();
            restored.push((killed_at, app.events("restored")));
            lived += born.elapsed();
            killed_at = lived;
        }
        restored
    });
    assert!(fed.load(Ordering::Relaxed));
    finish(broker, &id, &input, &output, state.path());

    let java = java_totals(broker, &input, PARTITIONS, "exactly_once_v2");
    let ours = Left::read(broker, &id, &input, &output);
    equal_in_all(&java, &ours, 50_000);

    let samples = samples.into_inner().unwrap();
    let mut partial = 0;
    for (killed_at, events) in restored.iter().skip(1) {
        for event in events {
            let between = |offset: i64| event.from <= offset && offset < event.to;
            let there = ours
                .changelog
                .iter()
                .filter(|r| r.partition == event.partition && between(r.offset))
                .count();
            assert_eq!(
                event.records, there as i64,
                "restored records are the committed ones of [from, to): {event:?}"
            );
            // What was in the changelog so long before the kill was durable by the kill.
            let durable = samples
                .iter()
                .rev()
                .find(|(at, _)| *at + FLUSH_LAG + SLACK < *killed_at);
            if let Some((_, marks)) = durable {
                let (_, high) = marks[usize::try_from(event.partition).unwrap()];
                // Records, not offsets: the marker that ends the last transaction holds no state.
                let late = ours
                    .changelog
                    .iter()
                    .filter(|r| r.partition == event.partition && event.from <= r.offset && r.offset < high)
                    .count();
                assert_eq!(
                    late, 0,
                    "the durable position lags too far: {event:?}, all below {high} was due"
                );
            }
            partial += usize::from(event.from > 0 && event.to > event.from);
        }
    }
    assert!(
        partial > 0,
        "no life began with a partial restore, so the test tested nothing: {restored:?}"
    );
}

/// With the state directory gone, all of the changelog is restored, and the results are the same.
#[test]
fn a_lost_state_directory_is_restored_whole() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "lost-in", PARTITIONS),
        topic(broker, "lost-out", PARTITIONS),
        unique("lost"),
    );
    let records = Transactions::seeded(77).records(40_000).generate();
    let (before, after) = records.split_at(25_000);

    feed::feed(broker, &[&input], before);
    let state = tempfile::tempdir().expect("a temporary directory");
    finish(broker, &id, &input, &output, state.path());
    let logged = read_all(broker, &changelog(&id), Isolation::Committed).len();
    let ends = watermarks(broker, &changelog(&id));
    drop(state);

    feed::feed(broker, &[&input], after);
    let state = tempfile::tempdir().expect("a temporary directory");
    let events = finish(broker, &id, &input, &output, state.path());
    assert_eq!(
        events.iter().map(|e| e.records).sum::<i64>(),
        logged as i64,
        "all committed records are restored: {events:?}"
    );
    for event in &events {
        assert_eq!(
            (event.from, event.to),
            ends[usize::try_from(event.partition).unwrap()],
            "from the start to the end: {event:?}"
        );
    }
    let java = java_totals(broker, &input, PARTITIONS, "exactly_once_v2");
    equal_in_all(&java, &Left::read(broker, &id, &input, &output), 20_000);
}

/// Runs until everything is processed; the restores that it began with.
fn finish(broker: &Broker, id: &str, input: &str, output: &str, state: &Path) -> Vec<Event> {
    let mut app = Millrace::run(manifest(broker, id, input, output))
        .until_caught_up()
        .state_dir(state)
        .start();
    app.expect_exit(0, Duration::from_secs(90));
    app.events("restored")
}

/// Spreads the records over the time, so that there is work whenever the application is killed.
pub fn feed_slowly(broker: &Broker, topic: &str, records: &[Input], over: Duration) {
    let feeder = Feeder::new(broker);
    let begun = Instant::now();
    for (i, record) in records.iter().enumerate() {
        feeder.send(topic, record);
        if i % 500 == 499 {
            feeder.flush();
            let due = begun + over.mul_f64(i as f64 / records.len() as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    feeder.flush();
}
