//! What the cluster's lock guards: topics, transactions, groups, and the answers under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::groups::GroupEntry;
use super::membership::{Mailbox, Outbox};
use super::options::{ClusterOptions, MarkerPolicy};
use super::partition::Partition;
use super::topic::Topic;
use super::transactions::{PendingMarker, Transaction};
use crate::log::{Response, TopicPartition};
use crate::{Error, ErrorKind, Result};

/// On the machine's clock, time-outs are looked for this often.
const SCAN_INTERVAL: Duration = Duration::from_millis(5);

pub(super) struct State {
    pub options: ClusterOptions,
    pub topics: FxHashMap<Arc<str>, Topic>,
    /// By transactional id, in order, so that scans are deterministic.
    pub transactions: BTreeMap<String, Transaction>,
    pub pending_markers: Vec<PendingMarker>,
    pub groups: BTreeMap<String, GroupEntry>,
    mailboxes: FxHashMap<Mailbox, VecDeque<Response>>,
    next_mailbox: Mailbox,
    pub next_producer: i64,
    pub rng: SmallRng,
    /// Calls so far; what markers of [`MarkerPolicy::Steps`] wait for.
    pub step: u64,
    scanned: Option<Duration>,
}

impl State {
    pub fn new(options: ClusterOptions) -> Self {
        let rng = SmallRng::seed_from_u64(options.seed);
        Self {
            options,
            topics: FxHashMap::default(),
            transactions: BTreeMap::new(),
            pending_markers: Vec::new(),
            groups: BTreeMap::new(),
            mailboxes: FxHashMap::default(),
            next_mailbox: 1,
            next_producer: 1_000,
            rng,
            step: 0,
            scanned: None,
        }
    }

    pub fn now(&self) -> Duration {
        self.options.clock.monotonic()
    }

    pub fn wall_ms(&self) -> i64 {
        self.options.clock.now_ms()
    }

    pub fn fresh_uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    /// Lets whatever is due happen: time-outs and late markers.
    pub fn advance(&mut self) {
        self.step += 1;
        if self.pending_markers.is_empty() && self.transactions.is_empty() && self.groups.is_empty() {
            return;
        }
        let now = self.now();
        let is_new = match self.scanned {
            None => true,
            Some(last) if self.options.clock.passes_by_itself() => now >= last + SCAN_INTERVAL,
            Some(last) => now != last,
        };
        if is_new {
            self.scanned = Some(now);
            self.expire_transactions(now);
            let mut out = Outbox::new();
            for entry in self.groups.values_mut() {
                entry.group.expire(now, &mut out);
            }
            self.deliver(out);
        }
        if !self.pending_markers.is_empty() && self.options.markers != MarkerPolicy::Manual {
            self.deliver_due_markers(now);
        }
    }

    pub fn open_mailbox(&mut self) -> Mailbox {
        let mailbox = self.next_mailbox;
        self.next_mailbox += 1;
        self.mailboxes.insert(mailbox, VecDeque::new());
        mailbox
    }

    pub fn close_mailbox(&mut self, mailbox: Mailbox) {
        self.mailboxes.remove(&mailbox);
    }

    pub fn next_response(&mut self, mailbox: Mailbox) -> Option<Response> {
        self.mailboxes.get_mut(&mailbox)?.pop_front()
    }

    /// Puts answers where they are waited for; those to a closed mailbox are lost.
    pub fn deliver(&mut self, out: Outbox) {
        for (mailbox, response) in out {
            if let Some(queue) = self.mailboxes.get_mut(&mailbox) {
                queue.push_back(response);
            }
        }
    }

    pub fn topic(&self, name: &str) -> Result<&Topic> {
        self.topics.get(name).ok_or_else(|| unknown_topic(name))
    }

    pub fn partition(&self, at: &TopicPartition) -> Result<&Partition> {
        let topic = self.topic(&at.topic)?;
        topic
            .partitions
            .get(usize::try_from(at.partition).unwrap_or(usize::MAX))
            .ok_or_else(|| unknown_partition(at))
    }

    pub fn partition_mut(&mut self, at: &TopicPartition) -> Result<&mut Partition> {
        let topic = self.topics.get_mut(&at.topic).ok_or_else(|| unknown_topic(&at.topic))?;
        topic
            .partitions
            .get_mut(usize::try_from(at.partition).unwrap_or(usize::MAX))
            .ok_or_else(|| unknown_partition(at))
    }

    /// Keeps a partition within the option's bound, after something was appended.
    pub fn bound(&mut self, at: &TopicPartition) {
        let Some(max_bytes) = self.options.retention_bytes_per_partition else {
            return;
        };
        let Some(topic) = self.topics.get_mut(&at.topic) else {
            return;
        };
        let compacted = topic.compacted;
        let Some(partition) = usize::try_from(at.partition)
            .ok()
            .and_then(|index| topic.partitions.get_mut(index))
        else {
            return;
        };
        if partition.bytes() <= max_bytes {
            return;
        }
        if !compacted {
            partition.retain_bytes(max_bytes);
        } else if partition.bytes() > 2 * partition.compacted_bytes() {
            partition.compact(false);
        }
    }
}

pub(super) fn unknown_topic(name: &str) -> Error {
    Error::new(ErrorKind::UnknownTopic, format!("topic {name} does not exist"))
}

pub(super) fn unknown_partition(at: &TopicPartition) -> Error {
    Error::new(ErrorKind::UnknownTopic, format!("partition {at} does not exist"))
}
