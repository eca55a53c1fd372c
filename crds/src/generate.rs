//! The generated files: the CRD for clusters, the JSON Schema for editors.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::{streamapp::StreamApp, yaml::to_yaml};

/// The CRD of [`StreamApp`].
pub fn crd() -> CustomResourceDefinition {
    StreamApp::crd()
}

/// The CRD as YAML: `generated/streamapps.millrace.dev.yaml`.
pub fn crd_yaml() -> String {
    let value = serde_json::to_value(crd()).expect("a CRD is plain data");
    format!(
        "# Generated from crds/src/streamapp.rs; the crate's tests check it.\n{}",
        to_yaml(&value)
    )
}

/// The JSON Schema of a manifest, for editors: `generated/streamapp.schema.json`. Stricter than the CRD: unknown keys are errors.
pub fn json_schema() -> Value {
    let mut schema = manifest_schema();
    for_editors(&mut schema);
    let object = schema.as_object_mut().expect("a resource is an object");
    object.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    object.insert(
        "$id".into(),
        json!("https://millrace.dev/schemas/streamapp-v1alpha1.json"),
    );
    object.insert("title".into(), json!("StreamApp"));
    object.insert("required".into(), json!(["apiVersion", "kind", "metadata", "spec"]));
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.insert("apiVersion".into(), json!({ "const": "millrace.dev/v1alpha1" }));
        properties.insert("kind".into(), json!({ "const": "StreamApp" }));
        properties.insert("metadata".into(), json!({ "type": "object" }));
        properties.insert("status".into(), json!({ "type": "object" }));
    }
    schema
}

/// The schema of the CRD's one version, as the API server gets it.
pub(crate) fn manifest_schema() -> Value {
    let mut crd = serde_json::to_value(crd()).expect("a CRD is plain data");
    crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema")
        .map(Value::take)
        .expect("the CRD has a schema")
}

/// From OpenAPI as Kubernetes means it to plain JSON Schema.
fn for_editors(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    let open = object.contains_key("x-kubernetes-preserve-unknown-fields");
    object.retain(|key, _| !key.starts_with("x-kubernetes-"));
    // `nullable` is OpenAPI's: in a manifest an absent field is simply absent.
    object.remove("nullable");
    if !open && object.contains_key("properties") {
        object.insert("additionalProperties".into(), json!(false));
    }
    if open && !object.contains_key("type") {
        object.insert("type".into(), json!(["string", "number", "boolean"]));
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        children(properties);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = object.get_mut(key) {
            for_editors(child);
        }
    }
}

fn children(properties: &mut Map<String, Value>) {
    for (_, child) in properties.iter_mut() {
        for_editors(child);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `UPDATE_EXPECT=1 cargo test -p millrace-crds` writes the files anew.
    #[test]
    fn generated_files_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
        let schema = format!("{:#}\n", json_schema());
        for (name, current) in [
            ("streamapps.millrace.dev.yaml", crd_yaml()),
            ("streamapp.schema.json", schema),
        ] {
            expect_test::expect_file![folder.join(name)].assert_eq(&current);
        }
    }

    #[test]
    fn the_crd_fits_an_annotation_of_client_side_apply() {
        assert!(
            crd_yaml().len() < 200_000,
            "kubectl apply keeps the object in an annotation of 256 KiB"
        );
    }

    #[test]
    fn every_field_explains_itself() {
        fn walk(path: &str, schema: &Value, without: &mut Vec<String>) {
            for (key, child) in schema["properties"].as_object().into_iter().flatten() {
                let path = format!("{path}.{key}");
                if child["description"].as_str().is_none_or(str::is_empty) {
                    without.push(path.clone());
                }
                walk(&path, child, without);
            }
        }
        let mut without = Vec::new();
        walk("spec", &manifest_schema()["properties"]["spec"], &mut without);
        assert_eq!(without, Vec::<String>::new());
    }
}
