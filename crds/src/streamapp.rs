//! `StreamApp` v1alpha1. The docs of the fields are what `kubectl explain streamapp` prints.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ConfigValue;

/// What the application is: its place in Kafka, its size, its configuration and its topology.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "StreamApp",
    plural = "streamapps",
    namespaced,
    shortname = "sapp",
    category = "all",
    category = "millrace",
    derive = "PartialEq",
    doc = "A stream processing application on Kafka: read topics, keep state, write topics, with the semantics of Kafka Streams.",
    validation = Rule::new(
        "(has(self.spec.applicationId) ? self.spec.applicationId : self.metadata.name) == (has(oldSelf.spec.applicationId) ? oldSelf.spec.applicationId : oldSelf.metadata.name)"
    ).message("the application id names the consumer group, the changelogs and the repartition topics: it cannot change; create a second StreamApp instead")
)]
#[serde(rename_all = "camelCase")]
pub struct StreamAppSpec {
    /// Kafka Streams' application.id: names the consumer group, the changelog topics and the repartition topics. Default: the
    /// resource's name. It cannot change once set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 180), regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    pub application_id: Option<String>,

    /// How to reach Kafka.
    pub kafka: KafkaSpec,

    /// Instances that share the tasks, each with its own volume. Leave it out if an autoscaler sets it. Default: 1.
    #[serde(default = "one", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub replicas: Option<i32>,

    /// Warm copies of each task's state on other instances, so that a crash costs no restore (num.standby.replicas). Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub standby_replicas: Option<i32>,

    /// The volume of each instance, which keeps its state across restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,

    /// Kafka Streams' and Kafka clients' configuration, by their own names (commit.interval.ms, consumer.max.poll.records); names
    /// under spring.kafka.streams.properties. work too. What has a field of its own (bootstrap.servers, application.id,
    /// num.standby.replicas) and passwords are refused here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, ConfigValue>,

    /// What the application does: topics, and pipelines of steps from topics to topics. See the guide to the manifest's language.
    #[schemars(schema_with = "any_object")]
    pub topology: serde_json::Value,
}

/// How to reach Kafka.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaSpec {
    /// Brokers to ask first: host:port, separated by commas.
    #[schemars(length(min = 1))]
    pub bootstrap_servers: String,
}

/// The volume of each instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// Size of the volume, e.g. 10Gi.
    #[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$"))]
    pub size: String,

    /// Storage class of the volume. Default: the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,

    /// Whether volumes are kept when the application is scaled in or deleted. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<bool>,
}

impl StreamApp {
    /// Kafka Streams' `application.id`: the field, else the resource's name; empty only if neither is set.
    pub fn effective_application_id(&self) -> &str {
        match &self.spec.application_id {
            Some(id) => id,
            None => self.metadata.name.as_deref().unwrap_or_default(),
        }
    }
}

impl StreamAppSpec {
    /// `spec.config` as Kafka's text properties. Values that are no scalars are left out: [`crate::validate_config`] names them.
    pub fn properties(&self) -> BTreeMap<String, String> {
        self.config
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.text()?)))
            .collect()
    }

    /// Instances, with the default.
    pub fn replicas(&self) -> i32 {
        self.replicas.unwrap_or(1)
    }

    /// Warm copies, with the default.
    pub fn standby_replicas(&self) -> i32 {
        self.standby_replicas.unwrap_or(0)
    }
}

fn one() -> Option<i32> {
    Some(1)
}

/// Objects that the language crate decodes: the API server keeps what is in them as it is.
fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}
