//! The input of the comparisons: everything that a real topic of transactions does wrong, from one seed.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::murmur2;

/// One record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
}

impl Input {
    /// A record of text, on the partition where Java's producer would put it.
    pub fn text(key: &str, value: &str, timestamp: i64, partitions: i32) -> Input {
        let partition = murmur2::partition(key.as_bytes(), partitions);
        Input {
            partition,
            key: Some(key.into()),
            value: Some(value.into()),
            timestamp,
        }
    }
}

/// What to generate.
#[derive(Debug, Clone)]
pub struct Transactions {
    pub seed: u64,
    pub records: usize,
    pub partitions: i32,
    /// Number of different users.
    pub users: usize,
    /// A few users have most of the records; else all have as many.
    pub skewed: bool,
    /// Timestamp of the first record; the last has about now, or brokers would delete old ones.
    pub from: i64,
    pub to: i64,
    /// Null keys and values, broken and odd JSON, late records. Without them: plain valid records, in order.
    pub faults: bool,
}

impl Transactions {
    /// 200,000 records of 2,000 users over the last two hours, on 4 partitions.
    pub fn seeded(seed: u64) -> Transactions {
        let now = now();
        Transactions {
            seed,
            records: 200_000,
            partitions: 4,
            users: 2_000,
            skewed: true,
            from: now - 7_200_000,
            to: now,
            faults: true,
        }
    }

    #[must_use]
    pub fn records(mut self, records: usize) -> Self {
        self.records = records;
        self
    }

    #[must_use]
    pub fn users(mut self, users: usize) -> Self {
        self.users = users;
        self
    }

    #[must_use]
    pub fn without_faults(mut self) -> Self {
        self.faults = false;
        self
    }

    /// The records in the order in which they are to be written.
    pub fn generate(&self) -> Vec<Input> {
        self.iter().collect()
    }

    /// The same, one by one: for inputs too large to hold.
    pub fn iter(&self) -> impl Iterator<Item = Input> + '_ {
        let mut random = StdRng::seed_from_u64(self.seed);
        let keys: Vec<Vec<u8>> = (0..self.users).map(|user| user_key(user, self.faults)).collect();
        let step = (self.to - self.from) as f64 / self.records.max(1) as f64;
        (0..self.records).map(move |i| {
            let due = self.from + (i as f64 * step) as i64;
            let key = if self.faults && random.random_ratio(1, 400) {
                None
            } else {
                Some(
                    keys[if self.skewed {
                        skewed(&mut random, self.users)
                    } else {
                        random.random_range(0..self.users)
                    }]
                    .clone(),
                )
            };
            let partition = match &key {
                Some(key) => murmur2::partition(key, self.partitions),
                None => (i % self.partitions as usize) as i32,
            };
            let timestamp = if self.faults { due - lateness(&mut random) } else { due };
            let value = if self.faults {
                value(&mut random, i)
            } else {
                Some(plain(&mut random, i))
            };
            Input {
                partition,
                key,
                value: value.map(String::into_bytes),
                timestamp,
            }
        })
    }
}

/// Milliseconds since the epoch.
pub fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("the clock is before the year 292 million")
}

/// Zipf-like: rank r is drawn about in proportion to 1 / (r + 1).
fn skewed(random: &mut StdRng, users: usize) -> usize {
    let u: f64 = random.random();
    // The inverse of ln(1 + r) / ln(1 + users), the continuous relative of the harmonic sum.
    let rank = ((users as f64 + 1.0).powf(u) - 1.0) as usize;
    rank.min(users - 1)
}

/// Plain, long, empty and unicode names; and with faults a few that are no UTF-8, which Java reads with U+FFFD in place.
fn user_key(user: usize, faults: bool) -> Vec<u8> {
    match user % 16 {
        3 => format!("Jürgen-{user}").into_bytes(),
        5 => format!("用户-{user}").into_bytes(),
        7 => format!("🦀{user}").into_bytes(),
        11 => format!("e\u{301}tude \"{user}\"\t").into_bytes(),
        13 if user == 13 => Vec::new(),
        13 if faults && user % 64 == 29 => [b"bad-\xff\xfe-\xe2\x82-".as_slice(), user.to_string().as_bytes()].concat(),
        15 => format!("{}-{user}", "long".repeat(30)).into_bytes(),
        _ => format!("user-{user}").into_bytes(),
    }
}

/// How far a record lies behind its place: mostly nothing, sometimes within a window, rarely beyond one.
fn lateness(random: &mut StdRng) -> i64 {
    match random.random_range(0..100) {
        0..80 => 0,
        80..93 => random.random_range(0..20_000),
        93..98 => random.random_range(0..300_000),
        _ => random.random_range(300_000..3_000_000),
    }
}

fn value(random: &mut StdRng, i: usize) -> Option<String> {
    Some(match random.random_range(0..1_000) {
        0..5 => return None,
        5..8 => "{\"amount\": 1".to_owned(),
        8..10 => "not json at all".to_owned(),
        10..12 => String::new(),
        12..14 => "{\"amount\": 1} {\"amount\": 2}".to_owned(),
        14..18 => format!("{{\"id\": {i}}}"),
        18..22 => "{\"amount\": \"12.5\"}".to_owned(),
        22..24 => "{\"amount\": null}".to_owned(),
        24..26 => "{\"amount\": true}".to_owned(),
        26..28 => "[1, 2, 3]".to_owned(),
        28..30 => "null".to_owned(),
        30..32 => "17".to_owned(),
        32..52 => "{\"amount\": 0}".to_owned(),
        52..62 => "{\"amount\": 0.0}".to_owned(),
        62..112 => format!("{{\"amount\": -{}}}", random.random_range(1..1_000)),
        112..132 => format!("{{\"amount\": -{:?}}}", random.random_range(0.001..100.0)),
        132..152 => format!(
            "{{\"amount\": {}e{}}}",
            random.random_range(1..10),
            random.random_range(0..4)
        ),
        152..172 => format!("{{\"amount\": 1, \"amount\": {}}}", random.random_range(1..100)),
        172..222 => format!(
            "{{ \"id\" : \"{i}\", \"note\": \"caf\\u00e9 \\\"quoted\\\" {{}}\", \"tags\": [1, {{\"amount\": 7}}], \"amount\": {}, \"ok\": true }}",
            random.random_range(1..10_000)
        ),
        222..500 => format!(
            "{{\"amount\": {:?}}}",
            f64::from(random.random_range(1..1_000_000)) / 100.0
        ),
        500..530 => format!("{{\"amount\": {:?}}}", random.random_range(1e-9..1e9)),
        _ => plain(random, i),
    })
}

fn plain(random: &mut StdRng, i: usize) -> String {
    format!(
        "{{\"id\":\"t-{i}\",\"amount\":{},\"currency\":\"EUR\",\"shop\":\"s{}\"}}",
        random.random_range(1..1_000),
        i % 97
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn sample() -> Vec<Input> {
        Transactions::seeded(7).records(50_000).generate()
    }

    #[test]
    fn one_seed_gives_one_input() {
        let spec = Transactions {
            from: 1_000_000_000,
            to: 1_007_200_000,
            ..Transactions::seeded(1).records(1_000)
        };
        assert_eq!(spec.generate(), spec.generate());
        assert_ne!(spec.generate(), Transactions { seed: 2, ..spec }.generate());
    }

    #[test]
    fn every_oddity_occurs() {
        let inputs = sample();
        let count = |accept: &dyn Fn(&Input) -> bool| inputs.iter().filter(|i| accept(i)).count();
        let text = |i: &Input| {
            i.value
                .clone()
                .map(|v| String::from_utf8(v).unwrap())
                .unwrap_or_default()
        };
        for (what, accept) in [
            ("null keys", &(|i: &Input| i.key.is_none()) as &dyn Fn(&Input) -> bool),
            ("null values", &|i| i.value.is_none()),
            ("keys beyond ASCII", &|i| {
                i.key
                    .as_ref()
                    .is_some_and(|k| !k.is_ascii() && str::from_utf8(k).is_ok())
            }),
            ("keys that are no UTF-8", &|i| {
                i.key.as_ref().is_some_and(|k| str::from_utf8(k).is_err())
            }),
            ("broken JSON", &|i| text(i).ends_with("\"amount\": 1")),
            ("missing amounts", &|i| text(i).starts_with("{\"id\": ")),
            ("text amounts", &|i| text(i).contains("\"12.5\"")),
            ("zero amounts", &|i| text(i) == "{\"amount\": 0}"),
            ("negative amounts", &|i| text(i).contains(": -")),
            ("fractional amounts", &|i| {
                text(i).starts_with("{\"amount\": ") && text(i).contains('.')
            }),
        ] {
            assert!(count(accept) > 10, "{what}: {}", count(accept));
        }
    }

    #[test]
    fn keys_are_skewed_and_placed_by_hash() {
        let mut counts: HashMap<Vec<u8>, usize> = HashMap::new();
        for input in sample() {
            if let Some(key) = input.key {
                assert_eq!(input.partition, murmur2::partition(&key, 4));
                *counts.entry(key).or_default() += 1;
            }
        }
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        assert!(counts.len() > 1_500, "{} users", counts.len());
        assert!(
            counts[0] > 50 * counts[counts.len() / 2],
            "first {}, middle {}",
            counts[0],
            counts[counts.len() / 2]
        );
    }

    #[test]
    fn some_records_are_late_within_a_window_and_some_beyond() {
        let mut newest = [i64::MIN; 4];
        let (mut within, mut beyond) = (0, 0);
        for input in sample() {
            let newest = &mut newest[input.partition as usize];
            match *newest - input.timestamp {
                1..300_000 => within += 1,
                300_000.. => beyond += 1,
                _ => {}
            }
            *newest = (*newest).max(input.timestamp);
        }
        assert!(within > 1_000 && beyond > 100, "{within} within, {beyond} beyond");
    }
}
