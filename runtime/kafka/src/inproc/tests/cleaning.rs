//! What leaves a log: deletion, compaction, whole topics.

use super::{NOW, consumer, dump, held, poll, producer, send, with_markers};
use crate::inproc::{Cluster, ClusterOptions, MarkerPolicy};
use crate::log::Isolation::{ReadCommitted, ReadUncommitted};
use crate::log::{Log, NewTopic, OffsetAndMetadata, TopicPartition};

fn put(cluster: &Cluster, key: &str, value: Option<&str>) {
    cluster
        .append("t", 0, Some(key.as_bytes()), value.map(str::as_bytes), 1, &[])
        .unwrap();
}

#[test]
fn compaction_keeps_the_last_value_of_each_key_and_every_offset() {
    let (cluster, _clock) = held(1);
    for (key, value) in [
        ("a", Some("1")),
        ("b", Some("2")),
        ("a", Some("3")),
        ("b", None),
        ("c", Some("5")),
        ("c", None),
        ("c", Some("7")),
    ] {
        put(&cluster, key, value);
    }
    cluster.compact_keeping_tombstones("t").unwrap();
    assert_eq!(dump(&cluster, ReadUncommitted), "3@2 null@3 7@6");
    cluster.compact("t").unwrap();
    assert_eq!(dump(&cluster, ReadUncommitted), "3@2 7@6");
    put(&cluster, "c", None);
    cluster.compact("t").unwrap();
    let mut reader = consumer(&cluster.client("i"), ReadCommitted, 0, 0);
    assert_eq!(
        poll(reader.as_mut()),
        "3@2 end@8",
        "the position passes the gap at the end"
    );
    put(&cluster, "a", Some("9"));
    assert_eq!(poll(reader.as_mut()), "9@8");
}

#[test]
fn compaction_drops_aborted_records_and_stops_at_the_last_stable_offset() {
    let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
    let client = cluster.client("i");
    put(&cluster, "k", Some("kept"));
    let (mut aborter, mut opener) = (producer(&client, "p"), producer(&client, "q"));
    aborter.begin().unwrap();
    send(aborter.as_mut(), 0, "aborted");
    aborter.flush(NOW).unwrap();
    aborter.abort(NOW).unwrap();
    opener.begin().unwrap();
    send(opener.as_mut(), 0, "open");
    opener.flush(NOW).unwrap();
    put(&cluster, "k", Some("later"));
    cluster.compact("t").unwrap();
    assert_eq!(dump(&cluster, ReadUncommitted), "kept@0 open@3 later@4");
    opener.abort(NOW).unwrap();
    assert_eq!(dump(&cluster, ReadCommitted), "kept@0 later@4");
    cluster.compact("t").unwrap();
    assert_eq!(dump(&cluster, ReadUncommitted), "later@4");
}

#[test]
fn a_reader_below_the_start_fails_and_may_come_back() {
    let (cluster, _clock) = held(1);
    let client = cluster.client("i");
    let at = TopicPartition::new("t", 0);
    for value in ["a", "b", "c"] {
        put(&cluster, "k", Some(value));
    }
    let mut reader = consumer(&client, ReadCommitted, 0, 1);
    client.admin().unwrap().delete_records(&[(at.clone(), 2)], NOW).unwrap();
    assert_eq!(cluster.start_offset("t", 0).unwrap(), 2);
    assert_eq!(poll(reader.as_mut()), "failed: OffsetOutOfRange");
    assert_eq!(reader.position(&at), None);
    reader.assign(&[(at.clone(), 2)]).unwrap();
    assert_eq!(poll(reader.as_mut()), "c@2");
    reader.assign(&[(at, 4)]).unwrap();
    assert_eq!(poll(reader.as_mut()), "failed: OffsetOutOfRange", "beyond the end too");
}

#[test]
fn a_topic_made_anew_is_another() {
    let (cluster, _clock) = held(1);
    let client = cluster.client("i");
    let mut admin = client.admin().unwrap();
    let id = |admin: &mut dyn crate::log::Admin| admin.topics(&["t"], NOW).unwrap()[0].as_ref().map(|info| info.id);
    let before = id(admin.as_mut());
    put(&cluster, "k", Some("a"));
    let member = crate::log::GroupMembership {
        group: "g".into(),
        generation: -1,
        member_id: String::new(),
        instance_id: None,
    };
    let committed = [(
        TopicPartition::new("t", 0),
        OffsetAndMetadata {
            offset: 1,
            metadata: String::new(),
        },
    )];
    client.offsets("g").unwrap().commit(&committed, &member, NOW).unwrap();
    let mut readers = [0, 1].map(|_| consumer(&client, ReadCommitted, 0, 0));
    assert_eq!(readers.each_mut().map(|reader| poll(reader.as_mut())), ["a@0", "a@0"]);
    let mut writer = producer(&client, "p");
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "b");
    writer.flush(NOW).unwrap();
    assert!(admin.delete_topics(&["t"], NOW).unwrap()[0].is_ok());
    assert_eq!(poll(readers[0].as_mut()), "failed: UnknownTopic");
    assert_eq!(cluster.committed("g", "t", 0), None);
    cluster.create_topic("t", 1).unwrap();
    assert_ne!(before, id(admin.as_mut()));
    assert_eq!(poll(readers[1].as_mut()), "failed: UnknownTopic");
    writer.commit(NOW).unwrap();
    cluster.deliver_markers();
    assert_eq!(
        cluster.end_offset("t", 0, ReadUncommitted).unwrap(),
        0,
        "the marker was for the old topic"
    );
}

#[test]
fn refused_topics() {
    let (cluster, _clock) = held(1);
    let mut admin = cluster.client("i").admin().unwrap();
    let table = [
        ("a/b", 1, 1, None, "'/'"),
        ("..", 1, 1, None, "must not be"),
        ("a", 0, 1, None, "at least one partition"),
        ("a", 1, 0, None, "replication factor"),
        (
            "a",
            1,
            1,
            Some(("retention.msec", "1")),
            "no topic configuration \"retention.msec\"",
        ),
        (
            "a",
            1,
            1,
            Some(("retention.ms", "a week")),
            "retention.ms must be an integer",
        ),
        ("a", 1, 1, Some(("cleanup.policy", "compress")), "cleanup.policy"),
    ];
    for (name, partitions, replication_factor, config, why) in table {
        let config = config
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let spec = NewTopic {
            name: name.to_owned(),
            partitions,
            replication_factor,
            config,
        };
        let error = admin.create_topics(&[spec], true, NOW).unwrap().remove(0).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_bound_partition_drops_its_oldest_and_compacts_what_is_a_table() {
    let bound = 3 << 20;
    let cluster = Cluster::new(ClusterOptions {
        retention_bytes_per_partition: Some(bound),
        ..ClusterOptions::default()
    });
    cluster.create_topic("t", 1).unwrap();
    cluster
        .create_topic_with("table", 1, &[("cleanup.policy", "compact")])
        .unwrap();
    let value = [0; 1_000];
    for n in 0..10_000_u32 {
        for topic in ["t", "table"] {
            let key = (n % 100).to_be_bytes();
            cluster.append(topic, 0, Some(&key), Some(&value), 1, &[]).unwrap();
        }
    }
    let start = cluster.start_offset("t", 0).unwrap();
    assert!((5_000..9_000).contains(&start), "{start}");
    assert_eq!(
        cluster.dump("t", 0, ReadUncommitted).unwrap().len() as i64,
        10_000 - start
    );
    assert_eq!(cluster.start_offset("table", 0).unwrap(), 0);
    let left = cluster.dump("table", 0, ReadUncommitted).unwrap().len();
    assert!((100..4_000).contains(&left), "{left}");
}

#[test]
fn append_time_replaces_the_records_own() {
    let (cluster, _clock) = held(1);
    cluster
        .create_topic_with("stamped", 1, &[("message.timestamp.type", "LogAppendTime")])
        .unwrap();
    let spec = crate::log::ProducerSpec {
        client_id: "c".into(),
        transactional_id: None,
        config: vec![],
    };
    let mut writer = cluster.client("i").producer(&spec).unwrap();
    let topic = writer.topic("stamped").unwrap();
    let record = crate::log::OutgoingRecord {
        topic,
        partition: 0,
        key: None,
        value: None,
        timestamp: 5,
        headers: &[],
    };
    writer.send(record).unwrap();
    writer.flush(NOW).unwrap();
    assert_eq!(
        cluster.dump("stamped", 0, ReadUncommitted).unwrap()[0].timestamp,
        1_000_000
    );
}
