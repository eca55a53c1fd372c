//! An application as a tree, and as the manifest that Millrace reads.

use std::fmt::Write;

use super::expression::{Expr, Type};

/// How keys or values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    String,
    Json,
    Long,
    Double,
    Bytes,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::String => "string",
            Format::Json => "json",
            Format::Long => "long",
            Format::Double => "double",
            Format::Bytes => "bytes",
        }
    }

    /// The type of what is read.
    pub fn read(self) -> Type {
        match self {
            Format::String => Type::Str,
            Format::Json => Type::Dyn,
            Format::Long => Type::Int,
            Format::Double => Type::Double,
            Format::Bytes => Type::Bytes,
        }
    }

    /// How a group's key of this type is written; what is known only with the record is taken for text.
    pub fn of_key(ty: Type) -> Format {
        match ty {
            Type::Str | Type::Dyn | Type::Null => Format::String,
            Type::Int => Format::Long,
            Type::Double => Format::Double,
            Type::Bytes => Format::Bytes,
            Type::Bool | Type::Time | Type::Duration | Type::List | Type::Map => Format::Json,
        }
    }
}

/// What happens to a record that cannot be read or processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    Fail,
    Continue,
}

impl OnError {
    pub fn name(self) -> &'static str {
        match self {
            OnError::Fail => "fail",
            OnError::Continue => "continue",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Topic {
    /// Its short name, too.
    pub name: String,
    pub key: Format,
    pub value: Format,
    pub timestamp: Option<Expr>,
    pub on_error: Option<OnError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Topic(String),
    Pipeline(String),
}

#[derive(Clone, Debug)]
pub enum Output {
    Expression(Expr),
    Fields(Vec<(String, Expr)>),
    Add(Vec<(String, Expr)>),
    Drop(Vec<String>),
}

/// `name: function(argument)`.
#[derive(Clone, Debug)]
pub struct Figure {
    pub name: String,
    pub function: &'static str,
    pub argument: Option<Expr>,
}

#[derive(Clone, Debug)]
pub struct Aggregate {
    pub name: String,
    pub by: Option<Expr>,
    /// Size and grace, milliseconds.
    pub window: Option<(i64, i64)>,
    pub retention: Option<i64>,
    pub figures: Vec<Figure>,
    pub cache: bool,
}

#[derive(Clone, Debug)]
pub enum Step {
    Filter {
        condition: Expr,
        negate: bool,
    },
    MapValues(Output),
    Map {
        key: Expr,
        value: Output,
    },
    SelectKey(Expr),
    Repartition {
        name: String,
        by: Option<Expr>,
        partitions: Option<i32>,
    },
    Aggregate(Aggregate),
    ToStream,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub topic: String,
    pub windowed: bool,
}

#[derive(Clone, Debug)]
pub struct Pipeline {
    pub name: String,
    pub from: Vec<Origin>,
    pub on_error: Option<OnError>,
    pub steps: Vec<Step>,
    pub to: Vec<Target>,
}

/// An application.
#[derive(Clone, Debug)]
pub struct App {
    pub id: String,
    pub topics: Vec<Topic>,
    pub pipelines: Vec<Pipeline>,
    /// Of what topics, pipelines and sinks say nothing of.
    pub reading: OnError,
    pub processing: OnError,
    pub writing: OnError,
    pub exactly_once: bool,
    /// `statestore.cache.max.bytes`.
    pub cache: i64,
}

impl App {
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    /// The properties that Kafka Streams knows under the same names.
    pub fn config(&self) -> Vec<(&'static str, String)> {
        let guarantee = if self.exactly_once {
            "exactly_once_v2"
        } else {
            "at_least_once"
        };
        vec![
            ("processing.guarantee", guarantee.to_owned()),
            ("statestore.cache.max.bytes", self.cache.to_string()),
        ]
    }

    /// The manifest. `bootstrap` and the further properties stand in its configuration.
    pub fn manifest(&self, bootstrap: &str, further: &[(&str, String)]) -> String {
        let mut yaml = format!(
            "apiVersion: millrace.dev/v1alpha1\nkind: StreamApp\nmetadata: {{name: {id}}}\nspec:\n  applicationId: {id}\n  \
             kafka: {{bootstrapServers: \"{bootstrap}\"}}\n  config:\n",
            id = self.id
        );
        let mut line = |text: String| {
            yaml.push_str(&text);
            yaml.push('\n');
        };
        for (key, value) in self.config().iter().chain(further) {
            line(format!("    {key}: {}", quoted(value)));
        }
        for (key, on_error) in [
            ("deserialization.exception.handler", self.reading),
            ("processing.exception.handler", self.processing),
            ("production.exception.handler", self.writing),
        ] {
            line(format!("    {key}: {}", on_error.name()));
        }
        line("  topology:\n    topics:".to_owned());
        for topic in &self.topics {
            let mut more = String::new();
            if let Some(expr) = &topic.timestamp {
                write!(more, ", timestamp: {}", quoted(&expr.cel())).expect("a string grows");
            }
            if let Some(on_error) = topic.on_error {
                write!(more, ", onError: {}", on_error.name()).expect("a string grows");
            }
            let Topic { name, key, value, .. } = topic;
            let (key, value) = (key.name(), value.name());
            line(format!(
                "      {name}: {{name: {name}, key: {key}, value: {value}{more}}}"
            ));
        }
        line("    pipelines:".to_owned());
        for pipeline in &self.pipelines {
            line(format!("    - name: {}", pipeline.name));
            let from: Vec<String> = pipeline
                .from
                .iter()
                .map(|origin| match origin {
                    Origin::Topic(name) => name.clone(),
                    Origin::Pipeline(name) => format!("{{pipeline: {name}}}"),
                })
                .collect();
            line(format!("      from: {}", one_or_list(&from)));
            if let Some(on_error) = pipeline.on_error {
                line(format!("      onError: {}", on_error.name()));
            }
            if !pipeline.steps.is_empty() {
                line("      steps:".to_owned());
            }
            for step in &pipeline.steps {
                line(format!("      - {}", step.yaml()));
            }
            let to: Vec<String> = pipeline
                .to
                .iter()
                .map(|target| match target.windowed {
                    true => format!("{{topic: {}, key: windowed}}", target.topic),
                    false => target.topic.clone(),
                })
                .collect();
            if !to.is_empty() {
                line(format!("      to: {}", one_or_list(&to)));
            }
        }
        yaml
    }
}

impl Output {
    /// As it stands after `mapValues: `.
    fn yaml(&self) -> String {
        match self {
            Output::Expression(expr) => quoted(&expr.cel()),
            Output::Fields(list) => format!("{{fields: {}}}", fields(list)),
            Output::Add(list) => format!("{{add: {}}}", fields(list)),
            Output::Drop(names) => {
                let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
                format!("{{drop: [{}]}}", names.join(", "))
            }
        }
    }
}

impl Step {
    fn yaml(&self) -> String {
        match self {
            Step::Filter { condition, negate } => {
                let word = if *negate { "filterNot" } else { "filter" };
                format!("{word}: {}", quoted(&condition.cel()))
            }
            Step::MapValues(output) => format!("mapValues: {}", output.yaml()),
            Step::Map { key, value } => {
                let value = match value {
                    Output::Expression(expr) => format!("value: {}", quoted(&expr.cel())),
                    Output::Fields(list) | Output::Add(list) => format!("fields: {}", fields(list)),
                    Output::Drop(_) => unreachable!("map has no drop"),
                };
                format!("map: {{key: {}, {value}}}", quoted(&key.cel()))
            }
            Step::SelectKey(key) => format!("selectKey: {}", quoted(&key.cel())),
            Step::Repartition { name, by, partitions } => {
                let mut text = format!("repartition: {{name: {name}");
                if let Some(by) = by {
                    write!(text, ", by: {}", quoted(&by.cel())).expect("a string grows");
                }
                if let Some(partitions) = partitions {
                    write!(text, ", partitions: {partitions}").expect("a string grows");
                }
                text + "}"
            }
            Step::Aggregate(aggregate) => aggregate.yaml(),
            Step::ToStream => "toStream".to_owned(),
        }
    }
}

impl Aggregate {
    fn yaml(&self) -> String {
        let mut text = format!("aggregate: {{name: {}", self.name);
        if let Some(by) = &self.by {
            write!(text, ", by: {}", quoted(&by.cel())).expect("a string grows");
        }
        if let Some((size, grace)) = self.window {
            let grace = if grace == 0 {
                String::new()
            } else {
                format!(", grace: {}", duration(grace))
            };
            write!(text, ", window: {{tumbling: {}{grace}}}", duration(size)).expect("a string grows");
        }
        if let Some(retention) = self.retention {
            write!(text, ", retention: {}", duration(retention)).expect("a string grows");
        }
        if !self.cache {
            text.push_str(", store: {cache: false}");
        }
        let figures: Vec<String> = self
            .figures
            .iter()
            .map(|figure| {
                let argument = figure.argument.as_ref().map_or_else(String::new, Expr::cel);
                format!(
                    "{}: {}",
                    figure.name,
                    quoted(&format!("{}({argument})", figure.function))
                )
            })
            .collect();
        write!(text, ", fields: [{}]}}", figures.join(", ")).expect("a string grows");
        text
    }
}

fn fields(list: &[(String, Expr)]) -> String {
    let fields: Vec<String> = list
        .iter()
        .map(|(name, expr)| format!("{}: {}", quoted(name), quoted(&expr.cel())))
        .collect();
    format!("[{}]", fields.join(", "))
}

fn one_or_list(items: &[String]) -> String {
    match items {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// Text as YAML reads it whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `1h30m`.
fn duration(ms: i64) -> String {
    let mut text = String::new();
    let mut rest = ms;
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= size {
            write!(text, "{}{unit}", rest / size).expect("a string grows");
            rest %= size;
        }
    }
    text
}
