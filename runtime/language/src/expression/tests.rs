use bytes::Bytes;

use super::{Env, Expression, NoHeaders, Scope, Type};
use crate::format::Format;
use crate::json::{JsonDoc, Shape};
use crate::value::Value;

fn scope() -> Scope {
    Scope::new(Type::String, Type::Dyn).with_window()
}

const RECORD: &str = r#"{"amount": 12.5, "count": 3, "user": {"id": "u1", "tags": ["a", "b"], "n": null}, "name": "caf\u00e9",
    "big": 9223372036854775808, "list": [1, 2.5, "x"], "ok": true}"#;

/// Evaluates `source` for one record; all ways to hold the value must agree.
fn eval(source: &str) -> Result<String, String> {
    eval_on(source, RECORD)
}

fn eval_on(source: &str, json: &str) -> Result<String, String> {
    let expression = Expression::compile(source, &scope()).map_err(|e| e.to_string())?;
    let headers = vec![
        ("trace".to_owned(), b"t1".to_vec()),
        ("trace".to_owned(), b"t2".to_vec()),
    ];
    let key = Value::from("k1");
    let run = |shape: &Shape| {
        let value = Format::Json
            .decode(Bytes::copy_from_slice(json.as_bytes()), shape)
            .unwrap();
        let env = Env {
            key: &key,
            value: &value,
            timestamp: 1_700_000_000_123,
            topic: "orders",
            partition: 3,
            offset: 42,
            headers: &headers,
            window: Some((0, 300_000)),
        };
        expression.eval(&env).map(|v| v.to_string()).map_err(|e| e.to_string())
    };
    let shaped = run(&expression.paths().value_shape());
    assert_eq!(shaped, run(&Shape::empty()), "{source} with and without a shape");
    shaped
}

#[test]
fn values() {
    for (source, expected) in [
        ("value.amount > 0", "true"),
        ("value.amount + value.count", "15.5"),
        ("value.count * 2", "6"),
        ("value.count / 2", "1"),
        ("value.count % 2", "1"),
        ("-value.count", "-3"),
        ("value.user.id + '-' + key", "\"u1-k1\""),
        ("value['user']['id']", "\"u1\""),
        ("value.user.tags[1]", "\"b\""),
        ("value.name", "\"café\""),
        ("value.name.size()", "4"),
        ("value.user", r#"{"id": "u1", "tags": ["a", "b"], "n": null}"#),
        ("value.user.n == null", "true"),
        ("has(value.user.n) && !has(value.user.x) && !has(value.x)", "true"),
        ("has(value.big)", "true"),
        ("value.?x.orValue(7)", "7"),
        ("value.?amount.orValue(0)", "12.5"),
        ("value.?user.?id.orValue('none')", "\"u1\""),
        ("value.?user.id.orValue('none')", "\"u1\""),
        ("value.?nobody.id.orValue('none')", "\"none\""),
        ("value.user.?tags[0].orValue('none')", "\"a\""),
        ("value.user.tags[?9].hasValue()", "false"),
        ("optional.of(1).value()", "1"),
        ("optional.none().or(optional.of(2)).orValue(3)", "2"),
        ("[1, ?value.?x, ?value.?count]", "[1,3]"),
        ("{'a': value.count, ?'b': value.?x}", r#"{"a":3}"#),
        ("value.x > 1 || true", "true"),
        ("false && value.x > 1", "false"),
        ("value.x > 1 && false", "false"),
        ("value.ok ? 'yes' : 'no'", "\"yes\""),
        ("'a' in value.user.tags", "true"),
        ("'id' in value.user", "true"),
        ("2.5 in value.list", "true"),
        ("1 == 1.0 && value.list == [1.0, 2.5, 'x']", "true"),
        ("value.user == {'tags': ['a', 'b'], 'n': null, 'id': 'u1'}", "true"),
        ("value.user.tags.all(t, t in ['a', 'b', 'c'])", "true"),
        ("value.user.tags.exists(t, t == 'b')", "true"),
        ("value.list.exists(x, x > 2)", "true"),
        ("value.user.tags.exists_one(t, t == 'b')", "true"),
        ("value.user.tags.map(t, t + key)", r#"["ak1","bk1"]"#),
        ("value.user.tags.filter(t, t != 'a')", r#"["b"]"#),
        ("value.user.tags.map(t, t != 'a', t + t)", r#"["bb"]"#),
        ("[[1, 2], [3]].map(l, l.map(x, x + l.size()))", "[[3,4],[4]]"),
        ("value.user.map(k, k)", r#"["id","tags","n"]"#),
        ("topic + string(partition) + string(offset)", "\"orders342\""),
        ("timestamp", "\"2023-11-14T22:13:20.123Z\""),
        ("timestamp.getHours() + timestamp.getDayOfYear()", "339"),
        ("timestamp - window.start > duration('1h')", "true"),
        ("window.end - window.start", "\"300s\""),
        (
            "timestamp('2024-01-01T00:00:00Z') + duration('90m')",
            "\"2024-01-01T01:30:00Z\"",
        ),
        ("string(headers.trace)", "\"t2\""),
        ("string(headers['trace'])", "\"t2\""),
        ("has(headers.trace) && !has(headers.other)", "true"),
        ("headers.map(name, name)", "[\"trace\"]"),
        ("int('12') + int(2.9) + int(timestamp)", "1700000014"),
        ("double('1.5') + 1", "2.5"),
        ("string(1.0) + string(true) + string(b'x')", "\"1truex\""),
        ("bool('true')", "true"),
        (
            "'Straße'.upperAscii() + 'A'.lowerAscii() + ' x '.trim()",
            "\"STRAßEax\"",
        ),
        ("'a,b,c'.split(',', 2)", r#"["a","b,c"]"#),
        ("'a,b,c'.split(',').join('-')", "\"a-b-c\""),
        (
            "'äbc'.substring(1, 2) + 'äbc'.charAt(0) + 'aaa'.replace('a', 'b', 2)",
            "\"bäbba\"",
        ),
        ("'äbcb'.indexOf('b') + 10 * 'äbcb'.lastIndexOf('b')", "31"),
        ("'user-12'.matches('^user-[0-9]+$')", "true"),
        ("math.greatest(1, 2.5) + math.abs(-2)", "4.5"),
        ("value.list.map(x, type_is(x))", ""),
    ] {
        if expected.is_empty() {
            assert!(eval(source).is_err());
            continue;
        }
        assert_eq!(eval(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn errors_of_records_say_what_was_found_where() {
    for (source, message) in [
        ("value.x > 1", "value.x is absent"),
        ("value.user.x.y", "value.user.x is absent"),
        ("value.amount.x", "value.amount is a double and has no field x"),
        ("value.user.n.x == 1", "value.user.n is null and has no field x"),
        (
            "value.big > 0",
            "value.big: the integer 9223372036854775808 does not fit into 64 bits",
        ),
        (
            "value.user.id > 1",
            "value.user.id: a string cannot be compared with an int",
        ),
        ("value.user.id + 1", "value.user.id: a string + an int is not defined"),
        (
            "value.count + 9223372036854775807",
            "value.count: 3 + 9223372036854775807 does not fit into 64 bits",
        ),
        (
            "value.count / 0",
            "value.count: 3 / 0: an integer cannot be divided by zero",
        ),
        ("value.amount && true", "&& takes true or false, not a double"),
        (
            "value.name.startsWith(value.count)",
            "value.name, value.count: startsWith: not defined for a string, an int",
        ),
        ("value.user.tags[5]", "the list has no such element"),
        ("headers.other", "the record has no header other"),
        ("has(value.x.y)", "value.x is absent"),
    ] {
        assert_eq!(eval(source).unwrap_err(), message, "{source}");
    }
    assert_eq!(
        eval_on("value.amount > 0", "null").unwrap_err(),
        "value is null and has no field amount"
    );
    assert_eq!(
        eval_on("value.amount > 0", "[1]").unwrap_err(),
        "value is a list and has no field amount"
    );
}

#[test]
fn mistakes_are_found_before_there_are_records() {
    for (source, message) in [
        ("", "column 1: the expression is empty"),
        (
            "key + 1",
            "column 5: string + int is not defined (convert the other side with string(..))",
        ),
        ("key.x == 1", "column 4: key is of type string and has no field x"),
        (
            "key == 1",
            "column 5: string and int are never equal (convert one side)",
        ),
        (
            "key > 1",
            "column 5: string > int is not defined (convert the text with int(..) or double(..))",
        ),
        (
            "valeu.amount > 0",
            "column 1: there is no valeu here (did you mean value?)",
        ),
        (
            "amount > 0",
            "column 1: there is no amount here (fields are read from the key or value: value.amount)",
        ),
        ("'é' + valeu", "column 7: there is no valeu here (did you mean value?)"),
        (
            "key.startWith('a')",
            "column 14: there is no function startWith (did you mean startsWith?)",
        ),
        (
            "sum(value.x)",
            "column 4: sum is an aggregate, not a function (it stands by itself in the fields of an aggregate step; put a mapValues after that for what follows from it)",
        ),
        (
            "[3, 1].sort()",
            "column 12: sort is known to CEL but not supported here",
        ),
        ("uint(1)", "column 5: uint is known to CEL but not supported here"),
        ("1u + 2u", "column 1: there are no unsigned integers here (write 1)"),
        ("left.x", "column 1: left is known in joins only"),
        (
            "value.?x",
            "column 6: an optional is no value yet (end it with orValue(..) or hasValue())",
        ),
        (
            "key.matches('[')",
            "column 13: this is no regular expression: unclosed character class",
        ),
        (
            "timestamp.getHours('Europe/Berlin')",
            "column 19: there is no timestamp.getHours(string) (time zones are not supported: timestamps answer in UTC)",
        ),
        (
            "timestamp > '2024-01-01T00:00:00Z'",
            "column 11: timestamp > string is not defined (convert the text with timestamp(..))",
        ),
        (
            "size(1, 2)",
            "column 5: there is no size(int, int) (there is size(any))",
        ),
        (
            "startsWith(key, 'a')",
            "column 11: startsWith is called otherwise (write x.startsWith(..))",
        ),
        ("!key", "column 2: ! takes bool, and this is string"),
        (
            "window.begin",
            "column 7: the window has no begin (it has start and end)",
        ),
        (
            "value.amount >",
            "column 15: this is no CEL: the expression ends too early",
        ),
    ] {
        let error = Expression::compile(source, &scope())
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert_eq!(error, message, "{source}");
    }
    let plain = Scope::new(Type::String, Type::Int);
    assert!(
        Expression::compile("window.start", &plain)
            .unwrap_err()
            .to_string()
            .contains("after a windowed aggregation")
    );
    assert_eq!(Expression::compile("value.x", &plain).unwrap_err().column, 6);
}

#[test]
fn constants_are_folded_and_types_known() {
    for (source, constant, ty) in [
        ("1 + 2 * 3", Some("7"), Type::Int),
        ("'a' + 'b' == 'ab' && true", Some("true"), Type::Bool),
        ("1 / 0", None, Type::Int),
        ("[1, 2.0].size()", Some("2"), Type::Int),
        ("value.x + 1.5", None, Type::Double),
        ("value.x + 1", None, Type::Dyn),
        ("{'a': 1}", Some("{\"a\":1}"), Type::Map),
        ("key", None, Type::String),
        ("timestamp - duration('1m')", None, Type::Timestamp),
        ("string(value.x)", None, Type::String),
    ] {
        let compiled = Expression::compile(source, &scope()).unwrap();
        assert_eq!(
            compiled.constant().map(ToString::to_string).as_deref(),
            constant,
            "{source}"
        );
        assert_eq!(compiled.static_type(), ty, "{source}");
    }
}

#[test]
fn fingerprints_are_one_spelling() {
    for (source, printed) in [
        ("value.amount>0", "value.amount > 0"),
        ("((value.a)) + (2 * 3)", "value.a + 2 * 3"),
        ("(1+2)*3 - (4 - 5)", "(1 + 2) * 3 - (4 - 5)"),
        ("a&&(b&&c)||!(d)", "a && b && c || !d"),
        ("has( value.x )?'a':\"b\"", "has(value.x) ? \"a\" : \"b\""),
        (
            "value.l.filter(x,x>1).map(y,y+1).exists_one(z,z==2)",
            "value.l.map(x, x > 1, x).map(y, y + 1).exists_one(z, z == 2)",
        ),
        (
            "value.?x.orValue([1,?value.?y])[?0]",
            "value.?x.orValue([1, ?value.?y])[?0]",
        ),
        ("-(-1) + -x", "-(-1) + -x"),
        ("{'a':b'x'}['a'] in l", "{\"a\": b\"\\x78\"}[\"a\"] in l"),
        ("math.abs(1.0)", "math.abs(1.0)"),
    ] {
        let parsed = super::parse(source).unwrap();
        assert_eq!(super::print(&parsed.root), printed, "{source}");
        assert_eq!(
            super::print(&super::parse(printed).unwrap().root),
            printed,
            "{source} again"
        );
    }
}

#[test]
fn what_an_expression_reads() {
    let compiled = Expression::compile(
        "value.a.b > 1 && has(value.c) && value.?d.orValue(0) == 1 && value.l.all(value, value.x) && key != '' && value.a.l[0].z",
        &scope(),
    );
    assert_eq!(
        compiled.unwrap().paths().to_string(),
        "value.a.b, value.c, value.d, value.l, value.a.l"
    );
}

#[test]
fn a_whole_value_is_passed_on_as_it_is() {
    let value = Value::Json(JsonDoc::decode(Bytes::from_static(b"{\"a\":1}"), &Shape::empty()).unwrap());
    let env = Env {
        key: &Value::Null,
        value: &value,
        timestamp: 0,
        topic: "t",
        partition: 0,
        offset: 0,
        headers: &NoHeaders,
        window: None,
    };
    assert_eq!(
        Expression::compile("value", &scope()).unwrap().eval(&env),
        Ok(value.clone())
    );
    let error = Expression::compile("value.a", &scope())
        .unwrap()
        .eval_bool(&env)
        .unwrap_err();
    assert_eq!(error.to_string(), "the condition gives an int, not true or false");
}
