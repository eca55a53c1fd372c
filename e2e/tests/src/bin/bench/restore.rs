//! State from nothing: how fast a changelog becomes a store.
//!
//! Both engines run the sums under one application id, one after the other, each with an empty state directory. The changelog is
//! written beforehand, as the application would have left it, and the input is empty, so that nothing is added. The time runs from
//! the first sign of restoring (Java: its restore listener; Millrace: its assignment) until every task runs.

use std::cell::Cell;
use std::time::{Duration, Instant};

use millrace_e2e::data::{self, Input};
use millrace_e2e::feed::Feeder;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Broker, JavaApp, Millrace, admin, murmur2};

use crate::report::Run;
use crate::rows::{Engine, Row, config};
use crate::throughput::changelog;
use crate::usage::{Mark, peak_rss_mb};
use crate::{Args, PARTITIONS};

const ID: &str = "bench-restore";
const INPUT: &str = "bench-restore-in";
const OUTPUT: &str = "bench-restore-out";
const WINDOW_MS: i64 = 300_000;
const SOON: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(300);

/// Writes the changelog: every user once in each of the two windows that the store keeps.
pub fn prepare(broker: &Broker, args: &Args) {
    eprintln!("writing a changelog of {} records", args.restore_records);
    admin::create_topic(broker, INPUT, PARTITIONS, &[]);
    admin::create_topic(broker, OUTPUT, PARTITIONS, &[]);
    let topic = changelog(ID);
    admin::create_topic(broker, &topic, PARTITIONS, &[("cleanup.policy", "compact,delete")]);
    let feeder = Feeder::new(broker);
    let first = data::now() / WINDOW_MS * WINDOW_MS - 2 * WINDOW_MS;
    for i in 0..args.restore_records {
        // The first half is the earlier window.
        let (window, user) = (2 * i / args.restore_records, i % args.restore_records.div_ceil(2));
        feeder.send(&topic, &row(user, first + window as i64 * WINDOW_MS));
    }
    feeder.flush();
}

/// One row of the changelog: `key ‖ window start ‖ 0`, and the total as JSON.
fn row(user: usize, start: i64) -> Input {
    let user_key = format!("user-{user}");
    let key = [user_key.as_bytes(), &start.to_be_bytes(), &0_i32.to_be_bytes()].concat();
    let (amount, count) = (user % 10_000, user % 97 + 1);
    Input {
        partition: murmur2::partition(user_key.as_bytes(), PARTITIONS),
        key: Some(key),
        value: Some(format!("{{\"totalAmount\":{amount},\"count\":{count}}}").into_bytes()),
        timestamp: start + user as i64 % WINDOW_MS,
    }
}

/// Starts one engine on an empty disk and waits until it runs.
pub fn measure(broker: &Broker, args: &Args, engine: Engine, round: usize) -> Run {
    let started = Instant::now();
    let (began, ended, peak_rss_mb, restored) = match engine {
        Engine::Java => java(broker, args),
        Engine::Millrace => ours(broker),
    };
    let records = args.restore_records as i64;
    assert_eq!(restored, records, "{engine} restored another number of records");
    eprintln!(
        "{engine}: {:.1} s from the process's start to its end",
        started.elapsed().as_secs_f64()
    );
    Run::new(Row::Restore, engine, round, records, &began, &ended, peak_rss_mb)
}

fn java(broker: &Broker, args: &Args) -> (Mark, Mark, f64, i64) {
    let mut builder = JavaApp::run(broker, "totals", ID, INPUT, OUTPUT).until_terminated();
    builder = builder.jvm(&args.jvm.split_whitespace().collect::<Vec<_>>());
    for (key, value) in config(Row::Restore) {
        builder = builder.config(key, value);
    }
    let mut app = builder.start();
    let pid = app.process.pid();
    app.process
        .wait_for_line("RESTORING", SOON, |line| line.starts_with("RESTORING "));
    let began = Mark::of(pid);
    app.process.wait_for_line("RUNNING", LONG, |line| line == "RUNNING");
    let ended = (Mark::of(pid), peak_rss_mb(pid));
    app.process.terminate();
    app.process.wait(SOON);
    let said = app.process.stdout();
    let counts = said.lines().filter_map(|line| line.strip_prefix("RESTORED "));
    let restored = counts.map(|line| {
        let count = line.rsplit(' ').next().expect("a word");
        count.parse::<i64>().expect("a number")
    });
    (began, ended.0, ended.1, restored.sum())
}

fn ours(broker: &Broker) -> (Mark, Mark, f64, i64) {
    let mut manifest = Manifest::totals(broker, ID, INPUT, OUTPUT);
    for (key, value) in config(Row::Restore) {
        manifest = manifest.config(key, value);
    }
    let mut app = Millrace::run(manifest).start();
    let pid = app.process.pid();
    app.wait_for_event("assigned", SOON, |event| !event.active.is_empty());
    let began = Mark::of(pid);
    let running = Cell::new(0);
    app.wait_for_event("running", LONG, |_| {
        running.set(running.get() + 1);
        running.get() == PARTITIONS
    });
    let ended = (Mark::of(pid), peak_rss_mb(pid));
    app.stop();
    let restored = app.events("restored").iter().map(|event| event.records).sum();
    (began, ended.0, ended.1, restored)
}
