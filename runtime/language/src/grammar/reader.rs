//! Reading JSON values by hand: every refusal has a path and says what would fit.

use serde_json::{Map, Value};

use super::names::nearest;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    pub value: &'a Value,
    pub path: String,
}

impl<'a> At<'a> {
    /// The value is of another kind than is due.
    pub fn wrong_kind(&self, due: &str) -> Diagnostic {
        let message = format!("{due} is due here, but this is {}", kind(self.value));
        Diagnostic::error(Code::WrongKind, &self.path, message)
    }

    pub fn text(&self, due: &str, report: &mut Diagnostics) -> Option<&'a str> {
        match self.value {
            Value::String(text) => Some(text),
            Value::Bool(_) => {
                let hint = "YAML reads the words on, off, yes, no, y, n, true and false as booleans: quote them, or choose another";
                report.push(self.wrong_kind(due).hint(hint));
                None
            }
            _ => {
                report.push(self.wrong_kind(due));
                None
            }
        }
    }

    pub fn boolean(&self, report: &mut Diagnostics) -> Option<bool> {
        if let Value::Bool(value) = self.value {
            return Some(*value);
        }
        report.push(self.wrong_kind("true or false"));
        None
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)], report: &mut Diagnostics) -> Option<T> {
        let known = || words.iter().map(|(word, _)| *word);
        let all = known().collect::<Vec<_>>();
        let text = self.text(&format!("one of {}", all.join(", ")), report)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let problem = Diagnostic::error(
            Code::UnknownWord,
            &self.path,
            format!("{text} is none of {}", all.join(", ")),
        );
        report.push(match nearest(text, known()) {
            Some(meant) => problem.hint(format!("did you mean {meant}?")),
            None => problem,
        });
        None
    }

    /// The elements of a list, each with its path.
    pub fn list(&self, due: &str, report: &mut Diagnostics) -> Option<Vec<At<'a>>> {
        let Value::Array(items) = self.value else {
            let problem = self.wrong_kind(due);
            report.push(match self.value {
                Value::Object(_) => {
                    problem.hint("a map has no order, and the cluster sorts its keys: start each entry with a dash")
                }
                _ => problem,
            });
            return None;
        };
        Some(
            items
                .iter()
                .enumerate()
                .map(|(i, value)| At {
                    value,
                    path: format!("{}[{i}]", self.path),
                })
                .collect(),
        )
    }
}

/// The entries of a map whose keys are given.
pub(crate) struct Fields<'a> {
    pub path: String,
    map: &'a Map<String, Value>,
}

/// Keys of a map: those that work, and those of the language that do not exist yet.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub due: &'static str,
    pub known: &'static [&'static str],
    pub later: &'static [&'static str],
}

impl<'a> Fields<'a> {
    /// Refuses what is no map, and says every unknown key.
    pub fn read(at: &At<'a>, keys: Keys, report: &mut Diagnostics) -> Option<Fields<'a>> {
        let Value::Object(map) = at.value else {
            report.push(at.wrong_kind(&format!("{} ({})", keys.due, keys.known.join(", "))));
            return None;
        };
        for (key, value) in map {
            if !keys.known.contains(&key.as_str()) {
                report.push(unknown_key(&at.path, key, value, keys));
            }
        }
        Some(Fields {
            path: at.path.clone(),
            map,
        })
    }

    pub fn get(&self, key: &str) -> Option<At<'a>> {
        self.map.get(key).map(|value| At {
            value,
            path: join(&self.path, key),
        })
    }

    /// The entry; says that it is missing.
    pub fn require(&self, key: &str, why: &str, report: &mut Diagnostics) -> Option<At<'a>> {
        let found = self.get(key);
        if found.is_none() {
            report.push(Diagnostic::error(Code::MissingKey, &self.path, format!("{key} is missing")).hint(why));
        }
        found
    }
}

fn unknown_key(parent: &str, key: &str, value: &Value, keys: Keys) -> Diagnostic {
    let path = join(parent, key);
    if keys.later.contains(&key) {
        return Diagnostic::error(Code::NotAvailable, path, format!("{key} is not available yet"));
    }
    if value.is_null() && !super::names::is_word(key) {
        let message = format!("{key} stands alone, as the rest of a text that was split");
        return Diagnostic::error(Code::NotAnExpression, path, message)
            .hint("between { and } a comma ends an unquoted text: put the expression in quotes");
    }
    let problem = Diagnostic::error(Code::UnknownKey, path, format!("unknown key {key}"));
    match nearest(key, keys.known.iter().chain(keys.later).copied()) {
        Some(meant) => problem.hint(format!("did you mean {meant}?")),
        None => problem.hint(format!("known here: {}", keys.known.join(", "))),
    }
}

/// What a value is, in words for people.
pub(crate) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.trim().is_empty() => "an empty text".to_owned(),
        Value::String(text) => format!("the text {}", Value::from(shortened(text))),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 40 {
        text.to_owned()
    } else {
        text.chars().take(39).chain(['…']).collect()
    }
}

/// `parent.key`, or `parent["key"]` where the key is no plain word.
pub(crate) fn join(parent: &str, key: &str) -> String {
    if super::names::is_word(key) {
        format!("{parent}.{key}")
    } else {
        format!("{parent}[{}]", Value::from(key))
    }
}
