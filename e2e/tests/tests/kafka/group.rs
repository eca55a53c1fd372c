//! Processes of one application share its partitions, whatever comes and goes, and the results do not show it.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_e2e::data::Transactions;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Broker, Millrace, unique, wait_until};

use crate::left::{Left, equal_in_all, java_totals, topic};
use crate::survive_kill::feed_slowly;

const PARTITIONS: i32 = 4;
const SOON: Duration = Duration::from_secs(20);

/// The tasks that a process runs now, by its own account: its last `assigned` event.
fn active(app: &Millrace) -> BTreeSet<String> {
    app.events("assigned")
        .pop()
        .map(|e| e.active.into_iter().collect())
        .unwrap_or_default()
}

/// Waits until the processes run all four tasks among them, each `shares` of them in order of size, none twice.
fn shared(apps: &[&Millrace], shares: &[usize]) {
    wait_until(&format!("four tasks shared as {shares:?}"), SOON, || {
        let active: Vec<_> = apps.iter().map(|app| active(app)).collect();
        let mut sizes: Vec<_> = active.iter().map(BTreeSet::len).collect();
        sizes.sort_unstable();
        let all: BTreeSet<_> = active.iter().flatten().collect();
        (sizes == shares && all.len() == 4).then_some(())
    });
}

#[test]
fn members_come_leave_and_die() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "group-in", PARTITIONS),
        topic(broker, "group-out", PARTITIONS),
        unique("group"),
    );
    let records = Transactions::seeded(4).records(60_000).generate();
    let manifest = Manifest::totals(broker, &id, &input, &output)
        .config("processing.guarantee", "exactly_once_v2")
        .config("statestore.cache.max.bytes", 0)
        .config("commit.interval.ms", 100)
        .config("session.timeout.ms", 3_000)
        .config("heartbeat.interval.ms", 500);
    let start = |name: &str| Millrace::run(manifest.clone()).named(name).start();

    std::thread::scope(|scope| {
        scope.spawn(|| feed_slowly(broker, &input, &records, Duration::from_secs(15)));
        let mut a = start("millrace A");
        shared(&[&a], &[4]);
        let mut b = start("millrace B");
        shared(&[&a, &b], &[2, 2]);
        let mut c = start("millrace C");
        shared(&[&a, &b, &c], &[1, 1, 2]);
        c.stop();
        shared(&[&a, &b], &[2, 2]);
        let mut d = start("millrace D");
        shared(&[&a, &b, &d], &[1, 1, 2]);
        d.process.kill();
        shared(&[&a, &b], &[2, 2]);
        b.stop();
        shared(&[&a], &[4]);
        a.stop();
    });
    Millrace::run(manifest)
        .until_caught_up()
        .start()
        .expect_exit(0, Duration::from_secs(60));

    let java = java_totals(broker, &input, PARTITIONS, "exactly_once_v2");
    equal_in_all(&java, &Left::read(broker, &id, &input, &output), 30_000);
}
