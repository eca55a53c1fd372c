//! Where a store stands in its changelog, and the row that holds this in the store's own column family.
//!
//! The row is written in the same batch as the data that it speaks for, so that whatever survives a crash is a prefix
//! of the changelog.

use std::sync::Arc;

use crate::row::RowLayout;

/// A store's place in its changelog partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Offset of the next record to read: the consumer's position, never the last record plus one.
    pub next_offset: i64,
    /// The changelog topic's id; another id means another topic under the same name.
    pub topic_id: [u8; 16],
    /// The cluster's id.
    pub cluster_id: Arc<str>,
    /// Wall-clock time in milliseconds when the store stood here: a store that stood still for longer than the topic's
    /// `delete.retention.ms` may have missed tombstones.
    pub time_ms: i64,
}

/// All that a column family says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub layout: RowLayout,
    pub position: Option<Position>,
    /// Committed stream time, for stores that expire.
    pub stream_time: Option<i64>,
}

const FORMAT: u8 = 1;
const KIND_KEY_VALUE: u8 = 0;
const KIND_WINDOW: u8 = 1;

impl Meta {
    pub fn new(layout: RowLayout) -> Self {
        Self {
            layout,
            position: None,
            stream_time: None,
        }
    }

    /// The row's value. Frozen: `format ‖ kind ‖ segment interval ‖ option(stream time) ‖ option(position)`, big-endian.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        let (kind, interval) = match self.layout {
            RowLayout::KeyValue => (KIND_KEY_VALUE, 0),
            RowLayout::Window { interval_ms } => (KIND_WINDOW, interval_ms),
        };
        out.extend([FORMAT, kind]);
        out.extend(interval.to_be_bytes());
        out.push(u8::from(self.stream_time.is_some()));
        out.extend(self.stream_time.unwrap_or(0).to_be_bytes());
        out.push(u8::from(self.position.is_some()));
        if let Some(position) = &self.position {
            out.extend(position.next_offset.to_be_bytes());
            out.extend(position.topic_id);
            out.extend(position.time_ms.to_be_bytes());
            out.extend(position.cluster_id.as_bytes());
        }
        out
    }

    /// None for bytes that [`encode`](Self::encode) never wrote.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let [format, kind] = take(&mut bytes)?;
        let interval_ms = i64::from_be_bytes(take(&mut bytes)?);
        let layout = match (format, kind) {
            (FORMAT, KIND_KEY_VALUE) => RowLayout::KeyValue,
            (FORMAT, KIND_WINDOW) if interval_ms > 0 => RowLayout::Window { interval_ms },
            _ => return None,
        };
        let [has_time] = take(&mut bytes)?;
        let stream_time = i64::from_be_bytes(take(&mut bytes)?);
        let [has_position] = take(&mut bytes)?;
        let position = match has_position {
            0 => None,
            _ => Some(Position {
                next_offset: i64::from_be_bytes(take(&mut bytes)?),
                topic_id: take(&mut bytes)?,
                time_ms: i64::from_be_bytes(take(&mut bytes)?),
                cluster_id: std::str::from_utf8(bytes).ok()?.into(),
            }),
        };
        Some(Self {
            layout,
            position,
            stream_time: (has_time != 0).then_some(stream_time),
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let position = Position {
            next_offset: 42,
            topic_id: [7; 16],
            cluster_id: "4L6g3nShT-eMCtK--X86sw".into(),
            time_ms: 99,
        };
        for layout in [RowLayout::KeyValue, RowLayout::Window { interval_ms: 60_000 }] {
            for stream_time in [None, Some(-1), Some(i64::MAX)] {
                for position in [None, Some(position.clone())] {
                    let meta = Meta {
                        layout,
                        position,
                        stream_time,
                    };
                    let bytes = meta.encode();
                    assert_eq!(Meta::decode(&bytes), Some(meta));
                    assert_eq!(Meta::decode(&bytes[..10]), None);
                }
            }
        }
    }
}
