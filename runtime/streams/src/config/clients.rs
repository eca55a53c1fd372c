//! What each client is told.

use std::collections::BTreeMap;

use millrace_kafka::real::properties::is_security;

use super::StreamsConfig;
use super::client_table::{CLIENTS, Clients};
use super::scope::Scope;

/// A client of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Reads source topics.
    MainConsumer,
    /// Reads changelogs.
    RestoreConsumer,
    /// Writes.
    Producer,
    /// Asks for topics, configs and offsets.
    Admin,
}

impl ClientKind {
    fn clients(self) -> Clients {
        match self {
            Self::MainConsumer | Self::RestoreConsumer => Clients::CONSUMER,
            Self::Producer => Clients::PRODUCER,
            Self::Admin => Clients::ADMIN,
        }
    }

    /// The prefixes that speak to it, the strongest last.
    fn scopes(self) -> &'static [Scope] {
        match self {
            Self::MainConsumer => &[Scope::Plain, Scope::Consumer, Scope::MainConsumer],
            Self::RestoreConsumer => &[Scope::Plain, Scope::Consumer, Scope::RestoreConsumer],
            Self::Producer => &[Scope::Plain, Scope::Producer],
            Self::Admin => &[Scope::Plain, Scope::Admin],
        }
    }
}

impl StreamsConfig {
    /// The client's properties by Java's names, sorted: Kafka Streams' own defaults, then what was set without prefix, for the kind,
    /// for this very client. Without `bootstrap.servers`, `client.id` and `group.id`, and without what has no effect.
    #[must_use]
    pub fn client_config(&self, kind: ClientKind) -> Vec<(String, String)> {
        let mut properties = self.defaults(kind);
        for scope in kind.scopes() {
            for (name, value) in self.settings.of(*scope) {
                if known_to(kind.clients(), name) {
                    properties.insert(name, value);
                }
            }
        }
        if kind == ClientKind::RestoreConsumer {
            // It is in no group, and always told where to begin.
            properties.remove("group.instance.id");
            properties.insert("auto.offset.reset", "none");
        }
        // Given to all clients by other ways.
        for name in ["bootstrap.servers", "client.id"] {
            properties.remove(name);
        }
        properties
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// What says how brokers are spoken to: `security.protocol`, `ssl.…`, `sasl.…`. It holds for all clients of the process.
    #[must_use]
    pub fn security_config(&self) -> Vec<(String, String)> {
        let scopes = [Scope::Plain, Scope::Admin].into_iter();
        scopes
            .flat_map(|scope| self.settings.of(scope))
            .filter(|(name, _)| is_security(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Where Kafka Streams prefers another default than the client has. Java's endless `delivery.timeout.ms` is left out: librdkafka
    /// bounds deliveries by the transaction, and refuses a longer time.
    pub(super) fn defaults(&self, kind: ClientKind) -> BTreeMap<&'static str, &str> {
        let common: &[(&str, &str)] = match kind {
            ClientKind::MainConsumer | ClientKind::RestoreConsumer => &[
                ("allow.auto.create.topics", "false"),
                ("auto.offset.reset", "earliest"),
                ("enable.auto.commit", "false"),
                ("group.protocol", "classic"),
                ("max.poll.records", "1000"),
            ],
            ClientKind::Producer => &[("linger.ms", "100")],
            ClientKind::Admin => &[],
        };
        let transactional: &[(&str, &str)] = match kind {
            _ if !self.exactly_once() => &[],
            ClientKind::MainConsumer | ClientKind::RestoreConsumer => &[("isolation.level", "read_committed")],
            ClientKind::Producer => &[("enable.idempotence", "true"), ("transaction.timeout.ms", "10000")],
            ClientKind::Admin => &[],
        };
        common.iter().chain(transactional).copied().collect()
    }
}

fn known_to(clients: Clients, name: &str) -> bool {
    CLIENTS
        .iter()
        .any(|(of, property)| property.name == name && of.include(clients))
}
