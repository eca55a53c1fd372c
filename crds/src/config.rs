//! `spec.config`: Kafka's properties, verbatim.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::{Problem, join};

/// A property's value: YAML's strings, numbers and booleans all stand for their text (`1000`, `true`, `"1000"`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfigValue(pub Value);

impl ConfigValue {
    /// The text that Kafka would read; `None` for null, a list or a map.
    pub fn text(&self) -> Option<String> {
        match &self.0 {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl<T: Into<Value>> From<T> for ConfigValue {
    fn from(value: T) -> Self {
        ConfigValue(value.into())
    }
}

impl schemars::JsonSchema for ConfigValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConfigValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    // A structural schema has no word for "any scalar": the API server keeps anything, `validate_config` refuses what is none.
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// Properties that have a field of their own, by their Kafka names.
const TYPED: [(&str, &str); 3] = [
    ("application.id", "spec.applicationId"),
    ("bootstrap.servers", "spec.kafka.bootstrapServers"),
    ("num.standby.replicas", "spec.standbyReplicas"),
];

/// Properties whose value is a secret, by their Kafka names; the schema registry's client has two more.
const SECRETS: [&str; 9] = [
    "sasl.jaas.config",
    "ssl.key.password",
    "ssl.keystore.key",
    "ssl.keystore.password",
    "ssl.truststore.password",
    "sasl.password",
    "basic.auth.user.info",
    "schema.registry.basic.auth.user.info",
    "bearer.auth.token",
];

/// Refuses what has a field of its own, what is a secret, and what is no scalar.
///
/// ```
/// use std::collections::BTreeMap;
/// let config = BTreeMap::from([("consumer.bootstrap.servers".to_owned(), "kafka:9092".into())]);
/// assert_eq!(
///     millrace_crds::validate_config(&config)[0].to_string(),
///     "spec.config[\"consumer.bootstrap.servers\"]: bootstrap.servers has a field of its own: set spec.kafka.bootstrapServers"
/// );
/// ```
pub fn validate_config(config: &BTreeMap<String, ConfigValue>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, value) in config {
        let path = join("spec.config", key);
        let kafka = kafka_name(key);
        if let Some((name, field)) = TYPED.iter().find(|(name, _)| *name == kafka) {
            problems
                .push(Problem::new(path, format!("{name} has a field of its own")).with_hint(format!("set {field}")));
        } else if is_secret(&kafka) {
            problems.push(Problem::new(path, format!("{kafka} is a secret, and everyone who may read the resource would see it")).with_hint(
                "hand it to the process from a Secret, as an environment variable or in a mounted application.properties",
            ));
        } else if value.text().is_none() {
            let found = match &value.0 {
                Value::Null => "nothing",
                Value::Array(_) => "a list",
                _ => "a map",
            };
            problems.push(
                Problem::new(
                    path,
                    format!("a property's value is a string, a number or a boolean, not {found}"),
                )
                .with_hint("write lists as Kafka does, separated by commas in one string"),
            );
        }
    }
    problems
}

fn is_secret(kafka: &str) -> bool {
    SECRETS.contains(&kafka) || kafka.ends_with(".password") || kafka.ends_with(".secret")
}

/// The name without Spring's prefix, dashes (`application-id`) and the client's prefix.
fn kafka_name(key: &str) -> String {
    let mut name = key;
    for prefix in [
        "spring.kafka.streams.properties.",
        "spring.kafka.properties.",
        "spring.kafka.streams.",
        "spring.kafka.",
    ] {
        if let Some(rest) = name.strip_prefix(prefix) {
            name = rest;
            break;
        }
    }
    for prefix in [
        "main.consumer.",
        "restore.consumer.",
        "global.consumer.",
        "consumer.",
        "producer.",
        "admin.",
    ] {
        if let Some(rest) = name.strip_prefix(prefix) {
            name = rest;
            break;
        }
    }
    name.replace('-', ".").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_a_field_and_what_is_secret_is_refused_under_every_name() {
        let config: BTreeMap<String, ConfigValue> = serde_json::from_value(json!({
            "processing.guarantee": "exactly_once_v2",
            "commit.interval.ms": 1000,
            "consumer.allow.auto.create.topics": false,
            "bootstrap.servers": "kafka:9092",
            "spring.kafka.streams.application-id": "x",
            "spring.kafka.streams.properties.num.standby.replicas": 1,
            "consumer.sasl.jaas.config": "…",
            "spring.kafka.ssl.key-password": "…",
            "producer.interceptor.classes": ["a"],
            "client.rack": null,
        }))
        .unwrap();
        let problems: String = validate_config(&config).iter().map(|p| format!("{p}\n")).collect();
        expect![[r#"
            spec.config["bootstrap.servers"]: bootstrap.servers has a field of its own: set spec.kafka.bootstrapServers
            spec.config["client.rack"]: a property's value is a string, a number or a boolean, not nothing: write lists as Kafka does, separated by commas in one string
            spec.config["consumer.sasl.jaas.config"]: sasl.jaas.config is a secret, and everyone who may read the resource would see it: hand it to the process from a Secret, as an environment variable or in a mounted application.properties
            spec.config["producer.interceptor.classes"]: a property's value is a string, a number or a boolean, not a list: write lists as Kafka does, separated by commas in one string
            spec.config["spring.kafka.ssl.key-password"]: ssl.key.password is a secret, and everyone who may read the resource would see it: hand it to the process from a Secret, as an environment variable or in a mounted application.properties
            spec.config["spring.kafka.streams.application-id"]: application.id has a field of its own: set spec.applicationId
            spec.config["spring.kafka.streams.properties.num.standby.replicas"]: num.standby.replicas has a field of its own: set spec.standbyReplicas
        "#]]
        .assert_eq(&problems);
    }
}
