//! Whom a key speaks to: its prefix, and the table that its name is looked up in.

use super::client_table::{CLIENTS, Clients, TOPIC};
use super::property::Property;
use super::streams_table::STREAMS;

/// The prefix of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// None: Kafka Streams' own, or every client that knows the name.
    Plain,
    /// `consumer.`: all consumers.
    Consumer,
    /// `main.consumer.`: the one that reads source topics.
    MainConsumer,
    /// `restore.consumer.`: the one that reads changelogs.
    RestoreConsumer,
    /// `global.consumer.`: of global tables.
    GlobalConsumer,
    /// `producer.`
    Producer,
    /// `admin.`
    Admin,
    /// `topic.`: internal topics' configs.
    Topic,
}

/// Spring Boot's prefixes: what follows is the key.
const SPRING: &str = "spring.kafka.streams.properties";

impl Scope {
    pub(super) const PREFIXED: [Self; 7] = [
        Self::MainConsumer,
        Self::RestoreConsumer,
        Self::GlobalConsumer,
        Self::Consumer,
        Self::Producer,
        Self::Admin,
        Self::Topic,
    ];

    /// The prefix, with its dot.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Consumer => "consumer.",
            Self::MainConsumer => "main.consumer.",
            Self::RestoreConsumer => "restore.consumer.",
            Self::GlobalConsumer => "global.consumer.",
            Self::Producer => "producer.",
            Self::Admin => "admin.",
            Self::Topic => "topic.",
        }
    }

    fn clients(self) -> Option<Clients> {
        match self {
            Self::Plain | Self::Topic => None,
            Self::Producer => Some(Clients::PRODUCER),
            Self::Admin => Some(Clients::ADMIN),
            Self::Consumer | Self::MainConsumer | Self::RestoreConsumer | Self::GlobalConsumer => {
                Some(Clients::CONSUMER)
            }
        }
    }

    /// The names that are known under this prefix.
    fn names(self) -> Vec<&'static str> {
        match (self, self.clients()) {
            (Self::Topic, _) => TOPIC.to_vec(),
            (_, Some(clients)) => CLIENTS
                .iter()
                .filter(|(of, _)| of.include(clients))
                .map(|(_, property)| property.name)
                .collect(),
            _ => STREAMS
                .iter()
                .map(|property| property.name)
                .chain(CLIENTS.iter().map(|(_, property)| property.name))
                .collect(),
        }
    }
}

/// `key` without Spring's prefix, in either of its notations.
pub(super) fn without_spring(key: &str) -> &str {
    match key.strip_prefix(SPRING) {
        Some(rest) => rest
            .strip_prefix('.')
            .or_else(|| rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')))
            .unwrap_or(key),
        None => key,
    }
}

/// The prefix and the rest of a key.
pub(super) fn split(key: &str) -> (Scope, &str) {
    let prefixed = |scope: &Scope| key.strip_prefix(scope.prefix()).map(|name| (*scope, name));
    Scope::PREFIXED.iter().find_map(prefixed).unwrap_or((Scope::Plain, key))
}

/// The row of a name under a prefix. Topic configs have none: any value is the broker's to judge.
pub(super) fn find(scope: Scope, name: &str) -> Option<&'static Property> {
    let client = |clients: Option<Clients>| {
        CLIENTS
            .iter()
            .find(|(of, property)| property.name == name && clients.is_none_or(|clients| of.include(clients)))
            .map(|(_, property)| property)
    };
    match (scope, scope.clients()) {
        (Scope::Topic, _) => None,
        (Scope::Plain, _) => STREAMS
            .iter()
            .find(|property| property.name == name)
            .or_else(|| client(None)),
        (_, clients) => client(clients),
    }
}

/// The known name that was probably meant.
pub(super) fn near(scope: Scope, name: &str) -> Option<&'static str> {
    let bare = |name: &str| {
        name.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase()
    };
    let wanted = bare(name);
    let mut best = (0.7, None);
    for known in scope.names() {
        let likeness = strsim::normalized_damerau_levenshtein(&wanted, &bare(known));
        if likeness > best.0 {
            best = (likeness, Some(known));
        }
    }
    best.1
}
