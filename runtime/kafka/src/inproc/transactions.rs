//! The transaction coordinator: producer ids and epochs, what each transaction touches, and the markers that end it.
//!
//! Source: Kafka's `TransactionCoordinator` and KIP-98; markers travel on their own, and a transactional id takes no new
//! transaction before all of them have arrived (CONCURRENT_TRANSACTIONS).

use std::time::Duration;

use rand::RngExt;
use rustc_hash::FxHashSet;
use uuid::Uuid;

use super::options::MarkerPolicy;
use super::state::State;
use crate::log::{GroupMembership, OffsetAndMetadata, TopicPartition};
use crate::{Error, ErrorKind, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No transaction is open.
    Idle,
    Ongoing,
    /// Ended, with markers under way.
    Ending,
}

/// One transactional id.
#[derive(Debug)]
pub(super) struct Transaction {
    producer: i64,
    epoch: i16,
    timeout: Duration,
    phase: Phase,
    /// When the first partition or group was added.
    started: Duration,
    /// By topic id, so that a topic made anew under the name gets no marker.
    partitions: FxHashSet<(Uuid, TopicPartition)>,
    groups: Vec<String>,
    markers_under_way: usize,
}

/// A producer's claim on its transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub transactional_id: String,
    pub producer: i64,
    pub epoch: i16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Partition(Uuid, TopicPartition),
    /// The group's offsets.
    Group(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    At(Duration),
    Step(u64),
    Told,
}

/// A marker on its way.
#[derive(Clone, Debug)]
pub(super) struct PendingMarker {
    due: Due,
    pub target: Target,
    pub transactional_id: String,
    producer: i64,
    commit: bool,
}

/// Why the coordinator does not serve now.
pub(super) enum Refusal {
    /// CONCURRENT_TRANSACTIONS: the last transaction's markers are under way; try again.
    Busy,
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Error(error)
    }
}

impl State {
    /// InitProducerId: aborts what is open, and fences older holders with a new epoch once all markers have arrived.
    pub fn init_producer(&mut self, transactional_id: &str, timeout: Option<Duration>) -> Result<Identity, Refusal> {
        if timeout.is_some_and(|timeout| timeout.is_zero() || timeout > self.options.max_transaction_timeout) {
            let max = self.options.max_transaction_timeout.as_millis();
            let text = format!("{transactional_id}: transaction.timeout.ms must lie between 1 and the broker's {max}");
            return Err(Refusal::Error(Error::new(ErrorKind::Config, text)));
        }
        if self
            .transactions
            .get(transactional_id)
            .is_some_and(|known| known.phase == Phase::Ongoing)
        {
            if let Some(known) = self.transactions.get_mut(transactional_id) {
                known.epoch += 1;
            }
            self.end(transactional_id, false);
        }
        let next_producer = self.next_producer;
        let known = self
            .transactions
            .entry(transactional_id.to_owned())
            .or_insert_with(|| Transaction {
                producer: next_producer,
                epoch: -1,
                timeout: Duration::from_secs(60),
                phase: Phase::Idle,
                started: Duration::ZERO,
                partitions: FxHashSet::default(),
                groups: Vec::new(),
                markers_under_way: 0,
            });
        if known.phase == Phase::Ending {
            return Err(Refusal::Busy);
        }
        if known.epoch >= i16::MAX - 1 {
            known.epoch = -1;
            known.producer = next_producer;
        }
        if known.producer == next_producer {
            self.next_producer += 1;
        }
        known.epoch += 1;
        if let Some(timeout) = timeout {
            known.timeout = timeout;
        }
        Ok(Identity {
            transactional_id: transactional_id.to_owned(),
            producer: known.producer,
            epoch: known.epoch,
        })
    }

    fn current(&mut self, identity: &Identity) -> Result<&mut Transaction> {
        let Identity {
            transactional_id,
            producer,
            epoch,
        } = identity;
        match self.transactions.get_mut(transactional_id) {
            Some(known) if known.producer == *producer && known.epoch == *epoch => Ok(known),
            _ => Err(Error::new(
                ErrorKind::Fenced,
                format!(
                    "producer {transactional_id} (epoch {epoch}) was fenced: a newer one holds its transactional id, or its transaction timed out"
                ),
            )),
        }
    }

    /// Whether `identity` may use its transaction now; opens it at the coordinator if it is not yet.
    fn take_part(&mut self, identity: &Identity) -> Result<&mut Transaction, Refusal> {
        let now = self.now();
        let known = self.current(identity)?;
        match known.phase {
            Phase::Ending => return Err(Refusal::Busy),
            Phase::Idle => {
                known.phase = Phase::Ongoing;
                known.started = now;
            }
            Phase::Ongoing => {}
        }
        Ok(known)
    }

    /// AddPartitionsToTxn. The partition exists.
    pub fn add_partition(&mut self, identity: &Identity, topic: Uuid, at: &TopicPartition) -> Result<(), Refusal> {
        let known = self.take_part(identity)?;
        known.partitions.insert((topic, at.clone()));
        Ok(())
    }

    /// AddOffsetsToTxn and TxnOffsetCommit.
    pub fn add_offsets(
        &mut self,
        identity: &Identity,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        member: &GroupMembership,
    ) -> Result<(), Refusal> {
        let known = self.take_part(identity)?;
        if !known.groups.contains(&member.group) {
            known.groups.push(member.group.clone());
        }
        self.stage_offsets(identity.producer, offsets, member)?;
        Ok(())
    }

    /// EndTxn. Answers once the outcome is decided; the markers follow.
    pub fn end_transaction(&mut self, identity: &Identity, commit: bool) -> Result<(), Refusal> {
        match self.current(identity)?.phase {
            Phase::Ending => Err(Refusal::Busy),
            // Nothing reached the coordinator.
            Phase::Idle if !commit => Ok(()),
            Phase::Idle => Err(Refusal::Error(Error::new(
                ErrorKind::Fatal,
                format!("producer {} has no open transaction to end", identity.transactional_id),
            ))),
            Phase::Ongoing => {
                self.end(&identity.transactional_id, commit);
                Ok(())
            }
        }
    }

    /// Aborts transactions that are open for too long; their producers are fenced.
    pub fn expire_transactions(&mut self, now: Duration) {
        let due: Vec<String> = self
            .transactions
            .iter()
            .filter(|(_, known)| known.phase == Phase::Ongoing && known.started + known.timeout <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            if let Some(known) = self.transactions.get_mut(&id) {
                known.epoch += 1;
            }
            self.end(&id, false);
        }
    }

    pub fn open_transactions(&self) -> Vec<String> {
        let open = self
            .transactions
            .iter()
            .filter(|(_, known)| known.phase == Phase::Ongoing);
        open.map(|(id, _)| id.clone()).collect()
    }

    /// Decides the outcome and sends the markers off.
    fn end(&mut self, transactional_id: &str, commit: bool) {
        let Some(known) = self.transactions.get_mut(transactional_id) else {
            return;
        };
        let producer = known.producer;
        let mut partitions: Vec<_> = known.partitions.drain().collect();
        partitions.sort_unstable_by(|a, b| a.1.cmp(&b.1));
        let partitions = partitions.into_iter().map(|(id, at)| Target::Partition(id, at));
        let targets: Vec<Target> = partitions.chain(known.groups.drain(..).map(Target::Group)).collect();
        known.phase = if targets.is_empty() { Phase::Idle } else { Phase::Ending };
        known.markers_under_way = targets.len();
        let now = self.now();
        for target in targets {
            let due = match self.options.markers {
                MarkerPolicy::Immediate => Due::At(now),
                MarkerPolicy::Delayed(max) => Due::At(now + max.mul_f64(self.rng.random::<f64>())),
                MarkerPolicy::Steps(max) => Due::Step(self.step + self.rng.random_range(0..=max)),
                MarkerPolicy::Manual => Due::Told,
            };
            let transactional_id = transactional_id.to_owned();
            self.pending_markers.push(PendingMarker {
                due,
                target,
                transactional_id,
                producer,
                commit,
            });
        }
        if self.options.markers == MarkerPolicy::Immediate {
            self.deliver_due_markers(now);
        }
    }

    pub fn deliver_due_markers(&mut self, now: Duration) {
        let step = self.step;
        self.deliver_markers_where(|marker| match marker.due {
            Due::At(at) => at <= now,
            Due::Step(at) => at <= step,
            Due::Told => false,
        });
    }

    /// Lets the chosen markers arrive, in the order in which they were sent; how many did.
    pub fn deliver_markers_where(&mut self, mut chosen: impl FnMut(&PendingMarker) -> bool) -> usize {
        let arriving: Vec<PendingMarker> = self.pending_markers.extract_if(.., |marker| chosen(marker)).collect();
        let count = arriving.len();
        for marker in arriving {
            self.arrive(marker);
        }
        count
    }

    fn arrive(&mut self, marker: PendingMarker) {
        match &marker.target {
            Target::Partition(id, at) => {
                let timestamp = self.wall_ms();
                let topic = self.topics.get(&at.topic).is_some_and(|topic| topic.id == *id);
                if topic && let Ok(partition) = self.partition_mut(at) {
                    partition.append_marker(marker.producer, timestamp, marker.commit);
                }
            }
            Target::Group(group) => self.settle_offsets(group, marker.producer, marker.commit),
        }
        if let Some(known) = self.transactions.get_mut(&marker.transactional_id) {
            known.markers_under_way = known.markers_under_way.saturating_sub(1);
            if known.markers_under_way == 0 {
                known.phase = Phase::Idle;
            }
        }
    }

    /// A caller that waits for a transactional id stands for time that passes: unless the test holds them, its markers arrive.
    pub fn hurry_markers_of(&mut self, transactional_id: &str) {
        if self.options.markers != MarkerPolicy::Manual {
            self.deliver_markers_where(|marker| marker.transactional_id == transactional_id);
        }
    }
}
