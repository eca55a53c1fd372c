//! Scripted histories: what the simulator has found once, and what it promises itself.

use millrace_kafka::ErrorKind;
use millrace_kafka::inproc::{MarkerPolicy, Point};

use super::app::{App, Branch};
use super::faults::{At, Effect, Fault, Place, Return};
use super::history::{History, Input};
use super::search::{history_of, tell, verdict};

fn history(branches: &[Branch]) -> History {
    History {
        seed: 1,
        app: App {
            branches: branches.to_vec(),
            partitions: 1,
            is_merged: false,
        },
        is_exactly_once: true,
        cache_bytes: 0,
        properties: vec![("commit.interval.ms", "30")],
        instances: 1,
        workers: 1,
        is_static: false,
        markers: MarkerPolicy::Immediate,
        splits_reads: false,
        chunk_rows: usize::MAX,
        feeds_transactions: false,
        records: Vec::new(),
        events: Vec::new(),
        faults: Vec::new(),
    }
}

fn record(tick: u32, key: &str, value: &str) -> Input {
    Input {
        tick,
        topic: "in-a",
        partition: 0,
        key: Some(key.to_owned()),
        value: Some(value.to_owned()),
        time: i64::from(tick),
        is_aborted: false,
    }
}

fn fault(point: Point, nth: u32, effect: Effect) -> Fault {
    Fault {
        at: At::Nth(Place::Log(point), nth),
        effect,
        back: Return {
            down: 5,
            loses_volume: false,
            is_long: false,
        },
    }
}

fn expect_well(history: &History) {
    if verdict(history, None).1.is_err() {
        panic!("{}", tell(history, None));
    }
}

/// A broken record keeps its place in the queue until the other input has been waited for; a commit meanwhile takes its dead letter, and
/// has to take its offset too.
#[test]
fn a_dead_letter_is_committed_with_its_offset() {
    for nth in 1..=3 {
        for effect in [Effect::CrashAfter, Effect::Refused(ErrorKind::Fenced)] {
            let mut history = history(&[Branch::Copies]);
            history.app.is_merged = true;
            history.properties.push(("max.task.idle.ms", "100"));
            history.records = vec![record(38, "a0-x", "?")];
            history.faults = vec![fault(Point::ProducerCommit, nth, effect)];
            expect_well(&history);
        }
    }
}

/// Whatever a task fails at between its restore and its first record, it is opened again.
#[test]
fn a_task_whose_start_fails_is_opened_again() {
    for point in [Point::ProducerPartitions, Point::ConsumerAssign, Point::AdminTopics] {
        for nth in 1..=6 {
            for effect in [
                Effect::Refused(ErrorKind::Retriable),
                Effect::AnswerLost(ErrorKind::Retriable),
            ] {
                let mut history = history(&[Branch::Keys, Branch::Classes]);
                history.records = vec![record(0, "a0-x", "1"), record(60, "a0-x", "2")];
                history.faults = vec![fault(point, nth, effect)];
                expect_well(&history);
            }
        }
    }
}

/// A seed is a history: played again, every call comes at the same place.
#[test]
fn a_seed_replays() {
    for seed in 0..40 {
        let [first, second] = [0, 1].map(|_| {
            let (run, verdict) = verdict(&history_of(seed), None);
            (run.calls, run.journal, verdict)
        });
        assert_eq!(first, second, "seed {seed}");
    }
}

/// What is lost is found missing, and what is there twice, too: the verdict is none that cannot fail.
#[test]
fn the_verdict_sees_a_lost_record_and_a_repeated_one() {
    let mut history = history(&[Branch::Keys]);
    history.records = vec![record(0, "a0-x", "1"), record(5, "a0-x", "2")];
    let mut other = history.clone();
    other.records.pop();
    let expected = super::run::run(&history.reference(), None);
    let judged = |history: &History| {
        let run = super::run::run(history, None);
        super::verdict::judge(
            history,
            &run,
            expected.outcome.as_ref().unwrap_or_else(|error| panic!("{error}")),
        )
    };
    assert_eq!(judged(&history), Ok(()));
    let lost = judged(&other).unwrap_err();
    assert!(lost.contains("[1/1 @0] instead of [1/1 @0, 3/2 @5]"), "{lost}");
    other.records = vec![record(0, "a0-x", "1"), record(5, "a0-x", "2"), record(5, "a0-x", "2")];
    let twice = judged(&other).unwrap_err();
    assert!(
        twice.contains("[1/1 @0, 3/2 @5, 5/3 @5] instead of [1/1 @0, 3/2 @5]"),
        "{twice}"
    );
}
