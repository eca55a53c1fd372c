//! Points in time and lengths of time, with CEL's ranges and text forms.

use std::fmt;

use chrono::{DateTime, Utc};

/// A point in time, to the nanosecond, from year 1 to year 9999.
///
/// ```
/// use millrace_language::value::Timestamp;
///
/// let t = Timestamp::from_millis(1_700_000_000_123).unwrap();
/// assert_eq!(t.to_string(), "2023-11-14T22:13:20.123Z");
/// assert_eq!("2023-11-14T23:13:20.123+01:00".parse(), Ok(t));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

/// A length of time in nanoseconds, about 292 years either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    nanos: i64,
}

const MIN_SECONDS: i64 = -62_135_596_800;
const MAX_SECONDS: i64 = 253_402_300_799;
const NANOS: i128 = 1_000_000_000;

impl Timestamp {
    /// From seconds since 1970 and nanoseconds within the second; `None` outside of CEL's range.
    #[must_use]
    pub fn new(seconds: i64, nanos: u32) -> Option<Self> {
        ((MIN_SECONDS..=MAX_SECONDS).contains(&seconds) && nanos < 1_000_000_000)
            .then_some(Timestamp { seconds, nanos })
    }

    /// From milliseconds since 1970, as Kafka counts; `None` outside of CEL's range.
    #[must_use]
    pub fn from_millis(millis: i64) -> Option<Self> {
        Self::new(millis.div_euclid(1000), millis.rem_euclid(1000) as u32 * 1_000_000)
    }

    /// Milliseconds since 1970, as Kafka counts.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.seconds * 1000 + i64::from(self.nanos / 1_000_000)
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Later (or earlier) by `duration`; `None` outside of CEL's range.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        Self::from_nanos(self.total_nanos() + i128::from(duration.nanos))
    }

    /// Earlier (or later) by `duration`; `None` outside of CEL's range.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        Self::from_nanos(self.total_nanos() - i128::from(duration.nanos))
    }

    /// How long after `earlier` this is; `None` if a duration cannot say.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Option<Duration> {
        let nanos = self.total_nanos() - earlier.total_nanos();
        i64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    pub(crate) fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.seconds, self.nanos).expect("a timestamp is within chrono's range")
    }

    fn total_nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    fn from_nanos(nanos: i128) -> Option<Self> {
        Self::new(
            i64::try_from(nanos.div_euclid(NANOS)).ok()?,
            nanos.rem_euclid(NANOS) as u32,
        )
    }
}

/// From RFC 3339, e.g. `2023-11-14T22:13:20.5Z`; an offset is taken into account and then forgotten.
impl std::str::FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|e| e.to_string())?;
        // A leap second has more than a second of nanoseconds: it is the last instant before the next second.
        Self::new(time.timestamp(), time.timestamp_subsec_nanos().min(999_999_999))
            .ok_or_else(|| "the year is not between 1 and 9999".to_owned())
    }
}

/// RFC 3339 in UTC, with as many decimals as needed.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.utc().format("%Y-%m-%dT%H:%M:%S"))?;
        write_fraction(f, self.nanos)?;
        f.write_str("Z")
    }
}

impl Duration {
    /// From nanoseconds.
    #[must_use]
    pub fn from_nanos(nanos: i64) -> Self {
        Duration { nanos }
    }

    /// In nanoseconds.
    #[must_use]
    pub fn nanos(self) -> i64 {
        self.nanos
    }

    /// The sum; `None` if it is too long.
    #[must_use]
    pub fn checked_add(self, other: Duration) -> Option<Self> {
        self.nanos.checked_add(other.nanos).map(Self::from_nanos)
    }

    /// The difference; `None` if it is too long.
    #[must_use]
    pub fn checked_sub(self, other: Duration) -> Option<Self> {
        self.nanos.checked_sub(other.nanos).map(Self::from_nanos)
    }
}

/// From CEL's text form: numbers with a unit each (`h`, `m`, `s`, `ms`, `us`, `ns`), e.g. `1h30m`, `-1.5s`, `0`.
impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, i128); 6] = [
            ("ms", 1_000_000),
            ("us", 1000),
            ("ns", 1),
            ("h", 3_600 * NANOS),
            ("m", 60 * NANOS),
            ("s", NANOS),
        ];
        let wrong = || format!("{text:?} is no duration such as 1h30m or 1.5s");
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Duration::default());
        }
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let (unit, factor) = UNITS
                .iter()
                .find(|(unit, _)| after.starts_with(unit))
                .ok_or_else(wrong)?;
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
                return Err(wrong());
            }
            let whole: i128 = if whole.is_empty() {
                0
            } else {
                whole.parse::<u64>().map_err(|_| wrong())?.into()
            };
            // Digits beyond 18 are below a nanosecond for every unit.
            let fraction = &fraction[..fraction.len().min(18)];
            let scale = 10i128.pow(fraction.len() as u32);
            let part: i128 = if fraction.is_empty() {
                0
            } else {
                fraction.parse().map_err(|_| wrong())?
            };
            total += whole * factor + part * factor / scale;
            rest = &after[unit.len()..];
        }
        let total = if negative { -total } else { total };
        i64::try_from(total)
            .map(Duration::from_nanos)
            .map_err(|_| format!("the duration {text} is longer than 292 years"))
    }
}

/// Seconds with as many decimals as needed, e.g. `5400s`, `-1.5s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos.unsigned_abs();
        let sign = if self.nanos < 0 { "-" } else { "" };
        write!(f, "{sign}{}", nanos / 1_000_000_000)?;
        write_fraction(f, (nanos % 1_000_000_000) as u32)?;
        f.write_str("s")
    }
}

fn write_fraction(f: &mut fmt::Formatter<'_>, nanos: u32) -> fmt::Result {
    if nanos == 0 {
        return Ok(());
    }
    write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, nanos, printed) in [
            ("1h30m", 5_400_000_000_000, "5400s"),
            ("-1.5s", -1_500_000_000, "-1.5s"),
            ("1ms", 1_000_000, "0.001s"),
            ("2us3ns", 2003, "0.000002003s"),
            ("0", 0, "0s"),
            (".5m", 30_000_000_000, "30s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(
                (duration.nanos(), duration.to_string().as_str()),
                (nanos, printed),
                "{text}"
            );
        }
        for wrong in ["", "-", "5", "5x", "s", "1.2.3s", "1h 30m", "300000000000h"] {
            assert!(wrong.parse::<Duration>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn timestamps_stay_in_range() {
        let last: Timestamp = "9999-12-31T23:59:59.999999999Z".parse().unwrap();
        assert_eq!(last.checked_add(Duration::from_nanos(1)), None);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999999999Z");
        assert_eq!(
            Timestamp::from_millis(-1).unwrap().to_string(),
            "1969-12-31T23:59:59.999Z"
        );
        assert_eq!(Timestamp::from_millis(-1).unwrap().millis(), -1);
        assert_eq!(Timestamp::from_millis(i64::MAX), None);
    }
}
