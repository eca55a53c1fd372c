//! A test driver: an application on an in-process log, on a clock that only the test moves.
//!
//! Unlike Java's `TopologyTestDriver` it is the engine itself that runs, group, transactions and changelogs included; only Kafka and the
//! disk are in memory. As there, every piped record is processed and committed before [`TestDriver::pipe`] returns, so what came of it can
//! be read at once; with `commit.interval.ms` set, it waits in the record cache until the clock has passed the interval.
//!
//! ```
//! use std::time::Duration;
//! use millrace::driver::TestDriver;
//! use millrace::dsl::{Consumed, Grouped, KStream, Materialized, Produced, StreamsBuilder, TimeWindows};
//! use millrace::serde::{JsonSerde, StringSerde};
//! use serde_json::{Value, json};
//!
//! // The sum of what each user spends in five minutes.
//! let mut builder = StreamsBuilder::new();
//! let transactions: KStream<String, Value> =
//!     builder.stream("transactions-topic", Consumed::with(StringSerde, JsonSerde));
//! transactions
//!     .filter(|_user, transaction| transaction.is_some_and(|transaction| transaction["amount"].as_f64() > Some(0.0)))
//!     .group_by_key(Grouped::with(StringSerde, JsonSerde))
//!     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(300)))
//!     .aggregate(
//!         || json!({"totalAmount": 0.0, "count": 0}),
//!         |_user, transaction, totals| {
//!             let amount = transaction.and_then(|transaction| transaction["amount"].as_f64()).unwrap_or_default();
//!             json!({
//!                 "totalAmount": totals["totalAmount"].as_f64().unwrap_or_default() + amount,
//!                 "count": totals["count"].as_i64().unwrap_or_default() + 1,
//!             })
//!         },
//!         Materialized::named("user-5min-totals").with_value_serde(JsonSerde),
//!     )
//!     .to_stream()
//!     .unwindow_key()
//!     .to("aggregated-transactions", Produced::with(StringSerde, JsonSerde));
//!
//! let mut driver = TestDriver::new(builder.build()?, [("processing.guarantee", "exactly_once_v2")])?;
//! let minute = 60_000;
//! for (amount, time) in [("5", 0), ("7.5", minute), ("-1", 2 * minute), ("2", 5 * minute)] {
//!     let transaction = format!(r#"{{"amount":{amount}}}"#);
//!     driver.pipe("transactions-topic", Some(b"ada"), Some(transaction.as_bytes()), time)?;
//! }
//! let totals: Vec<String> = driver.read("aggregated-transactions").iter().map(ToString::to_string).collect();
//! assert_eq!(totals, [
//!     r#"ada {"count":1,"totalAmount":5.0} @0"#,
//!     r#"ada {"count":2,"totalAmount":12.5} @60000"#,
//!     r#"ada {"count":1,"totalAmount":2.0} @300000"#,
//! ]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_kafka::clock::{Clock as _, ManualClock, SharedClock};
use millrace_kafka::inproc::{Cluster, ClusterOptions};
use millrace_kafka::log::{Header, Isolation};
use millrace_state::MemoryVolume;
use millrace_topology::{NodeKind, TopicName};
use uuid::Uuid;

use crate::config::StreamsConfig;
use crate::partitioner::partition_for_key;
use crate::{Application, Code, Error, Instance, InstanceOptions, Result};

/// Where the clock starts: 2023-11-14T22:13:20Z.
const START_MS: i64 = 1_700_000_000_000;
/// So many rounds without anything to do, and nothing more will come by itself.
const QUIET_ROUNDS: usize = 8;
/// A round that still moves after so many is one of a loop.
const MOST_ROUNDS: usize = 1_000_000;
/// While the clock moves on, heartbeats must be sent in time.
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// An application that is fed record by record.
pub struct TestDriver {
    cluster: Cluster,
    clock: Arc<ManualClock>,
    instance: Instance,
    tasks: i64,
    topics: BTreeSet<String>,
    partitions: i32,
    /// Offsets up to which topics were read, by topic and partition.
    read: BTreeMap<(String, i32), i64>,
    failed: Option<Error>,
}

/// A record of an output topic, a changelog, or the dead-letter topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRecord {
    /// Its partition.
    pub partition: i32,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The headers, in order.
    pub headers: Vec<Header>,
}

impl OutputRecord {
    /// A header's value as text; the last one of the name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let header = self.headers.iter().rev().find(|header| header.name == name)?;
        Some(text(header.value.as_ref()))
    }
}

/// Key and value as text, `null` where there is none: `ada {"count":1} @60000`.
impl fmt::Display for OutputRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = (text(self.key.as_ref()), text(self.value.as_ref()));
        write!(f, "{key} {value} @{}", self.timestamp)
    }
}

fn text(bytes: Option<&Bytes>) -> String {
    bytes.map_or_else(
        || "null".to_owned(),
        |bytes| String::from_utf8_lossy(bytes).into_owned(),
    )
}

impl TestDriver {
    /// Starts the application; its input and output topics have one partition each.
    ///
    /// `application.id` and `bootstrap.servers` need not be among the properties; `commit.interval.ms` is 0 unless set.
    ///
    /// # Errors
    /// Properties that cannot be, and whatever else keeps an application from starting.
    pub fn new<'a>(application: Application, properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        Self::with_partitions(application, properties, 1)
    }

    /// The same with so many partitions in each input and output topic.
    ///
    /// # Errors
    /// As [`TestDriver::new`].
    pub fn with_partitions<'a>(
        application: Application,
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
        partitions: i32,
    ) -> Result<Self> {
        let mut all = BTreeMap::from(
            [
                ("application.id", "test"),
                ("bootstrap.servers", "in-process"),
                ("commit.interval.ms", "0"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        all.extend(
            properties
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let config = StreamsConfig::parse(&all)
            .map_err(|error| Error::new(Code::C001, error.to_string()))?
            .config;

        let clock = Arc::new(ManualClock::at(START_MS));
        let cluster = Cluster::new(ClusterOptions {
            clock: Arc::clone(&clock) as SharedClock,
            ..ClusterOptions::default()
        });
        let mut topics = user_topics(&application);
        topics.extend(config.errors_dead_letter_queue_topic_name.clone());
        for topic in &topics {
            cluster.create_topic(topic, partitions)?;
        }
        let options = InstanceOptions {
            clock: Arc::clone(&clock) as SharedClock,
            transient: Some(Uuid::from_u128(1)),
            ..InstanceOptions::new(Arc::new(MemoryVolume::new(1)))
        };
        let counts = topics.iter().map(|topic| (topic.clone(), partitions)).collect();
        let layout = application
            .plan
            .layout(&config.application_id, &counts, &Default::default());
        let tasks = layout.map_or(0, |layout| layout.tasks.len() as i64);
        let log = cluster.client("driver").shared_log();
        let instance = Instance::new(application, config, log, options)?;
        let mut driver = Self {
            cluster,
            clock,
            instance,
            tasks,
            topics,
            partitions,
            read: BTreeMap::new(),
            failed: None,
        };
        driver.start()?;
        Ok(driver)
    }

    /// Appends a record to an input topic, in its key's partition (0 without a key), and processes it and all that it causes.
    ///
    /// # Errors
    /// What ended the application: a record that it fails on. It stays ended.
    pub fn pipe(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, timestamp: i64) -> Result<()> {
        self.pipe_with_headers(topic, key, value, timestamp, &[])
    }

    /// [`TestDriver::pipe`] with headers.
    ///
    /// # Errors
    /// As [`TestDriver::pipe`].
    pub fn pipe_with_headers(
        &mut self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        headers: &[Header],
    ) -> Result<()> {
        self.append(topic, key, value, timestamp, headers)?;
        self.settle()
    }

    /// Appends a record to an input topic and processes nothing yet: for several that are to be there at once.
    ///
    /// # Errors
    /// A topic that the application does not name.
    pub fn append(
        &mut self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        headers: &[Header],
    ) -> Result<()> {
        if !self.topics.contains(topic) {
            let known: Vec<&str> = self.topics.iter().map(String::as_str).collect();
            return Err(Error::new(
                Code::T001,
                format!("topic {topic} is none of the application's: {}", known.join(", ")),
            ));
        }
        let partition = key.map_or(0, |key| partition_for_key(key, self.partitions));
        self.cluster.append(topic, partition, key, value, timestamp, headers)?;
        Ok(())
    }

    /// What a topic got since it was last read, partition by partition, committed records only. Any topic: changelogs too, by their full names.
    /// A topic that does not exist is empty.
    pub fn read(&mut self, topic: &str) -> Vec<OutputRecord> {
        let mut new = Vec::new();
        for partition in 0.. {
            let Ok(records) = self.cluster.dump(topic, partition, Isolation::ReadCommitted) else {
                break;
            };
            let next = self.read.entry((topic.to_owned(), partition)).or_insert(0);
            for record in records {
                if record.offset < *next {
                    continue;
                }
                *next = record.offset + 1;
                new.push(OutputRecord {
                    partition,
                    key: record.key,
                    value: record.value,
                    timestamp: record.timestamp,
                    headers: record.headers,
                });
            }
        }
        new
    }

    /// Moves the clock on, and does what has fallen due meanwhile.
    ///
    /// # Errors
    /// What ended the application.
    pub fn advance(&mut self, duration: Duration) -> Result<()> {
        let mut left = duration;
        while !left.is_zero() {
            let tick = left.min(LONGEST_TICK);
            self.clock.advance(tick);
            left -= tick;
            self.settle()?;
        }
        Ok(())
    }

    /// Processes all that is there.
    ///
    /// # Errors
    /// What ended the application.
    pub fn settle(&mut self) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..MOST_ROUNDS {
            if self.step()? {
                quiet = 0;
            } else {
                quiet += 1;
            }
            if quiet == QUIET_ROUNDS {
                return Ok(());
            }
        }
        Err(Error::new(
            Code::W001,
            format!(
                "the application is not done after {MOST_ROUNDS} rounds: does a topic of its input hang on its own output?"
            ),
        ))
    }

    /// The clock's time, milliseconds since the epoch. Starting takes some, records take none.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What the application counts.
    #[must_use]
    pub fn metrics(&self) -> crate::metrics::Metrics {
        self.instance.metrics()
    }

    /// The in-process cluster, for all that the driver has no word for.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Joins the group; it takes some of the clock's time.
    fn start(&mut self) -> Result<()> {
        let running = |driver: &Self| -> i64 {
            let metrics = driver.instance.metrics();
            metrics.workers().iter().map(|worker| worker.running.get()).sum()
        };
        for _ in 0..10_000 {
            self.step()?;
            if running(self) == self.tasks {
                return self.settle();
            }
            self.clock.advance(Duration::from_millis(10));
        }
        Err(Error::new(
            Code::W001,
            format!("{} of {} tasks started", running(self), self.tasks),
        ))
    }

    fn step(&mut self) -> Result<bool> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.instance
            .step()
            .inspect_err(|error| self.failed = Some(error.clone()))
    }
}

/// The topics that must exist before the application starts.
fn user_topics(application: &Application) -> BTreeSet<String> {
    let mut topics = BTreeSet::new();
    for node in &application.plan.nodes {
        let named = match &node.kind {
            NodeKind::Source(source) => source.topics.as_slice(),
            NodeKind::Sink(sink) => std::slice::from_ref(&sink.topic),
            NodeKind::Processor(_) => &[],
        };
        topics.extend(named.iter().filter_map(|topic| match topic {
            TopicName::User(name) => Some(name.clone()),
            TopicName::Internal(_) => None,
        }));
    }
    topics
}
