//! Brokers that go away and come back: nothing is lost, nothing comes twice, and no application ends.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Additions, Broker, Millrace, admin, knob, unique, wait_until};

use crate::left::topic;
use crate::model::{Feeding, Orders, PARTITIONS, committed, exactly_once, still_run, wait_for_output};

const SOON: Duration = Duration::from_secs(60);
const PER_SECOND: usize = 600;

fn configured(manifest: Manifest) -> Manifest {
    manifest
        .config("processing.guarantee", "exactly_once_v2")
        .config("statestore.cache.max.bytes", 0)
        .config("commit.interval.ms", 500)
        .config("session.timeout.ms", 6_000)
}

/// Longer than the session and the transaction time-out. `MILLRACE_OUTAGES` of them, every other one by surprise.
#[test]
fn a_broker_away_for_twenty_seconds_is_waited_for() {
    let mut survived = 0;
    for _ in 0..3 * knob("MILLRACE_OUTAGES", 1) {
        survived += usize::from(outage(survived % 2 == 1));
        if survived == knob("MILLRACE_OUTAGES", 1) {
            return;
        }
    }
    panic!("the broker itself lost transactions, again and again");
}

/// `false` if the broker came back with transactions that never end, which is not what this tests.
fn outage(by_surprise: bool) -> bool {
    // As Kafka has it: a broker that looks for timed-out transactions the moment it comes up meets partitions without leaders, and forgets them.
    let additions = Additions {
        properties: "transaction.abort.timed.out.transaction.cleanup.interval.ms=10000\n".into(),
        ..Additions::default()
    };
    let broker = Broker::start_with("384m", additions);
    let (input, totals, shops) = (
        topic(&broker, "outage-in", PARTITIONS),
        topic(&broker, "outage-totals", PARTITIONS),
        topic(&broker, "outage-shops", PARTITIONS),
    );
    let orders = Orders::new();
    let done = AtomicBool::new(false);
    let mut apps = [
        Manifest::totals(&broker, &unique("outage-totals"), &input, &totals),
        Manifest::by_shop(&broker, &unique("outage-shops"), &input, &shops).config("num.stream.threads", 2),
    ]
    .map(|manifest| Millrace::run(configured(manifest)).start());

    let fed = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| orders.feed(&broker, &input, PER_SECOND, &done));
        let feeding = Feeding(&done);
        for output in [&totals, &shops] {
            wait_for_output(&broker, output, 500, SOON);
        }
        if by_surprise {
            broker.kill();
        } else {
            broker.stop();
        }
        std::thread::sleep(Duration::from_secs(20));
        still_run(&mut apps);
        broker.restart();
        if broker.forgot_transactions() {
            return None;
        }
        let more = committed(&broker, &totals) + 1_000;
        wait_for_output(&broker, &totals, more, SOON);
        drop(feeding);
        Some(feeder.join().expect("the feeder does not panic"))
    });
    let Some(fed) = fed else { return false };
    for output in [&totals, &shops] {
        wait_for_output(&broker, output, fed, SOON);
    }
    still_run(&mut apps);
    apps.iter_mut().for_each(Millrace::stop);
    exactly_once(&broker, &totals, &orders.totals(fed));
    exactly_once(&broker, &shops, &orders.shops(fed));
    true
}

/// The broker that coordinates the group is killed, comes back, then the one that coordinates the transactions: twice `MILLRACE_OUTAGES` of them.
#[test]
#[ignore = "three brokers want more of a machine than the suite leaves them: run it alone"]
fn a_cluster_of_three_loses_its_coordinators() {
    let kills = 2 * knob("MILLRACE_OUTAGES", 1);
    let brokers = Broker::cluster(3, "320m");
    let broker = &brokers[0];
    let (input, output, id) = (
        topic(broker, "cluster-in", PARTITIONS),
        topic(broker, "cluster-out", PARTITIONS),
        unique("cluster"),
    );
    let orders = Orders::new();
    let done = AtomicBool::new(false);
    let manifest = configured(Manifest::by_shop(broker, &id, &input, &output));
    let mut apps = ["A", "B"].map(|name| {
        Millrace::run(manifest.clone())
            .named(&format!("millrace {name}"))
            .start()
    });

    let fed = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| orders.feed(broker, &input, PER_SECOND, &done));
        let feeding = Feeding(&done);
        wait_for_output(broker, &output, 1_000, SOON);
        for kill in 0..kills {
            let coordinates = ["__consumer_offsets", "__transaction_state"][kill % 2];
            let in_sync = || admin::leader(broker, coordinates, 0).filter(|(_, replicas)| replicas.len() == 3);
            let (leader, _) = wait_until("all replicas are in sync", SOON, in_sync);
            let victim = brokers.iter().find(|b| b.id() == leader).expect("it is one of them");
            let before = committed(broker, &output);
            victim.kill();
            let killed = Instant::now();
            wait_for_output(broker, &output, before + 2 * PER_SECOND, SOON);
            println!("lost the leader of {coordinates}: went on after {:?}", killed.elapsed());
            still_run(&mut apps);
            victim.restart();
        }
        drop(feeding);
        feeder.join().expect("the feeder does not panic")
    });
    wait_for_output(broker, &output, fed, SOON);
    still_run(&mut apps);
    apps.iter_mut().for_each(Millrace::stop);
    exactly_once(broker, &output, &orders.shops(fed));
    exactly_once(
        broker,
        &format!("{id}-shop-totals-changelog"),
        &orders.shops_logged(fed),
    );
}
