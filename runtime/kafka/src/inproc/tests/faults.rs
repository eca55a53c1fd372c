//! Faults and crashes: what was done, what was not, and who notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{NOW, bare_producer, dump, producer, send, with_markers};
use crate::ErrorKind;
use crate::inproc::{Fault, MarkerPolicy, Point};
use crate::log::Isolation::{ReadCommitted, ReadUncommitted};
use crate::log::{HeartbeatRequest, Log, Request, Response};

/// The plan that strikes once, at the named point.
fn once(at: Point, fault: Fault) -> Option<Arc<dyn crate::inproc::FaultPlan>> {
    let calls = AtomicUsize::new(0);
    Some(Arc::new(move |_: &str, point: Point| {
        if point == at && calls.fetch_add(1, Ordering::Relaxed) == 0 {
            fault
        } else {
            Fault::None
        }
    }))
}

#[test]
fn the_outcome_of_a_commit_is_unknown() {
    let unknown = ErrorKind::OutcomeUnknown;
    for (fault, after) in [(Fault::LoseAnswer(unknown), "a@0"), (Fault::LoseRequest(unknown), "")] {
        let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
        let client = cluster.client("i");
        let mut writer = producer(&client, "p");
        writer.begin().unwrap();
        send(writer.as_mut(), 0, "a");
        writer.flush(NOW).unwrap();
        cluster.set_faults(once(Point::ProducerCommit, fault));
        assert_eq!(writer.commit(NOW).unwrap_err().kind(), unknown);
        assert_eq!(writer.begin().unwrap_err().kind(), unknown, "the producer is done for");
        producer(&client, "p");
        assert_eq!(dump(&cluster, ReadCommitted), after, "{fault:?}");
        assert_eq!(cluster.end_offset("t", 0, ReadCommitted).unwrap(), 2);
    }
}

#[test]
fn a_lost_flush_is_tried_again_and_writes_once() {
    for fault in [
        Fault::LoseAnswer(ErrorKind::Retriable),
        Fault::LoseRequest(ErrorKind::Retriable),
    ] {
        let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
        let mut writer = producer(&cluster.client("i"), "p");
        writer.begin().unwrap();
        send(writer.as_mut(), 0, "a");
        cluster.set_faults(once(Point::ProducerFlush, fault));
        assert_eq!(writer.flush(NOW).unwrap_err().kind(), ErrorKind::Retriable);
        writer.flush(NOW).unwrap();
        writer.commit(NOW).unwrap();
        assert_eq!(dump(&cluster, ReadCommitted), "a@0", "{fault:?}");
    }
}

#[test]
fn a_crash_takes_one_process_and_leaves_its_transaction_open() {
    let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
    let (doomed, other) = (cluster.client("doomed"), cluster.client("other"));
    let (mut writer, mut survivor) = (producer(&doomed, "p"), producer(&other, "q"));
    for writer in [&mut writer, &mut survivor] {
        writer.begin().unwrap();
        send(writer.as_mut(), 0, "sent");
        writer.flush(NOW).unwrap();
        send(writer.as_mut(), 0, "unsent");
    }
    cluster.set_faults(once(Point::ProducerPoll, Fault::CrashBefore));
    assert_eq!(writer.poll().unwrap_err().kind(), ErrorKind::Fatal);
    assert!(doomed.is_crashed() && !other.is_crashed());
    assert_eq!(writer.commit(NOW).unwrap_err().kind(), ErrorKind::Fatal);
    assert!(doomed.admin().unwrap().cluster(NOW).is_err());
    survivor.commit(NOW).unwrap();
    assert_eq!(cluster.open_transactions(), ["p"]);
    assert_eq!(
        dump(&cluster, ReadCommitted),
        "",
        "the dead process' transaction holds readers back"
    );
    let mut back = bare_producer(&cluster.client("doomed"), "p");
    back.init_transactions(NOW).unwrap();
    assert_eq!(dump(&cluster, ReadCommitted), "sent@1 unsent@2");
}

#[test]
fn a_crash_after_the_commit_has_committed() {
    let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
    let mut writer = producer(&cluster.client("i"), "p");
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "a");
    cluster.set_faults(once(Point::ProducerCommit, Fault::CrashAfter));
    assert_eq!(writer.commit(NOW).unwrap_err().kind(), ErrorKind::Fatal);
    assert_eq!(dump(&cluster, ReadCommitted), "a@0");
}

#[test]
fn a_plan_may_unwind_and_the_cluster_goes_on() {
    let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
    let mut writer = producer(&cluster.client("i"), "p");
    writer.begin().unwrap();
    send(writer.as_mut(), 0, "a");
    let plan = |_: &str, point: Point| {
        if point == Point::ProducerFlush {
            std::panic::panic_any(())
        } else {
            Fault::None
        }
    };
    cluster.set_faults(Some(Arc::new(plan)));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.flush(NOW)));
    assert!(unwound.is_err());
    cluster.set_faults(None);
    producer(&cluster.client("i"), "p");
    assert_eq!(cluster.end_offset("t", 0, ReadUncommitted).unwrap(), 0);
}

#[test]
fn group_requests_are_lost_both_ways() {
    for fault in [
        Fault::LoseAnswer(ErrorKind::Retriable),
        Fault::LoseRequest(ErrorKind::Retriable),
    ] {
        let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
        let mut member = cluster.client("i").coordinator("g").unwrap();
        let beat = || {
            Request::Heartbeat(HeartbeatRequest {
                generation: 1,
                member_id: "m".into(),
                instance_id: None,
            })
        };
        cluster.set_faults(once(Point::GroupHeartbeat, fault));
        member.send(beat()).unwrap();
        assert!(matches!(member.poll(NOW).unwrap(), Some(Response::Lost(_))));
        assert!(
            member.poll(NOW).unwrap().is_none(),
            "the lost answer does not come after all"
        );
        member.send(beat()).unwrap();
        assert!(matches!(member.poll(NOW).unwrap(), Some(Response::Heartbeat(Err(_)))));
    }
}

/// Every point is reached by some call; the plan sees the client's name.
#[test]
fn every_point_is_asked_about() {
    use crate::log::{
        ConsumerSpec, GroupMembership, Isolation, JoinRequest, LeaveRequest, OutgoingRecord, ProducerSpec, SyncRequest,
    };
    use parking_lot::Mutex;

    let (cluster, _clock) = with_markers(MarkerPolicy::Immediate, 1);
    let seen = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let heard = seen.clone();
    cluster.set_faults(Some(Arc::new(move |client: &str, point: Point| {
        assert_eq!(client, "i");
        heard.lock().insert(point);
        Fault::LoseRequest(ErrorKind::Retriable)
    })));
    let client = cluster.client("i");
    let mut admin = client.admin().unwrap();
    let _ = admin.cluster(NOW);
    let _ = admin.topics(&[], NOW);
    let _ = admin.create_topics(&[], true, NOW);
    let _ = admin.delete_topics(&[], NOW);
    let _ = admin.topic_config("t", NOW);
    let _ = admin.list_offsets(&[], NOW);
    let _ = admin.delete_records(&[], NOW);
    let _ = admin.fence_producer("p", NOW);
    let spec = ConsumerSpec {
        client_id: "c".into(),
        isolation: Isolation::ReadCommitted,
        config: vec![],
    };
    let mut consumer = client.consumer(&spec).unwrap();
    let _ = consumer.assign(&[]);
    let _ = consumer.unassign(&[]);
    let _ = consumer.poll(NOW, 1, &mut Vec::new());
    let spec = ProducerSpec {
        client_id: "p".into(),
        transactional_id: Some("p".into()),
        config: vec![],
    };
    let mut producer = client.producer(&spec).unwrap();
    let topic = producer.topic("t").unwrap();
    let member = GroupMembership {
        group: "g".into(),
        generation: -1,
        member_id: String::new(),
        instance_id: None,
    };
    let _ = producer.partitions(topic, NOW);
    let _ = producer.send(OutgoingRecord {
        topic,
        partition: 0,
        key: None,
        value: None,
        timestamp: 0,
        headers: &[],
    });
    let _ = producer.poll();
    let _ = producer.flush(NOW);
    let _ = producer.init_transactions(NOW);
    let _ = producer.begin();
    let _ = producer.send_offsets(&[], &member, NOW);
    let _ = producer.abort(NOW);
    let _ = producer.commit(NOW);
    let mut coordinator = client.coordinator("g").unwrap();
    let text = String::new;
    let join = JoinRequest {
        member_id: text(),
        instance_id: None,
        session_timeout: NOW,
        rebalance_timeout: NOW,
        protocol_type: text(),
        protocols: vec![],
        reason: text(),
    };
    let sync = SyncRequest {
        generation: 0,
        member_id: text(),
        instance_id: None,
        protocol_type: text(),
        protocol: text(),
        assignments: vec![],
    };
    coordinator.send(Request::Join(join)).unwrap();
    coordinator.send(Request::Sync(sync)).unwrap();
    coordinator
        .send(Request::Heartbeat(HeartbeatRequest {
            generation: 0,
            member_id: text(),
            instance_id: None,
        }))
        .unwrap();
    coordinator
        .send(Request::Leave(LeaveRequest {
            member_id: text(),
            instance_id: None,
            reason: text(),
        }))
        .unwrap();
    let _ = coordinator.poll(NOW);
    let mut offsets = client.offsets("g").unwrap();
    let _ = offsets.fetch(&[], true, NOW);
    let _ = offsets.commit(&[], &member, NOW);
    let _ = offsets.describe(NOW);
    assert!(seen.lock().iter().eq(Point::ALL), "{:?}", seen.lock());
}
