//! A cluster, a clock, and instances of one application that are stepped until nothing moves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::clock::{ManualClock, SharedClock};
use millrace_kafka::inproc::{Cluster, ClusterOptions};
use millrace_kafka::log::{Isolation, SharedLog};
use millrace_state::{MemoryVolume, StateVolume};
use uuid::Uuid;

use crate::config::StreamsConfig;
use crate::{Application, Instance, InstanceOptions, Result};

pub(super) struct Harness {
    pub cluster: Cluster,
    pub clock: Arc<ManualClock>,
    pub volume: MemoryVolume,
    pub config: BTreeMap<String, String>,
}

/// One record as a test sees it: partition, key, value, timestamp.
pub(super) type Seen = (i32, Option<String>, Option<String>, i64);

impl Harness {
    pub(super) fn new(config: &[(&str, &str)]) -> Self {
        let clock = Arc::new(ManualClock::at(1_700_000_000_000));
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let cluster = Cluster::new(ClusterOptions {
            clock: shared,
            ..ClusterOptions::default()
        });
        let mut all = BTreeMap::from([
            ("application.id".to_owned(), "app".to_owned()),
            ("bootstrap.servers".to_owned(), "in-process".to_owned()),
        ]);
        all.extend(
            config
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        Self {
            cluster,
            clock,
            volume: MemoryVolume::new(7),
            config: all,
        }
    }

    pub(super) fn instance(&self, name: &str, application: &Application) -> Result<Instance> {
        self.instance_on(name, application, Arc::new(self.volume.clone()))
    }

    /// An instance whose state is on another volume than the harness's own.
    pub(super) fn instance_on(
        &self,
        name: &str,
        application: &Application,
        volume: Arc<dyn StateVolume>,
    ) -> Result<Instance> {
        self.instance_with(name, application, volume, self.cluster.client(name).shared_log())
    }

    /// An instance on another volume, and on a log that stands before the cluster's own.
    pub(super) fn instance_with(
        &self,
        name: &str,
        application: &Application,
        volume: Arc<dyn StateVolume>,
        log: SharedLog,
    ) -> Result<Instance> {
        let parsed = StreamsConfig::parse(&self.config).unwrap_or_else(|error| panic!("{error}"));
        let options = InstanceOptions {
            clock: Arc::clone(&self.clock) as SharedClock,
            transient: Some(Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes())),
            ..InstanceOptions::new(volume)
        };
        Instance::new(application.clone(), parsed.config, log, options)
    }

    /// Steps all instances for so long on the manual clock, 10 ms at a time.
    pub(super) fn run(&self, instances: &mut [&mut Instance], for_ms: u64) {
        for _ in 0..for_ms / 10 {
            for instance in instances.iter_mut() {
                instance.step().unwrap_or_else(|error| panic!("{error}"));
            }
            self.clock.advance(Duration::from_millis(10));
        }
    }

    /// Stops an instance cleanly.
    pub(super) fn stop(&self, mut instance: Instance) {
        instance.stop();
        for _ in 0..1_000 {
            instance.step().unwrap_or_else(|error| panic!("{error}"));
            if instance.is_stopped() {
                return;
            }
            self.clock.advance(Duration::from_millis(10));
        }
        panic!("the instance did not stop");
    }

    pub(super) fn append(&self, topic: &str, partition: i32, key: &str, value: &str, timestamp: i64) {
        self.cluster
            .append(
                topic,
                partition,
                Some(key.as_bytes()),
                Some(value.as_bytes()),
                timestamp,
                &[],
            )
            .unwrap();
    }

    /// All committed records of a topic, partition by partition; keys and values as text.
    pub(super) fn read(&self, topic: &str, partitions: i32) -> Vec<Seen> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (0..partitions)
            .flat_map(|partition| {
                let records = self.cluster.dump(topic, partition, Isolation::ReadCommitted).unwrap();
                records.into_iter().map(move |record| {
                    (
                        partition,
                        record.key.as_deref().map(text),
                        record.value.as_deref().map(text),
                        record.timestamp,
                    )
                })
            })
            .collect()
    }
}
