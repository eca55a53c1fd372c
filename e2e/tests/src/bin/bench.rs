//! Kafka Streams and Millrace, alternating, on one broker and one preloaded topic: CPU a record, records a second, memory.
//!
//! Both are measured from outside and alike: the sum of the group's committed offsets says how far an application is, `/proc` what it
//! has used by then. Start-up and the first records (`--warm-up`: class loading, compilation) are left out for both.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use millrace_e2e::data::Transactions;
use millrace_e2e::feed::Feeder;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::{Isolation, read_all, watermarks};
use millrace_e2e::{Broker, JavaApp, Millrace, Process, admin, compare, unique};
use serde::Serialize;

const PARTITIONS: i32 = 4;

#[derive(Parser)]
#[command(about = "Kafka Streams and Millrace side by side on one broker")]
struct Args {
    /// How often each application runs; Java and Millrace take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Records that are preloaded.
    #[arg(long, default_value_t = 3_000_000)]
    records: usize,
    /// Records at the start of each run that are not measured.
    #[arg(long, default_value_t = 1_000_000)]
    warm_up: i64,
    /// Different keys, equally frequent.
    #[arg(long, default_value_t = 10_000)]
    keys: usize,
    /// Only this row.
    #[arg(long)]
    row: Option<Row>,
    /// Only this engine.
    #[arg(long)]
    engine: Option<Engine>,
    /// The JVM's options, separated by spaces.
    #[arg(long, default_value = "-Xmx1g", allow_hyphen_values = true)]
    jvm: String,
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Row {
    /// Five-minute totals per user, exactly_once_v2, 10 MB of cache, a commit a second.
    Sum,
    /// JSON in, a predicate on one field, the same JSON out; at_least_once, a commit a second.
    Filter,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Engine {
    Java,
    Millrace,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// One run of one engine.
#[derive(Clone, Serialize)]
struct Run {
    row: Row,
    engine: Engine,
    round: usize,
    records: i64,
    cpu_us_per_record: f64,
    records_per_second: f64,
    peak_rss_mb: f64,
}

fn main() {
    let args = Args::parse();
    assert!(
        args.warm_up < args.records as i64,
        "--warm-up leaves nothing to measure"
    );
    let broker = Broker::start("1g");
    eprintln!("preloading {} records of {} keys", args.records, args.keys);
    preload(&broker, &args);

    let mut runs = Vec::new();
    for round in 0..args.rounds {
        for row in [Row::Sum, Row::Filter]
            .into_iter()
            .filter(|row| args.row.is_none_or(|only| only == *row))
        {
            // The first place goes to each in turn: the broker's caches are warmer for the second.
            let mut engines = vec![Engine::Java, Engine::Millrace];
            if round % 2 == 1 {
                engines.reverse();
            }
            engines.retain(|engine| args.engine.is_none_or(|only| only == *engine));
            let ids: Vec<String> = engines.iter().map(|_| unique("bench")).collect();
            for (engine, id) in engines.iter().zip(&ids) {
                let run = measure(&broker, &args, row, *engine, round, id);
                eprintln!("round {round}: {}", line(&run));
                runs.push(run);
            }
            if let ([_, _], [a, b]) = (&engines[..], &ids[..]) {
                same_results(&broker, row, round, a, b);
            }
            let left: Vec<String> = ids.iter().flat_map(|id| [format!("{id}-out"), changelog(id)]).collect();
            admin::delete_topics(&broker, &left.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    match args.format {
        Format::Text => table(&runs),
        Format::Json => println!("{}", serde_json::to_string_pretty(&runs).expect("plain data")),
    }
}

fn preload(broker: &Broker, args: &Args) {
    admin::create_topic(broker, "in", PARTITIONS, &[]);
    let feeder = Feeder::new(broker);
    let spec = Transactions {
        skewed: false,
        ..Transactions::seeded(1)
            .records(args.records)
            .users(args.keys)
            .without_faults()
    };
    for input in spec.iter() {
        feeder.send("in", &input);
    }
    feeder.flush();
}

fn changelog(id: &str) -> String {
    format!("{id}-user-5min-totals-changelog")
}

/// Starts one engine, follows its committed offsets over the input, and stops it at the end.
fn measure(broker: &Broker, args: &Args, row: Row, engine: Engine, round: usize, id: &str) -> Run {
    let output = format!("{id}-out");
    admin::create_topic(broker, &output, PARTITIONS, &[]);
    let guarantee = if row == Row::Sum {
        "exactly_once_v2"
    } else {
        "at_least_once"
    };
    let config = [
        ("processing.guarantee", guarantee),
        ("statestore.cache.max.bytes", "10485760"),
        ("commit.interval.ms", "1000"),
    ];
    let (mut java, mut ours);
    let process: &mut Process = match engine {
        Engine::Java => {
            let app = if row == Row::Sum { "totals" } else { "filter" };
            let mut builder = JavaApp::run(broker, app, id, "in", &output).until_terminated();
            builder = builder.jvm(&args.jvm.split_whitespace().collect::<Vec<_>>());
            for (key, value) in config {
                builder = builder.config(key, value);
            }
            java = builder.start();
            &mut java.process
        }
        Engine::Millrace => {
            let mut manifest = match row {
                Row::Sum => Manifest::totals(broker, id, "in", &output),
                Row::Filter => Manifest::filter(broker, id, "in", &output),
            };
            for (key, value) in config {
                manifest = manifest.config(key, value);
            }
            ours = Millrace::run(manifest).start();
            &mut ours.process
        }
    };

    let reader = admin::positions_reader(broker, id);
    let total = args.records as i64;
    let deadline = Instant::now() + Duration::from_secs(300);
    let mut warm: Option<(i64, f64, Instant)> = None;
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
        let done: i64 = admin::positions_by(&reader, "in").values().map(|p| p.offset).sum();
        if done < args.warm_up {
            continue;
        }
        let now = (done, cpu_seconds(process.pid()), Instant::now());
        let Some((from, cpu, at)) = warm else {
            assert!(
                done < total,
                "the warm-up of {} records took all of them: give more --records",
                args.warm_up
            );
            warm = Some(now);
            continue;
        };
        if done < total {
            continue;
        }
        let peak_rss_mb = peak_rss_mb(process.pid());
        process.terminate();
        process.wait(Duration::from_secs(60));
        let records = done - from;
        return Run {
            row,
            engine,
            round,
            records,
            cpu_us_per_record: (now.1 - cpu) * 1e6 / records as f64,
            records_per_second: records as f64 / (now.2 - at).as_secs_f64(),
            peak_rss_mb,
        };
    }
}

/// A fast wrong answer is none: the filter passed as many records, the totals are equal (looked at in the first round).
fn same_results(broker: &Broker, row: Row, round: usize, a: &str, b: &str) {
    match row {
        Row::Filter => {
            let passed = |id: &str| watermarks(broker, &format!("{id}-out"));
            assert_eq!(passed(a), passed(b), "the filters passed different numbers of records");
        }
        Row::Sum if round == 0 => {
            let state = |id: &str| read_all(broker, &changelog(id), Isolation::Committed);
            compare::same_final_state(&state(a), &state(b)).unwrap_or_else(|d| panic!("the totals differ: {d}"));
        }
        Row::Sum => {}
    }
}

/// User and system time of all threads, ended ones too.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name in parentheses may hold anything; fields are counted behind it: utime is the 12th, stime the 13th.
    let fields: Vec<&str> = stat[stat.rfind(')').expect("a name") + 2..].split(' ').collect();
    let ticks = |i: usize| fields[i].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / rustix::param::clock_ticks_per_second() as f64
}

fn peak_rss_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("Linux says so");
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<f64>().ok())
        .expect("kilobytes")
        / 1024.0
}

fn name(row: Row) -> &'static str {
    match row {
        Row::Sum => "sum",
        Row::Filter => "filter",
    }
}

fn line(run: &Run) -> String {
    let engine = if run.engine == Engine::Java {
        "java 4.3.1"
    } else {
        "millrace"
    };
    format!(
        "{:<8}{:<12}{:>10.2}{:>12.0}{:>10.0}",
        name(run.row),
        engine,
        run.cpu_us_per_record,
        run.records_per_second,
        run.peak_rss_mb
    )
}

/// The medians of the rounds, and Millrace's share of Java's.
fn table(runs: &[Run]) {
    let mut groups: BTreeMap<(Row, Engine), Vec<&Run>> = BTreeMap::new();
    for run in runs {
        groups.entry((run.row, run.engine)).or_default().push(run);
    }
    let middle = |runs: &[&Run], of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(|r| of(r)).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let medians: BTreeMap<(Row, Engine), Run> = groups
        .iter()
        .map(|(group, runs)| {
            let median = Run {
                cpu_us_per_record: middle(runs, |r| r.cpu_us_per_record),
                records_per_second: middle(runs, |r| r.records_per_second),
                peak_rss_mb: middle(runs, |r| r.peak_rss_mb),
                ..runs[0].clone()
            };
            (*group, median)
        })
        .collect();
    println!("{:<8}{:<12}{:>10}{:>12}{:>10}", "", "", "CPU-us", "records", "peak RSS");
    println!("{:<8}{:<12}{:>10}{:>12}{:>10}", "", "", "a record", "a second", "MB");
    for ((row, engine), run) in &medians {
        println!("{}", line(run));
        if let (Engine::Millrace, Some(java)) = (engine, medians.get(&(*row, Engine::Java))) {
            println!(
                "{:<8}{:<12}{:>10.2}{:>12.2}{:>10.2}",
                "",
                "ratio",
                run.cpu_us_per_record / java.cpu_us_per_record,
                run.records_per_second / java.records_per_second,
                run.peak_rss_mb / java.peak_rss_mb
            );
        }
    }
}
