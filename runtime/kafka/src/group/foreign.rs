//! Who holds a group that lets no member of ours in.

use std::fmt::Write as _;

use crate::log::{DescribedMember, GroupDescription, GroupKind};

/// More members than these are counted only.
const NAMED: usize = 3;

/// Says of what kind the live members of `group` are, in which state they are, who they are, and what to do.
#[must_use]
pub fn name_foreign_group(group: &str, description: &GroupDescription) -> String {
    let GroupDescription { state, members, .. } = description;
    let (who, stop) = kind(description);
    let mut text = format!("group `{group}` is held by {who}; it is {state}");
    match members.len() {
        0 => text.push_str(", its members are not shown"),
        1 => text.push_str(" with 1 member: "),
        count => write!(text, " with {count} members: ").unwrap_or_default(),
    }
    let named: Vec<String> = members.iter().take(NAMED).map(member).collect();
    text.push_str(&named.join(", "));
    if members.len() > NAMED {
        text.push_str(", …");
    }
    text.push('\n');
    text.push_str(stop);
    text
}

/// What its members are, and how they end.
fn kind(description: &GroupDescription) -> (String, &'static str) {
    const CONSUMERS: &str = "Stop these consumers, and wait until the last has left or its session has timed out";
    const STREAMS: &str = "Close that application, and wait until it has left or its session has timed out";
    let assignor = |name: &str| {
        if name.is_empty() {
            String::new()
        } else {
            format!(", assignor `{name}`")
        }
    };
    let GroupDescription {
        kind,
        protocol_type,
        protocol,
        ..
    } = description;
    match (kind, protocol_type.as_str(), protocol.as_str()) {
        // The name that Kafka Streams' assignor goes by.
        (GroupKind::Classic, "consumer", "stream") => {
            let who = "a Kafka Streams application in Java (classic group protocol, assignor `stream`)";
            (who.to_owned(), STREAMS)
        }
        (GroupKind::Classic, "consumer", protocol) => (
            format!("consumers (classic group protocol{})", assignor(protocol)),
            CONSUMERS,
        ),
        (GroupKind::Classic, other, protocol) => (
            format!(
                "members of the protocol type `{other}` (classic group protocol{})",
                assignor(protocol)
            ),
            "Stop these members, and wait until the last has left or its session has timed out",
        ),
        (GroupKind::Consumer, ..) => ("consumers (group.protocol=consumer, KIP-848)".to_owned(), CONSUMERS),
        (GroupKind::Streams, ..) => (
            "a Kafka Streams application in Java (group.protocol=streams, KIP-1071)".to_owned(),
            STREAMS,
        ),
        (GroupKind::Share, ..) => ("share consumers (a share group, KIP-932)".to_owned(), CONSUMERS),
    }
}

fn member(member: &DescribedMember) -> String {
    // Brokers write an address as `/127.0.0.1`.
    let host = member.host.trim_start_matches('/');
    let client = if member.client_id.is_empty() {
        &member.member_id
    } else {
        &member.client_id
    };
    match &member.instance_id {
        Some(instance) => format!("`{client}` as instance `{instance}` on {host}"),
        None => format!("`{client}` on {host}"),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn group(kind: GroupKind, protocol_type: &str, protocol: &str, members: usize) -> GroupDescription {
        let member = |number| DescribedMember {
            member_id: format!("m{number}"),
            instance_id: (number == 1).then(|| "pod-1".to_owned()),
            client_id: format!("app-{number}"),
            host: "/10.0.0.7".to_owned(),
            metadata: Bytes::new(),
            assignment: Bytes::new(),
        };
        GroupDescription {
            kind,
            state: "Stable".to_owned(),
            protocol_type: protocol_type.to_owned(),
            protocol: protocol.to_owned(),
            members: (0..members).map(member).collect(),
        }
    }

    #[test]
    fn each_kind_of_group_is_named() {
        let table = [
            group(GroupKind::Classic, "consumer", "stream", 1),
            group(GroupKind::Classic, "consumer", "range", 2),
            group(GroupKind::Classic, "consumer", "", 0),
            group(GroupKind::Classic, "connect", "sessioned", 5),
            group(GroupKind::Consumer, "", "", 1),
            group(GroupKind::Streams, "", "", 1),
            group(GroupKind::Share, "", "", 1),
        ];
        let named: Vec<String> = table.iter().map(|group| name_foreign_group("app", group)).collect();
        expect_test::expect![[r#"
            group `app` is held by a Kafka Streams application in Java (classic group protocol, assignor `stream`); it is Stable with 1 member: `app-0` on 10.0.0.7
            Close that application, and wait until it has left or its session has timed out

            group `app` is held by consumers (classic group protocol, assignor `range`); it is Stable with 2 members: `app-0` on 10.0.0.7, `app-1` as instance `pod-1` on 10.0.0.7
            Stop these consumers, and wait until the last has left or its session has timed out

            group `app` is held by consumers (classic group protocol); it is Stable, its members are not shown
            Stop these consumers, and wait until the last has left or its session has timed out

            group `app` is held by members of the protocol type `connect` (classic group protocol, assignor `sessioned`); it is Stable with 5 members: `app-0` on 10.0.0.7, `app-1` as instance `pod-1` on 10.0.0.7, `app-2` on 10.0.0.7, …
            Stop these members, and wait until the last has left or its session has timed out

            group `app` is held by consumers (group.protocol=consumer, KIP-848); it is Stable with 1 member: `app-0` on 10.0.0.7
            Stop these consumers, and wait until the last has left or its session has timed out

            group `app` is held by a Kafka Streams application in Java (group.protocol=streams, KIP-1071); it is Stable with 1 member: `app-0` on 10.0.0.7
            Close that application, and wait until it has left or its session has timed out

            group `app` is held by share consumers (a share group, KIP-932); it is Stable with 1 member: `app-0` on 10.0.0.7
            Stop these consumers, and wait until the last has left or its session has timed out"#]].assert_eq(&named.join("\n\n"));
    }
}
