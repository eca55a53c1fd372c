//! Records of a feed, one after the other; the n-th is the same for the same feed and seed, whatever the clock does.

use std::io::Write as _;

use millrace::partitioner::partition_for_key;

use super::random::{Random, Zipf};
use super::spec::{Bad, Feed, Field, Topic};
use crate::log::rfc3339;

/// A generated record; the buffers belong to the generator.
#[derive(Debug)]
pub struct Fed<'a> {
    /// Index in [`Feed::topics`].
    pub topic: usize,
    /// As Kafka's default partitioner chooses; without key, in turn.
    pub partition: i32,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

/// Makes a feed's records.
#[derive(Debug)]
pub struct Generator {
    feed: Feed,
    random: Random,
    topics: Vec<Zipf>,
    /// Shares of the topics, cumulated up to 1.
    shares: Vec<f64>,
    start: i64,
    count: u64,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Generator {
    /// From the first record on; `now` is the time if the feed starts now.
    #[must_use]
    pub fn new(feed: Feed, now: i64) -> Self {
        let total: f64 = feed.topics.iter().map(|topic| topic.share).sum();
        let mut sum = 0.0;
        let shares = feed
            .topics
            .iter()
            .map(|topic| {
                sum += topic.share / total.max(f64::MIN_POSITIVE);
                sum
            })
            .collect();
        let topics = feed
            .topics
            .iter()
            .map(|topic| Zipf::new(topic.key.count, topic.key.skew))
            .collect();
        let (random, start) = (Random::new(feed.seed), feed.start.unwrap_or(now));
        Self {
            feed,
            random,
            topics,
            shares,
            start,
            count: 0,
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The next record.
    pub fn next(&mut self) -> Fed<'_> {
        let Self {
            feed,
            random,
            topics,
            shares,
            start,
            count,
            key,
            value,
        } = self;
        let at = random.unit();
        let index = shares.partition_point(|share| *share <= at).min(feed.topics.len() - 1);
        let topic = &feed.topics[index];
        // Time follows from the record's number, so that a slow machine feeds the same records.
        let mut timestamp = *start + (*count as f64 / feed.rate * feed.speed * 1000.0) as i64;
        let draw = random.unit();
        let mut sum = 0.0;
        for late in &topic.late {
            sum += late.share;
            if draw < sum {
                timestamp -= random.between(late.from_ms as f64, late.to_ms as f64) as i64;
                break;
            }
        }
        let draw = random.unit();
        let mut sum = 0.0;
        let bad = topic.bad.iter().find(|(_, share)| {
            sum += share;
            draw < sum
        });
        let bad = bad.map(|(bad, _)| *bad);
        key.clear();
        let _ = write!(key, "{}{}", topic.key.prefix, topics[index].draw(random));
        value.clear();
        write_value(value, topic, random, *count, timestamp, bad == Some(Bad::Negative));
        if bad == Some(Bad::Malformed) {
            value.truncate(value.len() * 2 / 3);
        }
        let partition = match bad {
            Some(Bad::NullKey) => (*count % topic.partitions as u64) as i32,
            _ => partition_for_key(key, topic.partitions),
        };
        *count += 1;
        Fed {
            topic: index,
            partition,
            key: (bad != Some(Bad::NullKey)).then_some(key.as_slice()),
            value: (bad != Some(Bad::NullValue)).then_some(value.as_slice()),
            timestamp: if bad == Some(Bad::NegativeTimestamp) {
                -1
            } else {
                timestamp.max(0)
            },
        }
    }
}

fn write_value(out: &mut Vec<u8>, topic: &Topic, random: &mut Random, count: u64, timestamp: i64, negative: bool) {
    out.push(b'{');
    for (index, (name, field)) in topic.fields.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(out, "{comma}{}:", serde_json::Value::from(name.as_str()));
        let _ = match field {
            Field::Uniform { from, to, decimals } => number(out, random.between(*from, *to), *decimals, negative),
            Field::Normal {
                mean,
                deviation,
                decimals,
            } => number(out, mean + deviation * random.normal(), *decimals, negative),
            Field::Choice(items) => write!(out, "{}", items[random.below(items.len())]),
            Field::Sequence { from } => write!(out, "{}", from + count as i64),
            Field::Uuid => {
                let bytes = (u128::from(random.next()) << 64) | u128::from(random.next());
                write!(
                    out,
                    "\"{}\"",
                    uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
                )
            }
            Field::Constant(json) => write!(out, "{json}"),
            Field::Timestamp => write!(out, "\"{}\"", rfc3339(timestamp)),
        };
    }
    out.push(b'}');
}

fn number(out: &mut Vec<u8>, value: f64, decimals: usize, negative: bool) -> std::io::Result<()> {
    let value = if negative { -value.abs() } else { value };
    write!(out, "{value:.decimals$}")
}
