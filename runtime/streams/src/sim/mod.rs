//! The simulator: whole applications on the log in the process, with a crash at any call.
//!
//! A seed makes a history: a small application, its input, instances that come and go, and faults, each at one call on the log or on the
//! state ([`faults`]). One thread steps every worker and driver, on a clock of its own; whatever is random is drawn from the seed, so a
//! seed replays. What the history leaves is compared with what the same input leaves without faults ([`verdict`]). A failing
//! history is shrunk and printed as a script.
//!
//! `MILLRACE_SIM_SEEDS` says how many seeds are played, `MILLRACE_SEED` from which million on; `MILLRACE_SIM_SEED` plays one and tells what
//! happens.

mod app;
mod faults;
mod generate;
mod history;
mod outcome;
mod run;
mod scripts;
mod search;
mod shrink;
mod verdict;
mod volume;

use std::ops::Range;
use std::time::Instant;

use self::search::{SEED, explain, history_of, search, tell, verdict};
use crate::mutant::Mutant;

/// What `make test` plays.
const DEFAULT_SEEDS: u64 = 10_000;
/// What the unit suite plays.
const FEW_SEEDS: u64 = 150;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")),
    )
}

fn seeds() -> Range<u64> {
    let first = number("MILLRACE_SEED").unwrap_or(0) * 1_000_000;
    first..first + number("MILLRACE_SIM_SEEDS").unwrap_or(DEFAULT_SEEDS)
}

#[test]
fn a_few_histories() {
    if let Some(seed) = search(0..FEW_SEEDS, None).failure {
        panic!("{}", explain(seed, None));
    }
}

#[test]
#[ignore = "the suite `simulation` of make test"]
fn crashes_at_every_call_are_not_seen() {
    let begun = Instant::now();
    let seeds = seeds();
    let are_enough = seeds.end - seeds.start >= DEFAULT_SEEDS;
    let found = search(seeds, None);
    println!("{}", found.hits.table());
    println!(
        "{} histories, each with and without faults, in {:.1} s",
        found.hits.histories,
        begun.elapsed().as_secs_f64()
    );
    found.hits.record();
    if let Some(seed) = found.failure {
        panic!("{}", explain(seed, None));
    }
    let missing = found.hits.missing();
    assert!(missing.is_empty() || !are_enough, "not struck:\n{}", missing.join("\n"));
}

#[test]
#[ignore = "the suite `simulation` of make test"]
fn every_mutant_is_caught() {
    for mutant in Mutant::ALL {
        let begun = Instant::now();
        let found = search(0..DEFAULT_SEEDS, Some(mutant));
        let seed = found.failure.unwrap_or_else(|| panic!("{mutant:?} is not caught"));
        println!(
            "{mutant:?} is caught by seed {seed}, after {} histories and {:.1} s: {}",
            found.hits.histories,
            begun.elapsed().as_secs_f64(),
            verdict(&history_of(seed), Some(mutant)).1.unwrap_err()
        );
    }
}

/// Plays the seed of `MILLRACE_SIM_SEED`, and tells what happens; the engine's own log comes first, of the run without faults and the one with them.
#[test]
#[ignore = "for a seed that failed"]
fn seed() {
    let Some(seed) = number(SEED) else { return };
    let history = history_of(seed);
    let log = tracing_subscriber::fmt()
        .without_time()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(std::io::stdout)
        .finish();
    let told = tracing::subscriber::with_default(log, || tell(&history, None));
    println!("{told}");
    if told.contains("WRONG: ") {
        panic!("smaller:\n{}", explain(seed, None));
    }
}
