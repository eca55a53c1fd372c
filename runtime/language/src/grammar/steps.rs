//! Steps: one operator each.

use serde_json::Value;

use super::{
    Field, Located, Operator, Output, Repartition, Step,
    aggregate::{aggregate, name},
    names::{self, nearest},
    reader::{At, Fields, Keys, join},
    text::expression,
};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

const OPERATORS: [&str; 8] = [
    "filter",
    "filterNot",
    "map",
    "mapValues",
    "selectKey",
    "repartition",
    "aggregate",
    "toStream",
];
/// In the language, but not here yet.
const LATER: [&str; 11] = [
    "flatMap",
    "peek",
    "branch",
    "toTable",
    "count",
    "reduce",
    "cogroup",
    "join",
    "suppress",
    "deduplicate",
    "process",
];
/// What people look for among the steps, and where it is.
const ELSEWHERE: [(&str, &str); 8] = [
    (
        "groupBy",
        "grouping is part of the aggregation: aggregate: {by: \"value.id\", ..}",
    ),
    (
        "groupByKey",
        "grouping is part of the aggregation, and by the key unless it says by: aggregate: {..}",
    ),
    (
        "window",
        "a window is part of the aggregation: aggregate: {window: {tumbling: 5m}, ..}",
    ),
    (
        "windowedBy",
        "a window is part of the aggregation: aggregate: {window: {tumbling: 5m}, ..}",
    ),
    ("to", "to stands beside steps, not among them"),
    ("from", "from stands beside steps, not among them"),
    ("where", "did you mean filter?"),
    ("through", "did you mean repartition?"),
];

const MAP: Keys = Keys {
    due: "a map",
    known: &["key", "value", "fields"],
    later: &[],
};
const VALUES: Keys = Keys {
    due: "an expression or a map",
    known: &["fields", "add", "drop"],
    later: &[],
};
const REPARTITION: Keys = Keys {
    due: "a repartition",
    known: &["name", "by", "partitions"],
    later: &[],
};

/// A step; `None` if not even its operator is known.
pub(crate) fn step(at: &At<'_>, report: &mut Diagnostics) -> Option<Step> {
    let (word, body) = operator_of(at, report)?;
    let body = At {
        value: body,
        path: join(&at.path, word),
    };
    if LATER.contains(&word) {
        report.push(Diagnostic::error(
            Code::NotAvailable,
            &body.path,
            format!("{word} is not available yet"),
        ));
        return Some(Step {
            path: body.path,
            word: word.to_owned(),
            operator: None,
        });
    }
    let operator = match word {
        "filter" => expression(&body, report).map(|predicate| Operator::Filter {
            predicate,
            negate: false,
        }),
        "filterNot" => expression(&body, report).map(|predicate| Operator::Filter {
            predicate,
            negate: true,
        }),
        "map" => map(&body, report),
        "mapValues" => map_values(&body, report).map(Operator::MapValues),
        "selectKey" => expression(&body, report).map(Operator::SelectKey),
        "repartition" => repartition(&body, report).map(Operator::Repartition),
        "aggregate" => aggregate(&body, report).map(Operator::Aggregate),
        "toStream" => match body.value {
            Value::Null => Some(Operator::ToStream),
            Value::Object(map) if map.is_empty() => Some(Operator::ToStream),
            _ => {
                report.push(body.wrong_kind("nothing").hint("toStream stands alone: - toStream"));
                None
            }
        },
        _ => {
            let known = || OPERATORS.iter().chain(&LATER).copied();
            let problem = Diagnostic::error(Code::UnknownKey, &body.path, format!("no such step: {word}"));
            let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == word);
            report.push(match (elsewhere, nearest(word, known())) {
                (Some((_, hint)), _) => problem.hint(*hint),
                (None, Some(meant)) => problem.hint(format!("did you mean {meant}?")),
                (None, None) => problem.hint(format!("steps are {}", OPERATORS.join(", "))),
            });
            None
        }
    };
    Some(Step {
        path: body.path,
        word: word.to_owned(),
        operator,
    })
}

/// The one key of a step and its value; a bare word has none.
fn operator_of<'a>(at: &At<'a>, report: &mut Diagnostics) -> Option<(&'a str, &'a Value)> {
    match at.value {
        Value::String(word) => Some((word, &Value::Null)),
        Value::Object(map) if map.len() == 1 => map.iter().next().map(|(word, body)| (word.as_str(), body)),
        Value::Object(map) => {
            let words: Vec<&str> = map.keys().map(String::as_str).collect();
            let operators = words
                .iter()
                .filter(|word| OPERATORS.contains(word) || LATER.contains(word))
                .count();
            let empty = map
                .iter()
                .find(|(word, body)| OPERATORS.contains(&word.as_str()) && body.is_null());
            let problem = Diagnostic::error(
                Code::WrongKind,
                &at.path,
                match words.as_slice() {
                    [] => "the step is empty".to_owned(),
                    words => format!("a step has one operator, but this has the keys {}", words.join(", ")),
                },
            );
            report.push(match empty {
                _ if operators > 1 => problem.hint("start each operator with a dash, as a step of its own"),
                Some((word, _)) => problem.hint(format!("indent the keys of {word} deeper than {word} itself")),
                None => problem,
            });
            None
        }
        _ => {
            report.push(at.wrong_kind("a step, e.g. - filter: \"value.amount > 0\","));
            None
        }
    }
}

fn map(at: &At<'_>, report: &mut Diagnostics) -> Option<Operator> {
    let before = report.0.len();
    let fields = Fields::read(at, MAP, report)?;
    let split = report.0[before..].iter().any(|one| one.code == Code::NotAnExpression);
    let key = fields
        .require("key", "what keeps the key is a mapValues", report)
        .and_then(|at| expression(&at, report));
    let value = match (fields.get("value"), fields.get("fields")) {
        (Some(at), None) => expression(&at, report).map(Output::Expression),
        (None, Some(at)) => field_list(&at, "fields", report).map(Output::Fields),
        (Some(_), Some(at)) => {
            let message = "value and fields both say the new value: keep one";
            report.push(Diagnostic::error(Code::WrongKind, at.path, message));
            None
        }
        (None, None) => {
            report.push(
                Diagnostic::error(Code::MissingKey, &at.path, "the new value is missing").hint(
                    "value: \"value\" keeps it, fields: [..] makes an object; what only changes the key is a selectKey",
                ),
            );
            None
        }
    };
    if split {
        // What is left of the text is no expression, and the mistake was said.
        return None;
    }
    Some(Operator::Map {
        key: key?,
        value: value?,
    })
}

fn map_values(at: &At<'_>, report: &mut Diagnostics) -> Option<Output> {
    let Value::Object(map) = at.value else {
        return expression(at, report).map(Output::Expression);
    };
    if map
        .iter()
        .any(|(key, body)| !names::is_word(key) && !VALUES.known.contains(&key.as_str()) && !body.is_object())
    {
        // Text that YAML has split.
        return expression(at, report).map(Output::Expression);
    }
    let fields = Fields::read(at, VALUES, report)?;
    let given: Vec<At<'_>> = ["fields", "add", "drop"]
        .iter()
        .filter_map(|key| fields.get(key))
        .collect();
    let [one] = given.as_slice() else {
        let message = if given.is_empty() {
            "the new value is missing"
        } else {
            "only one of fields, add and drop says the new value"
        };
        report.push(
            Diagnostic::error(Code::WrongKind, &at.path, message)
                .hint("an expression in quotes, or one of fields: [..] (replaces), add: [..], drop: [..]"),
        );
        return None;
    };
    if fields.get("fields").is_some() {
        field_list(one, "fields", report).map(Output::Fields)
    } else if fields.get("add").is_some() {
        field_list(one, "fields", report).map(Output::Add)
    } else {
        dropped(one, report).map(Output::Drop)
    }
}

fn dropped(at: &At<'_>, report: &mut Diagnostics) -> Option<Vec<Located<String>>> {
    let list = at.list("a list of field names", report)?;
    if list.is_empty() {
        report.push(Diagnostic::error(
            Code::BadValue,
            &at.path,
            "there is no field in the list",
        ));
        return None;
    }
    let read = |at: At<'_>, report: &mut Diagnostics| {
        let value = at.text("a field's name", report)?.to_owned();
        Some(Located { path: at.path, value })
    };
    let found: Vec<_> = list.into_iter().map(|at| read(at, report)).collect();
    found.into_iter().collect()
}

/// `fields`: a list of maps with one entry each, because a map would lose its order.
pub(crate) fn field_list(at: &At<'_>, what: &str, report: &mut Diagnostics) -> Option<Vec<Field>> {
    let list = at.list(&format!("a list of {what}, e.g. - total: \"value.total\","), report)?;
    if list.is_empty() {
        report.push(Diagnostic::error(
            Code::BadValue,
            &at.path,
            "there is no field in the list",
        ));
        return None;
    }
    let mut whole = true;
    let mut found: Vec<Field> = Vec::new();
    for at in &list {
        let Some(field) = field(at, report) else {
            whole = false;
            continue;
        };
        if found.iter().any(|other| other.name == field.name) {
            let message = format!("the field {} is there twice", field.name);
            report.push(Diagnostic::error(Code::DuplicateName, &field.expression.path, message));
        }
        found.push(field);
    }
    whole.then_some(found)
}

fn field(at: &At<'_>, report: &mut Diagnostics) -> Option<Field> {
    let Value::Object(map) = at.value else {
        report.push(at.wrong_kind("a field and its expression, e.g. - total: \"value.total\","));
        return None;
    };
    let mut entries = map.iter();
    let (Some((name, body)), None) = (entries.next(), entries.next()) else {
        let split = map.iter().find(|(key, body)| body.is_null() && !names::is_word(key));
        let (message, hint) = match split {
            Some((key, _)) => (
                format!("{key} stands alone, as the rest of a text that was split"),
                "between { and } a comma ends an unquoted text: put the expression in quotes",
            ),
            None => (
                format!(
                    "an entry has one field, but this has {}",
                    map.keys().cloned().collect::<Vec<_>>().join(", ")
                ),
                "start each field with a dash",
            ),
        };
        let message = if map.is_empty() {
            "the entry is empty".to_owned()
        } else {
            message
        };
        let code = if split.is_some() {
            Code::NotAnExpression
        } else {
            Code::WrongKind
        };
        report.push(Diagnostic::error(code, &at.path, message).hint(hint));
        return None;
    };
    let at = At {
        value: body,
        path: join(&at.path, name),
    };
    let fits = names::quoted_key(name, &at.path, "a field", report);
    let expression = expression(&at, report)?;
    fits.then(|| Field {
        name: name.clone(),
        expression,
    })
}

fn repartition(at: &At<'_>, report: &mut Diagnostics) -> Option<Repartition> {
    let fields = Fields::read(at, REPARTITION, report)?;
    let name = name(&fields, report);
    let by = fields.get("by").map(|at| expression(&at, report));
    let partitions = fields
        .get("partitions")
        .map(|at| match at.value.as_i64().and_then(|n| i32::try_from(n).ok()) {
            Some(partitions) if partitions > 0 => Some(partitions),
            _ => {
                report.push(at.wrong_kind("a number of partitions, from 1,"));
                None
            }
        });
    if matches!(by, Some(None)) || matches!(partitions, Some(None)) {
        return None;
    }
    Some(Repartition {
        name: name?,
        by: by.flatten(),
        partitions: partitions.flatten(),
    })
}
