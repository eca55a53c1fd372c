//! Kafka Streams and Millrace, alternating, on one broker and one preloaded input: CPU a record, records a second, memory.
//!
//! Both are measured from outside and alike: the sum of the group's committed offsets says how far an application is, `/proc` what it
//! has used by then. Start-up and the first records (`--warm-up`: class loading, compilation) are left out for both. The restore has
//! no warm-up, because a process that restores has just begun.

mod report;
mod restore;
mod rows;
mod throughput;
mod usage;

use clap::{Parser, ValueEnum};
use millrace_e2e::Broker;

use self::report::Run;
use self::rows::{Engine, Row};
use self::throughput::Inputs;

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
    /// Different keys, equally frequent, of the rows that have not a million of them.
    #[arg(long, default_value_t = 10_000)]
    keys: usize,
    /// Records of the changelog that is restored.
    #[arg(long, default_value_t = 2_000_000)]
    restore_records: usize,
    /// Only these rows, separated by commas or given again.
    #[arg(long, value_delimiter = ',')]
    row: Vec<Row>,
    /// Only this engine.
    #[arg(long)]
    engine: Option<Engine>,
    /// The JVM's options, separated by spaces.
    #[arg(long, default_value = "-Xmx1g", allow_hyphen_values = true)]
    jvm: String,
    /// A table of medians, or JSON with every run.
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn main() {
    let args = Args::parse();
    let rows: Vec<Row> = (Row::value_variants().iter())
        .copied()
        .filter(|row| args.row.is_empty() || args.row.contains(row))
        .collect();
    assert!(
        args.warm_up < args.records as i64 || !rows.iter().any(|row| row.is_throughput()),
        "--warm-up leaves nothing to measure"
    );
    let broker = Broker::start("1g");
    if rows.contains(&Row::Restore) {
        restore::prepare(&broker, &args);
    }
    let mut inputs = Inputs::none();
    let mut runs: Vec<Run> = Vec::new();
    for round in 0..args.rounds {
        // The first place goes to each in turn: the broker's caches are warmer for the second.
        let mut engines = vec![Engine::Java, Engine::Millrace];
        if round % 2 == 1 {
            engines.reverse();
        }
        engines.retain(|engine| args.engine.is_none_or(|only| only == *engine));
        for row in &rows {
            let of_row = match row {
                Row::Restore => (engines.iter())
                    .map(|engine| restore::measure(&broker, &args, *engine, round))
                    .collect(),
                row => throughput::round(&broker, &args, &mut inputs, *row, round, &engines),
            };
            for run in &of_row {
                eprintln!("round {round}: {}", run.line());
            }
            runs.extend(of_row);
        }
    }
    match args.format {
        Format::Text => println!("{}", report::table(&runs)),
        Format::Json => println!("{}", report::json(&runs)),
    }
}
