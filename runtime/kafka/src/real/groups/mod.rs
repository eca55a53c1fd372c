//! Groups of every kind as their coordinator describes them.

mod streams;

use kafka_protocol::messages::{ConsumerGroupDescribeRequest, DescribeGroupsRequest, ShareGroupDescribeRequest};
use kafka_protocol::protocol::StrBytes;

use super::offsets::group_id;
use super::wire::{Client, Deadline, error_of};
use crate::log::{DescribedMember, GroupDescription, GroupKind};
use crate::{Error, ErrorKind, Result};

/// `GROUP_ID_NOT_FOUND`: none of this kind.
const NOT_FOUND: i16 = 69;

/// Describes `group`, once, by asking its coordinator for each kind of group in turn: a name belongs to one kind at a time, and each
/// request knows its own kind only.
pub(super) fn describe(
    client: &mut Client,
    coordinator: i32,
    group: &str,
    deadline: Deadline,
) -> Result<GroupDescription> {
    let classic = classic(client, coordinator, group, deadline)?;
    if classic.state != "Dead" {
        return Ok(classic);
    }
    for look in [consumer, streams::describe, share] {
        if let Some(found) = look(client, coordinator, group, deadline)? {
            return Ok(found);
        }
    }
    Ok(classic)
}

/// Of a classic group, and of a name that nothing has: that is `Dead`.
fn classic(client: &mut Client, coordinator: i32, group: &str, deadline: Deadline) -> Result<GroupDescription> {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    // Version 5 answers "Dead" for a group that was never there; 6 makes that an error.
    let answer = client.ask(coordinator, &request, 5, deadline)?;
    let Some(found) = answer.groups.into_iter().next() else {
        return Err(nothing(group));
    };
    if found.error_code != 0 {
        return Err(error_of(found.error_code, format_args!("group {group}"), None));
    }
    let members = found.members.into_iter().map(|member| DescribedMember {
        metadata: member.member_metadata,
        assignment: member.member_assignment,
        ..described(
            &member.member_id,
            member.group_instance_id.as_ref(),
            &member.client_id,
            &member.client_host,
        )
    });
    Ok(GroupDescription {
        kind: GroupKind::Classic,
        state: found.group_state.to_string(),
        protocol_type: found.protocol_type.to_string(),
        protocol: found.protocol_data.to_string(),
        members: members.collect(),
    })
}

fn consumer(
    client: &mut Client,
    coordinator: i32,
    group: &str,
    deadline: Deadline,
) -> Result<Option<GroupDescription>> {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(group)]);
    if client
        .version::<ConsumerGroupDescribeRequest>(coordinator, 1, deadline)
        .is_err()
    {
        return Ok(None);
    }
    let answer = client.ask(coordinator, &request, 1, deadline)?;
    let Some(found) = answer.groups.into_iter().next() else {
        return Err(nothing(group));
    };
    if is_missing(found.error_code, group)? {
        return Ok(None);
    }
    let members = found.members.iter().map(|member| {
        described(
            &member.member_id,
            member.instance_id.as_ref(),
            &member.client_id,
            &member.client_host,
        )
    });
    Ok(Some(other(GroupKind::Consumer, &found.group_state, members.collect())))
}

fn share(client: &mut Client, coordinator: i32, group: &str, deadline: Deadline) -> Result<Option<GroupDescription>> {
    let request = ShareGroupDescribeRequest::default().with_group_ids(vec![group_id(group)]);
    if client
        .version::<ShareGroupDescribeRequest>(coordinator, 1, deadline)
        .is_err()
    {
        return Ok(None);
    }
    let answer = client.ask(coordinator, &request, 1, deadline)?;
    let Some(found) = answer.groups.into_iter().next() else {
        return Err(nothing(group));
    };
    if is_missing(found.error_code, group)? {
        return Ok(None);
    }
    let members = found
        .members
        .iter()
        .map(|member| described(&member.member_id, None, &member.client_id, &member.client_host));
    Ok(Some(other(GroupKind::Share, &found.group_state, members.collect())))
}

/// Whether the coordinator says that no group of this kind has the name.
fn is_missing(code: i16, group: &str) -> Result<bool> {
    match code {
        0 => Ok(false),
        NOT_FOUND => Ok(true),
        code => Err(error_of(code, format_args!("group {group}"), None)),
    }
}

fn nothing(group: &str) -> Error {
    Error::new(ErrorKind::Fatal, format!("group {group}: the answer is empty"))
}

/// A group that has no protocol type.
fn other(kind: GroupKind, state: &str, members: Vec<DescribedMember>) -> GroupDescription {
    GroupDescription {
        kind,
        state: state.to_owned(),
        protocol_type: String::new(),
        protocol: String::new(),
        members,
    }
}

fn described(member_id: &str, instance_id: Option<&StrBytes>, client_id: &str, host: &str) -> DescribedMember {
    DescribedMember {
        member_id: member_id.to_owned(),
        instance_id: instance_id.map(ToString::to_string),
        client_id: client_id.to_owned(),
        host: host.to_owned(),
        metadata: bytes::Bytes::new(),
        assignment: bytes::Bytes::new(),
    }
}
