//! Makes a failing history smaller, as long as it fails.

use super::history::{Event, History};
use super::search::fails;
use crate::mutant::Mutant;

/// A history is played at most so often on the way.
const MOST_RUNS: usize = 600;

struct Shrinker {
    history: History,
    mutant: Option<Mutant>,
    left: usize,
}

/// A small history that fails, too.
pub(super) fn shrink(history: History, mutant: Option<Mutant>) -> History {
    let mut shrinker = Shrinker {
        history,
        mutant,
        left: MOST_RUNS,
    };
    while shrinker.round() && shrinker.left > 0 {}
    shrinker.history
}

impl Shrinker {
    /// Takes the smaller history, if it fails.
    fn attempt(&mut self, change: impl FnOnce(&mut History)) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let mut smaller = self.history.clone();
        change(&mut smaller);
        let fails = fails(&smaller, self.mutant);
        if fails {
            self.history = smaller;
        }
        fails
    }

    /// One round over everything; whether anything became smaller.
    fn round(&mut self) -> bool {
        let mut is_smaller = false;
        let mut chunk = self.history.records.len().div_ceil(2);
        while chunk > 0 {
            let mut at = 0;
            while at < self.history.records.len() {
                let end = (at + chunk).min(self.history.records.len());
                if self.attempt(|history| _ = history.records.drain(at..end)) {
                    is_smaller = true;
                } else {
                    at = end;
                }
            }
            chunk /= 2;
        }
        for at in (0..self.history.faults.len()).rev() {
            is_smaller |= self.attempt(|history| _ = history.faults.remove(at));
        }
        for at in (0..self.history.events.len()).rev() {
            is_smaller |= self.attempt(|history| _ = history.events.remove(at));
        }
        for at in (0..self.history.app.branches.len()).rev() {
            if self.history.app.branches.len() > 1 {
                is_smaller |= self.attempt(|history| _ = history.app.branches.remove(at));
            }
        }
        is_smaller | self.plainer()
    }

    fn plainer(&mut self) -> bool {
        let mut is_plainer = false;
        while self.history.instances > 1
            && self.attempt(|history| {
                history.instances -= 1;
                let left = history.instances;
                history.events.retain(|(_, event)| match event {
                    Event::Start { instance } | Event::Bounce { instance, .. } | Event::Stall { instance, .. } => {
                        *instance < left
                    }
                    Event::Compact => true,
                });
            })
        {
            is_plainer = true;
        }
        if self.history.workers == 2 {
            is_plainer |= self.attempt(|history| history.workers = 1);
        }
        if self.history.is_static {
            is_plainer |= self.attempt(|history| history.is_static = false);
        }
        if self.history.feeds_transactions && self.history.records.iter().all(|record| !record.is_aborted) {
            is_plainer |= self.attempt(|history| history.feeds_transactions = false);
        }
        if self.history.splits_reads {
            is_plainer |= self.attempt(|history| history.splits_reads = false);
        }
        if self.history.chunk_rows != usize::MAX {
            is_plainer |= self.attempt(|history| history.chunk_rows = usize::MAX);
        }
        if self.history.cache_bytes > 0 {
            is_plainer |= self.attempt(|history| history.cache_bytes = 0);
        }
        let immediate = millrace_kafka::inproc::MarkerPolicy::Immediate;
        if self.history.markers != immediate {
            is_plainer |= self.attempt(|history| history.markers = immediate);
        }
        if self.history.app.is_merged && self.history.records.iter().all(|record| record.topic == "in-a") {
            is_plainer |= self.attempt(|history| history.app.is_merged = false);
        }
        let highest = self.history.records.iter().map(|record| record.partition).max();
        if self.history.app.partitions > highest.unwrap_or(0) + 1 {
            is_plainer |= self.attempt(|history| history.app.partitions = highest.unwrap_or(0) + 1);
        }
        for at in (0..self.history.properties.len()).rev() {
            is_plainer |= self.attempt(|history| _ = history.properties.remove(at));
        }
        for record in 0..self.history.records.len() {
            if self.history.records[record].tick > 0 {
                is_plainer |= self.attempt(|history| history.records[record].tick = 0);
            }
        }
        is_plainer
    }
}
