//! Java's client properties, and what each is here.
//!
//! Users write Kafka Streams' names; librdkafka has names and units of its own. Pure functions, so that configuration can be
//! checked before anything connects.

use super::security;
use crate::{Error, ErrorKind, Result};

/// Which client a property is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Consumers.
    Consumer,
    /// Producers.
    Producer,
    /// Topics, configs, offsets and the group: our own client.
    Admin,
}

/// What a property of Java's is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyKind {
    /// librdkafka knows it by this name, with values that mean the same.
    Same,
    /// librdkafka knows it by another name, or in another unit.
    Mapped(&'static str),
    /// Millrace itself acts on it (group membership, polling, time-outs of calls).
    Engine,
    /// Java knows it, and it means nothing here: worth a warning.
    Meaningless,
    /// Known nowhere.
    Unknown,
}

use PropertyKind::{Engine, Mapped, Meaningless, Same};

/// Names of all clients.
const COMMON: &[(&str, PropertyKind)] = &[
    ("bootstrap.servers", Engine),
    ("client.dns.lookup", Same),
    ("client.id", Same),
    ("client.rack", Same),
    ("connections.max.idle.ms", Same),
    ("default.api.timeout.ms", Engine),
    ("auto.include.jmx.reporter", Meaningless),
    ("enable.metrics.push", Meaningless),
    ("interceptor.classes", Meaningless),
    ("metadata.max.age.ms", Mapped("topic.metadata.refresh.interval.ms")),
    ("metadata.recovery.rebootstrap.trigger.ms", Same),
    ("metadata.recovery.strategy", Same),
    ("metric.reporters", Meaningless),
    ("metrics.num.samples", Meaningless),
    ("metrics.recording.level", Meaningless),
    ("metrics.sample.window.ms", Meaningless),
    ("receive.buffer.bytes", Mapped("socket.receive.buffer.bytes")),
    ("reconnect.backoff.max.ms", Same),
    ("reconnect.backoff.ms", Same),
    ("retry.backoff.max.ms", Same),
    ("retry.backoff.ms", Same),
    ("send.buffer.bytes", Mapped("socket.send.buffer.bytes")),
    ("socket.connection.setup.timeout.max.ms", Meaningless),
    ("socket.connection.setup.timeout.ms", Same),
    // What concerns security is read by the module of that name, and is the same for all clients.
    ("security.providers", Meaningless),
    ("sasl.kerberos.service.name", Meaningless),
];

const CONSUMER: &[(&str, PropertyKind)] = &[
    ("allow.auto.create.topics", Meaningless),
    ("auto.commit.interval.ms", Meaningless),
    ("auto.offset.reset", Engine),
    ("check.crcs", Same),
    ("enable.auto.commit", Meaningless),
    ("exclude.internal.topics", Engine),
    ("fetch.max.bytes", Same),
    ("fetch.max.wait.ms", Mapped("fetch.wait.max.ms")),
    ("fetch.min.bytes", Same),
    ("group.id", Engine),
    ("group.instance.id", Engine),
    ("group.protocol", Engine),
    ("group.remote.assignor", Meaningless),
    ("heartbeat.interval.ms", Engine),
    // KIP-770's name, not Java's yet.
    ("input.buffer.max.bytes", Mapped("queued.max.messages.kbytes")),
    ("isolation.level", Engine),
    ("key.deserializer", Meaningless),
    ("max.partition.fetch.bytes", Same),
    ("max.poll.interval.ms", Engine),
    ("max.poll.records", Engine),
    ("partition.assignment.strategy", Meaningless),
    ("request.timeout.ms", Mapped("socket.timeout.ms")),
    ("session.timeout.ms", Engine),
    ("value.deserializer", Meaningless),
];

const PRODUCER: &[(&str, PropertyKind)] = &[
    ("acks", Same),
    ("batch.size", Same),
    ("buffer.memory", Mapped("queue.buffering.max.kbytes")),
    ("compression.gzip.level", Mapped("compression.level")),
    ("compression.lz4.level", Mapped("compression.level")),
    ("compression.type", Same),
    ("compression.zstd.level", Mapped("compression.level")),
    ("delivery.timeout.ms", Same),
    // Always on here.
    ("enable.idempotence", Engine),
    ("key.serializer", Meaningless),
    ("linger.ms", Same),
    ("max.block.ms", Engine),
    ("max.in.flight.requests.per.connection", Same),
    ("max.request.size", Mapped("message.max.bytes")),
    ("metadata.max.idle.ms", Meaningless),
    ("partitioner.adaptive.partitioning.enable", Meaningless),
    ("partitioner.availability.timeout.ms", Meaningless),
    ("partitioner.class", Meaningless),
    ("partitioner.ignore.keys", Meaningless),
    ("request.timeout.ms", Same),
    ("retries", Same),
    ("transaction.timeout.ms", Same),
    ("transaction.two.phase.commit.enable", Meaningless),
    ("transactional.id", Engine),
    ("value.serializer", Meaningless),
];

const ADMIN: &[(&str, PropertyKind)] = &[
    ("bootstrap.controllers", Meaningless),
    ("request.timeout.ms", Engine),
    ("retries", Engine),
];

/// What `name` is to a client of `scope`.
///
/// ```
/// use millrace_kafka::real::properties::{PropertyKind, Scope, classify};
///
/// assert_eq!(classify(Scope::Consumer, "fetch.max.wait.ms"), PropertyKind::Mapped("fetch.wait.max.ms"));
/// assert_eq!(classify(Scope::Producer, "partitioner.class"), PropertyKind::Meaningless);
/// assert_eq!(classify(Scope::Producer, "linger"), PropertyKind::Unknown);
/// ```
#[must_use]
pub fn classify(scope: Scope, name: &str) -> PropertyKind {
    let own = of_scope(scope);
    let found = own.iter().chain(COMMON).find(|(known, _)| *known == name);
    match found {
        Some((_, kind)) => *kind,
        None if is_security(name) => Engine,
        None => PropertyKind::Unknown,
    }
}

/// All names that Java's clients of `scope` know, for near matches.
pub fn names(scope: Scope) -> impl Iterator<Item = &'static str> {
    let listed = of_scope(scope).iter().chain(COMMON).map(|(name, _)| *name);
    listed.chain(security::NAMES.iter().copied())
}

/// Whether a property says how brokers are spoken to: one of `security.protocol`, `ssl.…`, `sasl.…`, and our own files of secrets.
#[must_use]
pub fn is_security(name: &str) -> bool {
    security::NAMES.contains(&name)
}

fn of_scope(scope: Scope) -> &'static [(&'static str, PropertyKind)] {
    match scope {
        Scope::Consumer => CONSUMER,
        Scope::Producer => PRODUCER,
        Scope::Admin => ADMIN,
    }
}

/// A client's properties in librdkafka's words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// Names and values for librdkafka; the last of a name counts.
    pub settings: Vec<(String, String)>,
    /// Names that mean nothing here.
    pub ignored: Vec<String>,
}

/// Puts Java's properties into librdkafka's words.
///
/// # Errors
/// `Config` for a name that is known nowhere, and for a value that cannot be converted.
pub fn translate<'a>(scope: Scope, properties: impl IntoIterator<Item = &'a (String, String)>) -> Result<Translated> {
    let mut out = Translated::default();
    for (name, value) in properties {
        match classify(scope, name) {
            Same => out.settings.push((name.clone(), value.clone())),
            Mapped(to) => {
                // Java's -1 means the operating system's default, which is librdkafka's 0.
                let value = match (to, value.as_str()) {
                    ("socket.send.buffer.bytes" | "socket.receive.buffer.bytes", "-1") => "0".to_owned(),
                    ("queue.buffering.max.kbytes" | "queued.max.messages.kbytes", bytes) => kibibytes(name, bytes)?,
                    (_, value) => value.to_owned(),
                };
                out.settings.push((to.to_owned(), value));
            }
            Engine => {}
            Meaningless => out.ignored.push(name.clone()),
            PropertyKind::Unknown => {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("{name} is no property of Kafka's {scope:?} client"),
                ));
            }
        }
    }
    Ok(out)
}

/// librdkafka counts buffers in KiB, from 1.
fn kibibytes(name: &str, bytes: &str) -> Result<String> {
    let bytes: u64 = bytes
        .parse()
        .map_err(|_| Error::new(ErrorKind::Config, format!("{name}: {bytes:?} is no number of bytes")))?;
    Ok(bytes.div_ceil(1024).max(1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(scope: Scope, name: &str, value: &str) -> Result<Translated> {
        translate(scope, &[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn names_and_units_change_where_librdkafkas_differ() {
        let table = [
            (Scope::Consumer, "fetch.min.bytes", "10", "fetch.min.bytes", "10"),
            (Scope::Consumer, "fetch.max.wait.ms", "5", "fetch.wait.max.ms", "5"),
            (
                Scope::Consumer,
                "request.timeout.ms",
                "9000",
                "socket.timeout.ms",
                "9000",
            ),
            (
                Scope::Consumer,
                "receive.buffer.bytes",
                "-1",
                "socket.receive.buffer.bytes",
                "0",
            ),
            (
                Scope::Producer,
                "request.timeout.ms",
                "9000",
                "request.timeout.ms",
                "9000",
            ),
            (
                Scope::Producer,
                "buffer.memory",
                "33554432",
                "queue.buffering.max.kbytes",
                "32768",
            ),
            (Scope::Producer, "buffer.memory", "1", "queue.buffering.max.kbytes", "1"),
            (
                Scope::Producer,
                "max.request.size",
                "2097152",
                "message.max.bytes",
                "2097152",
            ),
            (Scope::Producer, "linger.ms", "5", "linger.ms", "5"),
        ];
        for (scope, name, value, to, expected) in table {
            let translated = one(scope, name, value).unwrap();
            assert_eq!(translated.settings, [(to.to_owned(), expected.to_owned())], "{name}");
            assert!(translated.ignored.is_empty(), "{name}");
        }
    }

    #[test]
    fn what_means_nothing_is_named_and_what_is_unknown_is_refused() {
        let translated = one(Scope::Producer, "partitioner.class", "x").unwrap();
        assert_eq!(translated.ignored, ["partitioner.class"]);
        assert!(translated.settings.is_empty());
        assert_eq!(
            one(Scope::Consumer, "session.timeout.ms", "1").unwrap(),
            Translated::default()
        );
        // Handed to librdkafka from what was read of it.
        assert_eq!(
            one(Scope::Producer, "sasl.jaas.config", "x").unwrap(),
            Translated::default()
        );
        let error = one(Scope::Producer, "linger", "5").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.to_string(), "linger is no property of Kafka's Producer client");
        let error = one(Scope::Producer, "buffer.memory", "32MB").unwrap_err();
        assert!(error.to_string().contains("buffer.memory"), "{error}");
    }

    #[test]
    fn no_name_is_listed_twice() {
        for scope in [Scope::Consumer, Scope::Producer, Scope::Admin] {
            let mut all: Vec<&str> = names(scope).collect();
            all.sort_unstable();
            let count = all.len();
            all.dedup();
            assert_eq!(all.len(), count, "{scope:?}");
        }
    }
}
