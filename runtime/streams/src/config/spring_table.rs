//! Spring Boot's names (`KafkaProperties` of Spring Boot 4.0): what each of `spring.kafka.*` is here.

use super::scope::Scope;

/// A part of `spring.kafka`: names of its own, and a map `properties.` that holds Kafka's names as they are.
#[derive(Clone, Copy, Debug)]
pub struct SpringGroup {
    /// With the dot at its end.
    pub prefix: &'static str,
    /// Whom its names speak to.
    pub scope: Scope,
    /// Where two groups set one thing, the higher wins, wherever each of them stands.
    pub rank: u8,
    /// Without prefix.
    pub names: &'static [SpringName],
    /// Whether `ssl.`, `security.` and `properties.` ([`SPRING_SHARED`]) are in it.
    pub has_shared: bool,
}

/// A name of Spring's, in its dashed form.
#[derive(Clone, Copy, Debug)]
pub struct SpringName {
    /// Without its group's prefix.
    pub name: &'static str,
    /// How its value is written.
    pub kind: SpringKind,
    /// What it is here.
    pub is: SpringMeaning,
}

/// How Spring reads a value; the rest is Kafka's to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpringKind {
    /// Taken as it is.
    Plain,
    /// Words with commas between them, or an entry each: `[0]`, `[1]`.
    List,
    /// `10s`, `PT10S`, or milliseconds.
    Duration,
    /// `10MB`, or bytes; a kilobyte has 1024.
    Size,
    /// A word of an enumeration: `read-committed` is `read_committed`.
    Word,
    /// A file: `file:/etc/keys/app.pem`, or the path alone.
    File,
}

/// What a name of Spring's is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpringMeaning {
    /// Kafka's name, without the group's scope.
    Kafka(&'static str),
    /// Nothing, for this reason; a value other than the default is named in a warning.
    Nothing {
        /// Spring's default, if it is a word; else any value is named.
        default: Option<&'static str>,
        /// The reason.
        why: &'static str,
    },
    /// Refused with another value than the default, because the application would not be what it says.
    Refused {
        /// Spring's default.
        default: Option<&'static str>,
        /// The reason.
        why: &'static str,
    },
}

use SpringKind::{Duration, File, List, Plain, Size, Word};
use SpringMeaning::{Kafka, Nothing, Refused};

const fn kafka(name: &'static str, kind: SpringKind, kafka: &'static str) -> SpringName {
    SpringName {
        name,
        kind,
        is: Kafka(kafka),
    }
}

const fn nothing(name: &'static str, default: Option<&'static str>, why: &'static str) -> SpringName {
    SpringName {
        name,
        kind: Plain,
        is: Nothing { default, why },
    }
}

const fn refused(name: &'static str, default: Option<&'static str>, why: &'static str) -> SpringName {
    SpringName {
        name,
        kind: Plain,
        is: Refused { default, why },
    }
}

const CLEAN_UP: &str = "state is never wiped by running: what it holds is checked against its changelog";
const NO_TEMPLATE: &str = "there is no template for sending: an application writes by its topology";
const NO_LISTENER: &str = "there are no listeners: an application reads by its topology";
const NO_ADMIN_BEAN: &str = "internal topics are created by the group's leader, as Kafka Streams does";
const JAAS: &str = "state `spring.kafka.properties.sasl.jaas.config`";
const NO_RETRY_TOPICS: &str = "there are no retry topics; see `errors.dead.letter.queue.topic.name`";

/// All of `spring.kafka`, the strongest last.
pub static SPRING: &[SpringGroup] = &[
    SpringGroup {
        prefix: "spring.kafka.",
        scope: Scope::Plain,
        rank: 0,
        has_shared: true,
        names: &[
            kafka("bootstrap-servers", List, "bootstrap.servers"),
            kafka("client-id", Plain, "client.id"),
            refused("jaas.enabled", Some("false"), JAAS),
            nothing("jaas.login-module", None, JAAS),
            nothing("jaas.control-flag", None, JAAS),
            nothing("jaas.options", None, JAAS),
            nothing("listener", None, NO_LISTENER),
            nothing("template", None, NO_TEMPLATE),
            nothing("retry", None, NO_RETRY_TOPICS),
        ],
    },
    SpringGroup {
        prefix: "spring.kafka.consumer.",
        scope: Scope::Consumer,
        rank: 1,
        has_shared: true,
        names: &[
            kafka("auto-commit-interval", Duration, "auto.commit.interval.ms"),
            kafka("auto-offset-reset", Plain, "auto.offset.reset"),
            kafka("bootstrap-servers", List, "bootstrap.servers"),
            kafka("client-id", Plain, "client.id"),
            kafka("enable-auto-commit", Plain, "enable.auto.commit"),
            kafka("fetch-max-wait", Duration, "fetch.max.wait.ms"),
            kafka("fetch-min-size", Size, "fetch.min.bytes"),
            kafka("group-id", Plain, "group.id"),
            kafka("heartbeat-interval", Duration, "heartbeat.interval.ms"),
            kafka("isolation-level", Word, "isolation.level"),
            kafka("key-deserializer", Plain, "key.deserializer"),
            kafka("value-deserializer", Plain, "value.deserializer"),
            kafka("max-poll-interval", Duration, "max.poll.interval.ms"),
            kafka("max-poll-records", Plain, "max.poll.records"),
        ],
    },
    SpringGroup {
        prefix: "spring.kafka.producer.",
        scope: Scope::Producer,
        rank: 1,
        has_shared: true,
        names: &[
            kafka("acks", Plain, "acks"),
            kafka("batch-size", Size, "batch.size"),
            kafka("bootstrap-servers", List, "bootstrap.servers"),
            kafka("buffer-memory", Size, "buffer.memory"),
            kafka("client-id", Plain, "client.id"),
            kafka("compression-type", Plain, "compression.type"),
            kafka("key-serializer", Plain, "key.serializer"),
            kafka("value-serializer", Plain, "value.serializer"),
            kafka("retries", Plain, "retries"),
            nothing(
                "transaction-id-prefix",
                None,
                "each worker has its own transactional id",
            ),
        ],
    },
    SpringGroup {
        prefix: "spring.kafka.admin.",
        scope: Scope::Admin,
        rank: 1,
        has_shared: true,
        names: &[
            kafka("client-id", Plain, "client.id"),
            nothing("auto-create", None, NO_ADMIN_BEAN),
            nothing("close-timeout", None, NO_ADMIN_BEAN),
            nothing("fail-fast", None, NO_ADMIN_BEAN),
            nothing("modify-topic-configs", None, NO_ADMIN_BEAN),
            nothing("operation-timeout", None, NO_ADMIN_BEAN),
        ],
    },
    SpringGroup {
        prefix: "spring.kafka.streams.",
        scope: Scope::Plain,
        rank: 2,
        has_shared: true,
        names: &[
            kafka("application-id", Plain, "application.id"),
            refused("auto-startup", Some("true"), "an application that is started runs"),
            kafka("bootstrap-servers", List, "bootstrap.servers"),
            kafka("cache-max-size-buffering", Size, "cache.max.bytes.buffering"),
            nothing("cleanup.on-shutdown", Some("false"), CLEAN_UP),
            nothing("cleanup.on-startup", Some("false"), CLEAN_UP),
            kafka("client-id", Plain, "client.id"),
            kafka("replication-factor", Plain, "replication.factor"),
            kafka("state-dir", Plain, "state.dir"),
            kafka("state-store-cache-max-size", Size, "statestore.cache.max.bytes"),
        ],
    },
];

/// Names that every group has.
pub static SPRING_SHARED: &[SpringName] = &[
    kafka("security.protocol", Plain, "security.protocol"),
    refused("ssl.bundle", None, "state the files themselves, under the same `ssl.`"),
    kafka("ssl.key-password", Plain, "ssl.key.password"),
    kafka(
        "ssl.key-store-certificate-chain",
        Plain,
        "ssl.keystore.certificate.chain",
    ),
    kafka("ssl.key-store-key", Plain, "ssl.keystore.key"),
    kafka("ssl.key-store-location", File, "ssl.keystore.location"),
    kafka("ssl.key-store-password", Plain, "ssl.keystore.password"),
    kafka("ssl.key-store-type", Plain, "ssl.keystore.type"),
    kafka("ssl.protocol", Plain, "ssl.protocol"),
    kafka("ssl.trust-store-certificates", Plain, "ssl.truststore.certificates"),
    kafka("ssl.trust-store-location", File, "ssl.truststore.location"),
    kafka("ssl.trust-store-password", Plain, "ssl.truststore.password"),
    kafka("ssl.trust-store-type", Plain, "ssl.truststore.type"),
];

impl SpringGroup {
    /// Its names, those of every group included.
    pub fn all(&self) -> impl Iterator<Item = &'static SpringName> {
        let shared: &'static [SpringName] = if self.has_shared { SPRING_SHARED } else { &[] };
        self.names.iter().chain(shared)
    }
}

/// The environment variable of a property, as Spring Boot forms it: dots become underscores, dashes go, all in capitals.
#[must_use]
pub fn environment_name(property: &str) -> String {
    property.replace('-', "").replace('.', "_").to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::known;

    #[test]
    fn every_name_stands_for_one_that_exists() {
        let mut seen = std::collections::BTreeSet::new();
        for group in SPRING {
            for name in group.all() {
                assert!(
                    seen.insert((group.prefix, name.name)),
                    "{}{} twice",
                    group.prefix,
                    name.name
                );
                if let SpringMeaning::Kafka(kafka) = name.is {
                    let key = format!("{}{kafka}", group.scope.prefix());
                    assert!(known(&key).is_some(), "{}{}: {key}", group.prefix, name.name);
                }
            }
        }
    }

    #[test]
    fn environment_names() {
        for (property, expected) in [
            (
                "spring.kafka.streams.application-id",
                "SPRING_KAFKA_STREAMS_APPLICATIONID",
            ),
            ("a.non_overlap_cost", "A_NON_OVERLAP_COST"),
        ] {
            assert_eq!(environment_name(property), expected);
        }
    }
}
