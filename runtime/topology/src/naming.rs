//! Names of topics and stores: what is legal, and what internal topics are called.

use crate::{Error, NameFault, TopicName};

/// The longest name of a topic, a store or a node, as in Kafka.
pub const MAX_NAME_LENGTH: usize = 249;

/// The end of every repartition topic's name.
pub const REPARTITION_SUFFIX: &str = "-repartition";

/// The end of every changelog's name.
pub const CHANGELOG_SUFFIX: &str = "-changelog";

/// Whether Kafka takes this as a topic's name (`org.apache.kafka.common.internals.Topic.validate`); stores and nodes follow the same
/// rule (`org.apache.kafka.streams.kstream.Named.validate`).
///
/// ```
/// use millrace_topology::{check_name, NameFault};
///
/// assert_eq!(check_name("user-5min-totals"), Ok(()));
/// assert_eq!(check_name("a b"), Err(NameFault::Character(' ')));
/// assert_eq!(check_name(".."), Err(NameFault::Dots));
/// ```
pub fn check_name(name: &str) -> Result<(), NameFault> {
    if name.is_empty() {
        return Err(NameFault::Empty);
    }
    if name == "." || name == ".." {
        return Err(NameFault::Dots);
    }
    // Characters first: with an exotic one in it, bytes are not what a person would count.
    if let Some(c) = name
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'))
    {
        return Err(NameFault::Character(c));
    }
    if name.len() > MAX_NAME_LENGTH {
        return Err(NameFault::TooLong(name.len()));
    }
    Ok(())
}

/// [`check_name`] with an error that says what is named.
pub fn validate_name(what: &'static str, name: &str) -> Result<(), Error> {
    check_name(name).map_err(|fault| Error::IllegalName {
        what,
        name: name.to_owned(),
        fault,
    })
}

/// The full name of a store's changelog.
///
/// ```
/// let topic = millrace_topology::changelog_topic("transaction-aggregator-v1", "user-5min-totals");
/// assert_eq!(topic, "transaction-aggregator-v1-user-5min-totals-changelog");
/// ```
pub fn changelog_topic(application_id: &str, store: &str) -> String {
    format!("{application_id}-{store}{CHANGELOG_SUFFIX}")
}

/// The full name of a repartition topic; `name` is the plan's name of it, which ends in `-repartition`.
///
/// ```
/// assert_eq!(millrace_topology::repartition_topic("app", "by-user-repartition"), "app-by-user-repartition");
/// ```
pub fn repartition_topic(application_id: &str, name: &str) -> String {
    format!("{application_id}-{name}")
}

/// The plan's name of a repartition topic from what the user, or a store, gave it: `-repartition` is added unless it is there.
pub(crate) fn repartition_name(prefix: &str) -> String {
    if prefix.ends_with(REPARTITION_SUFFIX) {
        prefix.to_owned()
    } else {
        format!("{prefix}{REPARTITION_SUFFIX}")
    }
}

/// Whether Java takes this for a name that it made itself (its pattern `KSTREAM.*-[0-9]{10}`), and so numbers the nodes around it.
pub(crate) fn looks_generated(name: &str) -> bool {
    let bytes = name.as_bytes();
    let Some(digits) = bytes.len().checked_sub(10) else {
        return false;
    };
    name.starts_with("KSTREAM")
        && digits > "KSTREAM".len()
        && bytes[digits - 1] == b'-'
        && bytes[digits..].iter().all(u8::is_ascii_digit)
}

impl TopicName {
    /// The name in Kafka: an internal topic's has the application id before it.
    pub fn full(&self, application_id: &str) -> String {
        match self {
            TopicName::User(name) => name.clone(),
            TopicName::Internal(name) => repartition_topic(application_id, name),
        }
    }

    /// The name as `describe` prints it, without the application id.
    pub fn plain(&self) -> &str {
        match self {
            TopicName::User(name) | TopicName::Internal(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_kafka_takes_them() {
        let long = "x".repeat(250);
        for (name, expected) in [
            ("a", Ok(())),
            ("A.b_c-9", Ok(())),
            ("...", Ok(())),
            (&long[..249], Ok(())),
            (&long, Err(NameFault::TooLong(250))),
            ("", Err(NameFault::Empty)),
            (".", Err(NameFault::Dots)),
            ("a/b", Err(NameFault::Character('/'))),
            ("größe", Err(NameFault::Character('ö'))),
        ] {
            assert_eq!(check_name(name), expected, "{name}");
        }
    }

    #[test]
    fn generated_names_as_java_sees_them() {
        for (name, expected) in [
            ("KSTREAM-AGGREGATE-STATE-STORE-0000000002", true),
            ("KSTREAM-0000000002", true),
            ("KSTREAMx-y-0000000002", true),
            ("KSTREAM0000000002", false),
            ("KSTREAM-a-000000002", false),
            ("KTABLE-a-0000000002", false),
            ("KSTREAM-a-0000000002-x", false),
            ("0000000002", false),
        ] {
            assert_eq!(looks_generated(name), expected, "{name}");
        }
    }
}
