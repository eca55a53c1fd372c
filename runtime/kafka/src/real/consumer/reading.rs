//! Where one partition stands, and what is held of it while it is paused.

use std::collections::VecDeque;
use std::time::Instant;

use crate::log::{Polled, RecordBatch, TopicPartition};

/// Where a partition stands.
pub(super) struct Reading {
    /// The next offset to be handed out.
    pub(super) position: i64,
    /// The offset at which the end was told last.
    pub(super) told: i64,
    /// The end as librdkafka saw it last; its own position is one too far then.
    pub(super) end_taken: i64,
    pub(super) pause: Option<Pause>,
    /// Taken from librdkafka while paused.
    pub(super) held: VecDeque<Held>,
}

pub(super) struct Pause {
    pub(super) since: Instant,
    /// librdkafka fetches no more.
    pub(super) lasting: bool,
}

pub(super) enum Held {
    Records(RecordBatch),
    End(i64),
}

impl Held {
    pub(super) fn records(&self) -> usize {
        match self {
            Self::Records(batch) => batch.len(),
            Self::End(_) => 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Records(batch) => batch.bytes() + batch.len() * 64,
            Self::End(_) => 0,
        }
    }
}

impl Reading {
    pub(super) fn from(offset: i64) -> Self {
        Self {
            position: offset,
            told: -1,
            end_taken: -1,
            pause: None,
            held: VecDeque::new(),
        }
    }

    /// The offset after all that was taken from librdkafka.
    pub(super) fn next_to_take(&self) -> i64 {
        let held = self.held.iter().rev().find_map(|held| match held {
            Held::Records(batch) => batch.len().checked_sub(1).map(|last| batch.get(last).offset() + 1),
            Held::End(position) => Some(*position),
        });
        held.unwrap_or(self.position).max(self.position)
    }

    /// Whether librdkafka reads it.
    pub(super) fn is_taken(&self) -> bool {
        self.pause.as_ref().is_none_or(|pause| !pause.lasting)
    }

    pub(super) fn hand_out(&mut self, at: &TopicPartition, what: Held, out: &mut Vec<Polled>) {
        match what {
            Held::Records(batch) => {
                if let Some(last) = batch.len().checked_sub(1) {
                    self.position = batch.get(last).offset() + 1;
                    out.push(Polled::Records(batch));
                }
            }
            Held::End(position) => {
                self.position = self.position.max(position);
                if self.told != position {
                    self.told = position;
                    out.push(Polled::End {
                        partition: at.clone(),
                        position,
                    });
                }
            }
        }
    }
}
