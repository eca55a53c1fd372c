//! What each call refuses, before it changes anything.

use std::fmt::Debug;

use super::Builder;
use crate::naming::{repartition_name, validate_name};
use crate::{Error, NodeId, NodeKind, Source, StoreKind, TopicName, Window};

impl Builder {
    pub(super) fn check_repartition(&self, prefix: &str, partitions: Option<i32>) -> Result<(), Error> {
        validate_name("repartition topic", prefix)?;
        let topic = repartition_name(prefix);
        validate_name("repartition topic", &topic)?;
        if let Some(partitions) = partitions.filter(|&partitions| partitions < 1) {
            return Err(Error::Partitions { topic, partitions });
        }
        if self.repartition_topics.iter().any(|known| known.name == topic) || self.readers.contains_key(&topic) {
            return Err(Error::DuplicateName {
                what: "repartition topic",
                name: topic,
            });
        }
        Ok(())
    }

    pub(super) fn refuse_automatic(&self, operator: &str, what: &'static str, automatic: &str) -> Result<(), Error> {
        if self.allow_automatic_names {
            return Ok(());
        }
        Err(Error::AutomaticName {
            operator: operator.to_owned(),
            what,
            automatic: automatic.to_owned(),
        })
    }

    /// A further read of topics must equal the first in all that the one source node does.
    pub(super) fn check_same_read(&self, known: NodeId, new: &Source) -> Result<(), Error> {
        let NodeKind::Source(known) = &self.nodes[known.0 as usize].kind else {
            unreachable!("readers are sources")
        };
        let shared = new
            .topics
            .iter()
            .find(|topic| known.topics.contains(topic))
            .unwrap_or(&new.topics[0]);
        let topic = shared.plain().to_owned();
        if known.topics.len() != new.topics.len() || !known.topics.iter().all(|topic| new.topics.contains(topic)) {
            let plain = |topics: &[TopicName]| topics.iter().map(|topic| topic.plain().to_owned()).collect();
            return Err(Error::OverlappingSources {
                topic,
                first: plain(&known.topics),
                second: plain(&new.topics),
            });
        }
        let properties: [(&'static str, &dyn Debug, &dyn Debug, bool); 5] = [
            ("key format", &known.key.0, &new.key.0, known.key == new.key),
            ("value format", &known.value.0, &new.value.0, known.value == new.value),
            (
                "timestamp",
                &known.timestamp,
                &new.timestamp,
                known.timestamp == new.timestamp,
            ),
            (
                "start",
                &known.start_from,
                &new.start_from,
                known.start_from == new.start_from,
            ),
            (
                "error handling",
                &known.on_error,
                &new.on_error,
                known.on_error == new.on_error,
            ),
        ];
        match properties.into_iter().find(|(.., equal)| !equal) {
            None => Ok(()),
            Some((property, first, second, _)) => Err(Error::DifferentReads {
                topic,
                property,
                first: format!("{first:?}"),
                second: format!("{second:?}"),
            }),
        }
    }
}

/// The layout of an aggregation's store, if window and retention can be.
pub(super) fn store_kind(store: &str, window: Option<Window>, retention_ms: Option<i64>) -> Result<StoreKind, Error> {
    let problem = |problem: String| Error::Window {
        store: store.to_owned(),
        problem,
    };
    let Some(Window::Tumbling { size_ms, grace_ms }) = window else {
        return match retention_ms {
            None => Ok(StoreKind::KeyValue),
            Some(_) => Err(problem(
                "retention is for windows, and this aggregation has none; leave it out".into(),
            )),
        };
    };
    if size_ms < 1 {
        return Err(problem(format!(
            "a window of {size_ms} ms cannot be; give at least 1 ms"
        )));
    }
    if grace_ms < 0 {
        return Err(problem(format!(
            "a grace of {grace_ms} ms cannot be; give at least 0 ms"
        )));
    }
    let least = size_ms.checked_add(grace_ms).ok_or_else(|| {
        problem(format!(
            "size {size_ms} ms + grace {grace_ms} ms is more than any timestamp; give less"
        ))
    })?;
    let retention_ms = retention_ms.unwrap_or(least);
    if retention_ms < least {
        return Err(problem(format!(
            "a retention of {retention_ms} ms is less than size {size_ms} ms + grace {grace_ms} ms; give at least {least} ms"
        )));
    }
    Ok(StoreKind::Window { size_ms, retention_ms })
}
