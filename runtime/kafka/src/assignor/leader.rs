//! What a leader does with the members of a generation.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::userdata::{Assignment, AssignmentFailure, FailureCode, GroupInfo, Subscription};
use super::{BalanceMember, TaskId, balance};
use crate::log::JoinedMember;

/// Says why a member may not run with the leader: `None` lets it.
pub type Refusal<'a> = dyn Fn(&Subscription) -> Option<AssignmentFailure> + 'a;

/// Assigns `tasks` to the members and encodes what each gets.
///
/// A member whose bytes cannot be read, or that `refuse` turns away (another plan), gets an assignment that stops it; the others share
/// the tasks. The order of members does not matter, so any leader decides alike.
pub fn assign_members(
    tasks: &BTreeSet<TaskId>,
    members: &[JoinedMember],
    leader: uuid::Uuid,
    refuse: &Refusal<'_>,
) -> Vec<(String, Bytes)> {
    let mut assignments = Vec::with_capacity(members.len());
    let mut taken = Vec::with_capacity(members.len());
    for member in members {
        match accept(member, refuse) {
            Ok(subscription) => taken.push(balance_member(member, subscription)),
            Err(failure) => assignments.push((member.member_id.clone(), Assignment::failed(failure).encode())),
        }
    }
    // Static members by their name, which outlives their id: a restart changes nothing in the order.
    taken.sort_by(|left, right| left.0.cmp(&right.0));
    let taken: Vec<BalanceMember> = taken.into_iter().map(|(_, member)| member).collect();
    let balanced = balance(tasks, &taken);
    let group = GroupInfo {
        leader,
        members: count(members.len()),
        workers: taken.iter().map(|member| member.workers).sum(),
        tasks: count(tasks.len()),
    };
    let followup = balanced.followup();
    for (member, active) in taken.into_iter().zip(balanced.active) {
        let assignment = Assignment {
            active,
            followup,
            group,
            ..Assignment::default()
        };
        assignments.push((member.id, assignment.encode()));
    }
    assignments
}

/// The same failure for every member, so that all stop with it.
#[must_use]
pub fn refuse_all(members: &[JoinedMember], failure: &AssignmentFailure) -> Vec<(String, Bytes)> {
    let bytes = Assignment::failed(failure.clone()).encode();
    members
        .iter()
        .map(|member| (member.member_id.clone(), bytes.clone()))
        .collect()
}

fn accept(member: &JoinedMember, refuse: &Refusal<'_>) -> Result<Subscription, AssignmentFailure> {
    let name = member.instance_id.as_ref().unwrap_or(&member.member_id);
    let subscription = Subscription::decode(&member.metadata)
        .map_err(|error| AssignmentFailure::new(FailureCode::Foreign, format!("member {name}: {error}")))?;
    match refuse(&subscription) {
        Some(failure) => Err(failure),
        None => Ok(subscription),
    }
}

fn balance_member(member: &JoinedMember, subscription: Subscription) -> ((String, String), BalanceMember) {
    let order = (member.instance_id.clone().unwrap_or_default(), member.member_id.clone());
    let Subscription {
        owned,
        lags,
        draining,
        workers,
        ..
    } = subscription;
    (
        order,
        BalanceMember {
            id: member.member_id.clone(),
            workers: workers.max(1),
            owned,
            lags,
            draining,
        },
    )
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn joined(id: &str, subscription: &Subscription) -> JoinedMember {
        JoinedMember {
            member_id: id.into(),
            instance_id: None,
            metadata: subscription.encode(),
        }
    }

    #[test]
    fn refused_members_stop_and_the_others_share_the_tasks() {
        let good = Subscription {
            owner: "millrace/x".into(),
            workers: 1,
            fingerprint: vec![1],
            ..Subscription::default()
        };
        let members = [
            joined("b", &good),
            joined("a", &good),
            joined(
                "foreign",
                &Subscription {
                    owner: "kstreams".into(),
                    ..good.clone()
                },
            ),
            joined(
                "old",
                &Subscription {
                    fingerprint: vec![2],
                    ..good.clone()
                },
            ),
            JoinedMember {
                member_id: "garbage".into(),
                instance_id: None,
                metadata: Bytes::from_static(&[0, 1, 9]),
            },
        ];
        let tasks = (0..3).map(|partition| TaskId::new(0, partition)).collect();
        let refuse = |subscription: &Subscription| {
            (subscription.fingerprint != [1]).then(|| AssignmentFailure::new(FailureCode::Plan, "another plan"))
        };
        let mut lines: Vec<String> = assign_members(&tasks, &members, Uuid::nil(), &refuse)
            .iter()
            .map(|(id, bytes)| {
                let assignment = Assignment::decode(bytes).unwrap();
                let active: Vec<String> = assignment.active.iter().map(ToString::to_string).collect();
                let failure = assignment
                    .failure
                    .map(|failure| format!("{:?}: {}", failure.code, failure.message));
                format!("{id}: {}", failure.unwrap_or_else(|| active.join(" ")))
            })
            .collect();
        lines.sort();
        expect_test::expect![[r#"
            a: 0_0 0_2
            b: 0_1
            foreign: Foreign: member foreign: a member of the group is owned by `kstreams`, not by millrace: another application runs under this application id
            garbage: Foreign: member garbage: the subscription ends in the middle of a field
            old: Plan: another plan"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_failure_reaches_everybody() {
        let failure = AssignmentFailure::new(FailureCode::Topics, "the source topic `payments` does not exist");
        let members = ["a", "b"].map(|id| joined(id, &Subscription::default()));
        for (_, bytes) in refuse_all(&members, &failure) {
            assert_eq!(Assignment::decode(&bytes).unwrap().failure.as_ref(), Some(&failure));
        }
    }
}
