//! Values as text: checked and brought to one form.

use std::time::Duration;

use super::property::{Check, Kind, Property};

impl Property {
    /// Checks `text` and brings it to one form: numbers in digits, durations in milliseconds, classes without their package.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn normalize(&self, text: &str) -> Result<String, String> {
        let text = text.trim();
        match self.kind {
            Kind::Bool => match text.to_ascii_lowercase().as_str() {
                word @ ("true" | "false") => Ok(word.to_owned()),
                _ => Err(format!("`{text}` is neither `true` nor `false`")),
            },
            Kind::Int => self.number(text, i64::from(i32::MIN), i64::from(i32::MAX)),
            Kind::Long => self.number(text, i64::MIN, i64::MAX),
            Kind::Double => match text.parse::<f64>() {
                Ok(_) => Ok(text.to_owned()),
                Err(_) => Err(format!("`{text}` is no number")),
            },
            Kind::Text | Kind::Password => self.words(text, &[text]).map(|()| text.to_owned()),
            Kind::List => {
                let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
                self.words(text, &words).map(|()| words.join(","))
            }
            Kind::Class => Ok(class_name(text).to_owned()),
        }
    }

    fn number(&self, text: &str, least: i64, most: i64) -> Result<String, String> {
        let number = match text.parse::<i64>() {
            Ok(number) => number,
            Err(_) if self.is_duration() => match duration(text) {
                Some(duration) => i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
                None => {
                    return Err(format!(
                        "`{text}` is no duration: write milliseconds, or `30s`, `5m`, `1h`"
                    ));
                }
            },
            Err(_) => return Err(format!("`{text}` is no whole number")),
        };
        let (least, most) = match self.check {
            Check::AtLeast(from) => (least.max(from), most),
            Check::Between(from, to) => (least.max(from), most.min(to)),
            _ => (least, most),
        };
        match number {
            _ if number < least => Err(format!("{number} is less than {least}")),
            _ if number > most => Err(format!("{number} is more than {most}")),
            _ => Ok(number.to_string()),
        }
    }

    fn words(&self, text: &str, words: &[&str]) -> Result<(), String> {
        let (taken, good) = match self.check {
            Check::OneOf(taken) => (taken, taken.contains(&text)),
            Check::OneOfIgnoringCase(taken) => (taken, taken.iter().any(|word| word.eq_ignore_ascii_case(text))),
            Check::SomeOf(taken) => (taken, words.iter().all(|word| taken.contains(word))),
            Check::NotEmpty if words.iter().all(|word| word.is_empty()) => return Err("it must not be empty".into()),
            _ => return Ok(()),
        };
        if good {
            Ok(())
        } else {
            Err(format!("`{text}` is none of {}", taken.join(", ")))
        }
    }
}

/// The name of a Java class without its package.
pub(super) fn class_name(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// `250ms`, `30s`, `5m`, `1h`, `7d`, or ISO 8601 as Java prints it (`PT1H30M`, `P2D`).
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Some(iso) = text.strip_prefix(['P', 'p']) {
        return iso_duration(iso);
    }
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit).map(Duration::from_millis)
}

fn iso_duration(text: &str) -> Option<Duration> {
    let upper = text.to_ascii_uppercase();
    let (days, time) = upper.split_once('T').unwrap_or((&upper, ""));
    let mut seconds = 0.0;
    for (part, units) in [
        (days, &[('D', 86_400.0)][..]),
        (time, &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)][..]),
    ] {
        let mut rest = part;
        for (letter, worth) in units {
            if let Some((number, after)) = rest.split_once(*letter) {
                seconds += number.parse::<f64>().ok()? * worth;
                rest = after;
            }
        }
        if !rest.is_empty() {
            return None;
        }
    }
    (!upper.is_empty() && !upper.ends_with('T'))
        .then(|| Duration::try_from_secs_f64(seconds).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::property::{Importance, used};

    fn property(name: &'static str, kind: Kind) -> Property {
        used(name, kind, None, Importance::Low, "")
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("30 s", Some(30_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("7d", Some(604_800_000)),
            ("PT1H30M", Some(5_400_000)),
            ("PT0.5S", Some(500)),
            ("P2D", Some(172_800_000)),
            ("P1DT1S", Some(86_401_000)),
            ("30", None),
            ("s", None),
            ("-3s", None),
            ("3 parsecs", None),
            ("P", None),
            ("PT", None),
            ("PT5", None),
            ("PT-1S", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn values() {
        let cases = [
            (property("b", Kind::Bool), " TRUE ", Ok("true")),
            (
                property("b", Kind::Bool),
                "yes",
                Err("`yes` is neither `true` nor `false`"),
            ),
            (property("i", Kind::Int), "007", Ok("7")),
            (
                property("i", Kind::Int),
                "2147483648",
                Err("2147483648 is more than 2147483647"),
            ),
            (property("i", Kind::Int), "1e3", Err("`1e3` is no whole number")),
            (property("i", Kind::Int), "30s", Err("`30s` is no whole number")),
            (property("i.ms", Kind::Int), "30s", Ok("30000")),
            (
                property("i.ms", Kind::Int),
                "60d",
                Err("5184000000 is more than 2147483647"),
            ),
            (
                property("i.ms", Kind::Int),
                "soon",
                Err("`soon` is no duration: write milliseconds, or `30s`, `5m`, `1h`"),
            ),
            (property("l", Kind::Long).at_least(0), "-1", Err("-1 is less than 0")),
            (property("l", Kind::Int).between(1, 9), "10", Err("10 is more than 9")),
            (property("d", Kind::Double), "0.5", Ok("0.5")),
            (property("d", Kind::Double), "half", Err("`half` is no number")),
            (property("t", Kind::Text).one_of(&["a", "b"]), "b", Ok("b")),
            (
                property("t", Kind::Text).one_of(&["a", "b"]),
                "B",
                Err("`B` is none of a, b"),
            ),
            (
                property("t", Kind::Text).one_of_ignoring_case(&["SSL"]),
                "ssl",
                Ok("ssl"),
            ),
            (property("t", Kind::Text).not_empty(), " ", Err("it must not be empty")),
            (
                property("s", Kind::List).not_empty(),
                " , ",
                Err("it must not be empty"),
            ),
            (property("s", Kind::List), "a:1 , b:2,", Ok("a:1,b:2")),
            (
                property("t", Kind::Text).some_of(&["a", "b"]),
                "c",
                Err("`c` is none of a, b"),
            ),
            (property("c", Kind::Class), "org.example.Outer$Inner", Ok("Outer$Inner")),
        ];
        for (property, text, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(property.normalize(text), expected, "{} = {text}", property.name);
        }
    }
}
