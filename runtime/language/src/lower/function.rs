//! What the plan's function ids mean. On the record path: nothing here locks or waits.

use std::sync::Arc;

use millrace_topology::OnError;

use crate::{
    aggregate::Aggregate,
    expression::{Env, EvalError, Expression, Paths},
    format::Format,
    value::{Name, ObjectBuilder, Value},
};

/// A function of the plan.
#[derive(Clone, Debug)]
pub struct Function {
    /// What it computes.
    pub kind: FunctionKind,
    /// JSON path of what it was compiled from, for errors.
    pub path: String,
    /// The pipeline's `onError`; `None`: `processing.exception.handler`.
    pub on_error: Option<OnError>,
}

/// What a function computes.
#[derive(Clone, Debug)]
pub enum FunctionKind {
    /// `filter`, `filterNot`, on streams and tables. See [`Expression::eval_bool`].
    Predicate(Expression),
    /// `mapValues`, on streams and tables.
    Value(Output),
    /// `map`.
    KeyValue {
        /// The new key.
        key: KeySelector,
        /// The new value.
        value: Output,
    },
    /// `selectKey`, and `by` of `aggregate` and `repartition`.
    Key(KeySelector),
    /// `aggregate`.
    Aggregate(Arc<Aggregate>),
    /// `timestamp` of a topic. See [`timestamp_ms`].
    Timestamp(Expression),
}

impl FunctionKind {
    /// The fields of key and value that it reads.
    #[must_use]
    pub fn paths(&self) -> Paths {
        match self {
            FunctionKind::Predicate(expression) | FunctionKind::Timestamp(expression) => expression.paths().clone(),
            FunctionKind::Value(output) => output.paths(),
            FunctionKind::Key(key) => key.expression.paths().clone(),
            FunctionKind::KeyValue { key, value } => {
                let mut paths = key.expression.paths().clone();
                paths.union(&value.paths());
                paths
            }
            FunctionKind::Aggregate(aggregate) => aggregate.paths().clone(),
        }
    }

    /// What it computes, in one spelling: equal for functions that compute the same.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self {
            FunctionKind::Predicate(expression) | FunctionKind::Timestamp(expression) => expression.fingerprint(),
            FunctionKind::Value(output) => output.fingerprint(),
            FunctionKind::KeyValue { key, value } => {
                format!("{} -> {}", key.expression.fingerprint(), value.fingerprint())
            }
            FunctionKind::Key(key) => key.expression.fingerprint(),
            FunctionKind::Aggregate(aggregate) => aggregate.fingerprint(),
        }
    }
}

/// A new key.
#[derive(Clone, Debug)]
pub struct KeySelector {
    /// The key.
    pub expression: Expression,
    /// The format in which the key goes on to a repartition topic or store right away, which it must fit; `None`: nowhere yet.
    pub format: Option<Format>,
}

impl KeySelector {
    /// The key for one record; null is a key too, which grouping drops.
    ///
    /// # Errors
    /// If the record does not have what the expression asks for, or the key does not fit the format.
    pub fn eval(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        let key = self.expression.eval(env)?;
        match self.format {
            Some(format) if !fits(format, &key) => Err(misfit(format, &key)),
            _ => Ok(key),
        }
    }
}

fn fits(format: Format, key: &Value) -> bool {
    match format {
        Format::Json => true,
        Format::String => matches!(key.type_name(), "string" | "null"),
        Format::Long => matches!(key.type_name(), "int" | "null"),
        Format::Double => matches!(key.type_name(), "double" | "int" | "null"),
        Format::Bytes => matches!(key.type_name(), "bytes" | "string" | "null"),
    }
}

#[cold]
fn misfit(format: Format, key: &Value) -> EvalError {
    let found = key.type_name();
    let hint = match (format, found) {
        (Format::String, "int") => {
            ": say int(..) in the expression for keys of the format long, or string(..) for text"
        }
        (Format::String, "double" | "bool") => ": say string(..) in the expression",
        _ => "",
    };
    EvalError::new(format!(
        "the key's type is {found}, and the group's keys are of the format {format}{hint}"
    ))
}

/// A new value.
#[derive(Clone, Debug)]
pub enum Output {
    /// The expression's value.
    Expression(Expression),
    /// An object of these fields.
    Fields(Vec<OutputField>),
    /// The value's fields, and these.
    Add(Vec<OutputField>),
    /// The value's fields without these.
    Drop(Vec<Name>),
}

/// A field of a new value.
#[derive(Clone, Debug)]
pub struct OutputField {
    /// Its name.
    pub name: Name,
    /// Its value.
    pub expression: Expression,
}

impl Output {
    /// The new value for one record.
    ///
    /// # Errors
    /// If the record does not have what an expression asks for; the message names the field that was to be computed.
    pub fn eval(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        match self {
            Output::Expression(expression) => expression.eval(env),
            Output::Fields(fields) => set(ObjectBuilder::new(fields.len()), fields, env),
            Output::Add(fields) => set(ObjectBuilder::from_value(env.value)?, fields, env),
            Output::Drop(names) => {
                let mut object = ObjectBuilder::from_value(env.value)?;
                names.iter().for_each(|name| object.drop(*name));
                Ok(object.build())
            }
        }
    }

    fn fingerprint(&self) -> String {
        let list = |fields: &[OutputField]| {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", field.name.as_str(), field.expression.fingerprint()))
                .collect();
            fields.join(", ")
        };
        match self {
            Output::Expression(expression) => expression.fingerprint(),
            Output::Fields(fields) => format!("fields {{{}}}", list(fields)),
            Output::Add(fields) => format!("add {{{}}}", list(fields)),
            Output::Drop(names) => {
                let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                format!("drop {{{}}}", names.join(", "))
            }
        }
    }

    fn paths(&self) -> Paths {
        let mut paths = Paths::default();
        match self {
            Output::Expression(expression) => paths.union(expression.paths()),
            Output::Fields(fields) | Output::Add(fields) => {
                fields.iter().for_each(|field| paths.union(field.expression.paths()));
            }
            Output::Drop(_) => {}
        }
        paths
    }
}

fn set(mut object: ObjectBuilder, fields: &[OutputField], env: &Env<'_>) -> Result<Value, EvalError> {
    for field in fields {
        let value = field
            .expression
            .eval(env)
            .map_err(|error| error.at(field.name.as_str()))?;
        object.set(field.name, value);
    }
    Ok(object.build())
}

/// Milliseconds since 1970 of what a `timestamp` expression gave: a timestamp, or an int, which counts milliseconds.
///
/// # Errors
/// If it is neither; the message says how to convert it.
pub fn timestamp_ms(value: &Value) -> Result<i64, EvalError> {
    match value {
        Value::Timestamp(timestamp) => Ok(timestamp.millis()),
        Value::Int(ms) => Ok(*ms),
        // A number that is still the JSON it was read from.
        Value::Json(doc) if doc.type_name() == "int" => timestamp_ms(&doc.root().to_value()?),
        other => {
            let hint = if other.type_name() == "string" {
                ": read it with timestamp(..)"
            } else {
                ""
            };
            Err(EvalError::new(format!(
                "the timestamp is {}, and must be a timestamp or an int of milliseconds{hint}",
                other.type_name()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{CompileOptions, compile, expression::NoHeaders};

    /// The functions of these steps, each applied to one record: what they give, or the error.
    fn apply(steps: &serde_json::Value, key: &Value, value: &str) -> Vec<String> {
        let topology = json!({
            "topics": {"in": {"name": "in", "key": "string", "value": "json"}, "out": {"name": "out", "key": "json", "value": "json"}},
            "pipelines": [{"name": "p", "from": "in", "steps": steps, "to": "out"}],
        });
        let program = compile(&topology, &CompileOptions::default()).unwrap();
        let shape = program.reads.values().next().unwrap().value_shape();
        let value = Format::Json.decode(value.as_bytes().to_vec().into(), &shape).unwrap();
        let env = Env {
            key,
            value: &value,
            timestamp: 0,
            topic: "in",
            partition: 0,
            offset: 0,
            headers: &NoHeaders,
            window: None,
        };
        let shown =
            |result: Result<Value, EvalError>| result.map_or_else(|error| error.to_string(), |value| value.to_string());
        program
            .functions
            .iter()
            .map(|function| match &function.kind {
                FunctionKind::Value(output) => shown(output.eval(&env)),
                FunctionKind::Key(key) => shown(key.eval(&env)),
                FunctionKind::KeyValue { key, value } => {
                    format!("{} -> {}", shown(key.eval(&env)), shown(value.eval(&env)))
                }
                other => other.fingerprint(),
            })
            .collect()
    }

    #[test]
    fn outputs_make_objects_in_the_order_of_the_manifest() {
        let steps = json!([
            {"mapValues": {"fields": [{"b": "key"}, {"a": "value.x + 1"}]}},
            {"map": {"key": "value.x", "value": "value"}},
        ]);
        assert_eq!(
            apply(&steps, &Value::from("k"), r#"{"x": 1}"#),
            [r#"{"b":"k","a":2}"#, r#"1 -> {"x": 1}"#]
        );
        let steps = json!([{"mapValues": {"add": [{"x": "value.x * 2"}, {"c": "'x'"}]}}]);
        assert_eq!(
            apply(&steps, &Value::Null, r#"{"x": 1, "m": [ 2 ]}"#),
            [r#"{"x":2,"m":[ 2 ],"c":"x"}"#]
        );
        let steps = json!([{"mapValues": {"drop": ["x", "absent"]}}]);
        assert_eq!(apply(&steps, &Value::Null, r#"{"x": 1, "m": 2}"#), [r#"{"m":2}"#]);
    }

    #[test]
    fn errors_of_records_name_the_field_that_was_to_be_computed() {
        let steps = json!([{"mapValues": {"fields": [{"total": "value.price * value.count"}]}}]);
        let said = apply(&steps, &Value::Null, r#"{"price": 1}"#);
        assert!(said[0].starts_with("total: "), "{said:?}");
    }

    #[test]
    fn a_group_of_unknown_type_is_text_and_says_so() {
        let steps = json!([{"aggregate": {"name": "a", "by": "value.id", "fields": [{"c": "count()"}]}}]);
        assert_eq!(apply(&steps, &Value::Null, r#"{"id": "u1"}"#), ["\"u1\"", "c: count()"]);
        assert_eq!(apply(&steps, &Value::Null, r#"{"id": null}"#)[0], "null");
        assert_eq!(
            apply(&steps, &Value::Null, r#"{"id": 7}"#)[0],
            "the key's type is int, and the group's keys are of the format string: say int(..) in the expression for keys of the \
             format long, or string(..) for text"
        );
        let steps = json!([{"aggregate": {"name": "a", "by": "int(value.id)", "fields": [{"c": "count()"}]}}]);
        assert_eq!(apply(&steps, &Value::Null, r#"{"id": 7}"#)[0], "7");
    }

    #[test]
    fn timestamps_are_timestamps_or_milliseconds() {
        let read = |json: &str| {
            let value = Format::Json
                .decode(json.as_bytes().to_vec().into(), &crate::json::Shape::empty())
                .unwrap();
            timestamp_ms(&value).map_err(|error| error.to_string())
        };
        assert_eq!(timestamp_ms(&Value::Int(5)), Ok(5));
        assert_eq!(read("1700000000000"), Ok(1_700_000_000_000));
        assert_eq!(
            read("\"2023-11-14T22:13:20Z\"").unwrap_err(),
            "the timestamp is string, and must be a timestamp or an int of milliseconds: read it with timestamp(..)"
        );
        assert_eq!(
            read("1.5").unwrap_err(),
            "the timestamp is double, and must be a timestamp or an int of milliseconds"
        );
    }
}
