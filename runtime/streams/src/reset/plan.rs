//! What a reset will do, as data.

use std::path::PathBuf;

use millrace_kafka::log::{MemberIdentity, TopicPartition};

/// Where the input topics are to be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTarget {
    /// The start of each partition.
    Earliest,
    /// The end of each partition (high watermark).
    Latest,
    /// This offset, or the nearest that the partition has.
    Offset(i64),
    /// So many offsets after the committed one (before it, if negative), or the nearest that the partition has. Where nothing is committed
    /// it counts from the partition's start.
    ShiftBy(i64),
    /// The first record that is not older, by its timestamp (milliseconds since 1970); the end if all are.
    Timestamp(i64),
}

/// A reset before it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetPlan {
    /// The application, its group, and the prefix of its topics.
    pub application_id: String,
    /// The cluster.
    pub cluster_id: String,
    /// Members of the group, which have to go first.
    pub members: Vec<MemberIdentity>,
    /// Every partition of the input topics, by topic, then partition.
    pub offsets: Vec<OffsetReset>,
    /// Topics that are deleted, by name.
    pub internal_topics: Vec<InternalTopicReset>,
    /// Local state that is removed, if there is any.
    pub state: Option<StateReset>,
}

/// One committed offset, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetReset {
    /// Of an input topic.
    pub partition: TopicPartition,
    /// What is committed now.
    pub from: Option<i64>,
    /// What will be.
    pub to: i64,
    /// What was asked for, where the partition does not reach that far.
    pub asked: Option<i64>,
    /// The application writes this topic itself, so it goes on at its end whatever the target (Java's `--intermediate-topics`).
    pub is_intermediate: bool,
}

/// A topic that is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopicReset {
    /// Its full name.
    pub name: String,
    /// The number of partitions.
    pub partitions: i32,
    /// Whether the application's plan names it; else its name alone says whose it is.
    pub is_planned: bool,
}

/// State on this machine that is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateReset {
    /// `<state.dir>/<application.id>`.
    pub directory: PathBuf,
    /// What lies in it and goes: a directory per task, and what was set aside as damaged.
    pub entries: Vec<String>,
    /// A live process of the application holds it.
    pub is_held: bool,
}

/// Whether a topic is one that Kafka Streams, or Millrace, made for this application, by its name alone
/// (`StreamsResetter.matchesInternalTopicFormat`).
///
/// Another application whose id begins with this one's and a hyphen has such topics as well: look at what is listed.
#[must_use]
pub fn is_internal_topic(application_id: &str, name: &str) -> bool {
    const SUFFIXES: [&str; 4] = [
        "-changelog",
        "-repartition",
        "-subscription-registration-topic",
        "-subscription-response-topic",
    ];
    const FOREIGN_KEY_JOINS: [&str; 2] = [
        "-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-",
        "-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-",
    ];
    let is_ours = name
        .strip_prefix(application_id)
        .is_some_and(|rest| rest.starts_with('-'));
    let is_foreign_key_join = || {
        let body = name.strip_suffix("-topic")?;
        let number = body.rfind(|c: char| !c.is_ascii_digit())? + 1;
        let stem = &body[..number];
        let is_one = |infix: &str| stem.len() > infix.len() && stem.ends_with(infix);
        (number < body.len() && FOREIGN_KEY_JOINS.iter().any(|infix| is_one(infix))).then_some(())
    };
    is_ours && (SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) || is_foreign_key_join().is_some())
}

#[cfg(test)]
mod tests {
    use super::is_internal_topic;

    #[test]
    fn internal_topics_are_known_by_prefix_and_suffix() {
        let table = [
            ("app-totals-changelog", true),
            ("app-totals-repartition", true),
            ("app-x-subscription-registration-topic", true),
            ("app-x-subscription-response-topic", true),
            ("app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000004-topic", true),
            ("app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-12-topic", true),
            // Java's tool takes these for ours, too.
            ("app-two-totals-changelog", true),
            ("app-changelog", true),
            ("app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE--topic", false),
            ("app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-4x-topic", false),
            ("app-dead-letter", false),
            ("app-totals-changelog-copy", false),
            ("app", false),
            ("apps-totals-changelog", false),
            ("another-app-totals-changelog", false),
            ("app-topic", false),
        ];
        for (name, expected) in table {
            assert_eq!(is_internal_topic("app", name), expected, "{name}");
        }
    }
}
