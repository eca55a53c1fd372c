//! From librdkafka's messages and events to what a poll brings.
//!
//! On the record path: no await, no shared lock, no allocation per record (headers excepted).

use super::KafkaConsumer;
use super::reading::{Held, Reading};
use crate::log::{BatchBuilder, Polled, TopicPartition};
use crate::real::librdkafka::{Message, MessageBuffer, PARTITION_EOF, PartitionList, kind_of_code, text_of_code};
use crate::{Error, ErrorKind, Result};

impl KafkaConsumer {
    /// Hands out what resumed partitions hold, about `max` records; the number of records still wanted.
    pub(super) fn hand_out_held(&mut self, mut max: usize, out: &mut Vec<Polled>) -> usize {
        while let Some(at) = self.ready.pop_front() {
            let Some(reading) = self.partitions.get_mut(&at).filter(|reading| reading.pause.is_none()) else {
                continue;
            };
            while max > 0
                && let Some(held) = reading.held.pop_front()
            {
                self.held_bytes -= held.bytes();
                max = max.saturating_sub(held.records());
                if held.records() > 0 {
                    self.unended.insert(at.clone());
                } else {
                    self.unended.remove(&at);
                }
                reading.hand_out(&at, held, out);
            }
            let more = !reading.held.is_empty();
            if more {
                self.ready.push_front(at);
                break;
            }
        }
        max
    }

    /// Sorts what librdkafka gave into runs of one partition.
    pub(super) fn hand_out_messages(&mut self, out: &mut Vec<Polled>) -> Result<()> {
        let messages = std::mem::replace(&mut self.messages, MessageBuffer::new());
        let mut result = Ok(());
        let mut run: Option<(Message<'_>, TopicPartition, BatchBuilder)> = None;
        for (index, message) in messages.from(0).enumerate() {
            let code = message.error();
            if code != 0 {
                if let Some((_, at, builder)) = run.take() {
                    self.hand_out(&at, Held::Records(builder.finish(at.clone())), out);
                }
                if let Err(error) = self.event(message, code, out) {
                    result = result.and(Err(error));
                }
                continue;
            }
            match &mut run {
                Some((first, _, builder)) if first.same_partition(message) => {
                    push(builder, message, self.ignores_headers);
                }
                other => {
                    if let Some((_, at, builder)) = other.take() {
                        self.hand_out(&at, Held::Records(builder.finish(at.clone())), out);
                    }
                    let Some(topic) = message.topic() else { continue };
                    let at = TopicPartition::new(self.interned(topic), message.partition());
                    // A straggler of a partition that was unassigned, or moved on.
                    if self
                        .partitions
                        .get(&at)
                        .is_none_or(|reading| !reading.is_taken() || message.offset() < reading.position)
                    {
                        continue;
                    }
                    let mut builder = room_for(message, messages.from(index + 1));
                    push(&mut builder, message, self.ignores_headers);
                    run = Some((message, at, builder));
                }
            }
        }
        if let Some((_, at, builder)) = run.take() {
            self.hand_out(&at, Held::Records(builder.finish(at.clone())), out);
        }
        self.messages = messages;
        self.messages.clear();
        result
    }

    fn hand_out(&mut self, at: &TopicPartition, what: Held, out: &mut Vec<Polled>) {
        let Some(reading) = self.partitions.get_mut(at) else {
            return;
        };
        if reading.pause.is_some() || !reading.held.is_empty() {
            self.held_bytes += what.bytes();
            reading.held.push_back(what);
            return;
        }
        if matches!(what, Held::Records(_)) && !self.unended.contains(at) {
            self.unended.insert(at.clone());
        }
        reading.hand_out(at, what, out);
    }

    /// An error event: the end of a partition, a partition's failure, or the client's.
    fn event(&mut self, message: Message<'_>, code: i32, out: &mut Vec<Polled>) -> Result<()> {
        let at = message
            .topic()
            .map(|topic| TopicPartition::new(self.interned(topic), message.partition()));
        let Some(at) = at else {
            return match kind_of_code(code) {
                kind @ (ErrorKind::Authentication | ErrorKind::Fatal) => {
                    Err(Error::new(kind, format!("{} ({code})", message.error_text())))
                }
                _ => {
                    tracing::debug!(code, text = message.error_text(), "consumer event");
                    Ok(())
                }
            };
        };
        if code == PARTITION_EOF {
            if let Some(reading) = self.partitions.get_mut(&at)
                && reading.is_taken()
                && message.offset() >= reading.position
            {
                reading.end_taken = message.offset();
                self.hand_out(&at, Held::End(message.offset()), out);
                self.unended.remove(&at);
            }
            return Ok(());
        }
        let kind = kind_of_code(code);
        match kind {
            ErrorKind::OffsetOutOfRange | ErrorKind::UnknownTopic | ErrorKind::Unauthorized | ErrorKind::Fatal => {
                if self.partitions.get(&at).is_some_and(Reading::is_taken) {
                    self.forget(&at);
                    self.client.unassign(&PartitionList::of(std::iter::once(&at))?)?;
                    let text = match message.error_text() {
                        text if text.is_empty() => text_of_code(code),
                        text => text,
                    };
                    let mut text = format!("{at} at offset {}: {text} ({code})", message.offset());
                    if kind == ErrorKind::Unauthorized {
                        text = format!("{text}: the principal lacks Read on topic {}", at.topic);
                    }
                    let error = Error::new(kind, text);
                    out.push(Polled::Failed { partition: at, error });
                }
            }
            _ => tracing::debug!(partition = %at, code, text = message.error_text(), "consumer event; trying on"),
        }
        Ok(())
    }

    /// Moves positions past markers, and tells ends that librdkafka would tell only with its next fetch.
    pub(super) fn look_for_ends(&mut self, out: &mut Vec<Polled>) -> Result<bool> {
        if self.unended.is_empty() {
            return Ok(false);
        }
        let before = out.len();
        let mut ended = Vec::new();
        for at in &self.unended {
            let Some(reading) = self.partitions.get_mut(at) else {
                continue;
            };
            if reading.pause.is_some() || !reading.held.is_empty() {
                continue;
            }
            if let Some(taken) = self.client.position(at)? {
                let taken = if taken == reading.end_taken + 1 {
                    reading.end_taken
                } else {
                    taken
                };
                reading.position = reading.position.max(taken);
            }
            if self
                .client
                .high_watermark(at)
                .is_some_and(|end| reading.position >= end)
            {
                let end = Held::End(reading.position);
                reading.hand_out(at, end, out);
                ended.push(at.clone());
            }
        }
        for at in ended {
            self.unended.remove(&at);
        }
        Ok(out.len() > before)
    }
}

/// A builder for a run of one partition that begins with `first`: made once, large enough.
fn room_for<'m>(first: Message<'m>, rest: impl Iterator<Item = Message<'m>>) -> BatchBuilder {
    let run = rest.take_while(|next| next.error() == 0 && first.same_partition(*next));
    let sizes = std::iter::once(first).chain(run).map(|message| {
        let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        bytes(message.key()) + bytes(message.value())
    });
    let (records, bytes) = sizes.fold((0, 0), |(records, bytes), size| (records + 1, bytes + size));
    BatchBuilder::with_capacity(records, bytes)
}

fn push(builder: &mut BatchBuilder, message: Message<'_>, ignores_headers: bool) {
    // librdkafka parses them, with some allocations, even to find that there are none.
    let headers = if ignores_headers { Vec::new() } else { message.headers() };
    builder.push(
        message.offset(),
        message.timestamp(),
        message.key(),
        message.value(),
        headers,
    );
}
