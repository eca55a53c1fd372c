//! What the applications must write, computed from plain input alone: for tests of faults, which need no JVM to know what is right.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_e2e::data::{Input, now};
use millrace_e2e::feed::Feeder;
use millrace_e2e::read::{Isolation, Record, read_all};
use millrace_e2e::{Broker, Millrace, compare, murmur2, wait_until};

use crate::left::equal;

pub const PARTITIONS: i32 = 4;
const WINDOW_MS: i64 = 300_000;

/// Input without end, the same for one beginning: order number `i` of it. In each partition time goes forward, and each shop sells in one
/// partition only, so that even behind a repartition topic its updates have one order.
#[derive(Debug, Clone, Copy)]
pub struct Orders {
    from: i64,
}

impl Orders {
    /// Beginning half a day ago: 1,000 records are 20 s of it.
    pub fn new() -> Orders {
        Orders {
            from: now() - 43_200_000,
        }
    }

    pub fn get(&self, i: usize) -> Input {
        let order = self.order(i);
        let (shop, amount) = (order.shop, order.amount);
        Input {
            partition: order.partition,
            key: Some(order.user.into_bytes()),
            value: Some(format!("{{\"amount\":{amount},\"shop\":\"{shop}\"}}").into_bytes()),
            timestamp: order.timestamp,
        }
    }

    fn order(&self, i: usize) -> Order {
        let user = format!("user-{}", i * 7_919 % 211);
        let partition = murmur2::partition(user.as_bytes(), PARTITIONS);
        Order {
            shop: format!("p{partition}-s{}", i % 13),
            user,
            partition,
            amount: (i * 31 % 997 + 1) as i64,
            timestamp: self.from + 20 * i as i64,
        }
    }

    /// The updates of the five-minute totals over the first `count` orders, without a cache.
    pub fn totals(&self, count: usize) -> Vec<Record> {
        let mut totals = HashMap::<(String, i64), (i64, i64)>::new();
        let update = |order: Order| {
            let window = order.timestamp - order.timestamp.rem_euclid(WINDOW_MS);
            let (total, orders) = totals.entry((order.user.clone(), window)).or_default();
            (*total, *orders) = (*total + order.amount, *orders + 1);
            let value = format!("{{\"totalAmount\":{total},\"count\":{orders}}}");
            record(order.user, value, order.timestamp)
        };
        (0..count).map(|i| self.order(i)).map(update).collect()
    }

    /// The updates of the totals per shop over the first `count` orders, without a cache.
    pub fn shops(&self, count: usize) -> Vec<Record> {
        self.shop_totals(count, |total, orders, largest| {
            let average = total as f64 / orders as f64;
            format!("{{\"total\":{total},\"orders\":{orders},\"largest\":{largest},\"average\":{average:?}}}")
        })
    }

    /// What these updates are in the changelog.
    pub fn shops_logged(&self, count: usize) -> Vec<Record> {
        self.shop_totals(count, |total, orders, largest| {
            format!("{{\"total\":{total},\"orders\":{orders},\"largest\":{largest}}}")
        })
    }

    fn shop_totals(&self, count: usize, value: impl Fn(i64, i64, i64) -> String) -> Vec<Record> {
        let mut shops = HashMap::<String, (i64, i64, i64)>::new();
        let update = |order: Order| {
            let (total, orders, largest) = shops.entry(order.shop.clone()).or_default();
            (*total, *orders, *largest) = (*total + order.amount, *orders + 1, order.amount.max(*largest));
            record(order.shop, value(*total, *orders, *largest), order.timestamp)
        };
        (0..count).map(|i| self.order(i)).map(update).collect()
    }

    /// Writes orders, about so many per second, until `done`; how many.
    pub fn feed(&self, broker: &Broker, topic: &str, per_second: usize, done: &AtomicBool) -> usize {
        let feeder = Feeder::new(broker);
        let begun = Instant::now();
        let batch = (per_second / 10).max(1);
        let mut next = 0;
        while !done.load(Ordering::Relaxed) {
            (next..next + batch).for_each(|i| feeder.send(topic, &self.get(i)));
            feeder.flush();
            next += batch;
            let due = begun + Duration::from_secs_f64(next as f64 / per_second as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        next
    }

    /// Writes the orders of these numbers at once.
    pub fn feed_all(&self, broker: &Broker, topic: &str, numbers: std::ops::Range<usize>) {
        let feeder = Feeder::new(broker);
        numbers.for_each(|i| feeder.send(topic, &self.get(i)));
        feeder.flush();
    }
}

/// Ends a feeding when it goes, by a panic too: a scope waits for its threads.
pub struct Feeding<'a>(pub &'a AtomicBool);

impl Drop for Feeding<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Order {
    user: String,
    shop: String,
    partition: i32,
    amount: i64,
    timestamp: i64,
}

fn record(key: String, value: String, timestamp: i64) -> Record {
    Record {
        partition: murmur2::partition(key.as_bytes(), PARTITIONS),
        offset: 0,
        key: Some(key.into_bytes()),
        value: Some(value.into_bytes()),
        timestamp,
        headers: Vec::new(),
    }
}

/// The number of records that a reader of committed ones sees.
pub fn committed(broker: &Broker, topic: &str) -> usize {
    read_all(broker, topic, Isolation::Committed).len()
}

/// Waits until a reader of committed records sees `count` of them.
pub fn wait_for_output(broker: &Broker, topic: &str, count: usize, within: Duration) {
    let mut seen = 0;
    let what = format!("{count} committed records in {topic}");
    wait_until(&what, within, || {
        // Reading all of it again and again is not free.
        std::thread::sleep(Duration::from_millis(200));
        let now = committed(broker, topic);
        if now != seen {
            println!("{topic}: {now} of {count}");
            seen = now;
        }
        (now >= count).then_some(())
    });
}

/// The committed records are these updates, each once.
#[track_caller]
pub fn exactly_once(broker: &Broker, topic: &str, expected: &[Record]) {
    let written = read_all(broker, topic, Isolation::Committed);
    equal(
        &format!("committed updates of {topic}"),
        compare::same_updates(expected, &written),
        expected.len(),
    );
}

/// None of them has ended.
#[track_caller]
pub fn still_run(apps: &mut [Millrace]) {
    for app in apps {
        let ended = app.process.try_exit();
        assert!(ended.is_none(), "{} ended: {ended:?}", app.process.name());
    }
}
