//! Files, environment and arguments, and what holds then.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::Surroundings;
use crate::checked::{Overrides, configure, in_order};
use crate::manifest::{self, Problem};

const MANIFEST: &str = "apiVersion: millrace.dev/v1alpha1
kind: StreamApp
metadata: {name: app}
spec:
  applicationId: from-manifest
  kafka: {bootstrapServers: \"kafka:9092\"}
  topology: {}
";

/// A script's parts begin with `== NAME`: files by their paths, `environment`, `arguments`, `manifest` (lines of `spec.config`).
fn shown(script: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut around = Surroundings {
        variables: BTreeMap::new(),
        directory: directory.path().to_owned(),
    };
    let (mut file, mut text) = ("app.yaml".to_owned(), MANIFEST.to_owned());
    let mut overrides = Overrides::default();
    for part in script.split("== ").skip(1) {
        let (name, lines) = part.split_once('\n').unwrap();
        let lines: String = lines
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("        ").unwrap_or(line)))
            .collect();
        let pairs = || {
            let pairs = lines.lines().filter_map(|line| line.trim().split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
        match name {
            "environment" => around.variables.extend(pairs()),
            "arguments" => {
                let pairs = pairs().map(|(key, value)| (key.trim_start_matches("--").to_owned(), value));
                overrides.properties.extend(pairs);
            }
            "manifest" => {
                text.push_str("  config:\n");
                for line in lines.lines() {
                    writeln!(text, "    {line}").unwrap();
                }
            }
            path if path.starts_with("manifest at ") => file = path["manifest at ".len()..].to_owned(),
            path => {
                let path = directory.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, format!("{}\n", lines.trim_end())).unwrap();
            }
        }
    }
    let manifest = manifest::parse(&file, &text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut configured = configure(&manifest, &overrides, Some(&around));
    let mut out = String::new();
    let settings = &configured.settings;
    if settings.profiles != ["default"] {
        writeln!(out, "profiles {}", settings.profiles.join(",")).unwrap();
    }
    for (key, chosen) in &settings.chosen {
        // What the manifest itself always sets is left out.
        let origin = chosen.origin.to_string();
        if !matches!(origin.as_str(), "app.yaml:5" | "app.yaml:6") {
            writeln!(out, "{key} = {} <- {origin}", chosen.value).unwrap();
        }
    }
    in_order(&file, &mut configured.problems);
    let said: String = configured.problems.iter().map(Problem::render).collect();
    out + &said.replace(&directory.path().display().to_string(), "DIR")
}

fn check(script: &str, due: &Expect) {
    due.assert_eq(&shown(script));
}

#[test]
fn the_stronger_source_wins() {
    check(
        "
        == manifest
        poll.ms: 1
        state.dir: /1
        num.stream.threads: 1
        buffered.records.per.partition: 1
        max.task.idle.ms: 1
        == application.properties
        state.dir=/2
        num.stream.threads=2
        buffered.records.per.partition=2
        max.task.idle.ms=2
        == application-prod.yaml
        num.stream.threads: 3
        buffered.records.per.partition: 3
        max.task.idle.ms: 3
        == environment
        SPRING_PROFILES_ACTIVE=prod
        SPRING_KAFKA_STREAMS_PROPERTIES_BUFFERED_RECORDS_PER_PARTITION=4
        SPRING_KAFKA_STREAMS_PROPERTIES_MAX_TASK_IDLE_MS=4
        == arguments
        --max.task.idle.ms=5
        ",
        &expect![[r#"
            profiles prod
            buffered.records.per.partition = 4 <- environment SPRING_KAFKA_STREAMS_PROPERTIES_BUFFERED_RECORDS_PER_PARTITION
            max.task.idle.ms = 5 <- argument --max.task.idle.ms
            num.stream.threads = 3 <- application-prod.yaml:1
            poll.ms = 1 <- app.yaml:9
            state.dir = /2 <- application.properties:1
        "#]],
    );
}

/// The seed's template, as it stands.
#[test]
fn the_template() {
    let template = include_str!("../../../../examples/spring-boot/application.properties");
    let indented: String = template.lines().map(|line| format!("        {line}\n")).collect();
    check(
        &format!("== application.properties\n{indented}"),
        &expect![[r#"
        application.id = stream-processor-v1 <- application.properties:2
        bootstrap.servers = kafka-broker-1:9092,kafka-broker-2:9092 <- application.properties:3
        cache.max.bytes.buffering = 10485760 <- application.properties:14
        commit.interval.ms = 1000 <- application.properties:13
        default.key.serde = org.apache.kafka.common.serialization.Serdes$StringSerde <- application.properties:6
        default.value.serde = io.confluent.kafka.streams.serdes.avro.SpecificAvroSerde <- application.properties:7
        heartbeat.interval.ms = 10000 <- application.properties:24
        max.task.idle.ms = 0 <- application.properties:25
        metrics.recording.level = DEBUG <- application.properties:28
        num.standby.replicas = 1 <- application.properties:18
        num.stream.threads = 2 <- application.properties:15
        processing.guarantee = exactly_once_v2 <- application.properties:10
        retries = 5 <- application.properties:19
        retry.backoff.ms = 100 <- application.properties:20
        session.timeout.ms = 30000 <- application.properties:23
        application.properties:6:1: warning: default.key.serde: has no effect: formats are stated with each topic and step of the topology (this one is `string`) [config]
            6 | spring.kafka.streams.properties.default.key.serde=org.apache.kafka.common.serialization.Serdes$StringSerde
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        application.properties:7:1: warning: default.value.serde: has no effect: formats are stated with each topic and step of the topology [config]
            7 | spring.kafka.streams.properties.default.value.serde=io.confluent.kafka.streams.serdes.avro.SpecificAvroSerde
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        application.properties:14:1: warning: cache.max.bytes.buffering: is the older name of `statestore.cache.max.bytes`, which wins if both are set [config]
           14 | spring.kafka.streams.properties.cache.max.bytes.buffering=10485760
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        application.properties:18:1: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
           18 | spring.kafka.streams.properties.num.standby.replicas=1
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        application.properties:28:1: warning: metrics.recording.level: has no effect: these are the JVM client's metrics; the engine counts on its own [config]
           28 | spring.kafka.streams.properties.metrics.recording.level=DEBUG
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#]],
    );
}

#[test]
fn where_files_are_looked_for() {
    check(
        "
        == manifest at apps/app.yaml
        == apps/application.properties
        poll.ms=1
        num.stream.threads=1
        max.task.idle.ms=1
        state.dir=/1
        == application.yaml
        num.stream.threads: 2
        max.task.idle.ms: 2
        state.dir: /2
        == application.yml
        max.task.idle.ms: 3
        == config/application.properties
        state.dir=/4
        == config/extra/application.properties
        max.warmup.replicas=5
        ",
        &expect![[r#"
            application.id = from-manifest <- apps/app.yaml:5
            bootstrap.servers = kafka:9092 <- apps/app.yaml:6
            max.task.idle.ms = 3 <- application.yml:1
            max.warmup.replicas = 5 <- config/extra/application.properties:1
            num.stream.threads = 2 <- application.yaml:1
            poll.ms = 1 <- apps/application.properties:1
            state.dir = /4 <- config/application.properties:1
        "#]],
    );
}

#[test]
fn other_places_and_names() {
    check(
        "
        == application.properties
        poll.ms=1
        == etc/service.yaml
        poll.ms: 2
        == etc/service-blue.yaml
        state.dir: /blue
        == more.properties
        num.stream.threads=3
        == environment
        SPRING_CONFIG_NAME=service
        SPRING_CONFIG_ADDITIONALLOCATION=file:./more.properties
        SPRING_PROFILES_ACTIVE=blue
        == arguments
        --spring.config.location=etc/,optional:nowhere/
        ",
        &expect![[r#"
            profiles blue
            num.stream.threads = 3 <- more.properties:1
            poll.ms = 2 <- etc/service.yaml:1
            state.dir = /blue <- etc/service-blue.yaml:1
        "#]],
    );
    check(
        "
        == arguments
        --spring.config.location=nowhere/
        --spring.config.additional-location=classpath:/x/,file.txt
        ",
        &expect![[r#"
            --spring.config.additional-location: error: spring.config.additional-location: `classpath:/x/`: files can be read, classpath: cannot [config]
            --spring.config.additional-location: error: spring.config.additional-location: `file.txt`: the file ends in none of .properties, .yaml and .yml; a directory ends in / [config]
            --spring.config.location: error: there is no nowhere/: write `optional:` before it if it may be missing [config]
        "#]],
    );
}

#[test]
fn imports() {
    check(
        "
        == application.properties
        spring.config.import=conf/more.yaml,optional:gone.properties,configtree:secrets/
        poll.ms=1
        num.stream.threads=1
        == conf/more.yaml
        poll.ms: 2
        spring.config.import: next.properties
        == conf/more-prod.yaml
        max.task.idle.ms: 3
        == conf/next.properties
        state.dir=/next
        == secrets/ssl/key.password
        hidden
        == secrets/num.stream.threads
        7
        == arguments
        --spring.profiles.active=prod
        ",
        &expect![[r#"
            profiles prod
            max.task.idle.ms = 3 <- conf/more-prod.yaml:1
            num.stream.threads = 7 <- secrets/num.stream.threads:1
            poll.ms = 2 <- conf/more.yaml:1
            ssl.key.password = hidden <- secrets/ssl/key.password:1
            state.dir = /next <- conf/next.properties:1
        "#]],
    );
    check(
        "
        == application.properties
        spring.config.import=gone.properties
        == application-default.properties
        spring.config.import=vault://x
        ",
        &expect![[r#"
            application-default.properties:1:1: error: `vault://x`: files can be read, vault: cannot [config]
                1 | spring.config.import=vault://x
                  | ^^^^^^^^^^^^^^^^^^^^
            application.properties:1:1: error: there is no gone.properties: write `optional:` before it if it may be missing [config]
                1 | spring.config.import=gone.properties
                  | ^^^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn documents_and_profiles() {
    check(
        "
        == application.yaml
        poll.ms: 1
        spring.profiles.active: \"prod, ${REGION:eu}\"
        spring.profiles.group.prod: [metrics]
        ---
        spring.config.activate.on-profile: prod & eu
        poll.ms: 2
        ---
        spring.config.activate.on-profile: dev
        state.dir: /dev
        == application-metrics.properties
        log.summary.interval.ms=5s
        #---
        spring.config.activate.on-profile=!eu
        state.dir=/not-eu
        ",
        &expect![[r#"
            profiles prod,metrics,eu
            log.summary.interval.ms = 5s <- application-metrics.properties:1
            poll.ms = 2 <- application.yaml:6
        "#]],
    );
    check(
        "
        == application-prod.properties
        spring.profiles.active=other
        == application.properties
        a=1
        #---
        spring.config.activate.on-profile=prod & | x
        == arguments
        --spring.profiles.active=prod
        ",
        &expect![[r#"
            profiles prod
            application-prod.properties:1:1: error: spring.profiles.active cannot depend on a profile: set it where no profile is asked for [config]
                1 | spring.profiles.active=other
                  | ^^^^^^^^^^^^^^^^^^^^^^
            application.properties:1:1: warning: a: has no effect: no property of Kafka's, Spring's or Millrace's has this name, and no placeholder asks for it [config]
                1 | a=1
                  | ^
            application.properties:3:1: error: `prod & | x` is no expression of profiles: a profile is missing [config]
                3 | spring.config.activate.on-profile=prod & | x
                  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn placeholders_ask_all_sources() {
    check(
        "
        == manifest
        producer.client.id: \"${spring.application.name}\"
        == application.properties
        spring.application.name=payments
        app.data-dir=/data
        state.dir=${app.data-dir}/${HOSTNAME:none}/${APP_ZONE:a}
        spring.kafka.bootstrap-servers=${KAFKA_HOST}:9092
        poll.ms=${app.poll:${app.default-poll}}
        == environment
        HOSTNAME=pod-0
        KAFKA_HOST=broker
        == arguments
        --app.default-poll=50
        ",
        &expect![[r#"
            bootstrap.servers = broker:9092 <- application.properties:4
            poll.ms = 50 <- application.properties:5
            producer.client.id = payments <- app.yaml:9
            state.dir = /data/pod-0/a <- application.properties:3
            app.yaml:9:5: warning: producer.client.id: is ignored: clients are named after client.id and the worker [config]
                9 |     producer.client.id: "${spring.application.name}"
                  |     ^^^^^^^^^^^^^^^^^^
        "#]],
    );
    check(
        "
        == application.properties
        state.dir=${DATA_DIR}
        poll.ms=${poll.ms}
        ",
        &expect![[r#"
            application.properties:1:1: error: state.dir: nothing sets DATA_DIR, which `${DATA_DIR}` asks for: set it, or state a default: `${DATA_DIR:…}` [config]
                1 | state.dir=${DATA_DIR}
                  | ^^^^^^^^^
            application.properties:2:1: error: poll.ms: `${poll.ms}` refers to itself [config]
                2 | poll.ms=${poll.ms}
                  | ^^^^^^^
        "#]],
    );
}

#[test]
fn springs_own_names() {
    check(
        "
        == application.yaml
        spring:
          kafka:
            bootstrap-servers: [a:9092, b:9092]
            clientId: payments
            security.protocol: SSL
            ssl:
              key-store-type: PEM
              trust-store-type: PEM
            properties:
              reconnect.backoff.ms: 70
            consumer: {max-poll-records: 7, isolation-level: read-committed, fetch-min-size: 1KB, group-id: x}
            producer: {batch-size: 32KB, transaction-id-prefix: tx, properties: {linger.ms: 9}}
            streams:
              application_id: from-yaml
              replication-factor: 3
              state-dir: /data
              state-store-cache-max-size: 20MB
              cleanup: {on-startup: false, on-shutdown: true}
              properties:
                \"[restore.consumer.fetch.min.bytes]\": 5
            listener.type: batch
        ",
        &expect![[r#"
            application.id = from-yaml <- application.yaml:14
            bootstrap.servers = a:9092,b:9092 <- application.yaml:3
            client.id = payments <- application.yaml:4
            consumer.fetch.min.bytes = 1024 <- application.yaml:11
            consumer.group.id = x <- application.yaml:11
            consumer.isolation.level = read_committed <- application.yaml:11
            consumer.max.poll.records = 7 <- application.yaml:11
            producer.batch.size = 32768 <- application.yaml:12
            producer.linger.ms = 9 <- application.yaml:12
            reconnect.backoff.ms = 70 <- application.yaml:10
            replication.factor = 3 <- application.yaml:15
            restore.consumer.fetch.min.bytes = 5 <- application.yaml:20
            security.protocol = SSL <- application.yaml:5
            ssl.keystore.type = PEM <- application.yaml:7
            ssl.truststore.type = PEM <- application.yaml:8
            state.dir = /data <- application.yaml:16
            statestore.cache.max.bytes = 20971520 <- application.yaml:17
            application.yaml:11:91: warning: consumer.group.id: is ignored: the group is the application: set application.id [config]
               11 |     consumer: {max-poll-records: 7, isolation-level: read-committed, fetch-min-size: 1KB, group-id: x}
                  |                                                                                           ^^^^^^^^
            application.yaml:12:34: warning: spring.kafka.producer.transaction-id-prefix: has no effect: each worker has its own transactional id [config]
               12 |     producer: {batch-size: 32KB, transaction-id-prefix: tx, properties: {linger.ms: 9}}
                  |                                  ^^^^^^^^^^^^^^^^^^^^^
            application.yaml:18:36: warning: spring.kafka.streams.cleanup.on-shutdown: has no effect: state is never wiped by running: what it holds is checked against its changelog [config]
               18 |       cleanup: {on-startup: false, on-shutdown: true}
                  |                                    ^^^^^^^^^^^
            application.yaml:21:5: warning: spring.kafka.listener.type: has no effect: there are no listeners: an application reads by its topology [config]
               21 |     listener.type: batch
                  |     ^^^^^^^^^^^^^
        "#]],
    );
}

/// As in Spring Boot: what speaks to streams alone is stronger than what speaks to all, wherever it stands.
#[test]
fn the_closer_name_wins() {
    check(
        "
        == application.properties
        spring.kafka.streams.client-id=streams
        spring.kafka.properties.client.id=common
        == environment
        SPRING_KAFKA_CLIENTID=environment
        ",
        &expect![[r#"
            client.id = streams <- application.properties:1
            environment SPRING_KAFKA_CLIENTID: warning: SPRING_KAFKA_CLIENTID: has no effect: spring.kafka.streams.client-id (application.properties:1) is the closer name, as in Spring Boot [config]
        "#]],
    );
    // But nothing of Spring's gives way to the manifest.
    check(
        "
        == manifest
        state.dir: /manifest
        client.id: manifest
        == application.properties
        spring.kafka.streams.state-dir=/spring
        spring.kafka.client-id=spring
        ",
        &expect![[r#"
            client.id = spring <- application.properties:2
            state.dir = /spring <- application.properties:1
        "#]],
    );
}

#[test]
fn older_names_and_sources() {
    check(
        "
        == manifest
        statestore.cache.max.bytes: 1
        == application.properties
        cache.max.bytes.buffering=2
        ",
        &expect![[r#"
            cache.max.bytes.buffering = 2 <- application.properties:1
            application.properties:1:1: warning: cache.max.bytes.buffering: is the older name of `statestore.cache.max.bytes`, which wins if both are set [config]
                1 | cache.max.bytes.buffering=2
                  | ^^^^^^^^^^^^^^^^^^^^^^^^^
        "#]],
    );
    check(
        "
        == application.properties
        cache.max.bytes.buffering=2
        == environment
        SPRING_KAFKA_STREAMS_STATESTORECACHEMAXSIZE=3
        ",
        &expect![[r#"
            cache.max.bytes.buffering = 2 <- application.properties:1
            statestore.cache.max.bytes = 3 <- environment SPRING_KAFKA_STREAMS_STATESTORECACHEMAXSIZE
            application.properties:1:1: warning: cache.max.bytes.buffering: is the older name of `statestore.cache.max.bytes`, which wins if both are set [config]
                1 | cache.max.bytes.buffering=2
                  | ^^^^^^^^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn mistakes_name_their_place() {
    check(
        "
        == manifest
        poll.mss: 1
        == application.properties
        # a comment
        spring.kafka.streams.properties.commit.intervall.ms=1000
        spring.kafka.streams.aplication-id=x
        spring.kafka.streams.state-store-cache-max-size=10 megs
        spring.kafka.streams.auto-startup=false
        commit.interval.mss=5
        app.own=5
        server.port=8080
        spring.profiles.activ=prod
        == config/application.yaml
        spring: {kafka: {streams: {properties: {num.stream.threads: none}}}}
        == environment
        SPRING_KAFKA_STREAMS_PROPERTIES_PROCESSING_GARANTEE=exactly_once_v2
        SPRING_KAFKA_STREAMS_APPLICATIONNID=x
        == arguments
        --some.thing=1
        --statedir.x=1
        ",
        &expect![[r#"
            commit.interval.mss = 5 <- application.properties:6
            commit.intervall.ms = 1000 <- application.properties:2
            num.stream.threads = none <- config/application.yaml:1
            poll.mss = 1 <- app.yaml:9
            processing.garantee = exactly_once_v2 <- environment SPRING_KAFKA_STREAMS_PROPERTIES_PROCESSING_GARANTEE
            some.thing = 1 <- argument --some.thing
            statedir.x = 1 <- argument --statedir.x
            environment SPRING_KAFKA_STREAMS_APPLICATIONNID: error: spring.kafka.streams.applicationnid: unknown property; did you mean `SPRING_KAFKA_STREAMS_APPLICATIONID`? [config]
            environment SPRING_KAFKA_STREAMS_PROPERTIES_PROCESSING_GARANTEE: error: processing.garantee: unknown property; did you mean `processing.guarantee`? [config]
            --some.thing: error: some.thing: unknown property: neither Kafka Streams nor its clients nor Millrace have it [config]
            --statedir.x: error: statedir.x: unknown property; did you mean `state.dir`? [config]
            application.properties:2:1: error: commit.intervall.ms: unknown property; did you mean `commit.interval.ms`? [config]
                2 | spring.kafka.streams.properties.commit.intervall.ms=1000
                  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            application.properties:3:1: error: spring.kafka.streams.aplication-id: unknown property; did you mean `spring.kafka.streams.application-id`? [config]
                3 | spring.kafka.streams.aplication-id=x
                  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            application.properties:4:1: error: statestore.cache.max.bytes: `10 megs` is no size: write bytes, or `512KB`, `10MB`, `1GB` [config]
                4 | spring.kafka.streams.state-store-cache-max-size=10 megs
                  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            application.properties:5:1: error: spring.kafka.streams.auto-startup: `false` is not supported: an application that is started runs [config]
                5 | spring.kafka.streams.auto-startup=false
                  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            application.properties:6:1: error: commit.interval.mss: unknown property; did you mean `commit.interval.ms`? [config]
                6 | commit.interval.mss=5
                  | ^^^^^^^^^^^^^^^^^^^
            application.properties:7:1: warning: app.own: has no effect: no property of Kafka's, Spring's or Millrace's has this name, and no placeholder asks for it [config]
                7 | app.own=5
                  | ^^^^^^^
            application.properties:8:1: warning: server.port: has no effect: it is Spring Boot's, and Millrace has no part that it would set [config]
                8 | server.port=8080
                  | ^^^^^^^^^^^
            application.properties:9:1: error: spring.profiles.activ: unknown property; did you mean `spring.profiles.active`? [config]
                9 | spring.profiles.activ=prod
                  | ^^^^^^^^^^^^^^^^^^^^^
            config/application.yaml:1:41: error: num.stream.threads: `none` is no whole number [config]
                1 | spring: {kafka: {streams: {properties: {num.stream.threads: none}}}}
                  |                                         ^^^^^^^^^^^^^^^^^^
            app.yaml:9:5: error: poll.mss: unknown property; did you mean `poll.ms`? [config]
                9 |     poll.mss: 1
                  |     ^^^^^^^^
        "#]],
    );
}

#[test]
fn twice_in_one_source() {
    check(
        "
        == application.properties
        poll.ms=1
        spring.kafka.streams.properties.poll.ms=2
        state.dir=/a
        state.dir=/b
        == environment
        SPRING_KAFKA_STREAMS_STATEDIR=/c
        SPRING_KAFKA_STREAMS_STATE_DIR=/d
        ",
        &expect![[r#"
            poll.ms = 2 <- application.properties:2
            state.dir = /d <- environment SPRING_KAFKA_STREAMS_STATE_DIR
            environment SPRING_KAFKA_STREAMS_STATEDIR: error: SPRING_KAFKA_STREAMS_STATEDIR: SPRING_KAFKA_STREAMS_STATE_DIR sets state.dir too, and differently: keep one of the two [config]
            application.properties:1:1: error: poll.ms: spring.kafka.streams.properties.poll.ms sets poll.ms too, and differently: keep one of the two [config]
                1 | poll.ms=1
                  | ^^^^^^^
        "#]],
    );
}

#[test]
fn secrets_are_not_shown() {
    for script in [
        "== application.properties\nspring.kafka.properties.ssl.keystore.passwordd=hush\nssl.truststore.password=hush",
        "== application.properties\nspring.kafka.ssl.key-password=hush\\u00",
        "== application.yaml\n{poll.ms: none, app.password: hush}",
        "== application.yaml\npassword: hush: hush",
        "== arguments\n--consumer.passwordd=hush",
        "== environment\nSPRING_KAFKA_SSL_KEYPASSWORDD=hush",
    ] {
        let said = shown(script);
        let (_, problems) = said.split_once("error").unwrap_or_else(|| panic!("{script}: {said}"));
        assert!(!problems.contains("hush"), "{said}");
    }
}

#[test]
fn json_in_a_variable() {
    check(
        "
        == application.properties
        poll.ms=1
        == environment
        SPRING_APPLICATION_JSON={\"spring\": {\"kafka\": {\"streams\": {\"properties\": {\"poll.ms\": 2}}}}}
        SPRING_KAFKA_STREAMS_PROPERTIES_POLL_MS=3
        ",
        &expect![[r#"
            poll.ms = 2 <- environment SPRING_APPLICATION_JSON
        "#]],
    );
}
