//! Writes a feed into a log, at its rate, in a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace::kafka::log::{Header, OutgoingRecord, ProducerSpec, SharedLog, TopicHandle};

use super::generate::Generator;
use super::spec::Feed;

/// The header that says when a record was fed: microseconds since the start, 8 bytes, big endian.
pub const FED_AT: &str = "millrace.fed-at";
/// One record in so many carries it.
const MARKED: u64 = 16;
/// How often records are written.
const TICK: Duration = Duration::from_millis(5);
/// How far the feed may run ahead of the application.
const MOST_AHEAD: u64 = 200_000;

/// What the feed has done, and what it may do.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records written.
    pub fed: AtomicU64,
    /// Records that the application has processed: the feed waits for it if it falls too far behind.
    pub processed: AtomicU64,
    stop: AtomicBool,
}

/// A feed that is being written.
pub struct Feeding {
    progress: Arc<Progress>,
    thread: JoinHandle<millrace::kafka::Result<()>>,
}

impl Feeding {
    /// Starts to write; `rate` in records a second, `None` as many as the application takes; `epoch` is what latencies count from.
    pub fn start(
        feed: Feed,
        rate: Option<f64>,
        log: SharedLog,
        progress: Arc<Progress>,
        epoch: Instant,
    ) -> std::io::Result<Self> {
        let shared = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("millrace-feed".to_owned())
            .spawn(move || write(feed, rate, &log, &shared, epoch))?;
        Ok(Self { progress, thread })
    }

    /// Stops, and waits for it.
    pub fn stop(self) -> millrace::kafka::Result<()> {
        self.progress.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| {
            Err(millrace::kafka::Error::new(
                millrace::kafka::ErrorKind::Fatal,
                "the feed panicked: a defect of Millrace",
            ))
        })
    }
}

fn write(
    feed: Feed,
    rate: Option<f64>,
    log: &SharedLog,
    progress: &Progress,
    epoch: Instant,
) -> millrace::kafka::Result<()> {
    let spec = ProducerSpec {
        client_id: "feed".to_owned(),
        transactional_id: None,
        config: Vec::new(),
    };
    let mut producer = log.producer(&spec)?;
    let topics: Vec<TopicHandle> = feed
        .topics
        .iter()
        .map(|topic| producer.topic(&topic.name))
        .collect::<Result<_, _>>()?;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let mut generator = Generator::new(feed, now.as_millis() as i64);
    let (begun, mut fed) = (Instant::now(), 0_u64);
    let mut headers = [Header {
        name: FED_AT.to_owned(),
        value: None,
    }];
    while !progress.stop.load(Ordering::Relaxed) {
        let ahead = progress.processed.load(Ordering::Relaxed) + MOST_AHEAD;
        let due = rate.map_or(fed + 2_000, |rate| (begun.elapsed().as_secs_f64() * rate) as u64);
        let due = due.min(ahead).min(fed + 20_000);
        while fed < due {
            let marked = fed.is_multiple_of(MARKED);
            if marked {
                headers[0].value = Some(Bytes::copy_from_slice(
                    &(epoch.elapsed().as_micros() as u64).to_be_bytes(),
                ));
            }
            let record = generator.next();
            producer.send(OutgoingRecord {
                topic: topics[record.topic],
                partition: record.partition,
                key: record.key,
                value: record.value,
                timestamp: record.timestamp,
                headers: if marked { &headers } else { &[] },
            })?;
            fed += 1;
        }
        producer.flush(Duration::from_secs(10))?;
        progress.fed.store(fed, Ordering::Relaxed);
        if rate.is_some() || fed >= ahead {
            std::thread::sleep(TICK);
        }
    }
    Ok(())
}
