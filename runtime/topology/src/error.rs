//! Everything that can be wrong with an application's plan.

use std::collections::BTreeMap;

/// Why a plan cannot be built or laid out. Each says which node, store or topic is meant and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that Kafka would refuse.
    #[error(
        "{what} `{name}` is no legal name: {fault}; use 1 to 249 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`, not `.` or `..`"
    )]
    IllegalName {
        /// What is named, e.g. `topic`, `store`.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// A source without topics.
    #[error("a source reads no topic; give at least one")]
    NoTopics,
    /// Two sources share some topics, but not all.
    #[error(
        "topic `{topic}` is read by two sources with different lists of topics ([{}] and [{}]); read each topic in one source, or the same list in both",
        first.join(", "), second.join(", ")
    )]
    OverlappingSources {
        /// A topic that both read.
        topic: String,
        /// Topics of the earlier source.
        first: Vec<String>,
        /// Topics of the later source.
        second: Vec<String>,
    },
    /// Two reads of the same topics that ask for different things; Java would use the first's silently.
    #[error(
        "topic `{topic}` is read twice with a different {property} ({first} and {second}); read it once and share the stream, or make both equal"
    )]
    DifferentReads {
        /// The topic.
        topic: String,
        /// What differs, e.g. `value format`.
        property: &'static str,
        /// The earlier read's.
        first: String,
        /// The later read's.
        second: String,
    },
    /// Two nodes, stores or repartition topics of the same name.
    #[error("{what} `{name}` exists already; every {what} needs a name of its own")]
    DuplicateName {
        /// What is named, e.g. `store`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A store or repartition topic without a name, where automatic names are not allowed.
    #[error(
        "{operator} needs a name for its {what} (it would become `{automatic}`, which changes whenever a step is added before it); name it, or allow automatic names"
    )]
    AutomaticName {
        /// The operator that lacks a name, e.g. `KSTREAM-AGGREGATE-0000000003`.
        operator: String,
        /// What lacks a name.
        what: &'static str,
        /// The name that Java would make.
        automatic: String,
    },
    /// A window or retention that cannot be.
    #[error("store `{store}`: {problem}")]
    Window {
        /// The store.
        store: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A partition count that cannot be.
    #[error("topic `{topic}` cannot have {partitions} partitions; give at least 1")]
    Partitions {
        /// The topic.
        topic: String,
        /// The count.
        partitions: i32,
    },
    /// Topics that the application reads and that do not exist.
    #[error(
        "the application reads topics that do not exist: {}; create them first",
        missing(topics)
    )]
    MissingTopics {
        /// The topics, and the sub-topology that reads each.
        topics: BTreeMap<String, u32>,
    },
    /// A property of the application that is no number.
    #[error("property `{name}` is `{value}`; give whole milliseconds")]
    Property {
        /// The property.
        name: String,
        /// What it says.
        value: String,
    },
    /// Repartition topics whose partition count follows from nothing.
    #[error("the partition counts of these repartition topics follow from no other topic: {}; give them a number", topics.join(", "))]
    UnknownPartitions {
        /// Their full names, sorted.
        topics: Vec<String>,
    },
    /// Topics that are joined and have different partition counts.
    #[error(
        "these topics must have the same number of partitions, because they are joined: {}; give them equal counts, or repartition one side",
        list(topics)
    )]
    NotCopartitioned {
        /// Full names and counts.
        topics: BTreeMap<String, i32>,
    },
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// Nothing there.
    Empty,
    /// `.` or `..`.
    Dots,
    /// Its length in bytes, over 249.
    TooLong(usize),
    /// The first character that is not allowed.
    Character(char),
}

impl std::fmt::Display for NameFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NameFault::Empty => f.write_str("it is empty"),
            NameFault::Dots => f.write_str("it means a directory"),
            NameFault::TooLong(length) => write!(f, "it has {length} characters"),
            NameFault::Character(c) => write!(f, "it has the character {c:?}"),
        }
    }
}

fn list(topics: &BTreeMap<String, i32>) -> String {
    let parts: Vec<String> = topics
        .iter()
        .map(|(topic, count)| format!("{topic} has {count}"))
        .collect();
    parts.join(", ")
}

fn missing(topics: &BTreeMap<String, u32>) -> String {
    let parts: Vec<String> = topics
        .iter()
        .map(|(topic, part)| format!("{topic} (sub-topology {part})"))
        .collect();
    parts.join(", ")
}
