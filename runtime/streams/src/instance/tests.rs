//! The driver, with workers that are played by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millrace_kafka::clock::{ManualClock, SharedClock};
use millrace_kafka::inproc::{Cluster, ClusterOptions, Fault, Point};
use millrace_state::MemoryVolume;
use uuid::Uuid;

use super::{Instance, InstanceOptions};
use crate::config::StreamsConfig;
use crate::dsl::{Consumed, Produced, StreamsBuilder};
use crate::serde::StringSerde;
use crate::worker::{Command, Report};

/// How long a member waits for its workers before it joins without them: three quarters of it.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(4);

struct Bench {
    cluster: Cluster,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(0));
        let cluster = Cluster::new(ClusterOptions {
            clock: Arc::clone(&clock) as SharedClock,
            ..ClusterOptions::default()
        });
        cluster.create_topic("in", 2).unwrap();
        cluster.create_topic("out", 2).unwrap();
        Self { cluster, clock }
    }

    fn instance(&self, name: &str) -> Instance {
        let mut builder = StreamsBuilder::new();
        builder
            .stream("in", Consumed::with(StringSerde, StringSerde))
            .to("out", Produced::with(StringSerde, StringSerde));
        let properties = [
            ("application.id", "app"),
            ("bootstrap.servers", "in-process"),
            ("session.timeout.ms", "60000"),
            ("heartbeat.interval.ms", "100"),
            ("max.poll.interval.ms", "4000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = StreamsConfig::parse(&properties.into()).unwrap().config;
        let options = InstanceOptions {
            clock: Arc::clone(&self.clock) as SharedClock,
            transient: Some(Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes())),
            ..InstanceOptions::new(Arc::new(MemoryVolume::new(1)))
        };
        let log = self.cluster.client(name).shared_log();
        Instance::new(builder.build().unwrap(), config, log, options).unwrap()
    }
}

/// The rounds of the commands that wait for a worker.
fn rounds(instance: &Instance) -> Vec<u64> {
    let commands = instance.parts[0].inbox.try_iter().map(|command| match command {
        Command::Prepare { round } | Command::Install { round, .. } | Command::Drop { round } => round,
        Command::Stop => panic!("nobody stops"),
    });
    commands.collect()
}

fn answer(instance: &Instance, round: u64) {
    let parts = &instance.parts[0];
    parts.outbox.send((parts.index, Report::Done { round })).unwrap();
}

#[test]
fn a_late_answer_ends_no_newer_wait() {
    let bench = Bench::new();
    let joins = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&joins);
    bench
        .cluster
        .set_faults(Some(Arc::new(move |client: &str, point: Point| {
            counted.fetch_add(
                usize::from(client == "a" && point == Point::GroupJoin),
                Ordering::Relaxed,
            );
            Fault::None
        })));
    let (mut a, mut b) = (bench.instance("a"), bench.instance("b"));
    let run = |a: &mut Instance, b: Option<&mut Instance>, millis: u64| {
        let mut b = b;
        for _ in 0..millis / 10 {
            a.driver.step_once().unwrap();
            if let Some(b) = b.as_deref_mut() {
                b.driver.step_once().unwrap();
                rounds(b).into_iter().for_each(|round| answer(b, round));
            }
            bench.clock.advance(Duration::from_millis(10));
        }
    };

    run(&mut a, None, 500);
    rounds(&a).into_iter().for_each(|round| answer(&a, round));
    // A second member comes; a's worker does not answer, and a joins without it.
    run(&mut a, Some(&mut b), MAX_POLL_INTERVAL.as_millis() as u64 + 1_000);
    let unanswered = rounds(&a);
    assert!(
        unanswered.len() >= 2,
        "a commit was asked for, and an installation: {unanswered:?}"
    );

    // The group rebalances once more, and the first answer comes now.
    let before = joins.load(Ordering::Relaxed);
    b.driver.begin_stop();
    let stop = |b: &mut Instance| {
        for _ in 0..50 {
            b.driver.step_once().unwrap();
            for command in b.parts[0].inbox.try_iter() {
                let done = match command {
                    Command::Stop => Report::Stopped,
                    Command::Prepare { round } | Command::Install { round, .. } | Command::Drop { round } => {
                        Report::Done { round }
                    }
                };
                b.parts[0].outbox.send((0, done)).unwrap();
            }
            bench.clock.advance(Duration::from_millis(10));
        }
        assert!(b.is_stopped());
    };
    stop(&mut b);
    run(&mut a, None, 300);
    let newer = rounds(&a);
    assert_eq!(newer.len(), 1, "a commit is asked for again");
    for round in unanswered {
        answer(&a, round);
    }
    run(&mut a, None, 300);
    assert_eq!(
        joins.load(Ordering::Relaxed),
        before,
        "joined before the commit was done"
    );
    answer(&a, newer[0]);
    run(&mut a, None, 300);
    assert_eq!(joins.load(Ordering::Relaxed), before + 1);
}
