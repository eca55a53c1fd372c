//! Strict decoding of a manifest: what the API server would prune or refuse, located, before there is a cluster.

use serde_json::Value;

use crate::{
    config::validate_config,
    generate::manifest_schema,
    problem::{Problem, Problems, join, nearest},
    streamapp::StreamApp,
};

/// Decodes a manifest by the CRD's own schema: kind and version, unknown keys, absent ones, wrong types, bounds, `spec.config`.
/// `spec.topology` is left as it is: the language crate reads it.
///
/// ```
/// let manifest = serde_json::json!({
///     "apiVersion": "millrace.dev/v1alpha1", "kind": "StreamApp",
///     "metadata": {"name": "clicks"},
///     "spec": {"kafka": {"bootstrapServer": "kafka:9092"}, "topology": {}},
/// });
/// assert_eq!(
///     millrace_crds::decode(&manifest).unwrap_err().to_string(),
///     "spec.kafka.bootstrapServer: unknown key: did you mean bootstrapServers?\nspec.kafka.bootstrapServers: is missing"
/// );
/// ```
pub fn decode(manifest: &Value) -> Result<StreamApp, Problems> {
    let mut problems = Vec::new();
    for (key, due) in [("apiVersion", "millrace.dev/v1alpha1"), ("kind", "StreamApp")] {
        if manifest[key] != due {
            problems.push(Problem::new(key, format!("is {}, not {due}", shown(&manifest[key]))));
        }
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let mut schema = manifest_schema();
    // What every resource has: the CRD's own schema does not say it.
    for key in ["apiVersion", "kind", "metadata", "status"] {
        schema["properties"][key] = serde_json::json!({});
    }
    check("", manifest, &schema, &mut problems);
    if manifest
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        problems.push(Problem::new("metadata.name", "is missing"));
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let app: StreamApp = serde_json::from_value(manifest.clone())
        .map_err(|error| Problems(vec![Problem::new("", error.to_string())]))?;
    let problems = validate_config(&app.spec.config);
    if problems.is_empty() {
        Ok(app)
    } else {
        Err(Problems(problems))
    }
}

/// The parts of OpenAPI that the CRD uses: a test holds that there are no others.
fn check(path: &str, value: &Value, schema: &Value, problems: &mut Vec<Problem>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if let Some(due) = schema["type"].as_str()
        && !is_a(value, due)
    {
        let article = if due == "integer" || due == "object" || due == "array" {
            "an"
        } else {
            "a"
        };
        let due = if due == "object" { "object (a map)" } else { due };
        problems.push(Problem::new(
            path,
            format!("is {}, where {article} {due} is due", shown(value)),
        ));
        return;
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    match value {
        Value::Object(map) => {
            let properties = schema["properties"].as_object();
            let additional = &schema["additionalProperties"];
            for (key, child) in map {
                let path = join(path, key);
                match (properties.and_then(|known| known.get(key)), additional.is_object()) {
                    (Some(schema), _) => check(&path, child, schema, problems),
                    (None, true) => check(&path, child, additional, problems),
                    // An object without declared properties, such as metadata, is open.
                    (None, false) if properties.is_none() => {}
                    (None, false) => {
                        let problem = Problem::new(path, "unknown key");
                        let known = properties.into_iter().flatten().map(|(key, _)| key.as_str());
                        problems.push(match nearest(key, known.clone()) {
                            Some(meant) => problem.with_hint(format!("did you mean {meant}?")),
                            None => problem.with_hint(format!("known are {}", known.collect::<Vec<_>>().join(", "))),
                        });
                    }
                }
            }
            for key in schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                if !map.contains_key(key) {
                    problems.push(Problem::new(join(path, key), "is missing"));
                }
            }
        }
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if schema["minLength"].as_u64().is_some_and(|least| length < least) {
                problems.push(Problem::new(path, "is empty"));
            } else if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
                problems.push(Problem::new(path, format!("has {length} characters, more than {most}")));
            } else if let Some(pattern) = schema["pattern"].as_str()
                && !regex::Regex::new(pattern)
                    .expect("patterns of the CRD compile")
                    .is_match(text)
            {
                problems.push(Problem::new(path, format!("{} does not match {pattern}", shown(value))));
            }
        }
        Value::Number(number) => {
            if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), number.as_f64())
                && number < least
            {
                problems.push(Problem::new(path, format!("is {number}, less than {least}")));
            }
        }
        _ => {}
    }
}

fn is_a(value: &Value, due: &str) -> bool {
    match due {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => true,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn manifest(spec: &Value) -> Value {
        json!({ "apiVersion": "millrace.dev/v1alpha1", "kind": "StreamApp", "metadata": {"name": "app"}, "spec": spec })
    }

    fn refused(manifest: &Value, problems: &Expect) {
        problems.assert_eq(&decode(manifest).unwrap_err().to_string());
    }

    #[test]
    fn a_whole_manifest_decodes() {
        let app = decode(&manifest(&json!({
            "applicationId": "transaction-aggregator-v1",
            "kafka": {"bootstrapServers": "kafka:9092"},
            "replicas": 3,
            "standbyReplicas": 1,
            "storage": {"size": "10Gi", "storageClassName": null, "retain": true},
            "config": {"processing.guarantee": "exactly_once_v2", "commit.interval.ms": 1000, "a": true, "b": 0.5},
            "topology": {"anything": [1, {"goes": null}]},
        })))
        .unwrap();
        assert_eq!(app.effective_application_id(), "transaction-aggregator-v1");
        assert_eq!((app.spec.replicas(), app.spec.standby_replicas()), (3, 1));
        let properties: Vec<_> = app.spec.properties().into_iter().collect();
        let due = [
            ("a", "true"),
            ("b", "0.5"),
            ("commit.interval.ms", "1000"),
            ("processing.guarantee", "exactly_once_v2"),
        ];
        assert_eq!(properties, due.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(app.spec.topology, json!({"anything": [1, {"goes": null}]}));
    }

    #[test]
    fn defaults_are_the_resource_name_one_instance_and_no_standby() {
        let app = decode(&manifest(
            &json!({"kafka": {"bootstrapServers": "k:1"}, "topology": {}}),
        ))
        .unwrap();
        assert_eq!(app.effective_application_id(), "app");
        assert_eq!((app.spec.replicas(), app.spec.standby_replicas()), (1, 0));
    }

    #[test]
    fn problems_are_all_found_and_located() {
        refused(
            &json!({"kind": "Deployment"}),
            &expect![[r#"
            apiVersion: is nothing, not millrace.dev/v1alpha1
            kind: is "Deployment", not StreamApp"#]],
        );
        refused(
            &json!({
                "apiVersion": "millrace.dev/v1alpha1", "kind": "StreamApp",
                "spec": {
                    "applicationID": "x", "applicationId": "with space", "kafka": "kafka:9092", "replicas": 0,
                    "standbyReplicas": "1", "storage": {"size": "10 GB", "retain": "yes"}, "surprise": 1,
                },
            }),
            &expect![[r#"
                spec.applicationID: unknown key: did you mean applicationId?
                spec.applicationId: "with space" does not match ^[a-zA-Z0-9._-]+$
                spec.kafka: is "kafka:9092", where an object (a map) is due
                spec.replicas: is 0, less than 1
                spec.standbyReplicas: is "1", where an integer is due
                spec.storage.retain: is "yes", where a boolean is due
                spec.storage.size: "10 GB" does not match ^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$
                spec.surprise: unknown key: known are applicationId, config, kafka, replicas, standbyReplicas, storage, topology
                spec.topology: is missing
                metadata.name: is missing"#]],
        );
        refused(
            &manifest(&json!({"kafka": {"bootstrapServers": ""}, "topology": [], "config": {"application.id": "x"}})),
            &expect![[r#"
                spec.kafka.bootstrapServers: is empty
                spec.topology: is a list, where an object (a map) is due"#]],
        );
        refused(
            &manifest(&json!({"kafka": {"bootstrapServers": "k"}, "topology": {}, "config": {"application.id": "x"}})),
            &expect![[
                r#"spec.config["application.id"]: application.id has a field of its own: set spec.applicationId"#
            ]],
        );
    }

    #[test]
    fn the_crd_uses_no_schema_word_that_decode_ignores() {
        fn walk(schema: &Value, unknown: &mut Vec<String>) {
            const KNOWN: [&str; 16] = [
                "type",
                "description",
                "properties",
                "required",
                "additionalProperties",
                "minLength",
                "maxLength",
                "pattern",
                "minimum",
                "default",
                "nullable",
                "format",
                "title",
                "x-kubernetes-preserve-unknown-fields",
                "x-kubernetes-validations",
                "items",
            ];
            for (key, child) in schema.as_object().into_iter().flatten() {
                if !KNOWN.contains(&key.as_str()) {
                    unknown.push(key.clone());
                }
                if key == "properties" {
                    child
                        .as_object()
                        .unwrap()
                        .values()
                        .for_each(|child| walk(child, unknown));
                }
            }
        }
        let mut unknown = Vec::new();
        walk(&manifest_schema(), &mut unknown);
        assert_eq!(unknown, Vec::<String>::new());
    }
}
