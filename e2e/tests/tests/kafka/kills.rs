//! `kill -9` of one of two processes, at any moment, with a repartition topic between two tasks: exactly once all the same.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Broker, Millrace, knob, unique};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::left::topic;
use crate::model::{Feeding, Orders, PARTITIONS, exactly_once, wait_for_output};

/// `MILLRACE_KILLS` of them, at moments of `MILLRACE_SEED`: soon after a start, when it joins or restores, or when it works.
#[test]
fn two_processes_and_a_repartition_topic_survive_kills() {
    let (kills, seed) = (knob("MILLRACE_KILLS", 6), knob("MILLRACE_SEED", 5));
    println!("{kills} kills of seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "kills-in", PARTITIONS),
        topic(broker, "kills-out", PARTITIONS),
        unique("kills"),
    );
    let orders = Orders::new();
    let done = AtomicBool::new(false);
    let states = [(); 2].map(|()| tempfile::tempdir().expect("a temporary directory"));
    let start = |which: usize| {
        let manifest = Manifest::by_shop(broker, &id, &input, &output)
            .config("processing.guarantee", "exactly_once_v2")
            .config("statestore.cache.max.bytes", 0)
            .config("commit.interval.ms", 100)
            .config("repartition.purge.interval.ms", 300)
            .config("millrace.state.flush.max.lag.ms", 200)
            .config("session.timeout.ms", 2_000)
            .config("heartbeat.interval.ms", 300);
        // One of them keeps its place in the group over a restart.
        let manifest = if which == 0 {
            manifest.config("group.instance.id", "pod-0")
        } else {
            manifest
        };
        let named = format!("millrace {which}");
        Millrace::run(manifest)
            .named(&named)
            .state_dir(states[which].path())
            .start()
    };
    let mut apps = [start(0), start(1)];

    let fed = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| orders.feed(broker, &input, 1_500, &done));
        let feeding = Feeding(&done);
        wait_for_output(broker, &output, 1_000, Duration::from_secs(60));
        for kill in 0..kills {
            let which = random.random_range(0..2);
            let lives = match random.random_range(0..3) {
                0 => random.random_range(0..300),
                _ => random.random_range(300..2_500),
            };
            std::thread::sleep(Duration::from_millis(lives));
            apps[which].process.kill();
            println!("kill {kill}: process {which} after {lives} ms");
            apps[which] = start(which);
        }
        drop(feeding);
        feeder.join().expect("the feeder does not panic")
    });
    wait_for_output(broker, &output, fed, Duration::from_secs(90));
    apps.iter_mut().for_each(Millrace::stop);
    exactly_once(broker, &output, &orders.shops(fed));
    exactly_once(
        broker,
        &format!("{id}-shop-totals-changelog"),
        &orders.shops_logged(fed),
    );
}
