//! Durations: `5m`, `1h30m`, `500ms`.

use serde_json::Value;

use super::reader::At;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

const UNITS: [(&str, i64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Milliseconds of a duration.
pub(crate) fn duration(at: &At<'_>, report: &mut Diagnostics) -> Option<i64> {
    const DUE: &str = "a duration, e.g. 5m, 1h30m or 500ms,";
    if let Value::Number(number) = at.value {
        report.push(
            at.wrong_kind(DUE)
                .hint(format!("say the unit: {number}s or {number}ms")),
        );
        return None;
    }
    let text = at.text(DUE, report)?;
    let parsed = parse(text);
    if parsed.is_none() {
        report.push(
            Diagnostic::error(
                Code::BadValue,
                &at.path,
                format!("{} is no duration", Value::from(text)),
            )
            .hint("whole numbers with the units d, h, m, s, ms, the largest first: 5m, 1h30m, 500ms"),
        );
    }
    parsed
}

fn parse(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    let mut smallest = i64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
        if *unit >= smallest {
            return None;
        }
        smallest = *unit;
        total = total.checked_add(number.checked_mul(*unit)?)?;
        rest = &rest[letters..];
    }
    (smallest != i64::MAX).then_some(total)
}

/// Milliseconds as the language writes them, e.g. `1h30m`.
pub(crate) fn shown(mut ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (name, unit) in UNITS {
        if ms >= unit {
            out.push_str(&format!("{}{name}", ms / unit));
            ms %= unit;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_units_from_large_to_small() {
        for (text, ms) in [
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("0s", Some(0)),
            ("1d1h1m1s1ms", Some(90_061_001)),
            ("", None),
            ("5", None),
            ("m", None),
            ("-5m", None),
            ("1.5h", None),
            ("5 m", None),
            ("5M", None),
            ("30m1h", None),
            ("1m1m", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(parse(text), ms, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_reads_back(ms in 0..i64::MAX) {
            proptest::prop_assert_eq!(parse(&shown(ms)), Some(ms));
        }
    }
}
