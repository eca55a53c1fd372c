//! Expressions are quoted text. What YAML makes of unquoted text is explained here.

use serde_json::Value;

use super::{ExpressionText, Located, reader::At, reader::kind};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

/// The text of an expression.
pub(crate) fn expression(at: &At<'_>, report: &mut Diagnostics) -> Option<ExpressionText> {
    let hint = match at.value {
        Value::String(text) if !text.trim().is_empty() => {
            return Some(Located { path: at.path.clone(), value: text.clone() });
        }
        Value::String(_) | Value::Null => {
            "YAML takes an unquoted !x for a tag, and what follows # for a comment, and keeps nothing: put the expression in quotes"
                .to_owned()
        }
        Value::Bool(value) => format!(
            "YAML reads {} as booleans where they are not quoted: to mean the constant, write \"{value}\"",
            if *value { "true, yes, y and on" } else { "false, no, n and off" }
        ),
        Value::Number(number) => format!("to mean the constant, write \"{number}\""),
        Value::Object(map) => match map.keys().find(|key| !super::names::is_word(key)) {
            Some(key) => format!(
                "YAML has split the text at {}: put the whole expression in quotes",
                if map[key].is_null() { "a comma between { and }".to_owned() } else { format!("the colon after {key}") }
            ),
            None => "write one expression in quotes".to_owned(),
        },
        Value::Array(_) => "YAML takes [ ] for a list, and splits it at commas: put the expression in quotes".to_owned(),
    };
    let message = format!("an expression in quotes is due here, but this is {}", kind(at.value));
    report.push(Diagnostic::error(Code::NotAnExpression, &at.path, message).hint(hint));
    None
}
