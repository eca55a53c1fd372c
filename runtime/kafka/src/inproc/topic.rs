//! A topic: its partitions and its configuration, with the broker's defaults.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::partition::Partition;
use crate::log::{ConfigEntry, NewTopic};
use crate::{Error, ErrorKind, Result};

/// The topic configurations that Kafka 4.0 knows, with their defaults.
const DEFAULTS: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("compression.gzip.level", "-1"),
    ("compression.lz4.level", "9"),
    ("compression.type", "producer"),
    ("compression.zstd.level", "3"),
    ("delete.retention.ms", "86400000"),
    ("file.delete.delay.ms", "60000"),
    ("flush.messages", "9223372036854775807"),
    ("flush.ms", "9223372036854775807"),
    ("follower.replication.throttled.replicas", ""),
    ("index.interval.bytes", "4096"),
    ("leader.replication.throttled.replicas", ""),
    ("local.retention.bytes", "-2"),
    ("local.retention.ms", "-2"),
    ("max.compaction.lag.ms", "9223372036854775807"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.after.max.ms", "3600000"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.type", "CreateTime"),
    ("min.cleanable.dirty.ratio", "0.5"),
    ("min.compaction.lag.ms", "0"),
    ("min.insync.replicas", "1"),
    ("preallocate", "false"),
    ("remote.log.copy.disable", "false"),
    ("remote.log.delete.on.disable", "false"),
    ("remote.storage.enable", "false"),
    ("retention.bytes", "-1"),
    ("retention.ms", "604800000"),
    ("segment.bytes", "1073741824"),
    ("segment.index.bytes", "10485760"),
    ("segment.jitter.ms", "0"),
    ("segment.ms", "604800000"),
    ("unclean.leader.election.enable", "false"),
];

#[derive(Debug)]
pub(super) struct Topic {
    pub id: Uuid,
    pub partitions: Vec<Partition>,
    config: BTreeMap<String, String>,
    pub compacted: bool,
    /// Old records may be deleted.
    pub deletes: bool,
    pub admission: Admission,
}

/// Which records a topic takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub max_message_bytes: usize,
    /// Records get the broker's time.
    pub log_append_time: bool,
    /// Records must have a key: the topic is compacted.
    pub needs_key: bool,
    /// How far a record's time may lie before and after the broker's, in milliseconds, where the topic itself says so. The default
    /// of an hour into the future is not applied: tests on a clock of their own would have nothing left.
    before_ms: Option<i64>,
    after_ms: Option<i64>,
}

impl Admission {
    /// Why a record of `size` bytes is refused at `now`, if it is.
    pub fn refusal(&self, size: usize, has_key: bool, timestamp: i64, now: i64) -> Option<String> {
        if size > self.max_message_bytes {
            return Some(format!(
                "its {size} bytes exceed max.message.bytes, {}",
                self.max_message_bytes
            ));
        }
        if self.needs_key && !has_key {
            return Some("a compacted topic takes no record without a key".to_owned());
        }
        if self.log_append_time {
            return None;
        }
        if let Some(before) = self.before_ms.filter(|before| now.saturating_sub(timestamp) > *before) {
            return Some(format!(
                "its time {timestamp} is more than {before} ms before the broker's, {now}"
            ));
        }
        let after = self.after_ms.filter(|after| timestamp.saturating_sub(now) > *after)?;
        Some(format!(
            "its time {timestamp} is more than {after} ms after the broker's, {now}"
        ))
    }
}

impl Topic {
    pub fn new(id: Uuid, spec: &NewTopic) -> Self {
        let set = |name: &str| spec.config.get(name).map(String::as_str);
        let number = |name: &str| set(name).and_then(|text| text.parse::<i64>().ok());
        let cleaned_by = |policy: &str| {
            set("cleanup.policy")
                .unwrap_or("delete")
                .split(',')
                .any(|known| known.trim() == policy)
        };
        Self {
            id,
            partitions: (0..spec.partitions).map(|_| Partition::default()).collect(),
            compacted: cleaned_by("compact"),
            deletes: cleaned_by("delete"),
            admission: Admission {
                max_message_bytes: number("max.message.bytes").unwrap_or(1_048_588) as usize,
                log_append_time: set("message.timestamp.type") == Some("LogAppendTime"),
                needs_key: cleaned_by("compact"),
                before_ms: number("message.timestamp.before.max.ms"),
                after_ms: number("message.timestamp.after.max.ms"),
            },
            config: spec.config.clone(),
        }
    }

    /// The whole configuration: the defaults and the topic's own.
    pub fn config(&self) -> BTreeMap<String, ConfigEntry> {
        let defaults = DEFAULTS.iter().map(|(name, value)| {
            (
                (*name).to_owned(),
                ConfigEntry {
                    value: (*value).to_owned(),
                    is_topic_override: false,
                },
            )
        });
        let overrides = self.config.iter().map(|(name, value)| {
            (
                name.clone(),
                ConfigEntry {
                    value: value.clone(),
                    is_topic_override: true,
                },
            )
        });
        defaults.chain(overrides).collect()
    }
}

/// What a broker checks before it creates a topic; that it does not exist is checked elsewhere.
pub(super) fn validate(spec: &NewTopic) -> Result<()> {
    let refuse = |why: String| {
        Err(Error::new(
            ErrorKind::Config,
            format!("cannot create topic {:?}: {why}", spec.name),
        ))
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if spec.name.is_empty() || spec.name == "." || spec.name == ".." {
        return refuse("the name must not be empty, \".\" or \"..\"".into());
    }
    if spec.name.len() > 249 {
        return refuse(format!(
            "the name has {} characters, and 249 are allowed",
            spec.name.len()
        ));
    }
    if let Some(illegal) = spec.name.chars().find(|c| !legal(*c)) {
        return refuse(format!(
            "the name may hold ASCII letters, digits, '.', '_' and '-', and not {illegal:?}"
        ));
    }
    if spec.partitions < 1 {
        return refuse(format!("it needs at least one partition, not {}", spec.partitions));
    }
    if spec.replication_factor == 0 || spec.replication_factor < -1 {
        return refuse(format!(
            "the replication factor must be positive, or -1, not {}",
            spec.replication_factor
        ));
    }
    for (name, value) in &spec.config {
        let Some((_, default)) = DEFAULTS.iter().find(|(known, _)| known == name) else {
            return refuse(format!("there is no topic configuration {name:?}"));
        };
        if default.parse::<i64>().is_ok() && value.parse::<i64>().is_err() {
            return refuse(format!("{name} must be an integer, not {value:?}"));
        }
        if name == "cleanup.policy" && !value.split(',').all(|p| matches!(p.trim(), "compact" | "delete")) {
            return refuse(format!(
                "cleanup.policy is made of \"compact\" and \"delete\", not {value:?}"
            ));
        }
    }
    Ok(())
}
