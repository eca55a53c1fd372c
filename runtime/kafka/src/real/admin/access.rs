//! Which rights we lack: brokers say what is authorized where they are asked for a topic or a group (KIP-430).

use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{DescribeGroupsRequest, GroupId, MetadataRequest};
use kafka_protocol::protocol::StrBytes;
use rustc_hash::FxHashMap;

use super::KafkaAdmin;
use crate::log::{Operation, Resource, Right};
use crate::real::wire::{Client, CoordinatorKind, Deadline, error_of, topic_name};
use crate::{ErrorKind, Result};

const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const GROUP_AUTHORIZATION_FAILED: i16 = 30;
/// What a broker answers that was not asked, or does not tell.
const UNTOLD: i32 = i32::MIN;

impl KafkaAdmin {
    pub(super) fn lacking_of(&mut self, rights: &[Right], timeout: Duration) -> Result<Vec<Right>> {
        self.client.retrying(Deadline::after(timeout), |client, deadline| {
            let topics = on_topics(client, rights, deadline)?;
            let mut lacking = Vec::new();
            for right in rights {
                let has = match &right.resource {
                    Resource::Topic(name) => topics.get(&**name).is_none_or(|bits| allows(*bits, right.operation)),
                    Resource::Group(name) => on_group(client, name, right.operation, deadline)?,
                    Resource::TransactionalId(name) => on_transactional_id(client, name, deadline)?,
                };
                if !has {
                    lacking.push(right.clone());
                }
            }
            Ok(lacking)
        })
    }
}

fn allows(bits: i32, operation: Operation) -> bool {
    bits == UNTOLD || bits & (1 << operation.code()) != 0
}

/// What is authorized on the topics that rights name; those that do not exist are not in it.
fn on_topics<'a>(client: &mut Client, rights: &'a [Right], deadline: Deadline) -> Result<FxHashMap<&'a str, i32>> {
    let mut names: Vec<&str> = Vec::new();
    for right in rights {
        if let Resource::Topic(name) = &right.resource
            && !names.contains(&&**name)
        {
            names.push(name);
        }
    }
    let mut found = FxHashMap::default();
    if names.is_empty() {
        return Ok(found);
    }
    let topics = names
        .iter()
        .map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))));
    let request = MetadataRequest::default()
        .with_topics(Some(topics.collect()))
        .with_allow_auto_topic_creation(false)
        .with_include_topic_authorized_operations(true);
    let answer = client.ask_any(&request, 12, deadline)?;
    for topic in &answer.topics {
        let answered = topic.name.as_ref().map_or("", |name| name.0.as_str());
        let Some(name) = names.iter().copied().find(|name| *name == answered) else {
            continue;
        };
        match topic.error_code {
            0 => _ = found.insert(name, topic.topic_authorized_operations),
            TOPIC_AUTHORIZATION_FAILED => _ = found.insert(name, 0),
            // That it is missing is somebody else's to say.
            _ => {}
        }
    }
    Ok(found)
}

fn on_group(client: &mut Client, group: &str, operation: Operation, deadline: Deadline) -> Result<bool> {
    let coordinator = match client.coordinator(CoordinatorKind::Group, group, deadline) {
        Err(error) if error.kind() == ErrorKind::Unauthorized => return Ok(false),
        found => found?,
    };
    let request = DescribeGroupsRequest::default()
        .with_groups(vec![GroupId(StrBytes::from_string(group.to_owned()))])
        .with_include_authorized_operations(true);
    // Version 5 answers for a group that was never there; 6 makes that an error.
    let answer = client.ask(coordinator, &request, 5, deadline)?;
    match answer.groups.first() {
        None => Ok(true),
        Some(found) if found.error_code == GROUP_AUTHORIZATION_FAILED => Ok(false),
        Some(found) if found.error_code != 0 => Err(error_of(found.error_code, format_args!("group {group}"), None)),
        Some(found) => Ok(allows(found.authorized_operations, operation)),
    }
}

/// Whether the id may be seen; whether it may be used shows only with its use.
fn on_transactional_id(client: &mut Client, id: &str, deadline: Deadline) -> Result<bool> {
    match client.coordinator(CoordinatorKind::Transaction, id, deadline) {
        Err(error) if error.kind() == ErrorKind::Unauthorized => Ok(false),
        Err(error) => Err(error),
        Ok(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorized_operations_are_bits() {
        let read_and_describe = (1 << 3) | (1 << 8);
        assert!(allows(read_and_describe, Operation::Read));
        assert!(!allows(read_and_describe, Operation::Write));
        assert!(!allows(0, Operation::Describe));
        assert!(allows(UNTOLD, Operation::Delete));
    }
}
