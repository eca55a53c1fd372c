//! The log traits on a real broker. The end-to-end suite runs these; by hand:
//! `MILLRACE_TEST_BOOTSTRAP=127.0.0.1:9092 cargo test --release -p millrace-kafka --test real -- --ignored --nocapture`

mod groups;
mod member;
mod records;
mod rig;
mod throughput;
mod topics;
mod transactions;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use millrace_kafka::conformance::{Rig, SCRIPTS, Script};
use millrace_kafka::log::SharedLog;
use parking_lot::Mutex;

use rig::cluster;

/// Scripts that run side by side: most of them wait, for time-outs and for each other's members.
const LANES: usize = 4;

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn it_does_what_every_log_must() {
    let log: SharedLog = Arc::new(cluster());
    let run = uuid::Uuid::new_v4().simple().to_string();
    // `MILLRACE_SCRIPT=words` runs only those whose name has them.
    let wanted = std::env::var("MILLRACE_SCRIPT").unwrap_or_default();
    let scripts: Vec<Script> = (SCRIPTS.iter().copied().flatten().copied())
        .filter(|(name, _)| name.contains(&wanted))
        .collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::<(&str, Duration)>::new()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((name, script)) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let rig = Rig::new(Arc::clone(&log), &run);
                    if catch_unwind(AssertUnwindSafe(|| script(&rig))).is_err() {
                        failed.lock().push((name, start.elapsed()));
                    }
                    println!("{name}: {:?}", start.elapsed());
                }
            });
        }
    });
    assert!(failed.lock().is_empty(), "{:?}", failed.lock());
}
