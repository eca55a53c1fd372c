//! Who may write under a transactional id.

use std::time::{Duration, Instant};

use super::{PATIENCE, Rig, Script, at, end, open, refused, send, try_send};
use crate::ErrorKind;
use crate::log::Isolation::{ReadCommitted, ReadUncommitted};
use crate::log::{Producer, ProducerSpec};

pub(super) const SCRIPTS: &[Script] = &[
    ("a new producer fences the old one and ends what it left", successor),
    ("the admin fences a producer", admin),
    ("a fenced producer neither writes nor commits offsets", nothing_left),
    ("every holder of an id fences the one before", generations),
    (
        "a transaction that is open for too long is aborted, and its producer fenced",
        timed_out,
    ),
    ("a transaction that goes on keeps its time-out", no_second_wind),
    ("a time-out beyond the broker's is refused", time_out_too_long),
];

fn successor(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut old = rig.producer("p");
    open(old.as_mut(), &topic, "left open");
    let mut new = rig.producer("p");
    rig.await_end(&topic, ReadCommitted, 2);
    open(new.as_mut(), &topic, "new");
    refused(old.commit(PATIENCE), ErrorKind::Fenced);
    refused(old.begin(), ErrorKind::Fenced);
    end(new.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 4);
    assert_eq!(rig.read(ReadCommitted, &topic), ["2 new"]);
}

fn admin(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = rig.producer("p");
    open(producer.as_mut(), &topic, "left open");
    rig.admin().fence_producer(&rig.name("p"), PATIENCE).unwrap();
    rig.await_end(&topic, ReadCommitted, 2);
    refused(producer.commit(PATIENCE), ErrorKind::Fenced);
    rig.admin().fence_producer(&rig.name("never seen"), PATIENCE).unwrap();
}

/// Whichever call meets the broker first tells.
fn nothing_left(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let (mut writes, mut commits) = (rig.producer("w"), rig.producer("c"));
    let _successors = [rig.producer("w"), rig.producer("c")];
    writes.begin().unwrap();
    send(writes.as_mut(), &topic, 0, "k", "never seen");
    refused(
        writes.flush(PATIENCE).and_then(|()| writes.commit(PATIENCE)),
        ErrorKind::Fenced,
    );
    commits.begin().unwrap();
    refused(
        commits.send_offsets(&at(&topic, 0, 5), &rig.nobody(), PATIENCE),
        ErrorKind::Fenced,
    );
    assert_eq!(rig.end(&topic, ReadUncommitted), 0);
    assert_eq!(rig.committed(&topic, 0), None);
}

fn generations(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut holders: Vec<Box<dyn Producer>> = Vec::new();
    for round in 0..4 {
        let mut next = rig.producer("p");
        open(next.as_mut(), &topic, &round.to_string());
        holders.push(next);
    }
    let last = holders.pop();
    for mut older in holders {
        refused(older.abort(PATIENCE), ErrorKind::Fenced);
    }
    end(last.expect("the last holder").as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 8);
    assert_eq!(rig.read(ReadCommitted, &topic), ["6 3"]);
}

/// The shortest that librdkafka takes.
const TIME_OUT: Duration = Duration::from_secs(1);

fn short_lived(rig: &Rig, id: &str) -> Box<dyn Producer> {
    rig.producer_with(id, &[("transaction.timeout.ms", "1000")])
}

fn timed_out(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = short_lived(rig, "p");
    open(producer.as_mut(), &topic, "too late");
    producer
        .send_offsets(&at(&topic, 0, 5), &rig.nobody(), PATIENCE)
        .unwrap();
    assert_eq!(rig.end(&topic, ReadCommitted), 0);
    rig.pass(TIME_OUT);
    rig.await_end(&topic, ReadCommitted, 2);
    assert_eq!(rig.read(ReadCommitted, &topic), Vec::<String>::new());
    assert_eq!(rig.committed(&topic, 0), None);
    refused(producer.commit(PATIENCE), ErrorKind::Fenced);
    let mut next = short_lived(rig, "p");
    open(next.as_mut(), &topic, "next");
    end(next.as_mut(), true);
    rig.await_end(&topic, ReadCommitted, 4);
}

/// The time-out counts from the transaction's begin, not from its last record.
fn no_second_wind(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let mut producer = short_lived(rig, "p");
    open(producer.as_mut(), &topic, "first");
    let start = Instant::now();
    loop {
        rig.pass(Duration::from_millis(200));
        let sent = try_send(producer.as_mut(), &topic, 0, "k", "and on");
        if sent.and_then(|()| producer.flush(PATIENCE)).is_err() {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "it goes on and on");
    }
    refused(producer.abort(PATIENCE), ErrorKind::Fenced);
    rig.await_settled(&topic);
    assert_eq!(rig.read(ReadCommitted, &topic), Vec::<String>::new());
}

fn time_out_too_long(rig: &Rig) {
    let spec = ProducerSpec {
        client_id: rig.name("producer"),
        transactional_id: Some(rig.name("p")),
        config: vec![("transaction.timeout.ms".into(), "86400000".into())],
    };
    let mut producer = rig.log.producer(&spec).unwrap();
    refused(producer.init_transactions(PATIENCE), ErrorKind::Config);
}
