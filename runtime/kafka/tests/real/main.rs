//! The log traits on a real broker. The end-to-end suite runs these; by hand:
//! `MILLRACE_TEST_BOOTSTRAP=127.0.0.1:9092 cargo test --release -p millrace-kafka --test real -- --ignored --nocapture`

mod groups;
mod member;
mod records;
mod rig;
mod throughput;
mod topics;
mod transactions;

use std::time::Instant;

use millrace_kafka::conformance;

use rig::cluster;

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn it_does_what_every_log_must() {
    let log: millrace_kafka::log::SharedLog = std::sync::Arc::new(cluster());
    let run = uuid::Uuid::new_v4().simple().to_string();
    let mut failed = Vec::new();
    for (name, script) in conformance::SCRIPTS.iter().copied().flatten() {
        let start = Instant::now();
        let rig = conformance::Rig::new(std::sync::Arc::clone(&log), &run);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| script(&rig))).is_err() {
            failed.push(name);
        }
        println!("{name}: {:?}", start.elapsed());
    }
    assert!(failed.is_empty(), "{failed:?}");
}
