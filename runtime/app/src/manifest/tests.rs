use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn refused(text: &str, due: &Expect) {
    let problems = parse("app.yaml", text).unwrap_err();
    due.assert_eq(&problems.iter().map(Problem::render).collect::<Vec<_>>().join(""));
}

const HEAD: &str = "apiVersion: millrace.dev/v1alpha1\nkind: StreamApp\nmetadata: {name: app}\n";

#[test]
fn a_manifest_is_json_after_kubectls_reading() {
    let text = format!(
        "kind: ConfigMap\n---\n{HEAD}spec: &spec\n  kafka: {{bootstrapServers: \"k:9092\"}}\n  replicas: 0x2\n  config: {{enable: on, \
         size: 1_024, note: 'yes'}}\n  topology:\n    a: &a {{x: 1, y2: [~]}}\n    b: {{<<: *a, x: 2}}\n    1: *a\n---\n# nothing\n"
    );
    let manifest = parse("app.yaml", &text).unwrap();
    assert_eq!(manifest.app.spec.replicas(), 2);
    let properties = manifest.app.spec.properties();
    assert_eq!(
        (
            properties["enable"].as_str(),
            properties["size"].as_str(),
            properties["note"].as_str()
        ),
        ("true", "1024", "yes")
    );
    let due = json!({"a": {"x": 1, "y2": [null]}, "b": {"x": 2, "y2": [null]}, "1": {"x": 1, "y2": [null]}});
    assert_eq!(manifest.app.spec.topology, due);
}

#[test]
fn json_with_tabs_is_read_too() {
    let text = "{\n\t\"apiVersion\": \"millrace.dev/v1alpha1\", \"kind\": \"StreamApp\",\n\t\"metadata\": {\"name\": \"a\"},\n\t\"spec\": \
                {\"kafka\": {\"bootstrapServers\": \"k:1\"}, \"topology\": {\"\\u0041\": \"\\/\"}}\n}\n";
    assert_eq!(parse("app.json", text).unwrap().app.spec.topology, json!({"A": "/"}));
}

#[test]
fn what_is_no_yaml_is_shown() {
    refused(
        &format!("{HEAD}spec:\n  kafka: [\n"),
        &expect![[r#"
            app.yaml:6:1: error: this is no YAML: while parsing a node, did not find expected node content [yaml]
        "#]],
    );
    refused(
        "",
        &expect![[r#"
        app.yaml: error: there is nothing in it [empty]
    "#]],
    );
    refused(
        "kind: A\n---\nkind: B\n",
        &expect![[r#"
        app.yaml: error: none of its 2 documents is a StreamApp [no-stream-app]
    "#]],
    );
    refused(
        &format!("{HEAD}---\n{HEAD}"),
        &expect![[r#"
        app.yaml:5:1: error: a second StreamApp in one file [several]
            5 | apiVersion: millrace.dev/v1alpha1
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = give each its own file
    "#]],
    );
}

#[test]
fn duplicate_keys_and_tags_are_refused() {
    refused(
        &format!(
            "{HEAD}spec:\n  kafka: {{bootstrapServers: k}}\n  topology:\n    filter: !value.open\n    gauge: .inf\n    on: 1\n  kafka: 1\n"
        ),
        &expect![[r#"
            app.yaml:7:13: error: !value.open is a tag in YAML, not part of the text [yaml]
                7 |     filter: !value.open
                  |             ^^^^^^^^^^^
                  = put the text in quotes: "!value.open"
            app.yaml:8:12: error: .inf is a number that JSON, and so Kubernetes, cannot hold [yaml]
                8 |     gauge: .inf
                  |            ^^^^
            app.yaml:9:5: error: YAML reads this key as the boolean true [yaml]
                9 |     on: 1
                  |     ^^
                  = put it in quotes, or choose another name
            app.yaml:10:3: error: the key kafka is here twice: first in line 5 [yaml]
               10 |   kafka: 1
                  |   ^^^^^
        "#]],
    );
}

#[test]
fn problems_of_the_resource_are_located() {
    refused(
        &format!(
            "{HEAD}spec:\n  kafka:\n    bootstrapServer: kafka:9092\n  replicas: \"3\"\n  config:\n    sasl.jaas.config: secret\n  \
             topology: []\n"
        ),
        &expect![[r#"
            app.yaml:6:5: error: spec.kafka.bootstrapServer: unknown key [unknown-key]
                6 |     bootstrapServer: kafka:9092
                  |     ^^^^^^^^^^^^^^^
                  = did you mean bootstrapServers?
            app.yaml:5:3: error: spec.kafka.bootstrapServers: is missing [resource]
                5 |   kafka:
                  |   ^^^^^
            app.yaml:7:13: error: spec.replicas: is "3", where an integer is due [resource]
                7 |   replicas: "3"
                  |             ^^^
            app.yaml:10:3: error: spec.topology: is a list, where an object (a map) is due [resource]
               10 |   topology: []
                  |   ^^^^^^^^
        "#]],
    );
    refused(
        &format!(
            "{HEAD}spec: {{kafka: {{bootstrapServers: k}}, topology: {{}}, config: {{application.id: x, list: [1]}}}}\n"
        ),
        &expect![[r#"
            app.yaml:4:77: error: spec.config["application.id"]: application.id has a field of its own [resource]
                4 | spec: {kafka: {bootstrapServers: k}, topology: {}, config: {application.id: x, list: [1]}}
                  |                                                                             ^
                  = set spec.applicationId
            app.yaml:4:80: error: spec.config.list: a property's value is a string, a number or a boolean, not a list [resource]
                4 | spec: {kafka: {bootstrapServers: k}, topology: {}, config: {application.id: x, list: [1]}}
                  |                                                                                ^^^^
                  = write lists as Kafka does, separated by commas in one string
        "#]],
    );
}
