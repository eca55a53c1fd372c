//! A Kafka cluster: librdkafka moves the records, our own wire client speaks for the group and the admin.

mod admin;
mod consumer;
mod coordinator;
mod groups;
mod librdkafka;
mod offsets;
mod producer;
pub mod properties;
mod security;
mod wire;

use std::sync::Arc;

use crate::log::{Admin, Consumer, ConsumerSpec, Coordinator, Log, Offsets, Producer, ProducerSpec};
use crate::{Error, ErrorKind, Result};
use consumer::{KafkaConsumer, Reads};
use properties::{PropertyKind, Scope, Translated, classify};
use security::Security;
use wire::{Client, Settings, Timing};

/// The client id where none is configured.
const CLIENT_ID: &str = "millrace";
/// Java's waits before a broker is connected to again. With librdkafka's (up to 10 s) the loss of a coordinator's broker holds a commit for as long,
/// several times over: librdkafka looks for the new coordinator only when another attempt at the old one has failed.
const RECONNECT_BACKOFF: (&str, &str) = ("reconnect.backoff.ms", "50");
const RECONNECT_BACKOFF_MAX: (&str, &str) = ("reconnect.backoff.max.ms", "1000");

/// A Kafka cluster.
///
/// Nothing connects before a client's first call, so that a cluster that is away shows where it is waited for.
///
/// ```no_run
/// use std::time::Duration;
/// use millrace_kafka::log::Log;
/// use millrace_kafka::real::KafkaLog;
///
/// let log = KafkaLog::new("kafka:9092", &[("client.id".to_owned(), "orders".to_owned())])?;
/// let cluster = log.admin()?.cluster(Duration::from_secs(10))?;
/// println!("{} with {} brokers", cluster.cluster_id, cluster.brokers);
/// # Ok::<(), millrace_kafka::Error>(())
/// ```
pub struct KafkaLog {
    bootstrap: String,
    /// Properties of all clients, by Java's names.
    properties: Vec<(String, String)>,
    wire: Arc<Settings>,
    security: Arc<Security>,
}

impl KafkaLog {
    /// A cluster by its bootstrap servers (`host:port`, separated by commas), and the properties that all its clients share, by Java's names.
    ///
    /// What says how brokers are spoken to (`security.protocol`, `ssl.…`, `sasl.…`) is read here, files included, and holds for every
    /// client; files are read again when they change.
    ///
    /// # Errors
    /// `Config` for addresses, properties and files that cannot be. Properties of Java's that mean nothing here are logged as warnings.
    pub fn new(bootstrap: &str, properties: &[(String, String)]) -> Result<Self> {
        let addresses = addresses(bootstrap)?;
        for (name, _) in properties {
            let kinds = [Scope::Consumer, Scope::Producer, Scope::Admin].map(|scope| classify(scope, name));
            if kinds.iter().all(|kind| *kind == PropertyKind::Unknown) {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("{name} is no property of Kafka's clients"),
                ));
            }
            if kinds.contains(&PropertyKind::Meaningless) {
                tracing::warn!(property = name, "has no meaning here and is ignored");
            }
        }
        let value = |name: &str| {
            properties
                .iter()
                .rev()
                .find(|(known, _)| known == name)
                .map(|(_, value)| &**value)
        };
        let security = Arc::new(Security::new(properties)?);
        let settings = Settings {
            bootstrap: addresses,
            client_id: value("client.id").unwrap_or(CLIENT_ID).to_owned(),
            security: Arc::clone(&security),
            timing: Timing::new(properties)?,
        };
        Ok(Self {
            bootstrap: bootstrap.to_owned(),
            properties: properties.to_vec(),
            wire: Arc::new(settings),
            security,
        })
    }

    /// The shared properties that a client of `scope` knows.
    fn common(&self, scope: Scope) -> Vec<(String, String)> {
        let known = |name: &str| !matches!(classify(scope, name), PropertyKind::Unknown | PropertyKind::Meaningless);
        self.properties
            .iter()
            .filter(|(name, _)| known(name) && name != "client.id")
            .cloned()
            .collect()
    }

    /// One process has one identity: a client cannot be given another.
    fn check_security(&self, client_id: &str, config: &[(String, String)]) -> Result<()> {
        let all: Vec<(String, String)> = self.properties.iter().chain(config).cloned().collect();
        if self.security.is_of(&all)? {
            return Ok(());
        }
        let text = format!(
            "{client_id}: security.protocol, ssl.… and sasl.… are the same for all clients of a process: set them without `consumer.`, `producer.` or `admin.`"
        );
        Err(Error::new(ErrorKind::Config, text))
    }

    fn reader(&self, spec: &ConsumerSpec, reads: Reads) -> Result<Box<dyn Consumer>> {
        self.check_security(&spec.client_id, &spec.config)?;
        let common = self.common(Scope::Consumer);
        let consumer = KafkaConsumer::new(&self.bootstrap, &common, &self.security, spec, reads)?;
        Ok(Box::new(consumer))
    }

    fn client(&self) -> Client {
        Client::new(Arc::clone(&self.wire))
    }
}

impl Log for KafkaLog {
    fn admin(&self) -> Result<Box<dyn Admin>> {
        Ok(Box::new(admin::KafkaAdmin::new(self.client())))
    }

    fn consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        self.reader(spec, Reads::Input)
    }

    fn restore_consumer(&self, spec: &ConsumerSpec) -> Result<Box<dyn Consumer>> {
        self.reader(spec, Reads::Changelogs)
    }

    fn producer(&self, spec: &ProducerSpec) -> Result<Box<dyn Producer>> {
        self.check_security(&spec.client_id, &spec.config)?;
        let common = self.common(Scope::Producer);
        let producer = producer::KafkaProducer::new(&self.bootstrap, &common, &self.security, spec)?;
        Ok(Box::new(producer))
    }

    fn coordinator(&self, group: &str) -> Result<Box<dyn Coordinator>> {
        Ok(Box::new(coordinator::KafkaCoordinator::start(|| self.client(), group)?))
    }

    fn offsets(&self, group: &str) -> Result<Box<dyn Offsets>> {
        Ok(Box::new(offsets::KafkaOffsets::new(self.client(), group)))
    }

    fn epoch(&self) -> u64 {
        self.security.epoch()
    }
}

/// librdkafka's settings of one client: what is ours, then what the user set; the last of a name counts.
fn settings_of(
    bootstrap: &str,
    client_id: &str,
    defaults: &[(&str, &str)],
    translated: Translated,
) -> Vec<(String, String)> {
    for name in &translated.ignored {
        tracing::warn!(
            client = client_id,
            property = name,
            "has no meaning here and is ignored"
        );
    }
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut settings: Vec<(String, String)> = defaults.iter().copied().map(pair).collect();
    settings.extend(translated.settings);
    settings.push(pair(("bootstrap.servers", bootstrap)));
    settings.push(pair(("client.id", client_id)));
    settings
}

/// `host:port`, separated by commas; `[::1]:9092` for an IPv6 address; the port defaults to 9092.
fn addresses(bootstrap: &str) -> Result<Vec<(String, u16)>> {
    let addresses = bootstrap
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(|one| {
            let wrong = |why: &str| Error::new(ErrorKind::Config, format!("bootstrap.servers: {one:?} {why}"));
            // A listener's name may stand before the address, as librdkafka allows.
            let address = one.split_once("://").map_or(one, |(_, address)| address);
            let (host, port) = match address.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') || host.ends_with(']') => (
                    host,
                    port.parse::<u16>()
                        .map_err(|_| wrong("has no port number after the colon"))?,
                ),
                _ => (address, 9092),
            };
            let host = host.trim_start_matches('[').trim_end_matches(']');
            if host.is_empty() {
                Err(wrong("has no host"))
            } else {
                Ok((host.to_owned(), port))
            }
        });
    let addresses = addresses.collect::<Result<Vec<_>>>()?;
    if addresses.is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            "bootstrap.servers names no broker; give host:port",
        ));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_servers_are_hosts_and_ports() {
        let table: &[(&str, &[(&str, u16)])] = &[
            ("kafka:9092", &[("kafka", 9092)]),
            ("a:1, b:2,", &[("a", 1), ("b", 2)]),
            ("kafka", &[("kafka", 9092)]),
            ("[::1]:9093", &[("::1", 9093)]),
            ("PLAINTEXT://a:1", &[("a", 1)]),
        ];
        for (text, expected) in table {
            let expected: Vec<(String, u16)> = expected
                .iter()
                .map(|(host, port)| ((*host).to_owned(), *port))
                .collect();
            assert_eq!(addresses(text).unwrap(), expected, "{text}");
        }
        for wrong in ["", " , ", ":9092", "kafka:port"] {
            let error = addresses(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
            assert!(error.to_string().contains("bootstrap.servers"), "{error}");
        }
    }

    #[test]
    fn a_wrong_configuration_is_refused_before_anything_connects() {
        let refused = |name: &str, value: &str| {
            KafkaLog::new("kafka:9092", &[(name.to_owned(), value.to_owned())])
                .err()
                .unwrap()
                .to_string()
        };
        assert_eq!(refused("lingr.ms", "5"), "lingr.ms is no property of Kafka's clients");
        assert!(refused("security.protocol", "SASL_SSL").starts_with("sasl.mechanism is not set"));
        let log = KafkaLog::new("kafka:9092", &[("linger.ms".to_owned(), "soon".to_owned())]).unwrap();
        let spec = ProducerSpec {
            client_id: "p".to_owned(),
            transactional_id: None,
            config: Vec::new(),
        };
        let error = log.producer(&spec).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("linger.ms"), "{error}");
        // A client that is to speak otherwise than the others.
        let spec = ProducerSpec {
            config: vec![("security.protocol".to_owned(), "SSL".to_owned())],
            ..spec
        };
        let log = KafkaLog::new("kafka:9092", &[]).unwrap();
        let error = log.producer(&spec).err().unwrap().to_string();
        assert!(error.contains("the same for all clients"), "{error}");
    }
}
