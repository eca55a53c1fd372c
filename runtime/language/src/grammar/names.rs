//! Names: which are allowed, and which was meant.

use super::reader::At;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

/// Letters, digits, `_` and `-`: what a path shows without quotes.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The nearest of `known`, if it is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| distance * 3 <= candidate.chars().count().max(lower.chars().count()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether YAML 1.1, which kubectl reads, takes the word for a boolean; unquoted as a key it arrives as `true` or `false`.
pub(crate) fn is_yaml_boolean(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let first_upper = word.starts_with(|c: char| c.is_ascii_uppercase()) && word[1..] == lower[1..];
    (word == lower || word == lower.to_ascii_uppercase() || first_upper)
        && matches!(
            lower.as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false"
        )
}

/// Refuses names that YAML takes for booleans.
pub(crate) fn not_a_boolean(name: &str, path: &str, what: &str, report: &mut Diagnostics) -> bool {
    let refused = is_yaml_boolean(name);
    if refused {
        let message = format!("{name} cannot be the name of {what}");
        let hint = "YAML reads on, off, yes, no, y, n, true and false as booleans where they are not quoted: choose another name";
        report.push(Diagnostic::error(Code::BadName, path, message).hint(hint));
    }
    !refused
}

/// A name that is the key of a map: `y` arrives as `true` if it was not quoted, and as `y` if it was.
pub(crate) fn quoted_key(name: &str, path: &str, what: &str, report: &mut Diagnostics) -> bool {
    let refused = matches!(name, "true" | "false");
    if refused {
        let message = format!("{name} cannot be the name of {what}");
        let hint =
            "YAML reads on, off, yes, no, y, n, true and false as booleans where they are not quoted: quote the name";
        report.push(Diagnostic::error(Code::BadName, path, message).hint(hint));
    }
    !refused
}

/// The name of a pipeline, or of a declared topic: a plain word.
pub(crate) fn word_name(name: &str, path: &str, what: &str, report: &mut Diagnostics) -> bool {
    if !is_word(name) {
        let message = format!("{} cannot be the name of {what}", serde_json::Value::from(name));
        report.push(Diagnostic::error(Code::BadName, path, message).hint("letters, digits, - and _ are allowed"));
        return false;
    }
    not_a_boolean(name, path, what, report)
}

/// A name that becomes part of a topic's name in Kafka. Bounds: `org.apache.kafka.common.internals.Topic`.
pub(crate) fn topic_name(at: &At<'_>, what: &str, report: &mut Diagnostics) -> Option<String> {
    let name = at.text(&format!("the name of {what}"), report)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let problem = if name.is_empty() {
        "it is empty".to_owned()
    } else if name == "." || name == ".." {
        format!("Kafka does not allow the name {name}")
    } else if name.len() > 249 {
        format!("it has {} characters, and Kafka allows 249", name.len())
    } else if !name.chars().all(legal) {
        "Kafka allows letters, digits, ., _ and -".to_owned()
    } else {
        return Some(name.to_owned());
    };
    let message = format!("{} cannot be the name of {what}", serde_json::Value::from(name));
    report.push(Diagnostic::error(Code::BadName, &at.path, message).hint(problem));
    None
}
