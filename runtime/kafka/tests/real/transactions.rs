//! Transactions: markers, offsets under our generation, fencing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_kafka::ErrorKind;
use millrace_kafka::log::*;

use super::member::Member;
use super::rig::*;

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn transactions_markers_and_both_ends() {
    let log = cluster();
    let name = topic(&log, 1);
    let partition = TopicPartition::new(name.as_str(), 0);
    let mut producer = producer(&log, Some(&fresh("txn")));
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "a");
    send(&mut *producer, &name, 0, "b");
    producer.flush(SOON).unwrap();
    producer.commit(SOON).unwrap(); // offsets 0, 1, marker 2
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "aborted");
    producer.flush(SOON).unwrap();
    send(&mut *producer, &name, 0, "unsent");
    producer.abort(SOON).unwrap(); // 3 (and perhaps 4), marker
    assert!(producer.take_failures().is_empty(), "what an abort drops is no failure");

    let mut admin = log.admin().unwrap();
    let end = |spec| (partition.clone(), spec);
    let committed = OffsetSpec::Latest(Isolation::ReadCommitted);
    let uncommitted = OffsetSpec::Latest(Isolation::ReadUncommitted);
    let stable = admin.list_offsets(&[end(committed)], SOON).unwrap()[0];
    assert!(stable >= 5, "{stable}");

    // An open transaction holds the last stable offset back.
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "open");
    producer.flush(SOON).unwrap();
    let asked = [
        end(OffsetSpec::Earliest),
        end(committed),
        end(uncommitted),
        end(OffsetSpec::Timestamp(1)),
        end(OffsetSpec::Timestamp(i64::MAX - 1)),
    ];
    let offsets = admin.list_offsets(&asked, SOON).unwrap();
    assert_eq!(offsets, [0, stable, stable + 1, 0, stable + 1]);

    let mut reader = consumer(&log, Isolation::ReadCommitted);
    reader.assign(&[(partition.clone(), 0)]).unwrap();
    assert_eq!(
        reader.position(&partition),
        Some(0),
        "the assigned offset, before anything was read"
    );
    let seen = poll_until(&mut *reader, |seen| !seen.ends.is_empty());
    assert_eq!(seen.values, [(0, "a".to_owned()), (1, "b".to_owned())]);
    assert_eq!(seen.ends, [stable]);
    assert_eq!(reader.position(&partition), Some(stable));
    assert_eq!(reader.known_end(&partition), Some(stable));
    let mut dirty = consumer(&log, Isolation::ReadUncommitted);
    dirty.assign(&[(partition.clone(), 0)]).unwrap();
    let seen = poll_until(&mut *dirty, |seen| !seen.ends.is_empty());
    assert_eq!(values(&seen).first_chunk::<3>(), Some(&["a", "b", "aborted"]));
    assert_eq!(values(&seen).last(), Some(&"open"));
    assert_eq!(dirty.position(&partition), Some(stable + 1));
    assert_eq!(dirty.known_end(&partition), Some(stable + 1));

    producer.commit(SOON).unwrap();
    let seen = poll_until(&mut *reader, |seen| seen.ends.last() == Some(&(stable + 2)));
    assert_eq!(seen.values, [(stable, "open".to_owned())]);
    assert_eq!(reader.position(&partition), Some(stable + 2), "past the marker");
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn transactional_offsets_carry_our_generation() {
    let log = cluster();
    let group = fresh("group");
    let name = topic(&log, 1);
    let partition = TopicPartition::new(name.as_str(), 0);
    let mut member = Member::new(&log, &group, Some("pod-0"));
    member.join(b"m");
    member.sync(vec![(member.id.clone(), Bytes::from_static(b"all"))]);
    let mut offsets = log.offsets(&group).unwrap();
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [None]
    );

    let mut producer = producer(&log, Some(&fresh("txn")));
    producer.begin().unwrap();
    send(&mut *producer, &name, 0, "x");
    producer.flush(SOON).unwrap();
    producer
        .send_offsets(&[(partition.clone(), at(5))], &member.membership(), SOON)
        .unwrap();
    // Open offsets are not stable.
    let unstable = offsets
        .fetch(std::slice::from_ref(&partition), true, Duration::from_millis(500))
        .unwrap_err();
    assert_eq!(unstable.kind(), ErrorKind::Retriable);
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), false, SOON).unwrap(),
        [None]
    );
    producer.commit(SOON).unwrap();
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [Some(at(5))]
    );

    let refused = [
        (
            GroupMembership {
                generation: member.generation + 1,
                ..member.membership()
            },
            ErrorKind::Rejoin,
        ),
        (
            GroupMembership {
                member_id: "nobody".to_owned(),
                ..member.membership()
            },
            ErrorKind::Fenced,
        ),
        (
            GroupMembership {
                instance_id: None,
                member_id: "nobody".to_owned(),
                ..member.membership()
            },
            ErrorKind::Rejoin,
        ),
    ];
    for (membership, kind) in refused {
        producer.begin().unwrap();
        send(&mut *producer, &name, 0, "never seen");
        let error = producer
            .send_offsets(&[(partition.clone(), at(6))], &membership, SOON)
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        producer.abort(SOON).unwrap();
    }
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [Some(at(5))]
    );
    // The producer goes on.
    producer.begin().unwrap();
    producer
        .send_offsets(&[(partition.clone(), at(6))], &member.membership(), SOON)
        .unwrap();
    producer.commit(SOON).unwrap();
    assert_eq!(
        offsets.fetch(std::slice::from_ref(&partition), true, SOON).unwrap(),
        [Some(at(6))]
    );
    member.leave();
}

#[test]
#[ignore = "needs a broker: run by the e2e suite"]
fn a_successor_fences_a_producer_and_an_admin_does_too() {
    let log = cluster();
    let name = topic(&log, 1);
    let partition = TopicPartition::new(name.as_str(), 0);
    let id = fresh("txn");
    let mut old = producer(&log, Some(&id));
    old.begin().unwrap();
    send(&mut *old, &name, 0, "open");
    old.flush(SOON).unwrap();
    let mut admin = log.admin().unwrap();
    let latest = [(partition.clone(), OffsetSpec::Latest(Isolation::ReadCommitted))];
    assert_eq!(admin.list_offsets(&latest, SOON).unwrap(), [0]);
    admin.fence_producer(&id, SOON).unwrap();
    let start = Instant::now();
    while admin.list_offsets(&latest, SOON).unwrap() != [2] {
        assert!(start.elapsed() < SOON, "the open transaction is aborted");
    }
    let error = old.commit(SOON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");

    let mut middle = producer(&log, Some(&id));
    middle.begin().unwrap();
    send(&mut *middle, &name, 0, "open again");
    middle.flush(SOON).unwrap();
    let mut new = producer(&log, Some(&id));
    send_fails_fenced(&mut *middle, &name);
    new.begin().unwrap();
    send(&mut *new, &name, 0, "new");
    new.commit(SOON).unwrap();
    let mut reader = consumer(&log, Isolation::ReadCommitted);
    reader.assign(&[(partition, 0)]).unwrap();
    // An end may be told before the marker of the commit has arrived.
    assert_eq!(
        values(&poll_until(&mut *reader, |seen| !seen.values.is_empty())),
        ["new"]
    );
}

/// Whichever call meets the broker first tells.
fn send_fails_fenced(producer: &mut dyn Producer, topic: &str) {
    let handle = producer.topic(topic).unwrap();
    let record = OutgoingRecord {
        topic: handle,
        partition: 0,
        key: None,
        value: Some(b"x"),
        timestamp: 1,
        headers: &[],
    };
    let result = producer
        .send(record)
        .and_then(|()| producer.flush(SOON))
        .and_then(|()| producer.commit(SOON));
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
}
