//! StreamApp manifests that the tests write: the applications of `Apps.java`, in Millrace's language.

use std::fmt::Write;

use crate::Broker;

/// A manifest in the making: one of the compared applications with this test's topics and properties.
#[derive(Debug, Clone)]
pub struct Manifest {
    application_id: String,
    bootstrap: String,
    input: String,
    output: String,
    steps: String,
    on_read_error: &'static str,
    on_step_error: &'static str,
    config: Vec<(String, String)>,
}

const TOTALS: &str = r#"        - filter: "value.amount > 0"
        - aggregate:
            name: user-5min-totals
            window: {tumbling: 5m}
            fields:
              - totalAmount: "sum(value.amount)"
              - count: "count()"
            changelog: {retention.ms: 86400000, segment.bytes: 104857600}
"#;

const BY_SHOP: &str = r#"        - filter: "value.amount > 0"
        - aggregate:
            name: shop-totals
            by: "value.shop"
            fields:
              - total: "sum(value.amount)"
              - orders: "count()"
              - largest: "max(value.amount)"
        - mapValues: {add: [{average: "double(value.total) / double(value.orders)"}]}
        - toStream
"#;

const LATEST: &str = r#"        - aggregate:
            name: latest
            fields:
              - count: "count()"
              - text: "last(value.text)"
        - mapValues: {drop: [text]}
        - toStream
"#;

impl Manifest {
    /// The five-minute totals per user, both handlers continuing.
    pub fn totals(broker: &Broker, application_id: &str, input: &str, output: &str) -> Manifest {
        Manifest {
            application_id: application_id.to_owned(),
            bootstrap: broker.bootstrap(),
            input: input.to_owned(),
            output: output.to_owned(),
            steps: TOTALS.to_owned(),
            on_read_error: "continue",
            on_step_error: "continue",
            config: Vec::new(),
        }
    }

    /// Records with a large amount, unchanged.
    pub fn filter(broker: &Broker, application_id: &str, input: &str, output: &str) -> Manifest {
        let steps = "        - filter: \"value.amount > 500\"\n".to_owned();
        Manifest {
            steps,
            ..Manifest::totals(broker, application_id, input, output)
        }
    }

    /// Totals per shop, over all time: another key than the input's, so they go through a repartition topic.
    pub fn by_shop(broker: &Broker, application_id: &str, input: &str, output: &str) -> Manifest {
        Manifest {
            steps: BY_SHOP.to_owned(),
            ..Manifest::totals(broker, application_id, input, output)
        }
    }

    /// The last text of each key and how many there were, of which the output has the number only: much state, little output.
    pub fn latest(broker: &Broker, application_id: &str, input: &str, output: &str) -> Manifest {
        Manifest {
            steps: LATEST.to_owned(),
            ..Manifest::totals(broker, application_id, input, output)
        }
    }

    /// A property of `spec.config`; the last of one name counts.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl ToString) -> Self {
        self.config.retain(|(k, _)| k != key);
        self.config.push((key.to_owned(), value.to_string()));
        self
    }

    /// `fail`, `continue` or `deadLetter`: for the topic that is read, and for the steps.
    #[must_use]
    pub fn on_error(mut self, reading: &'static str, steps: &'static str) -> Self {
        self.on_read_error = reading;
        self.on_step_error = steps;
        self
    }

    #[must_use]
    pub fn bootstrap(mut self, servers: &str) -> Self {
        servers.clone_into(&mut self.bootstrap);
        self
    }

    pub fn application_id(&self) -> &str {
        &self.application_id
    }

    /// The manifest's text.
    pub fn yaml(&self) -> String {
        let Manifest {
            application_id,
            bootstrap,
            input,
            output,
            steps,
            on_read_error,
            on_step_error,
            config,
        } = self;
        let mut properties = String::new();
        for (key, value) in config {
            // JSON strings are YAML strings; numbers may be given as text.
            writeln!(properties, "    {key}: {}", serde_json::Value::from(value.as_str())).expect("a string grows");
        }
        let config = if properties.is_empty() {
            String::new()
        } else {
            format!("  config:\n{properties}")
        };
        format!(
            "apiVersion: millrace.dev/v1alpha1
kind: StreamApp
metadata:
  name: {application_id}
spec:
  applicationId: {application_id}
  kafka:
    bootstrapServers: \"{bootstrap}\"
{config}  topology:
    topics:
      in: {{name: {input}, key: string, value: json, onError: {on_read_error}}}
      out: {{name: {output}, key: string, value: json}}
    pipelines:
    - name: main
      from: in
      onError: {on_step_error}
      steps:
{steps}      to: out
"
        )
    }
}
