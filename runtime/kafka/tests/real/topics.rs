//! Topics, and a cluster that is not there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_kafka::ErrorKind;
use millrace_kafka::log::*;
use millrace_kafka::real::KafkaLog;

use super::rig::*;

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn topics_are_made_described_and_deleted() {
    let log = cluster();
    let mut admin = log.admin().unwrap();
    let info = admin.cluster(SOON).unwrap();
    assert!(!info.cluster_id.is_empty());
    assert!(info.brokers >= 1);

    let (good, bad) = (fresh("good"), fresh("bad"));
    let config = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
    let good_topic = NewTopic {
        name: good.clone(),
        partitions: 3,
        replication_factor: -1,
        config,
    };
    let config = BTreeMap::from([("retention.ms".to_owned(), "soon".to_owned())]);
    let bad_topic = NewTopic {
        name: bad.clone(),
        partitions: 1,
        replication_factor: -1,
        config,
    };

    let checked = admin
        .create_topics(&[good_topic.clone(), bad_topic.clone()], true, SOON)
        .unwrap();
    assert!(checked[0].is_ok());
    let error = checked[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains(&bad) && error.to_string().contains("retention.ms"),
        "{error}"
    );
    assert_eq!(
        admin.topics(&[&good], SOON).unwrap(),
        [None],
        "validate_only creates nothing"
    );

    let made = admin
        .create_topics(&[bad_topic, good_topic.clone()], false, SOON)
        .unwrap();
    assert!(made[0].is_err() && made[1].is_ok());
    let found = admin.topics(&["no-such-topic", &good], SOON).unwrap();
    assert_eq!(found[0], None);
    let found = found[1].clone().unwrap();
    assert_eq!((found.name.as_str(), found.partitions), (good.as_str(), 3));
    let again = admin
        .create_topics(std::slice::from_ref(&good_topic), false, SOON)
        .unwrap();
    assert_eq!(again[0].as_ref().unwrap_err().kind(), ErrorKind::TopicExists);

    let config = admin.topic_config(&good, SOON).unwrap();
    assert_eq!(config["cleanup.policy"].value, "compact");
    assert!(config["cleanup.policy"].is_topic_override);
    assert!(!config["retention.ms"].is_topic_override);
    assert_eq!(
        admin.topic_config("no-such-topic", SOON).unwrap_err().kind(),
        ErrorKind::UnknownTopic
    );

    let deleted = admin.delete_topics(&[&good, "no-such-topic"], SOON).unwrap();
    assert!(deleted[0].is_ok());
    assert_eq!(deleted[1].as_ref().unwrap_err().kind(), ErrorKind::UnknownTopic);
    assert_eq!(admin.topics(&[&good], SOON).unwrap(), [None]);
    admin.create_topics(&[good_topic], false, SOON).unwrap()[0]
        .as_ref()
        .unwrap();
    let anew = admin.topics(&[&good], SOON).unwrap()[0].clone().unwrap();
    assert_ne!(anew.id, found.id, "a topic made anew has another id");

    let mut producer = producer(&log, None);
    let handle = producer.topic(&good).unwrap();
    assert_eq!(producer.partitions(handle, SOON).unwrap(), 3);
    let missing = producer.topic("no-such-topic").unwrap();
    assert_eq!(
        producer.partitions(missing, SOON).unwrap_err().kind(),
        ErrorKind::UnknownTopic
    );
    assert_eq!(
        admin.topics(&["no-such-topic"], SOON).unwrap(),
        [None],
        "asking never creates"
    );
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn no_broker_is_said_within_the_time_given() {
    let _ = cluster();
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let log = KafkaLog::new(&free.to_string(), &[]).unwrap();
    let timeout = Duration::from_secs(2);
    let start = Instant::now();
    let error = log.admin().unwrap().cluster(timeout).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&free.to_string()), "{error}");
    let error = log.offsets("group").unwrap().describe(timeout).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let spec = ProducerSpec {
        client_id: "p".to_owned(),
        transactional_id: Some("t".to_owned()),
        config: vec![],
    };
    let error = log.producer(&spec).unwrap().init_transactions(timeout).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    // A reader waits for the broker to come.
    let mut consumer = consumer(&log, Isolation::ReadCommitted);
    consumer.assign(&[(TopicPartition::new("t", 0), 0)]).unwrap();
    let mut out = Vec::new();
    consumer.poll(Duration::from_secs(1), 10, &mut out).unwrap();
    assert!(out.is_empty());
}
