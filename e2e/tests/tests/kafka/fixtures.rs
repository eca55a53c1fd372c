//! The fixtures themselves: what they claim is there, and a planted difference is found.

use std::time::Duration;

use millrace_e2e::data::{Input, Transactions};
use millrace_e2e::read::{Isolation, read_all};
use millrace_e2e::{Broker, JavaApp, admin, compare, feed, unique};

const MINUTE: Duration = Duration::from_secs(60);

/// Kafka Streams, twice on the same input, equals itself; and a changed record is seen through the real broker.
#[test]
fn java_equals_java_and_a_planted_difference_is_found() {
    let broker = Broker::shared();
    let input = Transactions::seeded(11).records(20_000).generate();
    let mut tampered = input.clone();
    let victim = tampered
        .iter()
        .position(|i| i.value.as_deref().is_some_and(|v| v.ends_with(b"\"s5\"}")))
        .expect("a plain record");
    tampered[victim].value = Some(br#"{"amount": 123456789}"#.to_vec());

    let runs = [input.clone(), input, tampered].map(|input| {
        let (id, from, to) = (unique("self"), unique("self-in"), unique("self-out"));
        admin::create_topic(broker, &from, 4, &[]);
        admin::create_topic(broker, &to, 4, &[]);
        feed::feed(broker, &[&from], &input);
        let app = JavaApp::run(broker, "totals", &id, &from, &to)
            .config("processing.guarantee", "exactly_once_v2")
            .config("statestore.cache.max.bytes", 0)
            .jvm(&["-Xmx512m", "-XX:+UseSerialGC"]);
        (app.start(), id, from, to)
    });
    let left = runs.map(|(app, id, from, to)| {
        app.wait_caught_up(MINUTE);
        let changelog = format!("{id}-user-5min-totals-changelog");
        let configs = admin::topic_configs(broker, &changelog);
        assert_eq!(configs["retention.ms"], "86400000");
        assert_eq!(admin::internal_topics(broker, &id).get(&changelog), Some(&4));
        let read = |topic: &str| read_all(broker, topic, Isolation::Committed);
        (
            read(&to),
            read(&changelog),
            configs,
            admin::positions(broker, &id, &from),
        )
    });
    let [a, b, tampered] = &left;
    assert!(compare::same_updates(&a.0, &b.0).unwrap() > 10_000);
    assert!(compare::same_updates(&a.1, &b.1).unwrap() > 10_000);
    assert!(compare::same_final_state(&a.1, &b.1).unwrap() > 1_000);
    assert_eq!(compare::same_positions(&a.3, &b.3).unwrap(), 4);
    compare::same_partitions(&a.0, &b.0).unwrap();
    compare::same_configs(&a.2, &b.2).unwrap();
    compare::same_updates(&a.0, &tampered.0).unwrap_err();
    compare::same_updates(&a.1, &tampered.1).unwrap_err();
}

/// A killed broker comes back on its port with its data, and a stopped one too.
#[test]
fn a_broker_survives_a_kill() {
    let broker = Broker::start("384m");
    admin::create_topic(&broker, "kept", 2, &[]);
    let input = Transactions::seeded(3)
        .records(1_000)
        .users(10)
        .without_faults()
        .generate();
    let input: Vec<_> = input
        .into_iter()
        .map(|i| Input {
            partition: i.partition % 2,
            ..i
        })
        .collect();
    feed::feed(&broker, &["kept"], &input);
    broker.kill();
    broker.restart();
    assert_eq!(read_all(&broker, "kept", Isolation::Committed).len(), 1_000);
    broker.stop();
    broker.restart();
    let records = read_all(&broker, "kept", Isolation::Uncommitted);
    let written: Vec<_> = (0..2)
        .flat_map(|p| input.iter().filter(move |i| i.partition == p))
        .collect();
    assert_eq!(records.len(), written.len());
    for (read, written) in records.iter().zip(written) {
        assert_eq!(
            (&read.key, &read.value, read.timestamp),
            (&written.key, &written.value, written.timestamp)
        );
    }
}

/// What no producer of Java's would send reaches the topic as it is: the tests of bad input stand on it.
#[test]
fn odd_records_are_written_as_they_are() {
    let broker = Broker::shared();
    let topic = unique("odd");
    admin::create_topic(broker, &topic, 1, &[("max.message.bytes", "16777216")]);
    let record = |key: Option<&[u8]>, value: Option<Vec<u8>>, timestamp| Input {
        partition: 0,
        key: key.map(<[u8]>::to_vec),
        value,
        timestamp,
    };
    let inputs = [
        record(Some(b"negative time"), Some(b"1".to_vec()), -1),
        record(Some(b"\xff\xfe"), Some(Vec::new()), 5),
        record(None, None, 6),
        record(Some(b""), Some(vec![b'x'; 5 << 20]), 7),
    ];
    feed::feed(broker, &[&topic], &inputs);
    let read = read_all(broker, &topic, Isolation::Committed);
    assert_eq!(read.len(), inputs.len());
    for (read, input) in read.iter().zip(&inputs) {
        assert_eq!((&read.key, read.timestamp), (&input.key, input.timestamp));
        assert!(read.value == input.value);
    }
}
