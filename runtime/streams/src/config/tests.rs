use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::{Expect, expect, expect_file};
use millrace_topology::OnError;

use super::*;

/// `key = value` lines, with the two required ones added.
fn parse(lines: &str) -> Result<Parsed, ConfigError> {
    StreamsConfig::parse(&with_required(lines))
}

fn with_required(lines: &str) -> BTreeMap<String, String> {
    let mut all = properties(lines);
    all.entry("application.id".into()).or_insert_with(|| "app".into());
    all.entry("bootstrap.servers".into())
        .or_insert_with(|| "a:9092, b:9092".into());
    all
}

fn properties(lines: &str) -> BTreeMap<String, String> {
    let pairs = lines
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_once('=').expect("key = value"));
    pairs
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn config(lines: &str) -> StreamsConfig {
    parse(lines).unwrap_or_else(|error| panic!("{error}")).config
}

fn problems(lines: &str) -> String {
    parse(lines).err().map(|error| error.to_string()).unwrap_or_default()
}

fn warnings(lines: &str) -> String {
    let parsed = parse(lines).unwrap_or_else(|error| panic!("{error}"));
    parsed
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn client(lines: &str, kind: ClientKind) -> String {
    config(lines)
        .client_config(kind)
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn check(actual: &str, expected: &Expect) {
    expected.assert_eq(actual);
}

const EOS: &str = "processing.guarantee = exactly_once_v2\n";

#[test]
fn defaults() {
    let config = config("");
    assert_eq!(config.bootstrap_servers, ["a:9092", "b:9092"]);
    assert_eq!(config.processing_guarantee, ProcessingGuarantee::AtLeastOnce);
    assert_eq!(config.num_stream_threads, 1);
    assert_eq!(config.statestore_cache_max_bytes, 10 * 1024 * 1024);
    assert_eq!(config.statestore_uncommitted_max_bytes, Some(64 * 1024 * 1024));
    assert_eq!(config.input_buffer_max_bytes, 512 * 1024 * 1024);
    assert_eq!(config.max_task_idle, TaskIdle::UntilCaughtUp);
    assert_eq!(config.default_timestamp_extractor, TimestampExtractor::FailOnInvalid);
    assert_eq!(config.deserialization_handler, OnError::Fail);
    assert_eq!(config.processing_handler, OnError::Fail);
    assert_eq!(config.production_handler, OnError::Fail);
    assert_eq!(config.auto_offset_reset, AutoOffsetReset::Earliest);
    assert_eq!(config.dead_letter_topic(), "app-dead-letter");
    assert_eq!(config.errors_dead_letter_queue_topic_name, None);
    assert_eq!(
        (config.buffered_records_per_partition, config.max_poll_records),
        (1000, 1000)
    );
    assert_eq!((config.replication_factor, config.num_standby_replicas), (-1, 0));
    assert_eq!(
        (config.acceptable_recovery_lag, config.max_warmup_replicas),
        (10_000, 2)
    );
    let millis = [
        config.poll,
        config.session_timeout,
        config.heartbeat_interval,
        config.max_poll_interval,
        config.task_timeout,
        config.repartition_purge_interval,
        config.state_cleanup_delay,
        config.windowstore_changelog_additional_retention,
        config.request_timeout,
        config.probing_rebalance_interval,
    ];
    let expected = [
        100, 45_000, 3_000, 300_000, 300_000, 30_000, 600_000, 86_400_000, 40_000, 600_000,
    ];
    assert_eq!(millis, expected.map(Duration::from_millis));
}

#[test]
fn what_exactly_once_changes() {
    for (lines, commit, transaction, once) in [
        ("", 30_000, 60_000, false),
        (EOS, 100, 10_000, true),
        (
            "processing.guarantee = exactly_once_v2\ncommit.interval.ms = 1000",
            1_000,
            10_000,
            true,
        ),
        (
            "processing.guarantee = exactly_once_v2\nproducer.transaction.timeout.ms = 1m\ncommit.interval.ms=1m",
            60_000,
            60_000,
            true,
        ),
        ("transaction.timeout.ms = 7s", 30_000, 7_000, false),
    ] {
        let config = config(lines);
        assert_eq!(config.commit_interval.as_millis(), commit, "{lines}");
        assert_eq!(config.transaction_timeout.as_millis(), transaction, "{lines}");
        assert_eq!(config.exactly_once(), once, "{lines}");
    }
}

#[test]
fn words_and_java_classes() {
    let extractor = |value: &str| config(&format!("default.timestamp.extractor = {value}")).default_timestamp_extractor;
    assert_eq!(
        extractor("org.apache.kafka.streams.processor.WallclockTimestampExtractor"),
        TimestampExtractor::WallClock
    );
    assert_eq!(
        extractor("LogAndSkipOnInvalidTimestamp"),
        TimestampExtractor::LogAndSkip
    );
    assert_eq!(
        extractor("UsePartitionTimeOnInvalidTimestamp"),
        TimestampExtractor::UsePartitionTime
    );

    let errors = "org.apache.kafka.streams.errors";
    for (value, expected) in [
        (format!("{errors}.LogAndContinueExceptionHandler"), OnError::Continue),
        (format!("{errors}.LogAndFailExceptionHandler"), OnError::Fail),
        ("continue".into(), OnError::Continue),
        ("deadLetter".into(), OnError::DeadLetter),
    ] {
        assert_eq!(
            config(&format!("deserialization.exception.handler = {value}")).deserialization_handler,
            expected
        );
        assert_eq!(
            config(&format!("default.deserialization.exception.handler = {value}")).deserialization_handler,
            expected
        );
    }
    let processing = format!("processing.exception.handler = {errors}.LogAndContinueProcessingExceptionHandler");
    assert_eq!(config(&processing).processing_handler, OnError::Continue);
    assert_eq!(
        config("production.exception.handler = deadLetter").production_handler,
        OnError::DeadLetter
    );

    for (value, expected) in [
        ("latest", AutoOffsetReset::Latest),
        ("NONE", AutoOffsetReset::None),
        ("by_duration:PT1H", AutoOffsetReset::ByDuration(Duration::from_hours(1))),
    ] {
        assert_eq!(
            config(&format!("consumer.auto.offset.reset = {value}")).auto_offset_reset,
            expected
        );
    }
    for (value, expected) in [
        ("-1", TaskIdle::Never),
        ("0", TaskIdle::UntilCaughtUp),
        ("2s", TaskIdle::Extra(Duration::from_secs(2))),
    ] {
        assert_eq!(config(&format!("max.task.idle.ms = {value}")).max_task_idle, expected);
    }
    assert_eq!(
        config("statestore.uncommitted.max.bytes = -1").statestore_uncommitted_max_bytes,
        None
    );
    assert_eq!(config("log.summary.interval.ms = -1").log_summary_interval, None);
    assert_eq!(
        config("topic.retention.ms = 5").topic_configs,
        BTreeMap::from([("retention.ms".into(), "5".into())])
    );
}

#[test]
fn older_names_give_way_to_newer_ones() {
    let (old, new) = ("cache.max.bytes.buffering = 1", "statestore.cache.max.bytes = 2");
    assert_eq!(config(old).statestore_cache_max_bytes, 1);
    assert_eq!(config(&format!("{old}\n{new}")).statestore_cache_max_bytes, 2);
    check(
        &warnings(old),
        &expect![
            "`cache.max.bytes.buffering`: is the older name of `statestore.cache.max.bytes`, which wins if both are set"
        ],
    );
    let both = "default.production.exception.handler = continue\nproduction.exception.handler = fail";
    assert_eq!(config(both).production_handler, OnError::Fail);
}

#[test]
fn the_longer_prefix_wins() {
    let lines = "
        session.timeout.ms = 20s
        consumer.session.timeout.ms = 30s
        main.consumer.session.timeout.ms = 40s
        consumer.max.poll.interval.ms = 1m
        restore.consumer.max.poll.interval.ms = 2m
        consumer.group.instance.id = pod-0
    ";
    let config = config(lines);
    assert_eq!(config.session_timeout, Duration::from_secs(40));
    assert_eq!(config.max_poll_interval, Duration::from_mins(1));
    assert_eq!(config.group_instance_id.as_deref(), Some("pod-0"));
}

#[test]
fn client_configs() {
    let own = "fetch.min.bytes = 2\nretries = 5\nrestore.consumer.fetch.min.bytes = 3\nproducer.linger.ms = 5\nadmin.retries = 7\nsend.buffer.bytes=9\nmetrics.recording.level = DEBUG";
    for (lines, kind, expected) in [
        (
            "",
            ClientKind::MainConsumer,
            expect![
                "allow.auto.create.topics=false auto.offset.reset=earliest enable.auto.commit=false group.protocol=classic max.poll.records=1000"
            ],
        ),
        (
            "",
            ClientKind::RestoreConsumer,
            expect![
                "allow.auto.create.topics=false auto.offset.reset=none enable.auto.commit=false group.protocol=classic max.poll.records=1000"
            ],
        ),
        ("", ClientKind::Producer, expect!["linger.ms=100"]),
        ("", ClientKind::Admin, expect![""]),
        (
            EOS,
            ClientKind::MainConsumer,
            expect![
                "allow.auto.create.topics=false auto.offset.reset=earliest enable.auto.commit=false group.protocol=classic isolation.level=read_committed max.poll.records=1000"
            ],
        ),
        (
            EOS,
            ClientKind::Producer,
            expect!["enable.idempotence=true linger.ms=100 transaction.timeout.ms=10000"],
        ),
        (EOS, ClientKind::Admin, expect![""]),
        (
            own,
            ClientKind::MainConsumer,
            expect![
                "allow.auto.create.topics=false auto.offset.reset=earliest enable.auto.commit=false fetch.min.bytes=2 group.protocol=classic max.poll.records=1000 send.buffer.bytes=9"
            ],
        ),
        (
            own,
            ClientKind::RestoreConsumer,
            expect![
                "allow.auto.create.topics=false auto.offset.reset=none enable.auto.commit=false fetch.min.bytes=3 group.protocol=classic max.poll.records=1000 send.buffer.bytes=9"
            ],
        ),
        (
            own,
            ClientKind::Producer,
            expect!["linger.ms=5 retries=5 send.buffer.bytes=9"],
        ),
        (own, ClientKind::Admin, expect!["retries=7 send.buffer.bytes=9"]),
    ] {
        check(&client(lines, kind), &expected);
    }
}

#[test]
fn what_the_engine_controls_is_named_and_ignored() {
    let lines = "
        consumer.enable.auto.commit = true
        allow.auto.create.topics = false
        consumer.isolation.level = read_uncommitted
        producer.transactional.id = mine
        producer.enable.idempotence = false
        consumer.group.id = mine
        main.consumer.client.id = mine
        consumer.bootstrap.servers = elsewhere:9092
        global.consumer.fetch.min.bytes = 3
        group.protocol = classic
    ";
    check(
        &warnings(&format!("{EOS}{lines}")),
        &expect![[r#"
            `consumer.bootstrap.servers`: is ignored: all clients share bootstrap.servers
            `consumer.group.id`: is ignored: the group is the application: set application.id
            `global.consumer.fetch.min.bytes`: has no effect: there are no global tables yet
            `main.consumer.client.id`: is ignored: clients are named after client.id and the worker
            `producer.transactional.id`: is ignored: each worker has its own, of the application id and the process id
            `consumer.enable.auto.commit`: `true` is ignored: Kafka Streams always sets `false`
            `consumer.isolation.level`: `read_uncommitted` is ignored: under `processing.guarantee: exactly_once_v2` Kafka Streams sets `read_committed`
            `producer.enable.idempotence`: `false` is ignored: under `processing.guarantee: exactly_once_v2` Kafka Streams sets `true`"#]],
    );
    check(
        &client(&format!("{EOS}{lines}"), ClientKind::Producer),
        &expect!["enable.idempotence=true linger.ms=100 transaction.timeout.ms=10000"],
    );
    // At least once leaves more to the user.
    check(
        &warnings("consumer.isolation.level = read_committed\nproducer.enable.idempotence = false"),
        &expect![""],
    );
    check(
        &client("consumer.isolation.level = read_committed", ClientKind::MainConsumer),
        &expect![
            "allow.auto.create.topics=false auto.offset.reset=earliest enable.auto.commit=false group.protocol=classic isolation.level=read_committed max.poll.records=1000"
        ],
    );
}

#[test]
fn what_means_nothing_here_is_named_with_the_reason() {
    let lines = "
        default.value.serde = io.confluent.kafka.streams.serdes.avro.SpecificAvroSerde
        metrics.recording.level = DEBUG
        rocksdb.config.setter = com.example.BoundedMemory
        application.server = host:1234
        producer.metric.reporters = com.example.Reporter
        upgrade.from = 3.4
    ";
    check(
        &warnings(lines),
        &expect![[r#"
            `application.server`: has no effect: stores cannot be asked from outside yet
            `default.value.serde`: has no effect: formats are stated with each topic and step of the topology
            `metrics.recording.level`: has no effect: these are the JVM client's metrics; the engine counts on its own
            `producer.metric.reporters`: has no effect: these are the JVM client's metrics; the engine counts on its own
            `rocksdb.config.setter`: has no effect: block cache, write buffers and threads are shared by the whole process
            `upgrade.from`: has no effect: its formats belong to Java applications before 3.5"#]],
    );
}

#[test]
fn what_cannot_be_ignored_is_refused_unless_it_is_the_default() {
    let lines = "
        topology.optimization = all
        group.protocol = streams
        default.dsl.store = in_memory
        processor.wrapper.class = com.example.Wrapper
        producer.partitioner.class = com.example.Partitioner
        consumer.interceptor.classes = com.example.Interceptor
    ";
    check(
        &problems(lines),
        &expect![[r#"
        `consumer.interceptor.classes`: `com.example.Interceptor` is not supported: classes cannot be loaded
        `default.dsl.store`: `in_memory` is not supported: stores are kept in RocksDB
        `group.protocol`: `streams` is not supported: the group runs on the classic protocol with an assignor of its own
        `processor.wrapper.class`: `Wrapper` is not supported: steps cannot be wrapped
        `producer.partitioner.class`: `Partitioner` is not supported: records are partitioned as Java's producer does by default, by the hash of the key
        `topology.optimization`: `all` is not supported: plans are not rewritten yet"#]],
    );
    let defaults = "
        topology.optimization = none
        group.protocol = CLASSIC
        default.dsl.store = rocksDB
        dsl.store.suppliers.class = org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$RocksDBDslStoreSuppliers
        processor.wrapper.class = org.apache.kafka.streams.processor.internals.NoOpProcessorWrapper
        config.providers =
    ";
    check(&warnings(defaults), &expect![""]);
}

#[test]
fn every_problem_is_reported() {
    let lines = "
        commit.intervall.ms = 1
        commitIntervalMs = 1
        num_stream_threads = 2
        consumer.linger.ms = 5
        consumer.fetch.min.byte = 5
        producer.fetch.min.bytes = 5
        topic.retention = 5
        something.else.entirely = 5
        num.stream.threads = 0
        statestore.cache.max.bytes = 10MB
        processing.guarantee = exactly_once
        max.task.idle.ms = -2
        replication.factor = 40000
        probing.rebalance.interval.ms = 59s
        deserialization.exception.handler = com.example.Mine
        default.timestamp.extractor = com.example.PaymentTime
        auto.offset.reset = newest
        session.timeout.ms = 3s
        producer.batch.size = 1000
        topic.segment.bytes = 999
        application.id =
    ";
    check(
        &problems(lines),
        &expect![[r#"
        `application.id`: it must not be empty
        `commit.intervall.ms`: unknown property; did you mean `commit.interval.ms`?
        `commitIntervalMs`: unknown property; did you mean `commit.interval.ms`?
        `consumer.fetch.min.byte`: unknown property; did you mean `consumer.fetch.min.bytes`?
        `consumer.linger.ms`: unknown property: neither Kafka Streams nor its clients nor Millrace have it
        `max.task.idle.ms`: -2 is less than -1
        `num.stream.threads`: 0 is less than 1
        `num_stream_threads`: unknown property; did you mean `num.stream.threads`?
        `probing.rebalance.interval.ms`: 59000 is less than 60000
        `processing.guarantee`: `exactly_once` is none of at_least_once, exactly_once_v2
        `producer.fetch.min.bytes`: unknown property: neither Kafka Streams nor its clients nor Millrace have it
        `replication.factor`: 40000 is more than 32767
        `something.else.entirely`: unknown property: neither Kafka Streams nor its clients nor Millrace have it
        `statestore.cache.max.bytes`: `10MB` is no whole number
        `topic.retention`: unknown property; did you mean `topic.retention.ms`?
        `default.timestamp.extractor`: the class `PaymentTime` has no counterpart here; there are FailOnInvalidTimestamp, LogAndSkipOnInvalidTimestamp, UsePartitionTimeOnInvalidTimestamp and WallclockTimestampExtractor. A topic of the manifest may state `timestamp`
        `deserialization.exception.handler`: `Mine` has no counterpart here; there are fail, continue, deadLetter, LogAndFailExceptionHandler, LogAndContinueExceptionHandler, RecoveringDeserializationExceptionHandler
        `auto.offset.reset`: `newest` is none of earliest, latest, none, by_duration:PT1H
        `heartbeat.interval.ms`: 3000 must be less than session.timeout.ms, which is 3000
        `topic.segment.bytes`: 999 is less than the producer's batch.size, which is 1000"#]],
    );
}

#[test]
fn contradictions_under_exactly_once() {
    let lines = "
        commit.interval.ms = 30s
        producer.max.in.flight.requests.per.connection = 6
        acks = 1
        producer.retries = 0
    ";
    check(
        &problems(&format!("{EOS}{lines}")),
        &expect![[r#"
        `commit.interval.ms`: 30000 is more than producer.transaction.timeout.ms, which is 10000: every transaction would time out. Lower the one or raise the other
        `producer.max.in.flight.requests.per.connection`: must be at most 5 under `exactly_once_v2`
        `producer.acks`: must be `all` under `exactly_once_v2`
        `producer.retries`: must not be 0 under `exactly_once_v2`"#]],
    );
    check(&problems(lines), &expect![""]);
}

#[test]
fn what_is_required() {
    let error = StreamsConfig::parse(&BTreeMap::new()).unwrap_err().to_string();
    check(
        &error,
        &expect![[r#"
        `application.id`: is required
        `bootstrap.servers`: is required"#]],
    );
}

#[test]
fn passwords_are_not_shown() {
    let lines = "sasl.jaas.config = org.apache…PlainLoginModule required username=\"a\" password=\"secret\";\nssl.keystore.password = secret";
    let shown = format!("{:?}", config(lines));
    assert!(shown.contains("[hidden]") && !shown.contains("secret"), "{shown}");
    let unfit = problems(&format!("{lines}\nssl.keystore.typ = x"));
    assert!(!unfit.contains("secret"), "{unfit}");
}

#[test]
fn what_concerns_security_is_the_same_for_all_clients() {
    let lines = "security.protocol = SSL\nlinger.ms = 5\nmillrace.ssl.key.password.file = /run/password";
    let shared: Vec<String> = config(lines)
        .security_config()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(shared, ["millrace.ssl.key.password.file", "security.protocol"]);
}

#[test]
fn springs_prefix_in_both_notations() {
    let lines = "
        spring.kafka.streams.properties.commit.interval.ms = 7
        spring.kafka.streams.properties[consumer.session.timeout.ms] = 9s
    ";
    let config = config(lines);
    assert_eq!(config.commit_interval, Duration::from_millis(7));
    assert_eq!(config.session_timeout, Duration::from_secs(9));
    check(
        &problems("poll.ms = 1\nspring.kafka.streams.properties.poll.ms = 2"),
        &expect!["`spring.kafka.streams.properties.poll.ms`: `poll.ms` sets it too, to `1`: keep one of the two"],
    );
    assert_eq!(problems("poll.ms = 1\nspring.kafka.streams.properties.poll.ms = 1"), "");
}

/// A template as Spring Boot users have it.
#[test]
fn a_spring_boot_template_works_as_it_stands() {
    let lines = "
        spring.kafka.streams.properties.default.key.serde=org.apache.kafka.common.serialization.Serdes$StringSerde
        spring.kafka.streams.properties.processing.guarantee=exactly_once_v2
        spring.kafka.streams.properties.commit.interval.ms=1000
        spring.kafka.streams.properties.cache.max.bytes.buffering=10485760
        spring.kafka.streams.properties.num.stream.threads=2
        spring.kafka.streams.properties.num.standby.replicas=1
        spring.kafka.streams.properties.retries=5
        spring.kafka.streams.properties.retry.backoff.ms=100
        spring.kafka.streams.properties.session.timeout.ms=30000
        spring.kafka.streams.properties.heartbeat.interval.ms=10000
        spring.kafka.streams.properties.max.task.idle.ms=0
        spring.kafka.streams.properties.metrics.recording.level=DEBUG
    ";
    let config = config(lines);
    assert!(config.exactly_once());
    assert_eq!((config.num_stream_threads, config.num_standby_replicas), (2, 1));
    assert_eq!(config.heartbeat_interval, Duration::from_secs(10));
    check(
        &warnings(lines),
        &expect![[r#"
            `cache.max.bytes.buffering`: is the older name of `statestore.cache.max.bytes`, which wins if both are set
            `default.key.serde`: has no effect: formats are stated with each topic and step of the topology
            `metrics.recording.level`: has no effect: these are the JVM client's metrics; the engine counts on its own
            `num.standby.replicas`: has no effect yet: tasks have no standbys, and are restored from their changelogs"#]],
    );
}

/// `java_4_3.tsv` is what Kafka 4.3.1 prints of its own definitions: client, name, type, default, accepted values.
#[test]
fn the_tables_hold_all_that_java_knows_with_its_types_and_defaults() {
    // Where we differ, and know it: our own directory; older names have no default of their own; buffers and idle times, whose
    // defaults differ between Java's clients.
    let other_default = [
        "state.dir",
        "cache.max.bytes.buffering",
        "default.deserialization.exception.handler",
        "default.production.exception.handler",
        "receive.buffer.bytes",
        "connections.max.idle.ms",
    ];
    for line in include_str!("java_4_3.tsv").lines() {
        let [client, name, kind, default, values] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("five columns");
        let (prefix, clients) = match client {
            "consumer" => ("consumer.", Clients::CONSUMER),
            "producer" => ("producer.", Clients::PRODUCER),
            "admin" => ("admin.", Clients::ADMIN),
            _ => ("", Clients::CONSUMER),
        };
        let (scope, _) = scope::split(prefix);
        let property = scope::find(scope, name).unwrap_or_else(|| panic!("{prefix}{name} is missing"));
        if scope != Scope::Plain {
            assert!(
                CLIENTS
                    .iter()
                    .any(|(of, property)| property.name == name && of.include(clients)),
                "{client} {name}"
            );
        }
        let expected = match kind {
            "BOOLEAN" => Kind::Bool,
            "INT" | "SHORT" => Kind::Int,
            "LONG" => Kind::Long,
            "DOUBLE" => Kind::Double,
            "LIST" => Kind::List,
            "CLASS" => Kind::Class,
            "PASSWORD" => Kind::Password,
            _ => Kind::Text,
        };
        assert_eq!(property.kind, expected, "{client} {name}");
        let without_effect = matches!(property.effect, Effect::MeansNothingHere(_) | Effect::Controlled(_));
        if !without_effect && !other_default.contains(&name) {
            let default = class_name_of(kind, default);
            assert_eq!(
                property.default.filter(|default| !default.is_empty()).unwrap_or("null"),
                default,
                "{client} {name}"
            );
        }
        if let Some(least) = values.strip_prefix('[').and_then(|rest| rest.strip_suffix(",...]"))
            && property.effect == Effect::Used
        {
            let check = matches!(property.check, Check::AtLeast(ours) if ours >= least.parse().unwrap());
            assert!(check, "{client} {name}: {values}, {:?}", property.check);
        }
    }
}

fn class_name_of<'a>(kind: &str, default: &'a str) -> &'a str {
    match default {
        "" | "<required>" => "null",
        class if kind == "CLASS" => class_name(class),
        other => other,
    }
}

#[test]
fn names_are_in_the_tables_once() {
    let mut seen = std::collections::HashSet::new();
    for property in STREAMS {
        assert!(seen.insert(property.name), "{} twice", property.name);
    }
    let mut seen = std::collections::HashSet::new();
    for (_, property) in CLIENTS {
        assert!(seen.insert(property.name), "{} twice", property.name);
    }
}

#[test]
fn every_default_passes_its_own_check() {
    for property in STREAMS.iter().chain(CLIENTS.iter().map(|(_, property)| property)) {
        if let Some(default) = property.default {
            let normal = property.normalize(default);
            assert_eq!(normal.as_deref(), Ok(default), "{}", property.name);
        }
    }
}

/// `UPDATE_EXPECT=1` writes it anew.
#[test]
fn the_reference_is_up_to_date() {
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md")].assert_eq(&reference());
}
