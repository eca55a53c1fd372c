//! The broker, and what tests do to it directly.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use bytes::Bytes;
use parking_lot::{Condvar, Mutex, RwLock};
use rand::RngExt;

use super::client::Client;
use super::fault::FaultPlan;
use super::options::ClusterOptions;
use super::segment::NO_PRODUCER;
use super::state::State;
use super::topic::{self, Topic};
use super::transactions::Target;
use crate::clock::SharedClock;
use crate::log::{BatchBuilder, Header, Isolation, NewTopic, OffsetAndMetadata, TopicPartition};
use crate::{Error, ErrorKind, Result};

/// A Kafka cluster in this process. Clones are the same cluster.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub state: Mutex<State>,
    /// Told of every change that a reader or a member may wait for.
    pub changed: Condvar,
    pub clock: SharedClock,
    /// Whether there is a fault plan; read on the record path.
    pub has_faults: AtomicBool,
    pub faults: RwLock<Option<Arc<dyn FaultPlan>>>,
}

/// A record as [`Cluster::dump`] gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<Header>,
}

impl Cluster {
    /// An empty cluster.
    #[must_use]
    pub fn new(mut options: ClusterOptions) -> Self {
        let clock = options.clock.clone();
        let given_id = std::mem::take(&mut options.cluster_id);
        let mut state = State::new(options);
        let random: [u8; 16] = state.rng.random();
        state.options.cluster_id = if given_id.is_empty() {
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)
        } else {
            given_id
        };
        let shared = Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            clock,
            has_faults: AtomicBool::new(false),
            faults: RwLock::new(None),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// One process' view: its clients live and crash together. A process that comes back asks again, under the same name or another.
    #[must_use]
    pub fn client(&self, name: &str) -> Client {
        Client::new(self.clone(), name)
    }

    /// From now on `plan` decides over every call; `None` ends it.
    pub fn set_faults(&self, plan: Option<Arc<dyn FaultPlan>>) {
        self.shared.has_faults.store(plan.is_some(), Ordering::Release);
        *self.shared.faults.write() = plan;
    }

    /// Lets whatever is due by the clock happen: time-outs, late markers. Every call of a client does the same.
    pub fn tick(&self) {
        self.change(State::advance);
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.shared.state.lock());
        self.shared.changed.notify_all();
        result
    }

    /// Creates a topic with the broker's defaults.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.create_topic_with(name, partitions, &[])
    }

    /// Creates a topic with some configuration.
    pub fn create_topic_with(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Result<()> {
        let config: BTreeMap<_, _> = config
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        let spec = NewTopic {
            name: name.to_owned(),
            partitions,
            replication_factor: -1,
            config,
        };
        self.change(|state| state.create_topic(&spec, false))
    }

    /// Appends a record outside any transaction; its offset.
    pub fn append(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        headers: &[Header],
    ) -> Result<i64> {
        let at = TopicPartition::new(topic, partition);
        self.change(|state| {
            let offset = state
                .partition_mut(&at)?
                .append(NO_PRODUCER, timestamp, key, value, headers);
            state.bound(&at);
            Ok(offset)
        })
    }

    /// All records of a partition that a reader would see.
    pub fn dump(&self, topic: &str, partition: i32, isolation: Isolation) -> Result<Vec<StoredRecord>> {
        let at = TopicPartition::new(topic, partition);
        let mut builder = BatchBuilder::default();
        {
            let state = self.shared.state.lock();
            let log = state.partition(&at)?;
            log.read(log.start(), isolation, usize::MAX, usize::MAX, &mut builder);
        }
        let batch = builder.finish(at);
        let records = batch.iter().map(|record| StoredRecord {
            offset: record.offset(),
            timestamp: record.timestamp(),
            key: record.key(),
            value: record.value(),
            headers: record.headers().to_vec(),
        });
        Ok(records.collect())
    }

    /// The log start offset.
    pub fn start_offset(&self, topic: &str, partition: i32) -> Result<i64> {
        Ok(self
            .shared
            .state
            .lock()
            .partition(&TopicPartition::new(topic, partition))?
            .start())
    }

    /// The high watermark, or the last stable offset.
    pub fn end_offset(&self, topic: &str, partition: i32, isolation: Isolation) -> Result<i64> {
        Ok(self
            .shared
            .state
            .lock()
            .partition(&TopicPartition::new(topic, partition))?
            .end(isolation))
    }

    /// What a group has committed for a partition.
    #[must_use]
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<OffsetAndMetadata> {
        let at = [TopicPartition::new(topic, partition)];
        self.shared.state.lock().fetch_offsets(group, &at, false)?.pop()?
    }

    /// The names of all topics, in order.
    #[must_use]
    pub fn topic_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .shared
            .state
            .lock()
            .topics
            .keys()
            .map(ToString::to_string)
            .collect();
        names.sort_unstable();
        names
    }

    /// Compacts a topic as the log cleaner may at last: the last value per key stays, tombstones go, offsets keep their gaps.
    pub fn compact(&self, topic: &str) -> Result<()> {
        self.compact_with(topic, true)
    }

    /// Compacts a topic whose tombstones are younger than `delete.retention.ms`: they stay.
    pub fn compact_keeping_tombstones(&self, topic: &str) -> Result<()> {
        self.compact_with(topic, false)
    }

    fn compact_with(&self, topic: &str, drop_tombstones: bool) -> Result<()> {
        self.change(|state| {
            let topic = state
                .topics
                .get_mut(topic)
                .ok_or_else(|| super::state::unknown_topic(topic))?;
            topic
                .partitions
                .iter_mut()
                .for_each(|partition| partition.compact(drop_tombstones));
            Ok(())
        })
    }

    /// Lets every marker that is under way arrive; how many did.
    pub fn deliver_markers(&self) -> usize {
        self.change(|state| state.deliver_markers_where(|_| true))
    }

    /// Lets the markers for one partition arrive; how many did.
    pub fn deliver_markers_to(&self, topic: &str, partition: i32) -> usize {
        let at = TopicPartition::new(topic, partition);
        self.change(|state| {
            state.deliver_markers_where(|marker| matches!(&marker.target, Target::Partition(_, to) if *to == at))
        })
    }

    /// Lets the markers for a group's offsets arrive; how many did.
    pub fn deliver_markers_to_group(&self, group: &str) -> usize {
        let target = Target::Group(group.to_owned());
        self.change(|state| state.deliver_markers_where(|marker| marker.target == target))
    }

    /// The transactional ids whose transaction is open, in order.
    #[must_use]
    pub fn open_transactions(&self) -> Vec<String> {
        self.shared.state.lock().open_transactions()
    }

    /// How many markers are under way.
    #[must_use]
    pub fn pending_markers(&self) -> usize {
        self.shared.state.lock().pending_markers.len()
    }
}

impl State {
    pub(super) fn create_topic(&mut self, spec: &NewTopic, validate_only: bool) -> Result<()> {
        topic::validate(spec)?;
        if self.topics.contains_key(&*spec.name) {
            return Err(Error::new(
                ErrorKind::TopicExists,
                format!("topic {} exists already", spec.name),
            ));
        }
        if !validate_only {
            let id = self.fresh_uuid();
            self.topics.insert(spec.name.as_str().into(), Topic::new(id, spec));
        }
        Ok(())
    }
}
