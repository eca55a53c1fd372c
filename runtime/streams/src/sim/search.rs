//! Plays many seeds, on all cores, and counts what was struck.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::faults::{Effect, Place};
use super::generate::draft;
use super::history::History;
use super::run::{Run, run};
use super::shrink::shrink;
use super::verdict::judge;
use crate::mutant::Mutant;

/// How often each call was struck, and how.
#[derive(Default)]
pub(super) struct Hits {
    pub of: BTreeMap<Place, Hit>,
    pub histories: u64,
}

/// How often one call was made and struck.
#[derive(Clone, Copy, Default)]
pub(super) struct Hit {
    pub calls: u64,
    pub crashes_before: u64,
    pub crashes_after: u64,
    pub errors: u64,
    pub pauses: u64,
}

/// What a search found.
#[derive(Default)]
pub(super) struct Found {
    pub hits: Hits,
    /// The lowest seed that failed.
    pub failure: Option<u64>,
}

/// Plays the seeds of a range until one fails.
pub(super) fn search(seeds: Range<u64>, mutant: Option<Mutant>) -> Found {
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicU64::new(seeds.end);
    let found = Mutex::new(Found::default());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (run, verdict) = play(seed, mutant);
                    let mut found = found.lock();
                    found.hits.add(&run);
                    if verdict.is_err() {
                        // Lower seeds are still played to their end, so that the same one is reported every time.
                        stop.fetch_min(seed, Ordering::Relaxed);
                        found.failure = Some(found.failure.map_or(seed, |known| known.min(seed)));
                    }
                }
            });
        }
    });
    found.into_inner()
}

/// Plays a seed: first without faults, as what has to come out and to see which calls are made.
fn play(seed: u64, mutant: Option<Mutant>) -> (Run, Result<(), String>) {
    let draft = draft(seed);
    let reference = run(&draft.history.reference(), None);
    let history = draft.finish(&reference.calls);
    verdict_of(&history, mutant, &reference)
}

fn verdict_of(history: &History, mutant: Option<Mutant>, reference: &Run) -> (Run, Result<(), String>) {
    let played = run(history, mutant);
    let verdict = match &reference.outcome {
        Ok(expected) => judge(history, &played, expected),
        Err(error) => Err(format!("even without faults: {error}")),
    };
    (played, verdict)
}

/// The history of a seed, with its faults.
pub(super) fn history_of(seed: u64) -> History {
    let draft = draft(seed);
    let reference = run(&draft.history.reference(), None);
    draft.finish(&reference.calls)
}

/// Plays a history and its reference; what happened, and what is wrong.
pub(super) fn verdict(history: &History, mutant: Option<Mutant>) -> (Run, Result<(), String>) {
    verdict_of(history, mutant, &run(&history.reference(), None))
}

/// Whether something is wrong with what a history leaves.
pub(super) fn fails(history: &History, mutant: Option<Mutant>) -> bool {
    verdict(history, mutant).1.is_err()
}

/// What there is to say about a seed that fails: its history, smaller, and what happens in it.
pub(super) fn explain(seed: u64, mutant: Option<Mutant>) -> String {
    let whole = history_of(seed);
    let first = verdict(&whole, mutant).1;
    if first.is_ok() {
        return format!("seed {seed} does not fail when it is played again: something is not drawn from the seed");
    }
    let small = shrink(whole, mutant);
    tell(&small, mutant)
}

/// A history, what happens in it, and the verdict.
pub(super) fn tell(history: &History, mutant: Option<Mutant>) -> String {
    let (run, verdict) = verdict(history, mutant);
    let verdict = verdict.map_or_else(|wrong| format!("WRONG: {wrong}"), |()| "all is well".to_owned());
    format!(
        "{history}  what happens:\n    {}\n{verdict}\n  to play it again: {SEED}={} cargo test --release --workspace --lib sim::seed -- --ignored --nocapture",
        run.journal.join("\n    "),
        history.seed
    )
}

/// The environment's name for one seed to be played.
pub(super) const SEED: &str = "MILLRACE_SIM_SEED";

impl Hits {
    fn add(&mut self, run: &Run) {
        self.histories += 1;
        for (place, calls) in &run.calls {
            self.of.entry(*place).or_default().calls += u64::from(*calls);
        }
        for struck in &run.struck {
            let hit = self.of.entry(struck.place).or_default();
            match struck.fault.effect {
                Effect::CrashBefore => hit.crashes_before += 1,
                Effect::CrashAfter => hit.crashes_after += 1,
                Effect::Pause(_) => hit.pauses += 1,
                _ => hit.errors += 1,
            }
        }
    }

    /// Calls that were never struck in one of the ways in which they can be.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for place in Place::all() {
            let hit = self.of.get(&place).copied().unwrap_or_default();
            let mut need = |what: &str, count: u64| {
                if count == 0 {
                    missing.push(format!("{place}: no {what}"));
                }
            };
            need("crash before it", hit.crashes_before);
            need("crash after it", hit.crashes_after);
            if !place.errors().is_empty() {
                need("error", hit.errors);
            }
        }
        missing
    }

    /// Tells `make soak` what was struck, in the file that it names.
    pub(super) fn record(&self) {
        let Some(path) = std::env::var_os("MILLRACE_SOAK_FIGURES") else {
            return;
        };
        let struck = self.of.iter().map(|(place, hit)| {
            let counts = [hit.crashes_before, hit.crashes_after, hit.errors, hit.pauses];
            (place.to_string(), serde_json::json!(counts))
        });
        let struck: serde_json::Map<String, serde_json::Value> = struck.collect();
        let line = serde_json::json!({"histories": self.histories, "struck": struck});
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| writeln!(file, "{line}"))
            .expect("the soak's figures");
    }

    /// A line a call.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<22} {:>9} {:>13} {:>12} {:>7} {:>7}\n",
            "call", "made", "crash before", "crash after", "error", "pause"
        );
        for (place, hit) in &self.of {
            let _ = writeln!(
                text,
                "{:<22} {:>9} {:>13} {:>12} {:>7} {:>7}",
                place.to_string(),
                hit.calls,
                hit.crashes_before,
                hit.crashes_after,
                hit.errors,
                hit.pauses
            );
        }
        text
    }
}
