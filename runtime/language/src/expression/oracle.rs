//! The `cel` crate's own evaluation as the oracle: random expressions on random documents give the same value, or an error in both.
//!
//! Expressions are generated with types, so that arithmetic between int and double, our one extension, can be given to the oracle
//! with the conversion written out. Fields are absent at random, so that errors and their absorption are part of it.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use proptest::prelude::*;

use super::{Env, Expression, NoHeaders, Scope, Type};
use crate::format::Format;
use crate::json::Shape;
use crate::value::{Map, Value};

/// One expression in two spellings: ours, and the oracle's with explicit conversions.
#[derive(Clone, Debug)]
struct Pair {
    ours: String,
    oracle: String,
}

fn same(text: impl Into<String>) -> Pair {
    let ours = text.into();
    Pair {
        oracle: ours.clone(),
        ours,
    }
}

/// Puts parts in the places of `template` that `$` marks.
fn with(template: &str, parts: &[Pair]) -> Pair {
    let fill = |part: fn(&Pair) -> &str| {
        let mut pieces = template.split('$');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for (piece, filler) in pieces.zip(parts) {
            text.push_str(part(filler));
            text.push_str(piece);
        }
        text
    };
    Pair {
        ours: fill(|p| &p.ours),
        oracle: fill(|p| &p.oracle),
    }
}

/// Integer with double: the oracle needs it said.
fn mixed(op: &str, a: &Pair, b: &Pair, int_first: bool) -> Pair {
    let (a_oracle, b_oracle) = if int_first {
        (format!("double({})", a.oracle), b.oracle.clone())
    } else {
        (a.oracle.clone(), format!("double({})", b.oracle))
    };
    Pair {
        ours: format!("({} {op} {})", a.ours, b.ours),
        oracle: format!("({a_oracle} {op} {b_oracle})"),
    }
}

type Gen = BoxedStrategy<Pair>;

fn pick(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(choices)
}

const COMPARISONS: &[&str] = &["<", "<=", ">", ">=", "==", "!="];

/// Expressions of each type, `depth` operators deep: int, double, string, bool.
fn of_types(depth: u32) -> [Gen; 4] {
    let ints = prop_oneof![
        (-3i64..10).prop_map(|n| same(n.to_string())),
        Just(same("9223372036854775807")),
        pick(&[
            "value.i",
            "value.m.i",
            "value.?i.orValue(5)",
            "value.l[0]",
            "value.l[2]",
            "value['i']",
            "value.?m.i.orValue(1)"
        ])
        .prop_map(same),
    ]
    .boxed();
    let doubles = prop_oneof![
        pick(&["0.0", "1.5", "-2.25", "1e300", "3.0"]).prop_map(same),
        pick(&["value.d", "value.m.d", "value.?d.orValue(0.5)"]).prop_map(same),
    ]
    .boxed();
    let strings = prop_oneof![
        pick(&["''", "'a'", "'äb'", "'a,b,a'", "'12'", "key"]).prop_map(same),
        pick(&[
            "value.s",
            "value.m.s",
            "value.?s.orValue('x')",
            "value.?m.?s.orValue('y')"
        ])
        .prop_map(same),
    ]
    .boxed();
    let bools = prop_oneof![
        pick(&[
            "true",
            "false",
            "value.b",
            "has(value.i)",
            "has(value.m.s)",
            "value.?b.hasValue()",
            "(value.n == null)",
            "(value.m == value.m)"
        ])
        .prop_map(same),
        pick(&[
            "(value.l == [1, 2])",
            "(2 in value.l)",
            "('i' in value.m)",
            "has(value.n.x)",
            "(value.i == value.s)",
            "(value.i < value.s)"
        ])
        .prop_map(same),
    ]
    .boxed();
    if depth == 0 {
        return [ints, doubles, strings, bools];
    }
    let [i, d, s, b] = of_types(depth - 1);
    let two = |a: &Gen, b: &Gen| (a.clone(), b.clone());
    let deeper_ints = prop_oneof![
        (pick(&["+", "-", "*", "/", "%"]), two(&i, &i)).prop_map(|(op, (a, b))| with(&format!("($ {op} $)"), &[a, b])),
        i.clone().prop_map(|a| with("(-$)", &[a])),
        s.clone().prop_map(|a| with("$.size()", &[a])),
        two(&s, &s).prop_map(|(a, b)| with("$.indexOf($)", &[a, b])),
        s.clone().prop_map(|a| with("int($)", &[a])),
        d.clone().prop_map(|a| with("int($)", &[a])),
        i.clone().prop_map(|a| with("value.l.map(x, x + $).size()", &[a])),
        (b.clone(), i.clone(), i.clone()).prop_map(|(c, a, b)| with("($ ? $ : $)", &[c, a, b])),
    ];
    let deeper_doubles = prop_oneof![
        (pick(&["+", "-", "*", "/"]), two(&d, &d)).prop_map(|(op, (a, b))| with(&format!("($ {op} $)"), &[a, b])),
        (pick(&["+", "-", "*", "/"]), two(&i, &d)).prop_map(|(op, (a, b))| mixed(op, &a, &b, true)),
        (pick(&["+", "-", "*", "/"]), two(&d, &i)).prop_map(|(op, (a, b))| mixed(op, &a, &b, false)),
        i.clone().prop_map(|a| with("double($)", &[a])),
        d.clone().prop_map(|a| with("math.floor($)", &[a])),
    ];
    let deeper_strings = prop_oneof![
        two(&s, &s).prop_map(|(a, b)| with("($ + $)", &[a, b])),
        i.clone().prop_map(|a| with("string($)", &[a])),
        d.clone().prop_map(|a| with("string($)", &[a])),
        two(&s, &i).prop_map(|(a, b)| with("$.substring($)", &[a, b])),
        two(&s, &i).prop_map(|(a, b)| with("$.charAt($)", &[a, b])),
        two(&s, &s).prop_map(|(a, b)| with("$.replace('a', $).upperAscii()", &[a, b])),
        (s.clone(), s.clone(), i.clone()).prop_map(|(a, b, n)| with("$.split($, $).join('|')", &[a, b, n])),
        s.clone().prop_map(|a| with("$.trim().lowerAscii()", &[a])),
    ];
    let deeper_bools = prop_oneof![
        (pick(COMPARISONS), two(&i, &i)).prop_map(|(op, (a, b))| with(&format!("($ {op} $)"), &[a, b])),
        (pick(COMPARISONS), two(&i, &d)).prop_map(|(op, (a, b))| with(&format!("($ {op} $)"), &[a, b])),
        (pick(COMPARISONS), two(&d, &d)).prop_map(|(op, (a, b))| with(&format!("($ {op} $)"), &[a, b])),
        (pick(COMPARISONS), two(&s, &s)).prop_map(|(op, (a, b))| with(&format!("($ {op} $)"), &[a, b])),
        (pick(&["&&", "||"]), two(&b, &b)).prop_map(|(op, (a, b))| with(&format!("($ {op} $)"), &[a, b])),
        (pick(&["&&", "||"]), two(&b, &b)).prop_map(|(op, (a, b))| with(&format!("($ {op} $)"), &[a, b])),
        b.clone().prop_map(|a| with("(!$)", &[a])),
        (pick(&["contains", "startsWith", "endsWith"]), two(&s, &s))
            .prop_map(|(f, (a, b))| with(&format!("$.{f}($)"), &[a, b])),
        (pick(&["all", "exists", "exists_one"]), i.clone())
            .prop_map(|(f, a)| with(&format!("value.l.{f}(x, x > $ || 6 / x == 3)"), &[a])),
        two(&i, &i).prop_map(|(a, b)| with("($ in [1, 2, $])", &[a, b])),
        two(&i, &s).prop_map(|(a, b)| with("({'a': $, $: 1} == {'b': 1, 'a': 2})", &[a, b])),
        two(&i, &d).prop_map(|(a, b)| with("(value.l.filter(x, x != $) == [$])", &[a, b])),
        s.clone().prop_map(|a| with("$.matches('a+|^b')", &[a])),
    ];
    [
        prop_oneof![1 => ints, 4 => deeper_ints].boxed(),
        prop_oneof![1 => doubles, 4 => deeper_doubles].boxed(),
        prop_oneof![1 => strings, 4 => deeper_strings].boxed(),
        prop_oneof![1 => bools, 4 => deeper_bools].boxed(),
    ]
}

fn expressions() -> impl Strategy<Value = Pair> {
    let [i, d, s, b] = of_types(4);
    prop_oneof![i, d, s, b]
}

/// A document in which every field may be absent, and `n`, when it is there, null.
fn documents() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value as Json, json};
    let fields = |depth: u32| {
        (
            prop::option::weighted(
                0.8,
                prop_oneof![-5i64..5, Just(i64::MAX), Just(i64::MIN)].prop_map(|n| json!(n)),
            ),
            prop::option::weighted(
                0.8,
                prop_oneof![
                    Just(0.0),
                    Just(2.5),
                    Just(-1e300),
                    any::<f64>().prop_filter("JSON", |d| d.is_finite())
                ]
                .prop_map(|d| json!(d)),
            ),
            prop::option::weighted(
                0.8,
                prop_oneof![Just("a,b".to_owned()), Just("ä\"\\n".to_owned()), any::<String>()].prop_map(|s| json!(s)),
            ),
            prop::option::weighted(0.8, any::<bool>().prop_map(|b| json!(b))),
            prop::option::weighted(0.8, prop::collection::vec(-2i64..6, 0..4).prop_map(|l| json!(l))),
            prop::option::weighted(0.5, Just(Json::Null)),
        )
            .prop_map(move |(i, d, s, b, l, n)| {
                let all = [("s", s), ("i", i), ("d", d), ("b", b), ("l", l), ("n", n)];
                all.into_iter()
                    .take(if depth == 0 { 3 } else { 6 })
                    .filter_map(|(k, v)| Some((k.to_owned(), v?)))
                    .collect::<serde_json::Map<_, _>>()
            })
    };
    (fields(1), prop::option::weighted(0.8, fields(0))).prop_map(|(mut outer, inner)| {
        if let Some(inner) = inner {
            outer.insert("m".to_owned(), Json::Object(inner));
        }
        Json::Object(outer)
    })
}

fn to_cel(json: &serde_json::Value) -> cel::Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(b) => cel::Value::Bool(*b),
        Json::Number(n) => n
            .as_i64()
            .map_or_else(|| cel::Value::Float(n.as_f64().unwrap()), cel::Value::Int),
        Json::String(s) => cel::Value::String(Arc::new(s.clone())),
        Json::Array(list) => cel::Value::List(Arc::new(list.iter().map(to_cel).collect())),
        Json::Object(map) => cel::Value::from(
            map.iter()
                .map(|(k, v)| (k.clone(), to_cel(v)))
                .collect::<std::collections::HashMap<_, _>>(),
        ),
    }
}

fn from_cel(value: cel::Value) -> Value {
    match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(b) => Value::from(b),
        cel::Value::Int(n) => Value::from(n),
        cel::Value::Float(d) => Value::from(d),
        cel::Value::String(s) => Value::from(s.as_str()),
        cel::Value::List(list) => list.iter().cloned().map(from_cel).collect::<Vec<_>>().into(),
        cel::Value::Map(map) => map
            .map
            .iter()
            .map(|(k, v)| (k.to_string(), from_cel(v.clone())))
            .collect::<Map>()
            .into(),
        other => panic!("the generator makes no {other:?}"),
    }
}

static CEL: LazyLock<Arc<cel::Env>> = LazyLock::new(|| {
    let mut env = cel::Env::stdlib();
    env.add_extension(cel::extensions::strings).unwrap();
    env.add_extension(cel::extensions::math).unwrap();
    Arc::new(env)
});

fn oracle(source: &str, document: &serde_json::Value) -> Result<Value, String> {
    let program = CEL.compile(source).map_err(|e| format!("does not compile: {e}"))?;
    let mut context = cel::Context::with_env(CEL.clone());
    context.add_variable_from_value("value", to_cel(document));
    context.add_variable_from_value("key", cel::Value::String(Arc::new("a".to_owned())));
    program.execute(&context).map(from_cel).map_err(|e| e.to_string())
}

fn ours(source: &str, document: &serde_json::Value, shaped: bool) -> Result<Value, String> {
    let expression = Expression::compile(source, &Scope::new(Type::String, Type::Dyn))
        .map_err(|e| format!("does not compile: {e}"))?;
    let shape = if shaped {
        expression.paths().value_shape()
    } else {
        Shape::empty()
    };
    let value = Format::Json.decode(Bytes::from(document.to_string()), &shape).unwrap();
    let key = Value::from("a");
    let env = Env {
        key: &key,
        value: &value,
        timestamp: 0,
        topic: "t",
        partition: 0,
        offset: 0,
        headers: &NoHeaders,
        window: None,
    };
    expression.eval(&env).map_err(|e| e.to_string())
}

/// Equal to the last bit; NaN is NaN.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]
    #[test]
    fn expressions_mean_what_cel_means(pair in expressions(), document in documents()) {
        let expected = oracle(&pair.oracle, &document);
        for shaped in [true, false] {
            let found = ours(&pair.ours, &document, shaped);
            match (&expected, &found) {
                (Ok(a), Ok(b)) => prop_assert!(alike(a, b), "{} on {document}: cel {a:?}, ours {b:?}", pair.ours),
                (Err(a), Err(b)) => prop_assert!(!(a.contains("does not compile") || b.contains("does not compile")), "{}: {a} {b}", pair.ours),
                _ => prop_assert!(false, "{} on {document}: cel {expected:?}, ours {found:?}", pair.ours),
            }
        }
    }

    #[test]
    fn fingerprints_mean_the_same(pair in expressions(), document in documents()) {
        let printed = Expression::compile(&pair.ours, &Scope::new(Type::String, Type::Dyn)).unwrap().fingerprint();
        let (before, after) = (ours(&pair.ours, &document, true), ours(&printed, &document, true));
        let same = match (&before, &after) {
            (Ok(a), Ok(b)) => alike(a, b),
            (a, b) => a == b,
        };
        prop_assert!(same, "{} and {printed}: {before:?} {after:?}", pair.ours);
    }

    #[test]
    fn no_text_makes_the_compiler_panic(source in "[a-z0-9 .?()\\[\\]{}'\"+*/%<>=!&|,:é-]{0,30}") {
        let _ = Expression::compile(&source, &Scope::new(Type::String, Type::Dyn));
    }
}

/// The comparison above says nothing if nearly everything is an error.
#[test]
fn many_random_expressions_have_values() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let values = (0..1000)
        .filter(|_| {
            let pair = expressions().new_tree(&mut runner).unwrap().current();
            let document = documents().new_tree(&mut runner).unwrap().current();
            ours(&pair.ours, &document, true).is_ok()
        })
        .count();
    assert!((300..950).contains(&values), "{values} of 1000 have a value");
}

/// Times, conversions and the ends of ranges, which random expressions rarely meet.
#[test]
fn corners_mean_what_cel_means() {
    let document = serde_json::json!({"t": "2024-02-29T23:59:59.123456789Z", "s": "ä,b", "i": 3, "d": 2.5});
    for source in [
        "string(timestamp(value.t))",
        "string(timestamp(value.t) + duration('1h30m'))",
        "string(timestamp(value.t) - timestamp('2024-02-28T00:00:00Z'))",
        "string(timestamp('2024-02-29T23:59:59+02:00') - duration('0.5s'))",
        "timestamp('9999-12-31T23:59:59Z') + duration('1s') == timestamp(0)",
        "timestamp('0001-01-01T00:00:00Z') - duration('1ns') == timestamp(0)",
        "string(timestamp(-62135596800))",
        "string(timestamp(253402300800))",
        "string(timestamp('9999-12-31T00:00:00Z') - timestamp('0001-01-01T00:00:00Z'))",
        "[timestamp(value.t).getFullYear(), timestamp(value.t).getMonth(), timestamp(value.t).getDate(), timestamp(value.t).getDayOfMonth()]",
        "[timestamp(value.t).getDayOfWeek(), timestamp(value.t).getDayOfYear(), timestamp(value.t).getHours(), timestamp(value.t).getMinutes()]",
        "[timestamp(value.t).getSeconds(), timestamp(value.t).getMilliseconds(), int(timestamp(value.t))]",
        "[duration('-90m').getHours(), duration('-90m').getMinutes(), duration('1.5s').getMilliseconds(), duration('1.5s').getSeconds()]",
        "[string(duration('1.5h')), string(duration('-3ms')), string(duration('1us') + duration('1ns'))]",
        "duration('1m') < duration('61s') && duration('60s') == duration('1m')",
        "string(duration('300000000h'))",
        "duration('x') == duration('1s')",
        "timestamp('yesterday') == timestamp(0)",
        "[int('-12'), int(-2.9), int('9223372036854775807')]",
        "int('9223372036854775808')",
        "int('1.5')",
        "int(9223372036854774784.0)",
        "int(9223372036854775808.0)",
        "int(-9223372036854775808.0)",
        "[double('1e3'), double('-0.5'), double('inf')]",
        "double('x')",
        "[string(1.0), string(0.1), string(1e21), string(-0.0), string(true), string(b'abc')]",
        "string(b'\\xff')",
        "[bool('True'), bool('f')]",
        "bool('yes')",
        "bytes('ä') == b'ä'",
        "0.0 / 0.0 == 0.0 / 0.0",
        "0.0 / 0.0 < 1.0",
        "1.0 / 0.0 > 1e308",
        "-9223372036854775808 / -1",
        "-9223372036854775808 % -1",
        "-(-9223372036854775807 - 1)",
        "math.abs(-9223372036854775807 - 1)",
        "[-7 / 2, -7 % 2, 7 % -2]",
        "value.s.substring(1)",
        "value.s.substring(2, 1)",
        "value.s.substring(4)",
        "[value.s.substring(3), value.s.charAt(3), value.s.charAt(0)]",
        "value.s.charAt(-1)",
        "[value.s.indexOf('b'), value.s.indexOf(''), value.s.indexOf('b', 3), value.s.lastIndexOf(''), value.s.lastIndexOf('b', 1)]",
        "value.s.indexOf('', 9)",
        "value.s.indexOf('b', 9)",
        "value.s.lastIndexOf('b', 2)",
        "[value.s.split(''), value.s.split('', 2), value.s.split(',', 0), value.s.split('', 9), ''.split(',')]",
        "'aXbX'.replace('X', '', 1) + 'ab'.replace('', '-') + 'ß'.upperAscii() + 'ab'.reverse()",
        "['a', 'b'].join() + ['a', 'b'].join(', ') + [].join(',')",
        "['a', 1].join()",
        "[math.greatest(1, 1.0), math.least(2, 1.5), math.ceil(1.2), math.round(-2.5), math.trunc(-2.5), math.sqrt(2)]",
        "math.isNaN(0.0 / 0.0) && math.isInf(1.0 / 0.0) && math.isFinite(1.0)",
        "'a' < 'ä' && 'Z' < 'a' && b'a' < b'b' && false < true",
        "[1, 'a', null, [1], {'a': 1}] == [1.0, 'a', null, [1], {'a': 1.0}]",
        "{'a': 1, 'a': 2}",
        "[1][1]",
        "[1][-1]",
        "{'a': 1}.b",
        "{'a': {'b': 2}}.a.b",
        "[[1, 2], [3]].map(x, x.filter(y, y > 1)).exists(x, x == [3])",
        "[1, 2].all(x, x > 0 || 1 / 0 == 1) && [].all(x, false) && ![].exists(x, true)",
        "[0, 1].exists(x, 1 / x == 1)",
        "[1, 0].all(x, 1 / x == 1)",
        "[0, 2].all(x, 1 / x == 1)",
        "[1, 1].exists_one(x, x == 1)",
        "{'a': 1, 'b': 2}.exists(k, k == 'b')",
        "optional.of(1).or(optional.none()).orValue(2) + {'a': {'b': 3}}.?a.?b.orValue(0) + {'a': 1}[?'c'].orValue(4)",
        "optional.none().value()",
        "value.?i.?x.hasValue()",
        "has(value.i.x)",
        "value.i.x",
        "'a' in 'abc'",
        "1 in {'a': 1}",
        "null in [null]",
    ] {
        let (expected, found) = (oracle(source, &document), ours(source, &document, true));
        match (&expected, &found) {
            (Ok(a), Ok(b)) => assert_eq!(a.to_string(), b.to_string(), "{source}"),
            (Err(_), Err(_)) => {}
            _ => panic!("{source}: cel {expected:?}, ours {found:?}"),
        }
    }
}
