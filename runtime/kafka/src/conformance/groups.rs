//! The classic group protocol, as members see it.

use std::time::Duration;

use bytes::Bytes;

use super::{PATIENCE, Rig, Script, answer, ask};
use crate::ErrorKind;
use crate::log::{
    Coordinator, GroupMembership, HeartbeatRequest, JoinRequest, JoinResponse, LeaveRequest, OffsetAndMetadata,
    Request, Response, SyncRequest, TopicPartition,
};

pub(super) const SCRIPTS: &[Script] = &[
    ("a member needs an id, joins, syncs, beats and leaves", one_member),
    ("a second member starts a rebalance", two_members),
    (
        "a returning static leader is told to skip the assignment",
        static_leader,
    ),
    ("a replaced static member is fenced", fenced_instance),
    ("offset commits are refused outside the generation", commits),
];

const SESSION: Duration = Duration::from_secs(20);
const PROTOCOL_TYPE: &str = "consumer";

fn join_request(member_id: &str, instance_id: Option<&str>, metadata: &'static str) -> Request {
    Request::Join(JoinRequest {
        member_id: member_id.to_owned(),
        instance_id: instance_id.map(str::to_owned),
        session_timeout: SESSION,
        rebalance_timeout: SESSION,
        protocol_type: PROTOCOL_TYPE.to_owned(),
        protocols: vec![("stream".to_owned(), Bytes::from_static(metadata.as_bytes()))],
        reason: "conformance".to_owned(),
    })
}

fn joined(response: Response) -> JoinResponse {
    match response {
        Response::Join(Ok(joined)) => joined,
        other => panic!("{other:?}"),
    }
}

fn code(response: &Response) -> i16 {
    match response {
        Response::Join(Err(error)) | Response::Sync(Err(error)) => error.code,
        Response::Heartbeat(Err(error)) | Response::Leave(Err(error)) => error.code,
        other => panic!("{other:?}"),
    }
}

/// Fetches an id for a dynamic member, to come back with.
fn member_id(coordinator: &mut dyn Coordinator, metadata: &'static str) -> String {
    match ask(coordinator, join_request("", None, metadata)) {
        Response::Join(Err(error)) if error.code == 79 => error.member_id.expect("the id"),
        other => panic!("{other:?}"),
    }
}

fn sync_request(joined: &JoinResponse, instance_id: Option<&str>, assignments: &[(&str, &'static str)]) -> Request {
    Request::Sync(SyncRequest {
        generation: joined.generation,
        member_id: joined.member_id.clone(),
        instance_id: instance_id.map(str::to_owned),
        protocol_type: PROTOCOL_TYPE.to_owned(),
        protocol: joined.protocol.clone(),
        assignments: assignments
            .iter()
            .map(|(id, a)| ((*id).to_owned(), Bytes::from_static(a.as_bytes())))
            .collect(),
    })
}

fn synced(response: Response) -> Bytes {
    match response {
        Response::Sync(Ok(synced)) => synced.assignment,
        other => panic!("{other:?}"),
    }
}

fn heartbeat(joined: &JoinResponse, instance_id: Option<&str>) -> Request {
    Request::Heartbeat(HeartbeatRequest {
        generation: joined.generation,
        member_id: joined.member_id.clone(),
        instance_id: instance_id.map(str::to_owned),
    })
}

fn leave(joined: &JoinResponse) -> Request {
    Request::Leave(LeaveRequest {
        member_id: joined.member_id.clone(),
        instance_id: None,
        reason: "done".to_owned(),
    })
}

fn one_member(rig: &Rig) {
    let mut member = rig.coordinator("g");
    let id = member_id(member.as_mut(), "m");
    let first = joined(ask(member.as_mut(), join_request(&id, None, "m")));
    assert_eq!(
        (&first.member_id, &first.leader, first.skip_assignment),
        (&id, &id, false)
    );
    assert_eq!(
        first.members.iter().map(|m| m.metadata.clone()).collect::<Vec<_>>(),
        ["m"]
    );
    assert_eq!(
        synced(ask(member.as_mut(), sync_request(&first, None, &[(&id, "all")]))),
        "all"
    );
    assert!(matches!(
        ask(member.as_mut(), heartbeat(&first, None)),
        Response::Heartbeat(Ok(()))
    ));
    let mut offsets = rig.log.offsets(&rig.name("g")).unwrap();
    let description = offsets.describe(PATIENCE).unwrap();
    assert_eq!(
        (description.state.as_str(), description.protocol.as_str()),
        ("Stable", "stream")
    );
    assert_eq!(description.members.len(), 1);
    assert_eq!(description.members[0].assignment, "all");
    let stale = JoinResponse {
        generation: first.generation + 1,
        ..first.clone()
    };
    assert_eq!(code(&ask(member.as_mut(), heartbeat(&stale, None))), 22);
    assert!(matches!(ask(member.as_mut(), leave(&first)), Response::Leave(Ok(()))));
    assert_eq!(code(&ask(member.as_mut(), heartbeat(&first, None))), 25);
    assert_eq!(code(&ask(member.as_mut(), join_request(&id, None, "m"))), 25);
    assert_eq!(offsets.describe(PATIENCE).unwrap().state, "Empty");
}

fn two_members(rig: &Rig) {
    let (mut a, mut b) = (rig.coordinator("g"), rig.coordinator("g"));
    let id = member_id(a.as_mut(), "a");
    let first = joined(ask(a.as_mut(), join_request(&id, None, "a")));
    synced(ask(a.as_mut(), sync_request(&first, None, &[(&id, "all")])));
    let other = member_id(b.as_mut(), "b");
    b.send(join_request(&other, None, "b")).unwrap();
    let told = loop {
        // Over a network the join may arrive after the first heartbeat.
        if let Response::Heartbeat(Err(error)) = ask(a.as_mut(), heartbeat(&first, None)) {
            break error.code;
        }
    };
    assert_eq!(told, 27);
    let leader = joined(ask(a.as_mut(), join_request(&id, None, "a")));
    let follower = joined(answer(b.as_mut()));
    assert_eq!(
        (leader.generation, follower.generation),
        (first.generation + 1, first.generation + 1)
    );
    assert_eq!(
        (leader.leader.as_str(), follower.leader.as_str()),
        (id.as_str(), id.as_str())
    );
    assert_eq!((leader.members.len(), follower.members.len()), (2, 0));
    b.send(sync_request(&follower, None, &[])).unwrap();
    let own = synced(ask(
        a.as_mut(),
        sync_request(&leader, None, &[(&id, "one"), (&other, "two")]),
    ));
    assert_eq!((own, synced(answer(b.as_mut()))), ("one".into(), "two".into()));
    assert!(matches!(ask(a.as_mut(), leave(&leader)), Response::Leave(Ok(()))));
    assert_eq!(code(&ask(b.as_mut(), heartbeat(&follower, None))), 27);
    let alone = joined(ask(b.as_mut(), join_request(&other, None, "b")));
    assert_eq!(
        (alone.leader.as_str(), alone.generation),
        (other.as_str(), first.generation + 2)
    );
}

fn static_leader(rig: &Rig) {
    let mut member = rig.coordinator("g");
    let first = joined(ask(member.as_mut(), join_request("", Some("i"), "m")));
    let own = first.member_id.clone();
    synced(ask(member.as_mut(), sync_request(&first, Some("i"), &[(&own, "all")])));
    let back = joined(ask(member.as_mut(), join_request("", Some("i"), "m")));
    assert_eq!(back.generation, first.generation, "no rebalance");
    assert!(back.skip_assignment);
    assert_eq!(back.leader, back.member_id);
    assert_ne!(back.member_id, first.member_id);
    assert_eq!(back.members.len(), 1);
    assert_eq!(synced(ask(member.as_mut(), sync_request(&back, Some("i"), &[]))), "all");
}

fn fenced_instance(rig: &Rig) {
    let (mut old, mut new) = (rig.coordinator("g"), rig.coordinator("g"));
    let first = joined(ask(old.as_mut(), join_request("", Some("i"), "m")));
    let own = first.member_id.clone();
    synced(ask(old.as_mut(), sync_request(&first, Some("i"), &[(&own, "all")])));
    joined(ask(new.as_mut(), join_request("", Some("i"), "m")));
    assert_eq!(code(&ask(old.as_mut(), heartbeat(&first, Some("i")))), 82);
    assert_eq!(code(&ask(old.as_mut(), sync_request(&first, Some("i"), &[]))), 82);
    assert_eq!(code(&ask(old.as_mut(), join_request(&own, Some("i"), "m"))), 82);
}

fn commits(rig: &Rig) {
    let topic = rig.topic("t", 1, &[]);
    let at = TopicPartition::new(&*topic, 0);
    let mut member = rig.coordinator("g");
    let id = member_id(member.as_mut(), "m");
    let joined = joined(ask(member.as_mut(), join_request(&id, None, "m")));
    synced(ask(member.as_mut(), sync_request(&joined, None, &[])));
    let mut offsets = rig.log.offsets(&rig.name("g")).unwrap();
    let membership = |generation: i32, member_id: &str| GroupMembership {
        group: rig.name("g"),
        generation,
        member_id: member_id.to_owned(),
        instance_id: None,
    };
    let five = [(
        at.clone(),
        OffsetAndMetadata {
            offset: 5,
            metadata: "m".to_owned(),
        },
    )];
    offsets
        .commit(&five, &membership(joined.generation, &id), PATIENCE)
        .unwrap();
    let table = [
        ("an older generation", membership(joined.generation - 1, &id)),
        ("a stranger", membership(joined.generation, "stranger")),
        ("no member at all", membership(-1, "")),
    ];
    for (who, member) in table {
        let error = offsets.commit(&five, &member, PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejoin, "{who}: {error}");
    }
    let mut producer = rig.producer("p");
    producer.begin().unwrap();
    let error = producer
        .send_offsets(&five, &membership(joined.generation - 1, &id), PATIENCE)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejoin, "{error}");
    assert_eq!(producer.commit(PATIENCE).unwrap_err().kind(), ErrorKind::Abortable);
    producer.abort(PATIENCE).unwrap();
    producer.begin().unwrap();
    producer
        .send_offsets(&five, &membership(joined.generation, &id), PATIENCE)
        .unwrap();
    producer.commit(PATIENCE).unwrap();
    assert_eq!(offsets.fetch(&[at], true, PATIENCE).unwrap(), [Some(five[0].1.clone())]);
}
