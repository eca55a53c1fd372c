//! What the record path costs on the in-process log. Run by hand: `cargo test --release --workspace --lib tests::bench -- --ignored --nocapture`.

use super::harness::Harness;
use super::seed::application;

#[test]
#[ignore = "a measurement, not a test"]
fn cost_of_a_record() {
    const RECORDS: u64 = 500_000;
    let harness = Harness::new(&[
        ("processing.guarantee", "exactly_once_v2"),
        ("commit.interval.ms", "1000"),
    ]);
    harness.cluster.create_topic("transactions", 1).unwrap();
    harness.cluster.create_topic("aggregated", 1).unwrap();
    for n in 0..RECORDS {
        harness.append(
            "transactions",
            0,
            &format!("user-{}", n % 10_000),
            r#"{"user":"x","amount":5,"currency":"EUR"}"#,
            1_700_000_000_000 + n as i64 / 10,
        );
    }
    let mut instance = harness.instance("a", &application()).unwrap();
    let started = std::time::Instant::now();
    while instance.metrics().total(|worker| worker.processed.get()) < RECORDS {
        harness.run(&mut [&mut instance], 10);
    }
    let nanos = started.elapsed().as_nanos() / u128::from(RECORDS);
    println!("{nanos} ns a record");
    harness.stop(instance);
}
