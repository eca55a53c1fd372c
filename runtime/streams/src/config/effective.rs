//! What holds: every property with its value, as set or by default.

use std::collections::BTreeMap;

use millrace_kafka::real::properties::is_security;

use super::client_table::CLIENTS;
use super::property::{Effect, Kind, Property};
use super::scope::{self, Scope};
use super::streams_table::STREAMS;
use super::{ClientKind, StreamsConfig};

/// A property that has an effect, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its key, with the prefix under which it is set.
    pub key: String,
    /// Its value in one form; `None` if it has none.
    pub value: Option<String>,
    /// Whether it was set; else it is the default.
    pub is_set: bool,
    /// Whether the value is never to be shown.
    pub is_secret: bool,
}

impl StreamsConfig {
    /// Every property that has an effect: what was set, and the defaults of the rest, by key.
    #[must_use]
    pub fn effective(&self) -> Vec<Effective> {
        let mut all: BTreeMap<String, Effective> = BTreeMap::new();
        for property in super::reference::all() {
            if matches!(property.effect, Effect::Used | Effect::FixedUnderExactlyOnce(_)) {
                let set = self.settings.get(&[Scope::Plain], property.name);
                let value = set.map(str::to_owned).or_else(|| self.default_of(property));
                insert(&mut all, Scope::Plain, property.name, value, set.is_some());
            }
        }
        for scope in Scope::PREFIXED {
            for (name, value) in self.settings.of(scope) {
                insert(&mut all, scope, name, Some(value.to_owned()), true);
            }
        }
        all.into_values().collect()
    }

    /// Java-named properties that every connection shares: how brokers are found, reached and trusted, and as whom. For
    /// [`KafkaLog`](millrace_kafka::real::KafkaLog), whose own wire client takes no others.
    #[must_use]
    pub fn connection_config(&self) -> Vec<(String, String)> {
        let client_id = match &*self.client_id {
            "" => &self.application_id,
            id => id,
        };
        let mut all = vec![("client.id".to_owned(), client_id.to_owned())];
        let shared = self
            .settings
            .of(Scope::Plain)
            .filter(|(name, _)| is_of_connections(name));
        all.extend(shared.map(|(name, value)| (name.to_owned(), value.to_owned())));
        all.extend(self.security_config());
        all
    }

    fn default_of(&self, property: &Property) -> Option<String> {
        if self.exactly_once() {
            match (property.effect, property.name) {
                (Effect::FixedUnderExactlyOnce(value), _) => return Some(value.to_owned()),
                (_, "commit.interval.ms") => return Some(self.commit_interval.as_millis().to_string()),
                _ => {}
            }
        }
        let is_streams = STREAMS.iter().any(|own| own.name == property.name);
        let by_streams = || {
            [ClientKind::MainConsumer, ClientKind::Producer]
                .into_iter()
                .find_map(|kind| self.defaults(kind).get(property.name).map(|value| (*value).to_owned()))
        };
        if is_streams { None } else { by_streams() }.or_else(|| property.default.map(str::to_owned))
    }
}

/// Whether all three kinds of clients know it: such are of connections, not of reading or writing. What every connection is given by
/// other ways is left out.
fn is_of_connections(name: &str) -> bool {
    let is_given = is_security(name) || matches!(name, "client.id" | "bootstrap.servers");
    let all_know = CLIENTS
        .iter()
        .any(|(of, property)| property.name == name && of.are_all());
    all_know && !is_given
}

fn insert(all: &mut BTreeMap<String, Effective>, scope: Scope, name: &str, value: Option<String>, is_set: bool) {
    let key = format!("{}{name}", scope.prefix());
    let is_secret = scope::find(scope, name).is_some_and(|property| property.kind == Kind::Password);
    let effective = Effective {
        key: key.clone(),
        value: value.filter(|value| !value.is_empty()),
        is_set,
        is_secret,
    };
    all.insert(key, effective);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(lines: &str) -> StreamsConfig {
        let required = "application.id=app bootstrap.servers=a:1";
        let pairs = required.split_whitespace().chain(lines.split_whitespace());
        let pairs = pairs.map(|pair| pair.split_once('=').expect("key=value"));
        let properties = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        StreamsConfig::parse(&properties)
            .unwrap_or_else(|error| panic!("{error}"))
            .config
    }

    #[test]
    fn what_holds() {
        let lines = "processing.guarantee=exactly_once_v2 cache.max.bytes.buffering=5 main.consumer.fetch.min.bytes=7 \
                     ssl.key.password=hush topic.retention.ms=9 metrics.recording.level=DEBUG";
        let all = config(lines).effective();
        for (key, expected) in [
            ("application.id", Some(("app", true))),
            ("processing.guarantee", Some(("exactly_once_v2", true))),
            ("commit.interval.ms", Some(("100", false))),
            ("statestore.cache.max.bytes", Some(("5", true))),
            ("cache.max.bytes.buffering", None),
            ("num.stream.threads", Some(("1", false))),
            ("fetch.min.bytes", Some(("1", false))),
            ("main.consumer.fetch.min.bytes", Some(("7", true))),
            ("auto.offset.reset", Some(("earliest", false))),
            ("linger.ms", Some(("100", false))),
            ("isolation.level", Some(("read_committed", false))),
            ("topic.retention.ms", Some(("9", true))),
            ("metrics.recording.level", None),
            ("request.timeout.ms", Some(("40000", false))),
        ] {
            let found = all.iter().find(|property| property.key == key);
            let shown = found.map(|property| (property.value.as_deref().unwrap_or_default(), property.is_set));
            assert_eq!(shown, expected, "{key}");
        }
        let secrets: Vec<&str> = all
            .iter()
            .filter(|property| property.is_secret && property.is_set)
            .map(|property| property.key.as_str())
            .collect();
        assert_eq!(secrets, ["ssl.key.password"]);
    }

    #[test]
    fn what_all_connections_share() {
        let lines = "security.protocol=SSL ssl.ca.location=/ca.pem reconnect.backoff.ms=7 linger.ms=3 fetch.min.bytes=4 \
                     consumer.receive.buffer.bytes=9 poll.ms=5";
        let shown = |lines| {
            let pairs = config(lines).connection_config();
            pairs
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            shown(lines),
            "client.id=app reconnect.backoff.ms=7 security.protocol=SSL ssl.ca.location=/ca.pem"
        );
        assert_eq!(shown("client.id=mine"), "client.id=mine");
    }

    /// The log refuses names that none of its clients knows.
    #[test]
    fn the_log_takes_all_that_connections_share() {
        let shared = CLIENTS
            .iter()
            .filter(|(of, property)| of.are_all() && property.effect == Effect::Used && !is_security(property.name));
        for (_, property) in shared {
            let set = (property.name.to_owned(), property.default.unwrap_or("1").to_owned());
            let log = millrace_kafka::real::KafkaLog::new("a:1", std::slice::from_ref(&set));
            assert!(
                log.is_ok(),
                "{}: {}",
                property.name,
                log.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
    }
}
