use bytes::Bytes;

use super::Aggregate;
use crate::expression::{Env, NoHeaders, Scope, Type};
use crate::format::Format;
use crate::json::Shape;
use crate::value::Value;

fn compile(fields: &[(&str, &str)]) -> Result<Aggregate, String> {
    let fields: Vec<(String, String)> = fields.iter().map(|(n, c)| ((*n).to_owned(), (*c).to_owned())).collect();
    Aggregate::compile(&fields, &Scope::new(Type::String, Type::Dyn)).map_err(|e| e.to_string())
}

fn json(text: &str) -> Value {
    Format::Json
        .decode(Bytes::copy_from_slice(text.as_bytes()), &Shape::empty())
        .unwrap()
}

fn env<'a>(key: &'a Value, value: &'a Value) -> Env<'a> {
    Env {
        key,
        value,
        timestamp: 0,
        topic: "t",
        partition: 0,
        offset: 0,
        headers: &NoHeaders,
        window: None,
    }
}

/// The states after each record, or the error in its place. Each state is used as it is and read back from JSON: both must agree.
fn states(aggregate: &Aggregate, records: &[&str]) -> Vec<String> {
    let key = Value::from("k");
    let mut state = aggregate.initial();
    records
        .iter()
        .map(|record| {
            let value = json(record);
            let stored = json(&state.to_string());
            let next = aggregate.add(&env(&key, &value), &state);
            let from_stored = aggregate.add(&env(&key, &value), &stored);
            assert_eq!(
                next.as_ref().map(ToString::to_string),
                from_stored.as_ref().map(ToString::to_string),
                "{record} on {state}"
            );
            match next {
                Ok(next) => {
                    let view = aggregate.result(&next).to_string();
                    assert_eq!(view, aggregate.result(&json(&next.to_string())).to_string());
                    state = next;
                    state.to_string()
                }
                Err(e) => e.to_string(),
            }
        })
        .collect()
}

#[test]
fn the_totals_of_a_user() {
    let aggregate = compile(&[("totalAmount", "sum(value.amount)"), ("count", "count()")]).unwrap();
    assert_eq!(aggregate.initial().to_string(), r#"{"totalAmount":0,"count":0}"#);
    assert_eq!(
        aggregate.fingerprint(),
        "totalAmount: sum(value.amount), count: count()"
    );
    assert_eq!(aggregate.paths().to_string(), "value.amount");
    assert_eq!(
        states(
            &aggregate,
            &[
                r#"{"amount":5}"#,
                r#"{"amount":2.5}"#,
                r#"{"amount":2.5}"#,
                r#"{"amount":null}"#,
                "{}",
                r#"{"amount":"5"}"#
            ]
        ),
        [
            r#"{"totalAmount":5,"count":1}"#,
            r#"{"totalAmount":7.5,"count":2}"#,
            r#"{"totalAmount":10.0,"count":3}"#,
            r#"{"totalAmount":10.0,"count":4}"#,
            "sum(value.amount): value.amount is absent",
            "sum(value.amount): takes a number, not a string",
        ]
    );
}

#[test]
fn all_aggregates() {
    let calls = [
        "sum(value.x)",
        "count(value.x)",
        "min(value.x)",
        "max(value.x)",
        "avg(value.x)",
        "first(value.x)",
        "last(value.x)",
    ];
    let fields: Vec<(&str, &str)> = calls
        .iter()
        .map(|call| (&call[..call.find('(').unwrap()], *call))
        .collect();
    let aggregate = compile(&fields).unwrap();
    assert_eq!(
        states(
            &aggregate,
            &[r#"{"x":null}"#, r#"{"x":3}"#, r#"{"x":1.5}"#, r#"{"x":4}"#]
        ),
        [
            r#"{"sum":0,"count":0,"min":null,"max":null,"avg":{"sum":0,"count":0},"first":null,"last":null}"#,
            r#"{"sum":3,"count":1,"min":3,"max":3,"avg":{"sum":3,"count":1},"first":3,"last":3}"#,
            r#"{"sum":4.5,"count":2,"min":1.5,"max":3,"avg":{"sum":4.5,"count":2},"first":3,"last":1.5}"#,
            r#"{"sum":8.5,"count":3,"min":1.5,"max":4,"avg":{"sum":8.5,"count":3},"first":3,"last":4}"#,
        ]
    );
    let view = aggregate.result(&json(
        r#"{"sum":8.5,"count":3,"min":1.5,"max":4,"avg":{"sum":9,"count":2},"first":"a","last":[1]}"#,
    ));
    assert_eq!(
        view.to_string(),
        r#"{"sum":8.5,"count":3,"min":1.5,"max":4,"avg":4.5,"first":"a","last":[1]}"#
    );
    assert_eq!(aggregate.result(&Value::Null), Value::Null);
}

#[test]
fn overflow_and_other_types() {
    let aggregate = compile(&[("s", "sum(value.x)"), ("m", "max(value.y)"), ("l", "last(value.o)")]).unwrap();
    assert_eq!(
        states(
            &aggregate,
            &[
                r#"{"x":9223372036854775807,"y":"b","o":{"a": [1]}}"#,
                r#"{"x":1,"y":"a","o":1}"#,
                r#"{"x":0,"y":1,"o":1}"#,
                r#"{"x":0.5,"y":"c","o":"\u0041"}"#,
            ]
        ),
        [
            r#"{"s":9223372036854775807,"m":"b","l":{"a": [1]}}"#,
            "sum(value.x): 9223372036854775807 + 1 does not fit into 64 bits",
            "max(value.y): an int cannot be compared with a string",
            r#"{"s":9.223372036854776e+18,"m":"c","l":"A"}"#,
        ]
    );
}

#[test]
fn a_state_of_another_manifest() {
    let aggregate = compile(&[("b", "count()"), ("n", "avg(value.x)"), ("a", "sum(value.x)")]).unwrap();
    let (key, value) = (Value::from("k"), json(r#"{"x":2}"#));
    let next = aggregate
        .add(&env(&key, &value), &json(r#"{"a":1,"gone":true,"b":7}"#))
        .unwrap();
    assert_eq!(next.to_string(), r#"{"b":8,"n":{"sum":2,"count":1},"a":3}"#);
    assert_eq!(
        aggregate.result(&json(r#"{"a":1}"#)).to_string(),
        r#"{"b":0,"n":null,"a":1}"#
    );
    for (state, message) in [
        ("[]", "the state of an aggregate is an object, not list"),
        (r#"{"a":"x"}"#, "sum(value.x): the state is a string, not a number"),
        (
            r#"{"n":5}"#,
            "avg(value.x): the state is no average, which is an object with sum and count",
        ),
    ] {
        assert_eq!(
            aggregate.add(&env(&key, &value), &json(state)).unwrap_err().to_string(),
            message
        );
    }
}

#[test]
fn mistakes() {
    for (call, message) in [
        (
            "sums(value.x)",
            "field f, column 5: there is no aggregate sums (did you mean sum?)",
        ),
        (
            "median(value.x)",
            "field f, column 7: there is no aggregate median (there are sum, count, min, max, avg, first, last)",
        ),
        (
            "sum(value.x) + 1",
            "field f, column 14: a field is one aggregate call by itself (put a mapValues after the aggregation for what follows from its fields)",
        ),
        (
            "value.x",
            "field f, column 6: a field is an aggregate call (e.g. sum(value.amount) or last(value.amount))",
        ),
        (
            "sum(max(value.x))",
            "field f, column 8: an aggregate cannot stand inside of another (put a second aggregate step after this one, or a mapValues)",
        ),
        ("sum()", "field f, column 4: sum takes one argument, not 0"),
        ("max(value.x, 3)", "field f, column 4: max takes one argument, not 2"),
        ("sum(key)", "field f, column 5: sum takes a number, and this is string"),
        (
            "sum(valeu.x)",
            "field f, column 5: there is no valeu here (did you mean value?)",
        ),
        (
            "sum(value.x",
            "field f, column 12: this is no CEL: missing ')' at '<EOF>'",
        ),
    ] {
        assert_eq!(compile(&[("f", call)]).map(|_| ()).unwrap_err(), message, "{call}");
    }
    assert!(
        compile(&[("f", "count()"), ("f", "count()")])
            .unwrap_err()
            .contains("two fields f")
    );
}

#[test]
#[ignore = "prints times, checks nothing"]
fn nanoseconds_of_add() {
    let aggregate = compile(&[("totalAmount", "sum(value.amount)"), ("count", "count()")]).unwrap();
    let record = Bytes::from_static(br#"{"userId":"user-4711","amount":129.95,"currency":"EUR"}"#);
    let value = Format::Json.decode(record, &aggregate.paths().value_shape()).unwrap();
    let key = Value::from("k");
    let stored = Bytes::from_static(br#"{"totalAmount":12345.75,"count":117}"#);
    let state = Format::Json.decode(stored.clone(), &Shape::empty()).unwrap();
    use crate::expression::time;
    time("add to a document", || {
        std::hint::black_box(aggregate.add(&env(&key, &value), std::hint::black_box(&state)).unwrap());
    });
    let map = aggregate.add(&env(&key, &value), &state).unwrap();
    time("add to a map", || {
        std::hint::black_box(aggregate.add(&env(&key, &value), std::hint::black_box(&map)).unwrap());
    });
    let mut out = Vec::with_capacity(100);
    time("decode, add, encode", || {
        let state = Format::Json.decode(stored.clone(), &Shape::empty()).unwrap();
        out.clear();
        Format::Json
            .encode(&aggregate.add(&env(&key, &value), &state).unwrap(), &mut out)
            .unwrap();
        std::hint::black_box(&out);
    });
}
