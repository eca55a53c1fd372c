//! What a process has used, as Linux tells it.

use std::time::Instant;

/// A moment: the clock, and the processor time used by then.
#[derive(Clone, Copy)]
pub struct Mark {
    at: Instant,
    cpu_seconds: f64,
}

impl Mark {
    /// Now.
    pub fn of(pid: u32) -> Mark {
        Mark {
            at: Instant::now(),
            cpu_seconds: cpu_seconds(pid),
        }
    }

    /// Seconds by the clock, and of processor time, from `earlier` until here.
    pub fn since(&self, earlier: &Mark) -> (f64, f64) {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        (seconds, self.cpu_seconds - earlier.cpu_seconds)
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

/// The most memory that it has had so far.
pub fn peak_rss_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("Linux says so");
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<f64>().ok())
        .expect("kilobytes")
        / 1024.0
}
