//! Where to: the options of Java's tool.

use chrono::{DateTime, NaiveDateTime};
use clap::Args;
use millrace::reset::ResetTarget;

use crate::feed::parse_duration;

/// One of them at most; the earliest offsets without any.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub struct TargetArgs {
    /// Input topics from their start: the default
    #[arg(long)]
    to_earliest: bool,
    /// Input topics from their end: only what comes from now on
    #[arg(long)]
    to_latest: bool,
    /// Each partition from this offset
    #[arg(long, value_name = "OFFSET")]
    to_offset: Option<i64>,
    /// Each partition so many offsets further, or back if negative; from its start where nothing is committed
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    shift_by: Option<i64>,
    /// From the first record that is not older than this, as 2026-01-31T08:00:00.000; UTC unless an offset as +01:00 follows
    #[arg(long, value_name = "TIME", value_parser = datetime)]
    to_datetime: Option<i64>,
    /// From the first record that is not older than this, counted from now, as P1DT2H30M or 26h30m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    by_duration: Option<i64>,
}

impl TargetArgs {
    /// What was asked for at `now_ms`.
    pub fn target(&self, now_ms: i64) -> ResetTarget {
        let Self {
            to_earliest: _,
            to_latest,
            to_offset,
            shift_by,
            to_datetime,
            by_duration,
        } = self;
        match (to_offset, shift_by, to_datetime, by_duration) {
            (Some(offset), ..) => ResetTarget::Offset(*offset),
            (_, Some(by), ..) => ResetTarget::ShiftBy(*by),
            (_, _, Some(time), _) => ResetTarget::Timestamp(*time),
            (.., Some(age)) => ResetTarget::Timestamp(now_ms.saturating_sub(*age)),
            _ if *to_latest => ResetTarget::Latest,
            _ => ResetTarget::Earliest,
        }
    }
}

/// Milliseconds since 1970.
fn datetime(text: &str) -> Result<i64, String> {
    const WITH_ZONE: &str = "%Y-%m-%dT%H:%M:%S%.f%#z";
    const WITHOUT: &str = "%Y-%m-%dT%H:%M:%S%.f";
    DateTime::parse_from_str(text, WITH_ZONE)
        .map(|time| time.timestamp_millis())
        .or_else(|_| NaiveDateTime::parse_from_str(text, WITHOUT).map(|time| time.and_utc().timestamp_millis()))
        .map_err(|_| "give it as 2026-01-31T08:00:00.000, in UTC, or with an offset as +01:00 behind it".to_owned())
}

/// Milliseconds.
fn duration(text: &str) -> Result<i64, String> {
    iso_duration(text)
        .or_else(|| parse_duration(text))
        .ok_or_else(|| "give it as P1DT2H30M, PT15M or 26h30m".to_owned())
}

/// `PnDTnHnMn.nS`, as `java.time.Duration` reads it, but without signs; milliseconds.
fn iso_duration(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_uppercase();
    let rest = text.strip_prefix('P')?;
    let (days, mut time) = rest.split_once('T').unwrap_or((rest, "-"));
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<i64>().ok()).flatten()
    };
    let mut total = 0_i64;
    let mut add = |count: i64, ms: i64| -> Option<()> {
        total = total.checked_add(count.checked_mul(ms)?)?;
        Some(())
    };
    match (days, time) {
        ("", "-") | (_, "") => return None,
        ("", _) => {}
        (days, _) => add(number(days.strip_suffix('D')?)?, 86_400_000)?,
    }
    if time == "-" {
        return Some(total);
    }
    for (unit, ms) in [('H', 3_600_000), ('M', 60_000)] {
        if let Some((count, rest)) = time.split_once(unit) {
            add(number(count)?, ms)?;
            time = rest;
        }
    }
    if !time.is_empty() {
        let (whole, fraction) = time.strip_suffix('S').map(|s| s.split_once('.').unwrap_or((s, "0")))?;
        add(number(whole)?, 1_000)?;
        // Beyond milliseconds nothing counts.
        let digits = format!("{:0<3.3}", number(fraction).map(|_| fraction)?);
        add(number(&digits)?, 1)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_javas_tool_reads_them() {
        let table = [
            ("1970-01-01T00:00:01.500", Some(1_500)),
            ("1970-01-01T00:00:01", Some(1_000)),
            ("1970-01-01T00:00:01.500Z", Some(1_500)),
            ("1970-01-01T01:00:01.500+01", Some(1_500)),
            ("1970-01-01T01:00:01.500+0100", Some(1_500)),
            ("1970-01-01T01:00:01.500+01:00", Some(1_500)),
            ("2026-01-31T08:00:00.000", Some(1_769_846_400_000)),
            ("2026-01-31", None),
            ("2026-02-30T08:00:00.000", None),
            ("2026-01-31 08:00:00.000", None),
            ("yesterday", None),
        ];
        for (text, expected) in table {
            assert_eq!(datetime(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_isos_or_ours() {
        let table = [
            ("PT1H", Some(3_600_000)),
            ("P1D", Some(86_400_000)),
            ("P1DT2H30M", Some(95_400_000)),
            ("pt1.5s", Some(1_500)),
            ("PT0.0009S", Some(0)),
            ("PT2M3S", Some(123_000)),
            ("26h30m", Some(95_400_000)),
            ("500ms", Some(500)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("P1", None),
            ("PT1M1H", None),
            ("PT-1H", None),
            ("P1W", None),
            ("PT1.S", None),
            ("PT1", None),
            ("", None),
            ("1", None),
            ("P9999999999999999D", None),
        ];
        for (text, expected) in table {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn one_target_or_the_earliest() {
        let of = |args: TargetArgs| args.target(10_000);
        let none = TargetArgs::default;
        assert_eq!(of(none()), ResetTarget::Earliest);
        let latest = TargetArgs {
            to_latest: true,
            ..none()
        };
        assert_eq!(of(latest), ResetTarget::Latest);
        let age = TargetArgs {
            by_duration: Some(4_000),
            ..none()
        };
        assert_eq!(of(age), ResetTarget::Timestamp(6_000));
        let back = TargetArgs {
            shift_by: Some(-1),
            ..none()
        };
        assert_eq!(of(back), ResetTarget::ShiftBy(-1));
    }
}
