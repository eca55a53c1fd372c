use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::*;

fn tasks() -> impl Strategy<Value = BTreeSet<TaskId>> {
    btree_set((0..5u32, 0..40i32), 0..60).prop_map(|ids| ids.into_iter().map(|(s, p)| TaskId::new(s, p)).collect())
}

fn subscriptions() -> impl Strategy<Value = Subscription> {
    let lags = btree_map((any::<u32>(), 0..i32::MAX), any::<i64>(), 0..20);
    let lags = lags.prop_map(|lags| lags.into_iter().map(|((s, p), lag)| (TaskId::new(s, p), lag)).collect());
    let words = (vec(any::<u8>(), 0..40), ".{0,12}", ".{0,12}", vec(".{0,30}", 0..5));
    (
        words,
        any::<u128>(),
        tasks(),
        lags,
        any::<bool>(),
        any::<u32>(),
        any::<u32>(),
    )
        .prop_map(
            |((fingerprint, owner, zone, transactional_ids), id, owned, lags, draining, rejoins, workers)| {
                Subscription {
                    fingerprint,
                    owner: format!("{OWNER}{owner}"),
                    process_id: Uuid::from_u128(id),
                    owned,
                    lags,
                    zone,
                    transactional_ids,
                    draining,
                    rejoins,
                    workers,
                }
            },
        )
}

fn assignments() -> impl Strategy<Value = Assignment> {
    let failure = proptest::option::of((any::<u16>(), ".{0,40}").prop_map(|(code, message)| AssignmentFailure {
        code: FailureCode::from_number(code),
        message,
    }));
    let group = (any::<u128>(), any::<u32>(), any::<u32>(), any::<u32>());
    (failure, tasks(), tasks(), any::<bool>(), vec(".{0,30}", 0..5), group).prop_map(
        |(failure, active, standby, followup, fence, (leader, members, workers, tasks))| Assignment {
            failure,
            active,
            standby,
            followup,
            fence,
            group: GroupInfo {
                leader: Uuid::from_u128(leader),
                members,
                workers,
                tasks,
            },
        },
    )
}

/// Where a field begins, and the end: cuts that leave whole fields.
fn field_ends(bytes: &[u8]) -> Vec<usize> {
    let mut reader = Reader::new(bytes, "test").unwrap();
    let mut ends = vec![2];
    while reader.next_field().unwrap().is_some() {
        ends.push(bytes.len() - reader.rest_len());
    }
    ends
}

proptest! {
    #[test]
    fn subscriptions_come_back(subscription in subscriptions()) {
        prop_assert_eq!(Subscription::decode(&subscription.encode()), Ok(subscription));
    }

    #[test]
    fn assignments_come_back(assignment in assignments()) {
        prop_assert_eq!(Assignment::decode(&assignment.encode()), Ok(assignment));
    }

    #[test]
    fn a_cut_inside_a_field_is_an_error(subscription in subscriptions(), cut in any::<prop::sample::Index>()) {
        let bytes = subscription.encode();
        let cut = cut.index(bytes.len());
        prop_assume!(!field_ends(&bytes).contains(&cut));
        prop_assert!(Subscription::decode(&bytes[..cut]).is_err(), "cut at {cut} of {}", bytes.len());
    }

    #[test]
    fn anything_is_read_without_panic(bytes in vec(any::<u8>(), 0..200), assignment in assignments(), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let _ = Subscription::decode(&bytes);
        let _ = Assignment::decode(&bytes);
        let mut damaged = assignment.encode().to_vec();
        for (at, byte) in flips {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        let _ = Assignment::decode(&damaged);
    }

    #[test]
    fn newer_fields_are_skipped(subscription in subscriptions(), tag in 100..10_000u64, extra in vec(any::<u8>(), 0..50)) {
        let mut bytes = subscription.encode().to_vec();
        bytes[1] = 9;
        let mut newer = Writer::new(9);
        newer.field(tag, |out| out.bytes(&extra));
        bytes.extend_from_slice(&newer.finish()[2..]);
        prop_assert_eq!(Subscription::decode(&bytes), Ok(subscription));
    }
}

#[test]
fn foreign_owners_and_other_bytes_are_refused() {
    let foreign = Subscription {
        owner: "someone/else".into(),
        ..Subscription::default()
    };
    assert_eq!(
        Subscription::decode(&foreign.encode()),
        Err(UserdataError::ForeignOwner("someone/else".into()))
    );
    assert_eq!(Subscription::decode(&[]), Err(UserdataError::Truncated("subscription")));
    assert_eq!(
        Subscription::decode(&[0, 0]),
        Err(UserdataError::Invalid("subscription", "version"))
    );
    assert_eq!(Assignment::decode(&[]), Err(UserdataError::Truncated("assignment")));
}

#[test]
fn a_run_that_claims_millions_is_refused() {
    let mut out = Writer::new(1);
    out.field(2, |out| {
        [1, 0, 1, 0, 1 << 40].into_iter().for_each(|number| out.number(number))
    });
    assert_eq!(
        Assignment::decode(&out.finish()),
        Err(UserdataError::Invalid("assignment", "partition"))
    );
}

#[test]
fn a_large_group_stays_under_a_megabyte() {
    let (members, tasks) = (500, 10_000);
    let mut bytes = 0;
    for member in 0..members {
        // Twenty actives and as many standbys, scattered as badly as they can be.
        let own = |shift: i32| {
            (0..20)
                .map(move |n| TaskId::new(0, (member + shift) % members + n * members))
                .collect::<BTreeSet<_>>()
        };
        assert!(own(1).iter().all(|task| task.partition < tasks));
        let subscription = Subscription {
            fingerprint: vec![7; 32],
            owner: "millrace/some-namespace/some-application".into(),
            owned: own(0),
            lags: own(0).union(&own(1)).map(|task| (*task, 1_000_000)).collect(),
            zone: "europe-west1-b".into(),
            transactional_ids: (0..4)
                .map(|n| format!("some-application-{}-{n}", Uuid::from_u128(member as u128)))
                .collect(),
            workers: 4,
            ..Subscription::default()
        };
        let assignment = Assignment {
            active: own(0),
            standby: own(1),
            ..Assignment::default()
        };
        bytes += subscription.encode().len() + assignment.encode().len();
    }
    assert!(bytes < 1_000_000, "{bytes} bytes");
}
