//! Snapshots as text: the live picture, one line a second, JSON lines, and the summary at the end.

use std::fmt::Write as _;

use super::observe::Snapshot;

/// One line.
#[must_use]
pub fn line(now: &Snapshot) -> String {
    format!(
        "{:>5.1} s  {:>9} rec/s  {:>11} processed  {:>9} results  latency P50 {} P99 {}  tasks {}  windows {} open {} closed  dead letters {}  \
         dropped {}  commits {}",
        now.elapsed.as_secs_f64(),
        count(now.rate_now as u64),
        count(now.processed),
        count(now.results),
        millis(now.p50_ms),
        millis(now.p99_ms),
        now.tasks_running,
        now.windows_open,
        now.windows_closed,
        count(now.dead_letters),
        count(now.dropped),
        count(now.commits),
    )
}

/// One JSON object.
#[must_use]
pub fn json(now: &Snapshot, event: &str) -> String {
    let top: Vec<_> = now
        .top
        .iter()
        .map(|(key, row)| {
            let value =
                serde_json::from_str(&row.value).unwrap_or_else(|_| serde_json::Value::from(row.value.as_str()));
            serde_json::json!({"key": key, "value": value, "timestamp": row.timestamp})
        })
        .collect();
    serde_json::json!({
        "event": event, "seconds": round(now.elapsed.as_secs_f64()), "processed": now.processed, "recordsPerSecond": round(now.rate_now),
        "recordsPerSecondAverage": round(now.rate_average), "results": now.results, "latencyP50Ms": round(now.p50_ms),
        "latencyP99Ms": round(now.p99_ms), "tasksRunning": now.tasks_running, "tasksRestoring": now.tasks_restoring,
        "windowsOpen": now.windows_open, "windowsClosed": now.windows_closed, "deadLetters": now.dead_letters, "dropped": now.dropped,
        "commits": now.commits, "streamTime": now.stream_time, "keys": now.keys, "top": top, "lastDeadLetters": now.last_letters,
    })
    .to_string()
}

/// The picture of the live view, at most `width` columns wide.
#[must_use]
pub fn picture(name: &str, now: &Snapshot, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut put = |text: String| lines.push(cut(&text, width));
    put(format!(
        "millrace dev · {name} · {:.0} s · stream time {}",
        now.elapsed.as_secs_f64(),
        if now.stream_time > 0 {
            crate::log::rfc3339(now.stream_time)
        } else {
            "-".to_owned()
        }
    ));
    put(String::new());
    let rates = (count(now.rate_now as u64), count(now.rate_average as u64));
    put(format!(
        "  throughput    {:>10} records/s now   {:>10} average   {:>13} in all",
        rates.0,
        rates.1,
        count(now.processed)
    ));
    put(format!(
        "  latency       {:>10} P50             {:>10} P99       {:>13} results",
        millis(now.p50_ms),
        millis(now.p99_ms),
        count(now.results)
    ));
    put(format!(
        "  windows       {:>10} open            {:>10} closed    {:>13} commits",
        count(now.windows_open as u64),
        count(now.windows_closed as u64),
        count(now.commits)
    ));
    put(format!(
        "  tasks         {:>10} running         {:>10} restoring {:>13} dropped",
        now.tasks_running,
        now.tasks_restoring,
        count(now.dropped)
    ));
    put(String::new());
    put(format!(
        "  latest result of {} keys, largest first",
        count(now.keys as u64)
    ));
    table(now).into_iter().for_each(&mut put);
    put(String::new());
    put(format!("  dead letters  {:>10}", count(now.dead_letters)));
    now.last_letters.iter().for_each(|letter| put(format!("    {letter}")));
    lines
}

/// What is said at the end.
#[must_use]
pub fn summary(name: &str, now: &Snapshot) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "\n{name}: {} records in {:.1} s, {} a second",
        count(now.processed),
        now.elapsed.as_secs_f64(),
        count(now.rate_average as u64)
    );
    let _ = writeln!(
        out,
        "  {} results, from fed to readable in {} (P50) and {} (P99); {} commits",
        count(now.results),
        millis(now.p50_ms),
        millis(now.p99_ms),
        count(now.commits)
    );
    let _ = writeln!(
        out,
        "  {} windows open, {} closed",
        count(now.windows_open as u64),
        count(now.windows_closed as u64)
    );
    let _ = writeln!(
        out,
        "  {} dead letters, {} records dropped (late, or without key)",
        count(now.dead_letters),
        count(now.dropped)
    );
    for letter in &now.last_letters {
        let _ = writeln!(out, "    {}", cut(letter, 140));
    }
    if !now.top.is_empty() {
        let _ = writeln!(
            out,
            "\n  latest result of {} keys, largest first",
            count(now.keys as u64)
        );
        table(now).iter().for_each(|row| out.push_str(&format!("{row}\n")));
    }
    out
}

fn table(now: &Snapshot) -> Vec<String> {
    let width = now
        .top
        .iter()
        .map(|(key, _)| key.chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    now.top
        .iter()
        .map(|(key, row)| format!("    {key:<width$}  {}", row.value))
        .collect()
}

fn cut(text: &str, width: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= width {
        return clean;
    }
    clean.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// `1234567` as `1,234,567`.
fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn millis(ms: f64) -> String {
    if ms >= 1000.0 {
        format!("{:.1} s", ms / 1000.0)
    } else {
        format!("{ms:.1} ms")
    }
}

fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_picture_fits_its_width() {
        let row = super::super::observe::Row {
            timestamp: 1,
            value: r#"{"totalAmount":12.5,"count":3}"#.to_owned(),
            weight: 12.5,
        };
        let now = Snapshot {
            elapsed: std::time::Duration::from_secs(3),
            processed: 1_234_567,
            rate_now: 20_000.0,
            rate_average: 19_999.0,
            p50_ms: 55.25,
            p99_ms: 1_234.0,
            stream_time: 1_000,
            top: vec![("user-1".to_owned(), row)],
            keys: 1,
            last_letters: vec!["t-0@7: no\tJSON".to_owned()],
            ..Snapshot::default()
        };
        expect![[r#"
            millrace dev · totals · 3 s · stream time 1970-01-01T00:00:01.000Z

              throughput        20,000 records/s now       19,999 average       1,234,567 in all
              latency          55.2 ms P50                  1.2 s P99                   0 results
              windows                0 open                     0 closed                0 commits
              tasks                  0 running                  0 restoring             0 dropped

              latest result of 1 keys, largest first
                user-1  {"totalAmount":12.5,"count":3}

              dead letters           0
                t-0@7: no JSON"#]]
        .assert_eq(&picture("totals", &now, 90).join("\n"));
        assert!(
            picture("totals", &now, 30)
                .iter()
                .all(|line| line.chars().count() <= 30)
        );
    }
}
