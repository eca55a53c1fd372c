//! Waits between attempts.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Doubles from a first wait to a longest, a fifth of it left to chance, so that members of one group do not return in step.
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    random: StdRng,
}

impl Backoff {
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self {
            first,
            longest,
            failures: 0,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// The wait after one more failure.
    pub fn next(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        doubled.min(self.longest).mul_f64(self.random.random_range(0.8..1.2))
    }

    /// Something succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_with_jitter_up_to_the_longest_and_begins_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1), 7);
        let around = |wait: Duration, expected: f64| (wait.as_secs_f64() / expected - 1.0).abs() <= 0.2;
        for expected in [0.1, 0.2, 0.4, 0.8, 1.0, 1.0] {
            let wait = backoff.next();
            assert!(around(wait, expected), "{wait:?} for {expected}");
        }
        backoff.reset();
        assert!(around(backoff.next(), 0.1));
    }
}
