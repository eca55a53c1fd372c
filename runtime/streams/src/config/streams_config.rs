//! The configuration with types.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use millrace_topology::OnError;

use super::read::{Read, Settings, millis};
use super::scope::Scope;
use super::value::duration;
use super::{ConfigError, Notice};

/// What a crash may do to results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessingGuarantee {
    /// Records may be processed twice.
    AtLeastOnce,
    /// Results are as if each record was processed once.
    ExactlyOnceV2,
}

/// How long a task waits for a partition that has no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskIdle {
    /// Not at all (`max.task.idle.ms` = -1).
    Never,
    /// Until the broker is known to have no more (0).
    UntilCaughtUp,
    /// And then so much longer.
    Extra(Duration),
}

/// What a record's time is where a topic does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampExtractor {
    /// The record's; the application stops if it is negative.
    FailOnInvalid,
    /// The record's; records with a negative one are dropped with a warning.
    LogAndSkip,
    /// The record's; the partition's highest so far where it is negative.
    UsePartitionTime,
    /// The clock's.
    WallClock,
}

/// Where a source topic without a committed offset is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoOffsetReset {
    /// Its start.
    Earliest,
    /// Its end.
    Latest,
    /// Nowhere: the application stops.
    None,
    /// The first record that is not older.
    ByDuration(Duration),
}

/// A configuration and what is to be said about it.
#[derive(Debug)]
pub struct Parsed {
    /// The configuration.
    pub config: StreamsConfig,
    /// Properties without effect, to be logged.
    pub warnings: Vec<Notice>,
}

/// Everything the engine is told. Made by [`StreamsConfig::parse`]; the names are Kafka Streams'.
#[derive(Clone, Debug)]
pub struct StreamsConfig {
    /// `application.id`
    pub application_id: String,
    /// `bootstrap.servers`
    pub bootstrap_servers: Vec<String>,
    /// `client.id`; empty if not set.
    pub client_id: String,
    /// `processing.guarantee`
    pub processing_guarantee: ProcessingGuarantee,
    /// `commit.interval.ms`
    pub commit_interval: Duration,
    /// `num.stream.threads`
    pub num_stream_threads: usize,
    /// `statestore.cache.max.bytes`
    pub statestore_cache_max_bytes: u64,
    /// `statestore.uncommitted.max.bytes`; `None` is no bound.
    pub statestore_uncommitted_max_bytes: Option<u64>,
    /// `state.dir`
    pub state_dir: PathBuf,
    /// `state.cleanup.delay.ms`
    pub state_cleanup_delay: Duration,
    /// `max.task.idle.ms`
    pub max_task_idle: TaskIdle,
    /// `buffered.records.per.partition`
    pub buffered_records_per_partition: usize,
    /// `millrace.state.flush.max.lag.bytes`
    pub state_flush_max_lag_bytes: u64,
    /// `millrace.state.flush.max.lag.ms`
    pub state_flush_max_lag: Duration,
    /// `millrace.state.memory.max.bytes`
    pub state_memory_max_bytes: usize,
    /// `input.buffer.max.bytes`
    pub input_buffer_max_bytes: u64,
    /// `poll.ms`
    pub poll: Duration,
    /// The main consumer's `max.poll.records`.
    pub max_poll_records: usize,
    /// `default.timestamp.extractor`
    pub default_timestamp_extractor: TimestampExtractor,
    /// `deserialization.exception.handler`
    pub deserialization_handler: OnError,
    /// `processing.exception.handler`
    pub processing_handler: OnError,
    /// `production.exception.handler`
    pub production_handler: OnError,
    /// `errors.dead.letter.queue.topic.name`, if set; see [`StreamsConfig::dead_letter_topic`].
    pub errors_dead_letter_queue_topic_name: Option<String>,
    /// The main consumer's `auto.offset.reset`.
    pub auto_offset_reset: AutoOffsetReset,
    /// `replication.factor`; -1 is the broker's default.
    pub replication_factor: i16,
    /// `repartition.purge.interval.ms`
    pub repartition_purge_interval: Duration,
    /// `windowstore.changelog.additional.retention.ms`
    pub windowstore_changelog_additional_retention: Duration,
    /// `topic.*`: configs of internal topics.
    pub topic_configs: BTreeMap<String, String>,
    /// `task.timeout.ms`
    pub task_timeout: Duration,
    /// The producer's `transaction.timeout.ms`.
    pub transaction_timeout: Duration,
    /// The main consumer's `group.instance.id`.
    pub group_instance_id: Option<String>,
    /// The main consumer's `session.timeout.ms`.
    pub session_timeout: Duration,
    /// The main consumer's `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// The main consumer's `max.poll.interval.ms`.
    pub max_poll_interval: Duration,
    /// `request.timeout.ms`
    pub request_timeout: Duration,
    /// `retry.backoff.ms`
    pub retry_backoff: Duration,
    /// `num.standby.replicas`
    pub num_standby_replicas: usize,
    /// `acceptable.recovery.lag`
    pub acceptable_recovery_lag: i64,
    /// `max.warmup.replicas`
    pub max_warmup_replicas: usize,
    /// `probing.rebalance.interval.ms`
    pub probing_rebalance_interval: Duration,
    /// `ensure.explicit.internal.resource.naming`
    pub ensure_explicit_internal_resource_naming: bool,
    /// `log.summary.interval.ms`; `None` is never.
    pub log_summary_interval: Option<Duration>,
    pub(super) settings: Settings,
}

const MAIN: &[Scope] = &[Scope::MainConsumer, Scope::Consumer, Scope::Plain];
const PRODUCER: &[Scope] = &[Scope::Producer, Scope::Plain];

impl StreamsConfig {
    /// Reads properties; keys may carry Kafka's client prefixes and Spring Boot's `spring.kafka.streams.properties.`.
    ///
    /// # Errors
    /// All that is wrong: unknown names, values out of range, contradictions, what is required and missing.
    pub fn parse(properties: &BTreeMap<String, String>) -> Result<Parsed, ConfigError> {
        let mut read = Read::new(properties);
        let config = Self::from_settings(&mut read);
        config.check(&mut read);
        if read.problems.is_empty() {
            Ok(Parsed {
                config,
                warnings: read.warnings,
            })
        } else {
            Err(ConfigError {
                problems: read.problems,
            })
        }
    }

    /// Where records go that `deadLetter` is stated for: the configured topic, else `<application.id>-dead-letter`.
    ///
    /// With the handlers `fail` and `continue`, records go there too **if it is configured**, as in Java
    /// ([`StreamsConfig::errors_dead_letter_queue_topic_name`]).
    #[must_use]
    pub fn dead_letter_topic(&self) -> String {
        self.errors_dead_letter_queue_topic_name
            .clone()
            .unwrap_or_else(|| format!("{}-dead-letter", self.application_id))
    }

    /// Whether `processing.guarantee` is `exactly_once_v2`.
    #[must_use]
    pub fn exactly_once(&self) -> bool {
        self.processing_guarantee == ProcessingGuarantee::ExactlyOnceV2
    }

    fn from_settings(read: &mut Read) -> Self {
        let extractor = timestamp_extractor(read);
        let deserialization_handler = handler(read, "deserialization.exception.handler", DESERIALIZATION);
        let processing_handler = handler(read, "processing.exception.handler", PROCESSING);
        let production_handler = handler(read, "production.exception.handler", PRODUCTION);
        let auto_offset_reset = auto_offset_reset(read);
        let exactly_once = read.exactly_once();
        let settings = std::mem::take(&mut read.settings);
        let of_client = |scopes: &[Scope], name, default: i64| {
            settings
                .get(scopes, name)
                .and_then(|value| value.parse().ok())
                .unwrap_or(default)
        };
        let commit_interval = match settings.get(&[Scope::Plain], "commit.interval.ms") {
            None if exactly_once => Duration::from_millis(100),
            _ => settings.duration("commit.interval.ms"),
        };
        let transaction_timeout = of_client(
            PRODUCER,
            "transaction.timeout.ms",
            if exactly_once { 10_000 } else { 60_000 },
        );
        let uncommitted = settings.number("statestore.uncommitted.max.bytes");
        let summary = settings.number("log.summary.interval.ms");
        let servers = settings.text("bootstrap.servers");
        Self {
            application_id: settings.text("application.id"),
            bootstrap_servers: servers
                .split(',')
                .filter(|server| !server.is_empty())
                .map(str::to_owned)
                .collect(),
            client_id: settings.text("client.id"),
            processing_guarantee: if exactly_once {
                ProcessingGuarantee::ExactlyOnceV2
            } else {
                ProcessingGuarantee::AtLeastOnce
            },
            commit_interval,
            num_stream_threads: size(settings.number("num.stream.threads")),
            statestore_cache_max_bytes: settings.number("statestore.cache.max.bytes").unsigned_abs(),
            statestore_uncommitted_max_bytes: u64::try_from(uncommitted).ok(),
            state_dir: settings.text("state.dir").into(),
            state_cleanup_delay: settings.duration("state.cleanup.delay.ms"),
            max_task_idle: match settings.number("max.task.idle.ms") {
                -1 => TaskIdle::Never,
                0 => TaskIdle::UntilCaughtUp,
                more => TaskIdle::Extra(millis(more)),
            },
            buffered_records_per_partition: size(settings.number("buffered.records.per.partition")),
            state_flush_max_lag_bytes: settings.number("millrace.state.flush.max.lag.bytes").unsigned_abs(),
            state_flush_max_lag: settings.duration("millrace.state.flush.max.lag.ms"),
            state_memory_max_bytes: size(settings.number("millrace.state.memory.max.bytes")),
            input_buffer_max_bytes: settings.number("input.buffer.max.bytes").unsigned_abs(),
            poll: settings.duration("poll.ms"),
            max_poll_records: size(of_client(MAIN, "max.poll.records", 1000)),
            default_timestamp_extractor: extractor,
            deserialization_handler,
            processing_handler,
            production_handler,
            errors_dead_letter_queue_topic_name: Some(settings.text("errors.dead.letter.queue.topic.name"))
                .filter(|topic| !topic.is_empty()),
            auto_offset_reset,
            replication_factor: i16::try_from(settings.number("replication.factor")).unwrap_or(-1),
            repartition_purge_interval: settings.duration("repartition.purge.interval.ms"),
            windowstore_changelog_additional_retention: settings
                .duration("windowstore.changelog.additional.retention.ms"),
            topic_configs: settings
                .of(Scope::Topic)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            task_timeout: settings.duration("task.timeout.ms"),
            transaction_timeout: millis(transaction_timeout),
            group_instance_id: settings.get(MAIN, "group.instance.id").map(str::to_owned),
            session_timeout: millis(of_client(MAIN, "session.timeout.ms", 45_000)),
            heartbeat_interval: millis(of_client(MAIN, "heartbeat.interval.ms", 3_000)),
            max_poll_interval: millis(of_client(MAIN, "max.poll.interval.ms", 300_000)),
            request_timeout: settings.duration("request.timeout.ms"),
            retry_backoff: settings.duration("retry.backoff.ms"),
            num_standby_replicas: size(settings.number("num.standby.replicas")),
            acceptable_recovery_lag: settings.number("acceptable.recovery.lag"),
            max_warmup_replicas: size(settings.number("max.warmup.replicas")),
            probing_rebalance_interval: settings.duration("probing.rebalance.interval.ms"),
            ensure_explicit_internal_resource_naming: settings.flag("ensure.explicit.internal.resource.naming"),
            log_summary_interval: u64::try_from(summary).ok().map(Duration::from_millis),
            settings,
        }
    }

    /// What contradicts itself, or is missing.
    fn check(&self, read: &mut Read) {
        for (key, missing) in [
            ("application.id", self.application_id.is_empty()),
            ("bootstrap.servers", self.bootstrap_servers.is_empty()),
        ] {
            if missing && !read.problems.iter().any(|problem| problem.key == key) {
                read.problem(key, "is required");
            }
        }
        if self.heartbeat_interval >= self.session_timeout {
            let (beat, session) = (self.heartbeat_interval.as_millis(), self.session_timeout.as_millis());
            read.problem(
                "heartbeat.interval.ms",
                format!("{beat} must be less than session.timeout.ms, which is {session}"),
            );
        }
        if self.exactly_once() {
            self.check_transactions(read);
        }
        if self.num_standby_replicas > 0 {
            let why = "has no effect yet: tasks have no standbys, and are restored from their changelogs";
            read.warn("num.standby.replicas", why.to_owned());
        }
        let batch = self
            .settings
            .get(PRODUCER, "batch.size")
            .and_then(|size| size.parse::<i64>().ok());
        let segment = self
            .topic_configs
            .get("segment.bytes")
            .and_then(|size| size.parse::<i64>().ok());
        if let (Some(batch), Some(segment)) = (batch, segment)
            && segment < batch
        {
            read.problem(
                "topic.segment.bytes",
                format!("{segment} is less than the producer's batch.size, which is {batch}"),
            );
        }
    }

    fn check_transactions(&self, read: &mut Read) {
        if self.transaction_timeout < self.commit_interval {
            let (transaction, commit) = (self.transaction_timeout.as_millis(), self.commit_interval.as_millis());
            read.problem(
                "commit.interval.ms",
                format!(
                    "{commit} is more than producer.transaction.timeout.ms, which is {transaction}: every transaction would time out. \
                     Lower the one or raise the other"
                ),
            );
        }
        let producer = |name| self.settings.get(PRODUCER, name);
        let in_flight = "max.in.flight.requests.per.connection";
        if producer(in_flight)
            .and_then(|value| value.parse::<i64>().ok())
            .is_some_and(|value| value > 5)
        {
            read.problem(
                format!("producer.{in_flight}"),
                "must be at most 5 under `exactly_once_v2`",
            );
        }
        if producer("acks").is_some_and(|acks| acks != "all" && acks != "-1") {
            read.problem("producer.acks", "must be `all` under `exactly_once_v2`");
        }
        if producer("retries") == Some("0") {
            read.problem("producer.retries", "must not be 0 under `exactly_once_v2`");
        }
    }
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn timestamp_extractor(read: &mut Read) -> TimestampExtractor {
    let class = read.settings.text("default.timestamp.extractor");
    match class.as_str() {
        "FailOnInvalidTimestamp" => TimestampExtractor::FailOnInvalid,
        "LogAndSkipOnInvalidTimestamp" => TimestampExtractor::LogAndSkip,
        "UsePartitionTimeOnInvalidTimestamp" => TimestampExtractor::UsePartitionTime,
        "WallclockTimestampExtractor" => TimestampExtractor::WallClock,
        _ => {
            read.problem(
                "default.timestamp.extractor",
                format!(
                    "the class `{class}` has no counterpart here; there are FailOnInvalidTimestamp, LogAndSkipOnInvalidTimestamp, \
                     UsePartitionTimeOnInvalidTimestamp and WallclockTimestampExtractor. A topic of the manifest may state `timestamp`"
                ),
            );
            TimestampExtractor::FailOnInvalid
        }
    }
}

/// A handler's words: Java's classes and ours.
type Words = &'static [(&'static str, OnError)];

const DESERIALIZATION: Words = &[
    ("fail", OnError::Fail),
    ("continue", OnError::Continue),
    ("deadLetter", OnError::DeadLetter),
    ("LogAndFailExceptionHandler", OnError::Fail),
    ("LogAndContinueExceptionHandler", OnError::Continue),
    ("RecoveringDeserializationExceptionHandler", OnError::DeadLetter),
];

const PROCESSING: Words = &[
    ("fail", OnError::Fail),
    ("continue", OnError::Continue),
    ("deadLetter", OnError::DeadLetter),
    ("LogAndFailProcessingExceptionHandler", OnError::Fail),
    ("LogAndContinueProcessingExceptionHandler", OnError::Continue),
];

const PRODUCTION: Words = &[
    ("fail", OnError::Fail),
    ("continue", OnError::Continue),
    ("deadLetter", OnError::DeadLetter),
    ("DefaultProductionExceptionHandler", OnError::Fail),
];

fn handler(read: &mut Read, name: &'static str, words: Words) -> OnError {
    let given = read.settings.text(name);
    if let Some((_, on_error)) = words.iter().find(|(word, _)| *word == given) {
        return *on_error;
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    read.problem(
        name,
        format!("`{given}` has no counterpart here; there are {}", known.join(", ")),
    );
    OnError::Fail
}

fn auto_offset_reset(read: &mut Read) -> AutoOffsetReset {
    let given = read
        .settings
        .get(MAIN, "auto.offset.reset")
        .unwrap_or("earliest")
        .to_owned();
    match given.to_ascii_lowercase().as_str() {
        "earliest" => AutoOffsetReset::Earliest,
        "latest" => AutoOffsetReset::Latest,
        "none" => AutoOffsetReset::None,
        other => match other.strip_prefix("by_duration:").and_then(duration) {
            Some(age) => AutoOffsetReset::ByDuration(age),
            None => {
                let message = format!("`{given}` is none of earliest, latest, none, by_duration:PT1H");
                read.problem("auto.offset.reset", message);
                AutoOffsetReset::Earliest
            }
        },
    }
}
