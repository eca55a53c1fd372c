//! Whether the principal may do what the application must: asked at the start, so that nothing runs half-way, and all that is
//! missing is said at once.

use std::time::Duration;

use millrace_kafka::ErrorKind;
use millrace_kafka::log::{Admin, Operation, Resource, Right};

use crate::layout::Layout;
use crate::{Code, Error, Result};

/// Every right that the application needs, but for creating topics, which the cluster checks by itself.
fn needed(layout: &Layout, dead_letter_topic: Option<&str>, transactional_ids: &[String]) -> Vec<Right> {
    let mut rights = vec![Right {
        operation: Operation::Read,
        resource: Resource::Group(layout.application_id.clone()),
    }];
    let mut need = |operations: &[Operation], topic: &str| {
        for operation in operations {
            let right = Right::on_topic(*operation, topic);
            if !rights.contains(&right) {
                rights.push(right);
            }
        }
    };
    for topic in layout.source_topics() {
        need(&[Operation::Read], &topic);
    }
    for topic in layout.sink_topics() {
        need(&[Operation::Write], &topic);
    }
    for topic in layout.repartition_topics() {
        need(&[Operation::Read, Operation::Write], &topic);
    }
    let stores = layout.parts.values().flat_map(|part| &part.stores);
    for topic in stores.filter_map(|store| store.changelog.as_ref()) {
        need(&[Operation::Read, Operation::Write, Operation::DescribeConfigs], topic);
    }
    if let Some(topic) = dead_letter_topic {
        need(&[Operation::Write], topic);
    }
    rights.extend(transactional_ids.iter().map(|id| Right {
        operation: Operation::Write,
        resource: Resource::TransactionalId(id.clone()),
    }));
    rights
}

/// Checks the rights that can be seen without using them.
pub(super) fn check(
    admin: &mut dyn Admin,
    layout: &Layout,
    dead_letter_topic: Option<&str>,
    transactional_ids: &[String],
    timeout: Duration,
) -> Result<()> {
    let needed = needed(layout, dead_letter_topic, transactional_ids);
    let lacking = match admin.lacking(&needed, timeout) {
        // A coordinator that is away is waited for where it is needed; what is forbidden shows there, too.
        Err(error) if matches!(error.kind(), ErrorKind::Retriable | ErrorKind::Unreachable) => {
            tracing::info!(%error, "it could not be checked whether all rights are there");
            return Ok(());
        }
        answered => answered?,
    };
    if lacking.is_empty() {
        return Ok(());
    }
    let mut text = "the principal lacks ".to_owned();
    for (index, right) in lacking.iter().enumerate() {
        if index > 0 {
            text.push_str("; ");
        }
        text.push_str(&right.to_string());
    }
    Err(Error::new(Code::K003, text))
}
