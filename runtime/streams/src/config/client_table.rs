//! The properties of Kafka's consumer, producer and admin clients, and of topics.

use super::property::Importance::{High, Low, Medium};
use super::property::Kind::{Bool, Class, Double, Int, List, Long, Password, Text};
use super::property::{Effect, Property, nothing, unsupported, used};

/// Clients that know a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients(u8);

impl Clients {
    /// The consumer.
    pub const CONSUMER: Self = Self(1);
    /// The producer.
    pub const PRODUCER: Self = Self(2);
    /// The admin client.
    pub const ADMIN: Self = Self(4);

    /// Whether one of `other` is among these.
    #[must_use]
    pub const fn include(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether these are all kinds of clients.
    #[must_use]
    pub const fn are_all(self) -> bool {
        self.0 == 7
    }
}

const C: Clients = Clients::CONSUMER;
const P: Clients = Clients::PRODUCER;
const A: Clients = Clients::ADMIN;
const CA: Clients = Clients(5);
const CP: Clients = Clients(3);
const ALL: Clients = Clients(7);

const BYTES: &str = "the engine reads and writes bytes; formats are stated in the topology";
const CLASSES: &str = "classes cannot be loaded";
const JVM_METRICS: &str = "these are the JVM client's metrics; the engine counts on its own";
const GROUP: &str = "the group is the application: set application.id";
const CLIENT: &str = "clients are named after client.id and the worker";
const SERVERS: &str = "all clients share bootstrap.servers";
const SHARE: &str = "there is no share consumer";
const TLS_OF_THE_JVM: &str = "TLS is OpenSSL's, not the JVM's";
const LOGIN_OF_THE_JVM: &str = "logins are not the JVM's";
const PARTITIONER: &str = "records are partitioned as Java's producer does by default, by the hash of the key";

/// Every property of `ConsumerConfig`, `ProducerConfig` and `AdminClientConfig`, and what stands in for Java's key stores, with the
/// clients that know it.
pub static CLIENTS: &[(Clients, Property)] = &[
    // Of the consumer.
    (C, used("allow.auto.create.topics", Bool, Some("true"), Low, "").with(Effect::Fixed("false"))),
    (C, nothing("auto.commit.interval.ms", Int, "offsets are committed with the state: set commit.interval.ms").at_least(0)),
    (C, used("auto.offset.reset", Text, Some("latest"), Medium, "Where a source topic without a committed offset is read from: `earliest` (the default here), `latest`, `none`, `by_duration:PT1H`.")),
    (C, used("check.crcs", Bool, Some("true"), Low, "Whether checksums of fetched records are checked.")),
    (C, used("client.rack", Text, Some(""), Low, "The zone, for fetching from the nearest replica.")),
    (CA, used("default.api.timeout.ms", Int, Some("60000"), Medium, "How long a call that asks the cluster may take.").at_least(0)),
    (C, used("enable.auto.commit", Bool, Some("true"), Medium, "").with(Effect::Fixed("false"))),
    (C, nothing("exclude.internal.topics", Bool, "topics are read by name")),
    (C, used("fetch.max.bytes", Int, Some("52428800"), Medium, "The most that one fetch brings.").at_least(0)),
    (C, used("fetch.max.wait.ms", Int, Some("500"), Low, "How long a broker waits for fetch.min.bytes.").at_least(0)),
    (C, used("fetch.min.bytes", Int, Some("1"), High, "What a broker waits for before it answers a fetch.").at_least(0)),
    (C, nothing("group.id", Text, GROUP).with(Effect::Controlled(GROUP))),
    (C, used("group.instance.id", Text, None, Medium, "Makes the process a static member: its place in the group outlives a restart.").not_empty()),
    (C, used("group.protocol", Text, Some("classic"), High, "").one_of_ignoring_case(&["classic", "consumer"]).with(Effect::Fixed("classic"))),
    (C, nothing("group.remote.assignor", Text, "tasks are assigned by the group's leader")),
    (C, used("heartbeat.interval.ms", Int, Some("3000"), High, "How often the group is told that the process lives.").at_least(1)),
    (CP, unsupported("interceptor.classes", List, Some(""), CLASSES)),
    (C, used("isolation.level", Text, Some("read_uncommitted"), Medium, "Whether records of open and aborted transactions are read.").one_of(&["read_committed", "read_uncommitted"]).with(Effect::FixedUnderExactlyOnce("read_committed"))),
    (C, nothing("key.deserializer", Class, BYTES)),
    (C, nothing("value.deserializer", Class, BYTES)),
    (C, used("max.partition.fetch.bytes", Int, Some("1048576"), High, "The most that one fetch brings of a partition.").at_least(0)),
    (C, used("max.poll.interval.ms", Int, Some("300000"), Medium, "How long a worker may take between two polls before the process gives up, and how long a rebalance waits for a member.").at_least(1)),
    (C, used("max.poll.records", Int, Some("500"), Medium, "Records taken in at a time; 1000 by default here.").at_least(1)),
    (C, nothing("partition.assignment.strategy", List, "tasks are assigned by the group's leader").with(Effect::Controlled("tasks are assigned by the group's leader"))),
    (C, used("session.timeout.ms", Int, Some("45000"), High, "A process that is not heard of for so long is out of the group.").at_least(1)),
    (C, nothing("share.acknowledgement.mode", Text, SHARE)),
    (C, nothing("share.acquire.mode", Text, SHARE)),
    // Of the producer.
    (P, used("acks", Text, Some("all"), Low, "Which replicas must have a record; `all` under `exactly_once_v2`.").one_of(&["all", "-1", "0", "1"])),
    (P, used("batch.size", Int, Some("16384"), Medium, "Bytes of records that are sent together.").at_least(0)),
    (P, used("buffer.memory", Long, Some("33554432"), High, "Bytes that wait to be sent; workers wait when it is full.").at_least(0)),
    (P, used("compression.type", Text, Some("none"), High, "How batches are compressed.").one_of(&["none", "gzip", "snappy", "lz4", "zstd"])),
    (P, used("compression.gzip.level", Int, Some("-1"), Medium, "gzip's level.").between(-1, 9)),
    (P, used("compression.lz4.level", Int, Some("9"), Medium, "lz4's level.").between(1, 17)),
    (P, used("compression.zstd.level", Int, Some("3"), Medium, "zstd's level.").between(-131_072, 22)),
    (P, used("delivery.timeout.ms", Int, Some("120000"), Medium, "How long a record is tried to be delivered; under `exactly_once_v2` as long as a transaction may be open.").at_least(0)),
    (P, used("enable.idempotence", Bool, Some("true"), Low, "Whether retries may repeat or reorder records.").with(Effect::FixedUnderExactlyOnce("true"))),
    (P, nothing("key.serializer", Class, BYTES)),
    (P, nothing("value.serializer", Class, BYTES)),
    (P, used("linger.ms", Long, Some("5"), Medium, "How long a batch waits for more records; 100 by default here.").at_least(0)),
    (P, used("max.block.ms", Long, Some("60000"), Medium, "How long calls on transactions and topics wait.").at_least(0)),
    (P, used("max.in.flight.requests.per.connection", Int, Some("5"), Low, "Batches under way per broker; at most 5 under `exactly_once_v2`.").at_least(1)),
    (P, used("max.request.size", Int, Some("1048576"), Medium, "The largest record, and the largest request.").at_least(0)),
    (P, nothing("metadata.max.idle.ms", Long, "topics are remembered as long as a client lives").at_least(5000)),
    (P, nothing("partitioner.adaptive.partitioning.enable", Bool, PARTITIONER)),
    (P, nothing("partitioner.availability.timeout.ms", Long, PARTITIONER).at_least(0)),
    (P, unsupported("partitioner.class", Class, None, PARTITIONER)),
    (P, unsupported("partitioner.ignore.keys", Bool, Some("false"), PARTITIONER)),
    (P, used("transaction.timeout.ms", Int, Some("60000"), Low, "How long a transaction may be open; 10000 by default here under `exactly_once_v2`.").at_least(1)),
    (P, nothing("transaction.two.phase.commit.enable", Bool, "transactions are the engine's own")),
    (P, nothing("transactional.id", Text, "").with(Effect::Controlled("each worker has its own, of the application id and the process id"))),
    // Of the admin client.
    (A, nothing("bootstrap.controllers", List, SERVERS)),
    // Of all.
    (Clients(6), used("retries", Int, Some("2147483647"), Low, "How often a request is sent again, within its time-out.").between(0, 2_147_483_647)),
    (ALL, nothing("bootstrap.servers", List, SERVERS).with(Effect::Controlled(SERVERS))),
    (ALL, used("client.dns.lookup", Text, Some("use_all_dns_ips"), Medium, "How addresses of brokers are looked up.").one_of(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])),
    (ALL, nothing("client.id", Text, CLIENT).with(Effect::Controlled(CLIENT))),
    (ALL, unsupported("config.providers", List, Some(""), "`${name}` in values asks Spring Boot's sources")),
    (ALL, used("connections.max.idle.ms", Long, Some("540000"), Medium, "Idle connections are closed after so long.")),
    (ALL, nothing("enable.metrics.push", Bool, "metrics are pulled, not pushed")),
    (ALL, used("metadata.max.age.ms", Long, Some("300000"), Low, "Metadata is asked for anew after so long.").at_least(0)),
    (ALL, used("metadata.recovery.strategy", Text, Some("rebootstrap"), Low, "What a client does that finds none of its brokers.").one_of_ignoring_case(&["REBOOTSTRAP", "NONE"])),
    (ALL, used("metadata.recovery.rebootstrap.trigger.ms", Long, Some("300000"), Low, "When it begins again.").at_least(0)),
    (ALL, nothing("metric.reporters", List, JVM_METRICS)),
    (ALL, nothing("metrics.num.samples", Int, JVM_METRICS).at_least(1)),
    (ALL, nothing("metrics.recording.level", Text, JVM_METRICS).one_of(&["INFO", "DEBUG", "TRACE"])),
    (ALL, nothing("metrics.sample.window.ms", Long, JVM_METRICS).at_least(0)),
    (ALL, used("receive.buffer.bytes", Int, Some("65536"), Medium, "The sockets' receive buffer; -1: the system's.").at_least(-1)),
    (ALL, used("reconnect.backoff.ms", Long, Some("50"), Low, "The first wait before a broker is connected to again.").at_least(0)),
    (ALL, used("reconnect.backoff.max.ms", Long, Some("1000"), Low, "The longest wait before a broker is connected to again.").at_least(0)),
    (ALL, used("request.timeout.ms", Int, Some("30000"), Medium, "How long an answer is waited for.").at_least(0)),
    (ALL, used("retry.backoff.ms", Long, Some("100"), Low, "The first wait before a request is sent again.").at_least(0)),
    (ALL, used("retry.backoff.max.ms", Long, Some("1000"), Low, "The longest wait before a request is sent again.").at_least(0)),
    (ALL, used("send.buffer.bytes", Int, Some("131072"), Medium, "The sockets' send buffer; -1: the system's.").at_least(-1)),
    (ALL, used("socket.connection.setup.timeout.ms", Long, Some("10000"), Medium, "How long a connection may take to come up.")),
    (ALL, nothing("socket.connection.setup.timeout.max.ms", Long, "every attempt has socket.connection.setup.timeout.ms")),
    (ALL, used("security.protocol", Text, Some("PLAINTEXT"), Medium, "How brokers are spoken to.").one_of_ignoring_case(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])),
    (ALL, nothing("security.providers", Text, TLS_OF_THE_JVM)),
    (ALL, used("sasl.mechanism", Text, Some("GSSAPI"), Medium, "How the client proves who it is: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`; Kerberos is not built in.")),
    (ALL, used("sasl.jaas.config", Password, None, Medium, "Java's login line: `PlainLoginModule`, `ScramLoginModule` or `OAuthBearerLoginModule` with its options.")),
    (ALL, used("millrace.sasl.jaas.config.file", Text, None, Medium, "Ours: a file with what `sasl.jaas.config` would hold; read again when it changes.")),
    (ALL, used("sasl.username", Text, None, Medium, "The user, in place of `username` in `sasl.jaas.config`; librdkafka's name.")),
    (ALL, used("sasl.password", Password, None, Medium, "The user's password, in place of `password` in `sasl.jaas.config`; librdkafka's name.")),
    (ALL, used("millrace.sasl.password.file", Text, None, Medium, "Ours: a file with the user's password, or OAUTHBEARER's client secret; stands before the others, and is read again when it changes.")),
    (ALL, nothing("sasl.client.callback.handler.class", Class, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.callback.handler.class", Class, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.class", Class, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.connect.timeout.ms", Int, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.read.timeout.ms", Int, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.refresh.buffer.seconds", Int, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.refresh.min.period.seconds", Int, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.refresh.window.factor", Double, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.refresh.window.jitter", Double, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.retry.backoff.ms", Long, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.login.retry.backoff.max.ms", Long, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.kerberos.kinit.cmd", Text, "Kerberos is not built in")),
    (ALL, nothing("sasl.kerberos.min.time.before.relogin", Long, "Kerberos is not built in")),
    (ALL, nothing("sasl.kerberos.service.name", Text, "Kerberos is not built in")),
    (ALL, nothing("sasl.kerberos.ticket.renew.jitter", Double, "Kerberos is not built in")),
    (ALL, nothing("sasl.kerberos.ticket.renew.window.factor", Double, "Kerberos is not built in")),
    (ALL, used("sasl.oauthbearer.token.endpoint.url", Text, None, Medium, "Where tokens are fetched, by the client credentials grant.")),
    (ALL, used("sasl.oauthbearer.client.credentials.client.id", Text, None, Medium, "The client that tokens are fetched for; `clientId` in `sasl.jaas.config` is the older way.")),
    (ALL, used("sasl.oauthbearer.client.credentials.client.secret", Password, None, Medium, "Its secret; `clientSecret` in `sasl.jaas.config` is the older way.")),
    (ALL, used("sasl.oauthbearer.scope", Text, None, Medium, "The scope that is asked for; `scope` in `sasl.jaas.config` is the older way.")),
    (ALL, nothing("sasl.oauthbearer.assertion.algorithm", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.claim.aud", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.claim.exp.seconds", Int, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.claim.iss", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.claim.jti.include", Bool, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.claim.nbf.seconds", Int, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.claim.sub", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.file", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.private.key.file", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.private.key.passphrase", Password, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.assertion.template.file", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.clock.skew.seconds", Int, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.expected.audience", List, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.expected.issuer", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.header.urlencode", Bool, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.jwks.endpoint.url", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.jwt.retriever.class", Class, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.jwt.validator.class", Class, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.scope.claim.name", Text, LOGIN_OF_THE_JVM)),
    (ALL, nothing("sasl.oauthbearer.sub.claim.name", Text, LOGIN_OF_THE_JVM)),
    (ALL, used("ssl.ca.location", Text, None, High, "The same as `ssl.truststore.location`; librdkafka's name.")),
    (ALL, used("ssl.certificate.location", Text, None, High, "A PEM file with the client's certificate, where it lies apart from the key; librdkafka's name.")),
    (ALL, used("ssl.key.location", Text, None, High, "A PEM file with the client's private key, where it lies apart from the certificate; librdkafka's name.")),
    (ALL, used("ssl.cipher.suites", List, Some(""), Low, "Ciphers of TLS 1.2 that are agreed to, by OpenSSL's names with `:` between them.")),
    (ALL, nothing("ssl.enabled.protocols", List, TLS_OF_THE_JVM)),
    (ALL, used("ssl.endpoint.identification.algorithm", Text, Some("https"), Low, "Whether the broker's certificate must be for its name; empty: not.")),
    (ALL, nothing("ssl.engine.factory.class", Class, TLS_OF_THE_JVM)),
    (ALL, used("ssl.key.password", Password, None, High, "The private key's password.")),
    (ALL, used("millrace.ssl.key.password.file", Text, None, High, "Ours: a file with the private key's password.")),
    (ALL, nothing("ssl.keymanager.algorithm", Text, TLS_OF_THE_JVM)),
    (ALL, used("ssl.keystore.certificate.chain", Password, None, High, "The client's certificate and those above it, as PEM text.")),
    (ALL, used("ssl.keystore.key", Password, None, High, "The client's private key, as PEM text.")),
    (ALL, used("ssl.keystore.location", Text, None, High, "A file with the client's certificate and private key, in PEM or PKCS#12; read again when it changes.")),
    (ALL, used("ssl.keystore.password", Password, None, High, "The password of a key store in PKCS#12.")),
    (ALL, used("ssl.keystore.type", Text, Some("JKS"), Medium, "Only checked to be known: whether a file is PEM or PKCS#12 is seen in it, and JKS is refused with the way to convert it.")),
    (ALL, nothing("ssl.protocol", Text, TLS_OF_THE_JVM)),
    (ALL, nothing("ssl.provider", Text, TLS_OF_THE_JVM)),
    (ALL, nothing("ssl.secure.random.implementation", Text, TLS_OF_THE_JVM)),
    (ALL, nothing("ssl.trustmanager.algorithm", Text, TLS_OF_THE_JVM)),
    (ALL, used("ssl.truststore.certificates", Password, None, High, "The authorities that are trusted, as PEM text.")),
    (ALL, used("ssl.truststore.location", Text, None, High, "A file with the authorities that are trusted, in PEM or PKCS#12; without one the system's are. Read again when it changes.")),
    (ALL, used("ssl.truststore.password", Password, None, High, "The password of a trust store in PKCS#12.")),
    (ALL, used("ssl.truststore.type", Text, Some("JKS"), Medium, "As `ssl.keystore.type`.")),
];

/// Properties of topics (`TopicConfig`), under `topic.`: for internal topics.
pub static TOPIC: &[&str] = &[
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];
