//! What a worker's clients are called and told, by Kafka Streams' conventions.

use std::time::Duration;

use millrace_kafka::log::{ConsumerSpec, Isolation, OffsetSpec, ProducerSpec};
use millrace_topology::StartFrom;

use super::Shared;
use crate::config::{AutoOffsetReset, ClientKind, StreamsConfig};

/// What a consumer fetches ahead at most, where `input.buffer.max.bytes` grants it: more would not make it faster.
const MOST_FETCHED_AHEAD: u64 = 32 << 20;

/// A worker's share of `input.buffer.max.bytes`.
pub(super) fn input_share(config: &StreamsConfig) -> u64 {
    config.input_buffer_max_bytes / config.num_stream_threads.max(1) as u64
}

impl Shared {
    fn thread_name(&self, worker: usize) -> String {
        let client = if self.config.client_id.is_empty() {
            &self.layout.application_id
        } else {
            &self.config.client_id
        };
        format!("{client}-StreamThread-{}", worker + 1)
    }

    /// What a consumer is told. What holds by its very construction (it commits nothing and creates nothing) is left out.
    fn consumer_config(&self, kind: ClientKind) -> Vec<(String, String)> {
        let mut config = self.config.client_config(kind);
        config.retain(|(name, _)| {
            !matches!(
                name.as_str(),
                "enable.auto.commit" | "allow.auto.create.topics" | "group.protocol"
            )
        });
        let ahead = input_share(&self.config).min(MOST_FETCHED_AHEAD);
        config.push(("input.buffer.max.bytes".to_owned(), ahead.to_string()));
        config
    }

    /// Reads input: committed records only, if the application is to be exactly-once.
    pub(super) fn main_consumer(&self, worker: usize) -> ConsumerSpec {
        let config = self.consumer_config(ClientKind::MainConsumer);
        let committed = config
            .iter()
            .any(|(name, value)| name == "isolation.level" && value == "read_committed");
        let isolation = if committed || self.config.exactly_once() {
            Isolation::ReadCommitted
        } else {
            Isolation::ReadUncommitted
        };
        ConsumerSpec {
            client_id: format!("{}-consumer", self.thread_name(worker)),
            isolation,
            config,
        }
    }

    /// Reads changelogs: committed records, whatever the guarantee (an aborted write is nobody's state).
    pub(super) fn restore_consumer(&self, worker: usize) -> ConsumerSpec {
        let isolation = Isolation::ReadCommitted;
        #[cfg(test)]
        let isolation = if crate::mutant::is_planted(crate::mutant::Mutant::AbortedRestored) {
            Isolation::ReadUncommitted
        } else {
            isolation
        };
        ConsumerSpec {
            client_id: format!("{}-restore-consumer", self.thread_name(worker)),
            isolation,
            config: self.consumer_config(ClientKind::RestoreConsumer),
        }
    }

    /// Writes; under exactly-once with the worker's transactional id.
    pub(super) fn producer(&self, worker: usize) -> ProducerSpec {
        ProducerSpec {
            client_id: format!("{}-producer", self.thread_name(worker)),
            transactional_id: self.transactional_ids.get(worker).cloned(),
            config: self.config.client_config(ClientKind::Producer),
        }
    }

    /// How long one call on the cluster may take, retries included.
    pub(crate) fn call_timeout(&self) -> Duration {
        self.config.request_timeout
    }

    /// Where to read a partition from that has no valid position; `None` if that is an error.
    pub(super) fn reset_to(&self, start_from: Option<StartFrom>) -> Option<OffsetSpec> {
        match (start_from, self.config.auto_offset_reset) {
            (Some(StartFrom::Earliest), _) | (None, AutoOffsetReset::Earliest) => Some(OffsetSpec::Earliest),
            (Some(StartFrom::Latest), _) | (None, AutoOffsetReset::Latest) => {
                Some(OffsetSpec::Latest(Isolation::ReadCommitted))
            }
            (None, AutoOffsetReset::ByDuration(age)) => Some(OffsetSpec::Timestamp(
                self.clock.now_ms().saturating_sub(age.as_millis() as i64),
            )),
            (None, AutoOffsetReset::None) => None,
        }
    }
}

/// Bytes that a worker's uncommitted rows may take before a commit comes early, its share of the process's; no bound if it is switched off.
pub(super) fn uncommitted_bound(config: &StreamsConfig) -> usize {
    config.statestore_uncommitted_max_bytes.map_or(usize::MAX, |bytes| {
        usize::try_from(bytes).unwrap_or(usize::MAX) / config.num_stream_threads.max(1)
    })
}
