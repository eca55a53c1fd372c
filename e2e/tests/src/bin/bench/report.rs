//! Runs as lines, as a table of medians, and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rows::{Engine, Row};
use crate::usage::Mark;

/// One run of one engine.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    pub row: Row,
    pub engine: Engine,
    pub round: usize,
    /// Records that were measured.
    pub records: i64,
    /// How long they took, by the clock.
    pub seconds: f64,
    pub cpu_us_per_record: f64,
    pub records_per_second: f64,
    pub peak_rss_mb: f64,
}

/// Millrace's figures by Java's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Ratio {
    cpu: f64,
    records_per_second: f64,
    peak_rss: f64,
}

/// A row's medians.
#[derive(Serialize)]
struct Medians {
    row: Row,
    java: Option<Run>,
    millrace: Option<Run>,
    ratio: Option<Ratio>,
}

impl Run {
    pub fn new(
        row: Row,
        engine: Engine,
        round: usize,
        records: i64,
        began: &Mark,
        ended: &Mark,
        peak_rss_mb: f64,
    ) -> Run {
        let (seconds, cpu_seconds) = ended.since(began);
        Run {
            row,
            engine,
            round,
            records,
            seconds,
            cpu_us_per_record: cpu_seconds * 1e6 / records as f64,
            records_per_second: records as f64 / seconds,
            peak_rss_mb,
        }
    }

    pub fn line(&self) -> String {
        format!(
            "{:<12}{:<12}{:>10.2}{:>12.0}{:>10.0}",
            self.row, self.engine, self.cpu_us_per_record, self.records_per_second, self.peak_rss_mb
        )
    }
}

impl Medians {
    fn of(row: Row, runs: &[Run]) -> Medians {
        let java = median(row, Engine::Java, runs);
        let millrace = median(row, Engine::Millrace, runs);
        let ratio = java.as_ref().zip(millrace.as_ref()).map(|(java, ours)| Ratio {
            cpu: ours.cpu_us_per_record / java.cpu_us_per_record,
            records_per_second: ours.records_per_second / java.records_per_second,
            peak_rss: ours.peak_rss_mb / java.peak_rss_mb,
        });
        Medians {
            row,
            java,
            millrace,
            ratio,
        }
    }
}

/// The middle of each figure by itself.
fn median(row: Row, engine: Engine, runs: &[Run]) -> Option<Run> {
    let of: Vec<&Run> = runs
        .iter()
        .filter(|run| (run.row, run.engine) == (row, engine))
        .collect();
    let middle = |figure: fn(&Run) -> f64| {
        let mut values: Vec<f64> = of.iter().map(|run| figure(run)).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let first = of.first()?;
    Some(Run {
        seconds: middle(|run| run.seconds),
        cpu_us_per_record: middle(|run| run.cpu_us_per_record),
        records_per_second: middle(|run| run.records_per_second),
        peak_rss_mb: middle(|run| run.peak_rss_mb),
        ..(*first).clone()
    })
}

fn medians(runs: &[Run]) -> Vec<Medians> {
    let rows: BTreeMap<Row, ()> = runs.iter().map(|run| (run.row, ())).collect();
    rows.into_keys().map(|row| Medians::of(row, runs)).collect()
}

/// For people.
pub fn table(runs: &[Run]) -> String {
    let mut lines = vec![
        format!("{:<24}{:>10}{:>12}{:>10}", "", "CPU-us", "records", "peak RSS"),
        format!("{:<24}{:>10}{:>12}{:>10}", "", "a record", "a second", "MB"),
    ];
    for row in medians(runs) {
        lines.extend([&row.java, &row.millrace].into_iter().flatten().map(Run::line));
        if let Some(ratio) = row.ratio {
            lines.push(format!(
                "{:<12}{:<12}{:>10.2}{:>12.2}{:>10.2}",
                "", "ratio", ratio.cpu, ratio.records_per_second, ratio.peak_rss
            ));
        }
    }
    lines.join("\n")
}

/// For programs: every run, and the medians.
pub fn json(runs: &[Run]) -> String {
    let all = serde_json::json!({"runs": runs, "medians": medians(runs)});
    serde_json::to_string_pretty(&all).expect("plain data")
}
