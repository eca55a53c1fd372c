//! Strict reading of a feed: every unknown key, missing key and wrong kind is found, and located.

use serde_json::{Map, Value};

use crate::manifest::{Problem, Source, join};

/// What is being read, and all that is wrong with it.
pub(super) struct Reader<'a> {
    pub source: &'a Source,
    pub problems: Vec<Problem>,
}

/// A value and its path.
#[derive(Clone)]
pub(super) struct At<'a> {
    pub path: String,
    pub value: &'a Value,
}

impl<'a> At<'a> {
    fn of(&self, key: &str) -> Option<At<'a>> {
        Some(At {
            path: join(&self.path, key),
            value: self.value.get(key)?,
        })
    }

    fn shown(&self) -> String {
        match self.value {
            Value::Null => "nothing".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a map".to_owned(),
            other => other.to_string(),
        }
    }
}

impl Reader<'_> {
    pub fn problem(&mut self, path: &str, on_key: bool, message: impl Into<String>, hint: Option<String>) {
        self.problems
            .push(self.source.at_path(path, on_key, "feed", message).hint(hint));
    }

    fn wrong(&mut self, at: &At<'_>, due: &str) {
        let message = format!("{due} is due here, not {}", at.shown());
        self.problem(&at.path, false, message, None);
    }

    /// A map with no keys but these.
    pub fn map<'v>(&mut self, at: &At<'v>, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let Value::Object(map) = at.value else {
            self.wrong(at, &format!("a map of {}", known.join(", ")));
            return None;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let meant = nearest(key, known);
            let hint = meant.map_or_else(
                || format!("known are {}", known.join(", ")),
                |meant| format!("did you mean {meant}?"),
            );
            self.problem(&join(&at.path, key), true, format!("there is no key {key}"), Some(hint));
        }
        Some(map)
    }

    /// A value of a map; said if it must be there and is not.
    pub fn get<'v>(&mut self, at: &At<'v>, key: &str, required: bool) -> Option<At<'v>> {
        let found = at.of(key);
        if found.is_none() && required && at.value.is_object() {
            self.problem(&join(&at.path, key), true, format!("{key} is missing"), None);
        }
        found
    }

    pub fn list<'v>(&mut self, at: &At<'v>) -> Vec<At<'v>> {
        match at.value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, value)| At {
                    path: format!("{}[{index}]", at.path),
                    value,
                })
                .collect(),
            _ => {
                self.wrong(at, "a list");
                Vec::new()
            }
        }
    }

    pub fn text(&mut self, at: &At<'_>) -> Option<String> {
        if let Value::String(text) = at.value {
            return Some(text.clone());
        }
        self.wrong(at, "text");
        None
    }

    /// A number within bounds.
    pub fn number(&mut self, at: &At<'_>, least: f64, most: f64) -> Option<f64> {
        match at.value.as_f64() {
            Some(number) if (least..=most).contains(&number) => Some(number),
            Some(number) => {
                let most = if most == f64::MAX {
                    String::new()
                } else {
                    format!(" and at most {most}")
                };
                self.problem(
                    &at.path,
                    false,
                    format!("{number} must be at least {least}{most}"),
                    None,
                );
                None
            }
            None => {
                self.wrong(at, "a number");
                None
            }
        }
    }

    /// A number of a map, or its default.
    pub fn number_or(&mut self, at: &At<'_>, key: &str, bounds: (f64, f64), default: f64) -> f64 {
        let Some(found) = self.get(at, key, false) else {
            return default;
        };
        self.number(&found, bounds.0, bounds.1).unwrap_or(default)
    }

    /// A length of time, in milliseconds.
    pub fn duration(&mut self, at: &At<'_>) -> Option<i64> {
        let text = self.text(at)?;
        match parse_duration(&text) {
            Some(ms) => Some(ms),
            None => {
                let message = format!("{text} is no length of time");
                self.problem(
                    &at.path,
                    false,
                    message,
                    Some("write it as 500ms, 10s, 5m, 1h30m or 2d".to_owned()),
                );
                None
            }
        }
    }
}

fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    let near = known
        .iter()
        .map(|candidate| (distance(candidate), *candidate))
        .min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, candidate)| distance * 3 <= candidate.len().max(lower.len()))
        .map(|(_, candidate)| candidate)
}

/// `1h30m`, `500ms`: milliseconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total = 0_i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let ms = match &tail[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(ms)?)?;
        rest = &tail[unit..];
    }
    Some(total)
}
