//! Records through an application: its committed offsets are followed over a preloaded input.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use millrace_e2e::data::Transactions;
use millrace_e2e::feed::Feeder;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::{Isolation, read_all, watermarks};
use millrace_e2e::{Broker, JavaApp, Millrace, Process, admin, compare, unique};

use crate::report::Run;
use crate::rows::{Engine, Row, config};
use crate::usage::{Mark, peak_rss_mb};
use crate::{Args, PARTITIONS};

/// Above so many keys, reading both states back would take more memory than a bench should.
const MOST_KEYS_COMPARED: usize = 100_000;

/// Inputs by their number of keys, each written once.
pub struct Inputs(BTreeSet<usize>);

impl Inputs {
    pub fn none() -> Inputs {
        Inputs(BTreeSet::new())
    }

    /// The row's input topic, written if it is not there yet.
    fn of(&mut self, broker: &Broker, args: &Args, row: Row) -> String {
        let keys = row.keys(args.keys);
        let topic = format!("in-{keys}");
        if self.0.insert(keys) {
            eprintln!("preloading {} records of {keys} keys", args.records);
            admin::create_topic(broker, &topic, PARTITIONS, &[]);
            let feeder = Feeder::new(broker);
            let spec = Transactions {
                skewed: false,
                ..Transactions::seeded(1)
                    .records(args.records)
                    .users(keys)
                    .without_faults()
            };
            for input in spec.iter() {
                feeder.send(&topic, &input);
            }
            feeder.flush();
        }
        topic
    }
}

/// One round of a row: each engine once, and their results compared.
pub fn round(
    broker: &Broker,
    args: &Args,
    inputs: &mut Inputs,
    row: Row,
    round: usize,
    engines: &[Engine],
) -> Vec<Run> {
    let input = inputs.of(broker, args, row);
    let ids: Vec<String> = engines.iter().map(|_| unique("bench")).collect();
    let runs = engines
        .iter()
        .zip(&ids)
        .map(|(engine, id)| measure(broker, args, row, *engine, round, &input, id))
        .collect();
    if let [a, b] = &ids[..] {
        same_results(broker, args, row, round, a, b);
    }
    let left: Vec<String> = ids.iter().flat_map(|id| [format!("{id}-out"), changelog(id)]).collect();
    admin::delete_topics(broker, &left.iter().map(String::as_str).collect::<Vec<_>>());
    runs
}

/// The changelog of the sums.
pub fn changelog(id: &str) -> String {
    format!("{id}-user-5min-totals-changelog")
}

/// Starts one engine, follows its committed offsets over the input, and stops it at the end.
fn measure(broker: &Broker, args: &Args, row: Row, engine: Engine, round: usize, input: &str, id: &str) -> Run {
    let output = format!("{id}-out");
    admin::create_topic(broker, &output, PARTITIONS, &[]);
    let (mut java, mut ours);
    let process: &mut Process = match engine {
        Engine::Java => {
            let app = if row == Row::Filter { "filter" } else { "totals" };
            let mut builder = JavaApp::run(broker, app, id, input, &output).until_terminated();
            builder = builder.jvm(&args.jvm.split_whitespace().collect::<Vec<_>>());
            for (key, value) in config(row) {
                builder = builder.config(key, value);
            }
            java = builder.start();
            &mut java.process
        }
        Engine::Millrace => {
            let mut manifest = match row {
                Row::Filter => Manifest::filter(broker, id, input, &output),
                _ => Manifest::totals(broker, id, input, &output),
            };
            for (key, value) in config(row) {
                manifest = manifest.config(key, value);
            }
            ours = Millrace::run(manifest).start();
            &mut ours.process
        }
    };

    let reader = admin::positions_reader(broker, id);
    let total = args.records as i64;
    let deadline = Instant::now() + Duration::from_secs(300);
    let mut warm: Option<(i64, Mark)> = None;
    loop {
        std::thread::sleep(Duration::from_millis(20));
        assert!(
            process.try_exit().is_none(),
            "{} ended early:\n{}",
            process.name(),
            process.stderr()
        );
        assert!(
            Instant::now() < deadline,
            "{} takes more than five minutes:\n{}",
            process.name(),
            process.stderr()
        );
        let done: i64 = admin::positions_by(&reader, input).values().map(|p| p.offset).sum();
        if done < args.warm_up {
            continue;
        }
        let now = Mark::of(process.pid());
        let Some((from, began)) = warm else {
            assert!(
                done < total,
                "the warm-up of {} records took all of them: give more --records",
                args.warm_up
            );
            warm = Some((done, now));
            continue;
        };
        if done < total {
            continue;
        }
        let run = Run::new(
            row,
            engine,
            round,
            done - from,
            &began,
            &now,
            peak_rss_mb(process.pid()),
        );
        process.terminate();
        process.wait(Duration::from_secs(60));
        return run;
    }
}

/// A fast wrong answer is none: the filter passed as many records, the totals are equal (looked at in the first round).
fn same_results(broker: &Broker, args: &Args, row: Row, round: usize, a: &str, b: &str) {
    if row == Row::Filter {
        let passed = |id: &str| watermarks(broker, &format!("{id}-out"));
        assert_eq!(passed(a), passed(b), "the filters passed different numbers of records");
    } else if round == 0 && row.keys(args.keys) <= MOST_KEYS_COMPARED {
        let state = |id: &str| read_all(broker, &changelog(id), Isolation::Committed);
        compare::same_final_state(&state(a), &state(b)).unwrap_or_else(|d| panic!("the totals differ: {d}"));
    }
}
