//! A manifest that is damaged anywhere is compiled or refused, and never a panic; what is refused says where.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{script::topology, yaml};
use crate::{CompileOptions, compile};

const MANIFEST: &str = r#"
topics:
  a: {name: a-topic, key: string, value: json, timestamp: "value.at", startFrom: latest, onError: deadLetter}
  b: {name: b-topic, key: long, value: json}
  c: {name: c-topic, key: string, value: json}
pipelines:
  - name: p
    from: [a, {pipeline: q}]
    onError: continue
    steps:
      - filter: "value.x > 0"
      - repartition: {name: r, by: "value.user", partitions: 3}
      - aggregate:
          name: s
          by: "value.user"
          window: {tumbling: 5m, grace: 1m}
          fields: [{total: "sum(value.x)"}, {count: "count()"}]
          retention: 1h
          changelog: {retention.ms: 1000}
          store: {cache: false}
      - mapValues: {add: [{start: "window.start"}]}
      - toStream
    to: [c, {topic: c, key: windowed}]
  - name: q
    from: b
    steps:
      - map: {key: "string(key)", fields: [{x: "value.x"}, {user: "value.user"}]}
      - mapValues: {drop: [z]}
"#;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9.(){}<>=!'\" é]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "key", "value", "value.x", "a", "p", "5m", "windowed", "toStream", "avro"
        ])
        .prop_map(Value::from),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[a-zA-Zé). ]{0,6}",
        prop::sample::select(vec![
            "name", "by", "filter", "map", "fields", "key", "value", "on", "pipeline"
        ])
        .prop_map(String::from),
    ];
    scalar().prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// All places in a value, as JSON pointers.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(map) => {
            map.iter()
                .for_each(|(key, child)| places(child, &format!("{path}/{}", key.replace('/', "~1")), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, child)| places(child, &format!("{path}/{index}"), found));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_located(damage in prop::collection::vec((any::<prop::sample::Index>(), anything()), 1..4)) {
        let mut manifest = yaml::parse(&topology(MANIFEST)).unwrap();
        for (at, with) in damage {
            let mut all: Vec<String> = Vec::new();
            places(&manifest, "", &mut all);
            *manifest.pointer_mut(&all[at.index(all.len())]).unwrap() = with;
        }
        if let Err(diagnostics) = compile(&manifest, &CompileOptions::default()) {
            prop_assert!(diagnostics.has_errors());
            for one in &diagnostics.0 {
                prop_assert!(one.path.starts_with("spec.topology"), "{one}");
                prop_assert!(one.spot.as_ref().is_none_or(|spot| spot.column <= spot.expression.chars().count() + 1), "{one:?}");
            }
            diagnostics.render();
        }
    }
}

#[test]
fn undamaged_it_compiles() {
    let manifest = yaml::parse(&topology(MANIFEST)).unwrap();
    if let Err(diagnostics) = compile(&manifest, &CompileOptions::default()) {
        panic!("{}", diagnostics.render());
    }
}
