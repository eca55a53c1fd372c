//! Late markers, time-outs, fencing.

use std::time::Duration;

use super::{NOW, bare_producer, consumer, dump, held, poll, producer, send, with_markers};
use crate::ErrorKind;
use crate::inproc::MarkerPolicy;
use crate::log::Isolation::{ReadCommitted, ReadUncommitted};
use crate::log::{GroupMembership, Log, OffsetAndMetadata, TopicPartition};

#[test]
fn markers_arrive_late_and_by_partition() {
    let (cluster, _clock) = held(2);
    let client = cluster.client("i");
    let mut writer = producer(&client, "p");
    let mut readers = [0, 1].map(|partition| consumer(&client, ReadCommitted, partition, 0));
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "a");
    send(writer.as_mut(), 1, "b");
    writer.flush(NOW).unwrap();
    writer.commit(NOW).unwrap();
    assert_eq!(cluster.pending_markers(), 2);
    assert_eq!(
        readers.each_mut().map(|reader| poll(reader.as_mut())),
        ["end@0", "end@0"]
    );
    assert_eq!(cluster.deliver_markers_to("t", 1), 1);
    assert_eq!(
        readers.each_mut().map(|reader| poll(reader.as_mut())),
        ["", "b@0 end@2"]
    );
    assert_eq!(
        cluster.end_offset("t", 0, ReadUncommitted).unwrap(),
        1,
        "its marker has no offset yet"
    );
    assert_eq!(cluster.deliver_markers(), 1);
    assert_eq!(
        readers.each_mut().map(|reader| poll(reader.as_mut())),
        ["a@0 end@2", ""]
    );
}

#[test]
fn the_next_transaction_waits_for_the_markers_of_the_last() {
    let (cluster, _clock) = held(1);
    let mut writer = producer(&cluster.client("i"), "p");
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "a");
    writer.commit(NOW).unwrap();
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "b");
    writer.poll().unwrap();
    assert_eq!(writer.in_flight_bytes(), 2);
    assert_eq!(writer.flush(NOW).unwrap_err().kind(), ErrorKind::Retriable);
    assert_eq!(dump(&cluster, ReadUncommitted), "a@0");
    cluster.deliver_markers();
    writer.flush(NOW).unwrap();
    assert_eq!(dump(&cluster, ReadUncommitted), "a@0 b@2");
    // So does a successor.
    writer.commit(NOW).unwrap();
    let mut next = bare_producer(&cluster.client("j"), "p");
    assert_eq!(next.init_transactions(NOW).unwrap_err().kind(), ErrorKind::Retriable);
    cluster.deliver_markers();
    next.init_transactions(NOW).unwrap();
}

#[test]
fn waiting_stands_for_time_on_a_clock_that_stands_still() {
    let (cluster, _clock) = with_markers(MarkerPolicy::Delayed(Duration::from_secs(60)), 1);
    let mut writer = producer(&cluster.client("i"), "p");
    for value in ["a", "b"] {
        writer.begin().unwrap();
        send(writer.as_mut(), 0, value);
        writer.flush(NOW).unwrap();
        writer.commit(NOW).unwrap();
    }
    assert_eq!(
        cluster.end_offset("t", 0, ReadCommitted).unwrap(),
        2,
        "the first marker arrived, the second is under way"
    );
}

#[test]
fn delayed_markers_arrive_with_time() {
    let (cluster, clock) = with_markers(MarkerPolicy::Delayed(Duration::from_secs(60)), 1);
    let mut writer = producer(&cluster.client("i"), "p");
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "a");
    writer.commit(NOW).unwrap();
    cluster.tick();
    assert_eq!(dump(&cluster, ReadCommitted), "");
    clock.advance(Duration::from_secs(60));
    cluster.tick();
    assert_eq!(dump(&cluster, ReadCommitted), "a@0");
}

#[test]
fn a_transaction_that_is_open_too_long_is_aborted_and_its_producer_fenced() {
    let (cluster, clock) = with_markers(MarkerPolicy::Immediate, 1);
    let client = cluster.client("i");
    let mut writer = producer(&client, "p");
    writer.begin().unwrap();
    clock.advance(Duration::from_secs(60));
    send(writer.as_mut(), 0, "a");
    writer.flush(NOW).unwrap();
    clock.advance(Duration::from_millis(9_999));
    cluster.tick();
    assert_eq!(
        cluster.open_transactions(),
        ["p"],
        "the time runs from the first record"
    );
    clock.advance(Duration::from_millis(1));
    cluster.tick();
    assert_eq!(cluster.open_transactions(), [""; 0]);
    assert_eq!(cluster.end_offset("t", 0, ReadCommitted).unwrap(), 2);
    send(writer.as_mut(), 0, "b");
    assert_eq!(writer.flush(NOW).unwrap_err().kind(), ErrorKind::Fenced);
    let mut next = producer(&client, "p");
    next.begin().unwrap();
    send(next.as_mut(), 0, "c");
    next.commit(NOW).unwrap();
    assert_eq!(dump(&cluster, ReadCommitted), "c@2");
}

#[test]
fn an_old_epoch_writes_nothing() {
    let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
    let mut old = producer(&cluster.client("i"), "p");
    old.begin().unwrap();
    send(old.as_mut(), 0, "buffered");
    producer(&cluster.client("j"), "p");
    assert_eq!(old.flush(NOW).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(cluster.end_offset("t", 0, ReadUncommitted).unwrap(), 0);
}

#[test]
fn offsets_of_a_transaction_wait_for_the_groups_own_marker() {
    let (cluster, _clock) = held(1);
    let client = cluster.client("i");
    let mut writer = producer(&client, "p");
    let at = [TopicPartition::new("t", 0)];
    let member = GroupMembership {
        group: "g".into(),
        generation: -1,
        member_id: String::new(),
        instance_id: None,
    };
    let five = OffsetAndMetadata {
        offset: 5,
        metadata: String::new(),
    };
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "a");
    writer
        .send_offsets(&[(at[0].clone(), five.clone())], &member, NOW)
        .unwrap();
    writer.commit(NOW).unwrap();
    cluster.deliver_markers_to("t", 0);
    let mut offsets = client.offsets("g").unwrap();
    assert_eq!(offsets.fetch(&at, true, NOW).unwrap_err().kind(), ErrorKind::Retriable);
    assert_eq!(cluster.committed("g", "t", 0), None);
    assert_eq!(cluster.deliver_markers_to_group("g"), 1);
    assert_eq!(offsets.fetch(&at, true, NOW).unwrap(), [Some(five)]);
}

#[test]
fn a_failed_record_leaves_only_abort() {
    let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
    let mut writer = producer(&cluster.client("i"), "p");
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "a");
    send(writer.as_mut(), 7, "nowhere");
    writer.flush(NOW).unwrap();
    let failures = writer.take_failures();
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (failures[0].partition.partition, failures[0].error.kind()),
        (7, ErrorKind::UnknownTopic)
    );
    assert_eq!(writer.commit(NOW).unwrap_err().kind(), ErrorKind::Abortable);
    writer.abort(NOW).unwrap();
    assert_eq!(dump(&cluster, ReadCommitted), "");
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "b");
    writer.commit(NOW).unwrap();
    assert_eq!(dump(&cluster, ReadCommitted), "b@2");
}

#[test]
fn a_time_out_beyond_the_brokers_is_refused() {
    let (cluster, _clock) = held(1);
    let config = vec![("transaction.timeout.ms".to_owned(), "900001".to_owned())];
    let spec = crate::log::ProducerSpec {
        client_id: "c".into(),
        transactional_id: Some("p".into()),
        config,
    };
    let error = cluster
        .client("i")
        .producer(&spec)
        .unwrap()
        .init_transactions(NOW)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
