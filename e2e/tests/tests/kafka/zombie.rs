//! A process that was frozen past its session and its transaction comes back, and can do no harm.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::watermarks;
use millrace_e2e::{Broker, Millrace, unique};

use crate::left::{changelog, topic};
use crate::model::{Feeding, Orders, PARTITIONS, committed, exactly_once, still_run, wait_for_output};

const SOON: Duration = Duration::from_secs(40);
/// `max.poll.interval.ms`: a frozen process must not take itself for one whose worker is stuck.
const MAX_POLL: Duration = Duration::from_secs(6);

fn manifest(broker: &Broker, id: &str, input: &str, output: &str) -> Manifest {
    Manifest::totals(broker, id, input, output)
        .config("processing.guarantee", "exactly_once_v2")
        .config("statestore.cache.max.bytes", 0)
        .config("commit.interval.ms", 300)
        .config("session.timeout.ms", 2_000)
        .config("heartbeat.interval.ms", 300)
        .config("producer.transaction.timeout.ms", 2_000)
        .config("max.poll.interval.ms", MAX_POLL.as_millis())
}

/// In the middle of a transaction, while another process takes its tasks over: fenced, it says so, adds nothing, and joins again.
#[test]
fn a_frozen_process_is_fenced_and_adds_nothing() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "zombie-in", PARTITIONS),
        topic(broker, "zombie-out", PARTITIONS),
        unique("zombie"),
    );
    let orders = Orders::new();
    let done = AtomicBool::new(false);
    let start = |name: &str| {
        Millrace::run(manifest(broker, &id, &input, &output))
            .named(name)
            .start()
    };
    let mut a = start("millrace A, the zombie");
    a.wait_for_event("assigned", SOON, |e| e.active.len() == 4);
    let mut b = start("millrace B");
    b.wait_for_event("assigned", SOON, |e| e.active.len() == 2);

    let (fed, frozen) = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| orders.feed(broker, &input, 1_000, &done));
        let feeding = Feeding(&done);
        wait_for_output(broker, &output, 1_500, SOON);
        a.process.freeze();
        let frozen = Instant::now();
        b.wait_for_event("assigned", SOON, |e| e.active.len() == 4);
        // Work for B with A's tasks.
        let more = committed(broker, &output) + 2_000;
        wait_for_output(broker, &output, more, SOON);
        drop(feeding);
        (feeder.join().expect("the feeder does not panic"), frozen)
    });
    wait_for_output(broker, &output, fed, SOON);
    std::thread::sleep((MAX_POLL + Duration::from_secs(1)).saturating_sub(frozen.elapsed()));
    let ends = || [&output, &changelog(&id)].map(|topic| watermarks(broker, topic));
    let before = ends();

    let gone = a.process.stderr().len();
    a.process.thaw();
    a.process.wait_for_line("a coded message", SOON, |line| {
        line.contains("MILL-F002") && !line.contains("ERROR")
    });
    // Both ways to notice it, by the group and by the transaction, lead to a new membership.
    let share = |app: &mut Millrace| app.wait_for_event("assigned", SOON, |e| e.active.len() == 2 && e.members == 2);
    share(&mut a);
    assert_eq!(
        ends(),
        before,
        "the zombie has written:\n{}",
        &a.process.stderr()[gone..]
    );
    orders.feed_all(broker, &input, fed..fed + 1_000);
    wait_for_output(broker, &output, fed + 1_000, SOON);
    let mut apps = [a, b];
    still_run(&mut apps);
    apps.iter_mut().for_each(Millrace::stop);
    exactly_once(broker, &output, &orders.totals(fed + 1_000));
}

/// Another process has taken its very identity: no way back.
#[test]
fn a_process_whose_identity_another_holds_ends_with_6() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "twin-in", 1),
        topic(broker, "twin-out", 1),
        unique("twin"),
    );
    let start = |name: &str| {
        let manifest = manifest(broker, &id, &input, &output).config("group.instance.id", "pod-0");
        Millrace::run(manifest).named(name).start()
    };
    let mut first = start("the first");
    first.wait_for_event("running", SOON, |_| true);
    first.process.freeze();
    let mut second = start("its twin");
    second.wait_for_event("running", SOON, |_| true);
    first.process.thaw();
    first.expect_exit(6, SOON);
    let said = first.process.stderr();
    assert!(said.contains("MILL-F001") && said.contains("pod-0"), "{said}");
    second.stop();
}
