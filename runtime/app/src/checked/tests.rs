//! What `millrace validate` shows, mistake by mistake.

use expect_test::{Expect, expect};

use super::{Overrides, check};
use crate::manifest::Problem;

const SEED: &str = include_str!("../../../../examples/transaction-aggregator.yaml");

/// The example with one text in place of another.
fn refused(from: &str, to: &str, due: &Expect) {
    assert!(SEED.contains(from), "{from} is not in the example");
    let problems = check("app.yaml", &SEED.replacen(from, to, 1), &Overrides::default()).unwrap_err();
    due.assert_eq(&problems.iter().map(Problem::render).collect::<String>());
}

#[test]
fn the_example_is_described_as_java_does() {
    let checked = check("app.yaml", SEED, &Overrides::default()).unwrap();
    let warned: Vec<&str> = checked.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(warned, ["spec.standbyReplicas"]);
    expect![[r#"
        Topologies:
           Sub-topology: 0
            Source: KSTREAM-SOURCE-0000000000 (topics: [transactions-topic])
              --> KSTREAM-FILTER-0000000001
            Processor: KSTREAM-FILTER-0000000001 (stores: [])
              --> KSTREAM-AGGREGATE-0000000002
              <-- KSTREAM-SOURCE-0000000000
            Processor: KSTREAM-AGGREGATE-0000000002 (stores: [user-5min-totals])
              --> KTABLE-TOSTREAM-0000000003
              <-- KSTREAM-FILTER-0000000001
            Processor: KTABLE-TOSTREAM-0000000003 (stores: [])
              --> KSTREAM-MAP-0000000004
              <-- KSTREAM-AGGREGATE-0000000002
            Processor: KSTREAM-MAP-0000000004 (stores: [])
              --> KSTREAM-SINK-0000000005
              <-- KTABLE-TOSTREAM-0000000003
            Sink: KSTREAM-SINK-0000000005 (topic: aggregated-transactions)
              <-- KSTREAM-MAP-0000000004

    "#]]
    .assert_eq(&checked.program.plan.describe());
}

#[test]
fn a_name_that_is_not_there() {
    refused(
        "value.amount > 0",
        "amount > 0",
        &expect![[r#"
            app.yaml:11:3: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
               11 |   standbyReplicas: 1
                  |   ^^^^^^^^^^^^^^^
            app.yaml:29:22: error: there is no amount here [expression]
               29 |           - filter: "amount > 0"
                  |                      ^^^^^^
                  = fields are read from the key or value: value.amount
        "#]],
    );
}

#[test]
fn a_function_that_is_not_there() {
    refused(
        "\"value.amount > 0\"",
        "'key.startWith(''u'') && value.amount > 0'",
        &expect![[r#"
            app.yaml:11:3: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
               11 |   standbyReplicas: 1
                  |   ^^^^^^^^^^^^^^^
            app.yaml:29:35: error: there is no function startWith [expression]
               29 |           - filter: 'key.startWith(''u'') && value.amount > 0'
                  |                                   ^
                  = did you mean startsWith?
        "#]],
    );
}

#[test]
fn an_expression_that_is_no_cel() {
    refused(
        "value.amount > 0",
        "value.amount >",
        &expect![[r#"
            app.yaml:11:3: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
               11 |   standbyReplicas: 1
                  |   ^^^^^^^^^^^^^^^
            app.yaml:29:36: error: this is no CEL: the expression ends too early [expression]
               29 |           - filter: "value.amount >"
                  |                                    ^
        "#]],
    );
}

#[test]
fn a_place_behind_escapes() {
    refused(
        "\"value.amount > 0\"",
        "\"value[\\\"amount\\\"] > 0 && amount > 0\"",
        &expect![[r#"
            app.yaml:11:3: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
               11 |   standbyReplicas: 1
                  |   ^^^^^^^^^^^^^^^
            app.yaml:29:47: error: there is no amount here [expression]
               29 |           - filter: "value[\"amount\"] > 0 && amount > 0"
                  |                                               ^^^^^^
                  = fields are read from the key or value: value.amount
        "#]],
    );
}

#[test]
fn an_unknown_step() {
    refused(
        "- filter:",
        "- filtr:",
        &expect![[r#"
            app.yaml:11:3: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
               11 |   standbyReplicas: 1
                  |   ^^^^^^^^^^^^^^^
            app.yaml:29:13: error: no such step: filtr [unknown-key]
               29 |           - filtr: "value.amount > 0"
                  |             ^^^^^
                  = did you mean filter?
        "#]],
    );
}

#[test]
fn an_unknown_topic() {
    refused(
        "from: transactions",
        "from: transaction",
        &expect![[r#"
            app.yaml:11:3: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
               11 |   standbyReplicas: 1
                  |   ^^^^^^^^^^^^^^^
            app.yaml:27:15: error: there is no topic transaction in topics [unknown-reference]
               27 |         from: transaction
                  |               ^^^^^^^^^^^
                  = did you mean transactions?
        "#]],
    );
}

#[test]
fn an_unknown_aggregate() {
    refused(
        "sum(value.amount)",
        "summ(value.amount)",
        &expect![[r#"
            app.yaml:11:3: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
               11 |   standbyReplicas: 1
                  |   ^^^^^^^^^^^^^^^
            app.yaml:35:37: error: there is no aggregate summ [expression]
               35 |                 - totalAmount: "summ(value.amount)"
                  |                                     ^
                  = did you mean sum?
        "#]],
    );
}

#[test]
fn a_wrong_duration() {
    refused(
        "5m}",
        "5 minutes}",
        &expect![[r#"
            app.yaml:11:3: warning: num.standby.replicas: has no effect yet: tasks have no standbys, and are restored from their changelogs [config]
               11 |   standbyReplicas: 1
                  |   ^^^^^^^^^^^^^^^
            app.yaml:33:34: error: "5 minutes" is no duration [bad-value]
               33 |               window: {tumbling: 5 minutes}             # grace: 0s by default
                  |                                  ^^^^^^^^^
                  = whole numbers with the units d, h, m, s, ms, the largest first: 5m, 1h30m, 500ms
        "#]],
    );
}

#[test]
fn an_unknown_property() {
    refused(
        "commit.interval.ms",
        "commit.interval.m",
        &expect![[r#"
        app.yaml:17:5: error: commit.interval.m: unknown property; did you mean `commit.interval.ms`? [config]
           17 |     commit.interval.m: 1000
              |     ^^^^^^^^^^^^^^^^^
    "#]],
    );
}

#[test]
fn several_at_once_in_the_order_of_the_file() {
    let text = SEED.replacen(
        "processing.guarantee: exactly_once_v2",
        "processing.guarantee: exactly_twice",
        1,
    );
    let text = text
        .replacen("value.amount > 0", "amount > 0", 1)
        .replacen("sum(value.amount)", "sum(value.amount", 1);
    let problems = check("app.yaml", &text, &Overrides::default()).unwrap_err();
    expect![[r#"
        app.yaml:16:5: error: processing.guarantee: `exactly_twice` is none of at_least_once, exactly_once_v2 [config]
           16 |     processing.guarantee: exactly_twice
              |     ^^^^^^^^^^^^^^^^^^^^
        app.yaml:29:22: error: there is no amount here [expression]
           29 |           - filter: "amount > 0"
              |                      ^^^^^^
              = fields are read from the key or value: value.amount
        app.yaml:35:49: error: this is no CEL: missing ')' at '<EOF>' [expression]
           35 |                 - totalAmount: "sum(value.amount"
              |                                                 ^
    "#]]
    .assert_eq(&problems.iter().map(Problem::render).collect::<String>());
}

#[test]
fn the_command_line_wins_and_is_named() {
    let overrides = Overrides {
        bootstrap_servers: Some("other:1".into()),
        state_dir: Some("/s".into()),
        config: vec![("num.stream.threads".into(), "3".into())],
        properties: Vec::new(),
    };
    let config = check("app.yaml", SEED, &overrides).unwrap().config;
    assert_eq!(
        (config.bootstrap_servers, config.state_dir, config.num_stream_threads),
        (vec!["other:1".to_owned()], "/s".into(), 3)
    );
    let overrides = Overrides {
        config: vec![("num.stream.treads".into(), "3".into())],
        ..Overrides::default()
    };
    let problems = check("app.yaml", SEED, &overrides).unwrap_err();
    expect![[r#"
        --config: error: num.stream.treads: unknown property; did you mean `num.stream.threads`? [config]
    "#]]
    .assert_eq(&problems.iter().map(Problem::render).collect::<String>());
}
