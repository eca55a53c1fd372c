//! Credentials that change while an application runs: clients are made anew at a commit, and nothing shows in the results.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use millrace_kafka::log::{
    Admin, Consumer, ConsumerSpec, Coordinator, Log, Offsets, Producer, ProducerSpec, SharedLog,
};
use millrace_kafka::{Error, ErrorKind, Result};

use super::harness::Harness;
use super::seed::application;

/// A log whose credentials change when a test says so.
struct Changing {
    log: SharedLog,
    epoch: AtomicU64,
    consumers: AtomicUsize,
    /// Whether the next consumer cannot be made.
    fails: AtomicU64,
}

impl Log for Changing {
    fn admin(&self) -> Result<Box<dyn Admin>> {
        self.log.admin()
    }

    fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        if self.fails.load(Ordering::Relaxed) > 0 {
            self.fails.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::new(ErrorKind::Retriable, "not now"));
        }
        self.consumers.fetch_add(1, Ordering::Relaxed);
        self.log.consumer(spec)
    }

    fn producer(&self, spec: &ProducerSpec) -> Result<Box<dyn Producer>> {
        self.log.producer(spec)
    }

    fn coordinator(&self, group: &str) -> Result<Box<dyn Coordinator>> {
        self.log.coordinator(group)
    }

    fn offsets(&self, group: &str) -> Result<Box<dyn Offsets>> {
        self.log.offsets(group)
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }
}

#[test]
fn clients_are_made_anew_at_a_commit_and_nothing_is_processed_twice() {
    for guarantee in ["exactly_once_v2", "at_least_once"] {
        let harness = Harness::new(&[("processing.guarantee", guarantee), ("commit.interval.ms", "100")]);
        harness.cluster.create_topic("transactions", 2).unwrap();
        harness.cluster.create_topic("aggregated", 1).unwrap();
        let log = Arc::new(Changing {
            log: harness.cluster.client("a").shared_log(),
            epoch: AtomicU64::new(0),
            consumers: AtomicUsize::new(0),
            fails: AtomicU64::new(0),
        });
        let volume = Arc::new(harness.volume.clone());
        let mut instance = harness
            .instance_with("a", &application(), volume, Arc::clone(&log) as SharedLog)
            .unwrap();
        let mut fed = 0;
        let mut feed = |harness: &Harness| {
            for (partition, user) in [(0, "ada"), (1, "bob")] {
                fed += 1;
                let value = format!("{{\"amount\":{fed}}}");
                harness.append("transactions", partition, user, &value, 1_700_000_000_000);
            }
        };
        feed(&harness);
        harness.run(&mut [&mut instance], 3_000);
        assert_eq!(log.consumers.load(Ordering::Relaxed), 2, "{guarantee}");

        // In the middle of a transaction, with records that wait; the first attempt fails.
        log.fails.store(1, Ordering::Relaxed);
        log.epoch.store(1, Ordering::Relaxed);
        for _ in 0..30 {
            feed(&harness);
            harness.run(&mut [&mut instance], 100);
        }
        assert_eq!(log.consumers.load(Ordering::Relaxed), 4, "{guarantee}");
        feed(&harness);
        harness.run(&mut [&mut instance], 3_000);
        harness.stop(instance);
        let output = harness.read("aggregated", 1);
        let last = ["ada", "bob"].map(|user| {
            let last = output.iter().rfind(|seen| seen.1.as_deref() == Some(user));
            last.and_then(|seen| seen.2.clone()).unwrap_or_default()
        });
        // 32 records of each user: odd amounts of one, even ones of the other.
        let sums: [i64; 2] = [(1..=64).step_by(2).sum(), (2..=64).step_by(2).sum()];
        let expected = sums.map(|sum| format!("{{\"totalAmount\":{sum},\"count\":32}}"));
        assert_eq!(last, expected, "{guarantee}");
    }
}
