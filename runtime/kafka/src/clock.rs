//! Time as the log and the engine see it: the machine's, or a test's.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// Where time comes from. Two readings: the wall's, which records carry, and a monotonic one, which time-outs use.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Whether time passes while a caller waits. Where it does not, no call waits.
    fn passes_by_itself(&self) -> bool {
        true
    }
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic reading starts at zero now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that moves only when it is told to.
///
/// ```
/// use std::time::Duration;
/// use millrace_kafka::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::at(1_000);
/// clock.advance(Duration::from_millis(250));
/// assert_eq!(clock.now_ms(), 1_250);
/// assert_eq!(clock.monotonic(), Duration::from_millis(250));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    reading: Mutex<(i64, Duration)>,
}

impl ManualClock {
    /// A clock whose wall stands at `wall_ms`, and whose monotonic reading at zero.
    #[must_use]
    pub fn at(wall_ms: i64) -> Self {
        Self {
            reading: Mutex::new((wall_ms, Duration::ZERO)),
        }
    }

    /// Lets time pass, on both readings.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.reading.lock();
        reading.0 += by.as_millis() as i64;
        reading.1 += by;
    }

    /// Sets the wall, back or forth; the monotonic reading stays.
    pub fn set_wall_ms(&self, wall_ms: i64) {
        self.reading.lock().0 = wall_ms;
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.reading.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.reading.lock().1
    }

    fn passes_by_itself(&self) -> bool {
        false
    }
}
