//! One file of configuration: its documents, flattened as Spring Boot flattens them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::origin::{Origin, Setting};
use super::{mask, properties};
use crate::manifest::{self, Problem, Source, Span, join};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.properties`
    Properties,
    /// `.yaml`, `.yml`
    Yaml,
}

impl Format {
    /// By the end of a file's name.
    pub fn of(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "properties" => Some(Self::Properties),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// The documents of a file, called `shown` wherever it is named; `None` if there is no such file.
pub fn read(path: &Path, shown: &str, format: Format) -> Result<Option<Vec<Vec<Setting>>>, Vec<Problem>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(vec![Problem::nowhere(
                shown,
                "unreadable",
                format!("cannot be read: {error}"),
            )]);
        }
    };
    let text = properties::decode(&bytes);
    let mut documents = match format {
        Format::Properties => of_properties(shown, &text)?,
        Format::Yaml => of_yaml(shown, &text)?,
    };
    hide_secrets(&mut documents);
    Ok(Some(documents))
}

fn of_properties(shown: &str, text: &str) -> Result<Vec<Vec<Setting>>, Vec<Problem>> {
    let source = Arc::new(Source::new(shown, text));
    let span = |line, column, width| Span {
        line,
        column,
        end_line: line,
        end_column: column + width,
    };
    let documents = properties::parse(text).map_err(|mistake| {
        vec![
            source
                .at(span(mistake.line, 1, 1), "properties", "", mistake.message)
                .unquoted(),
        ]
    })?;
    let setting = |entry: properties::Entry| Setting {
        origin: Origin::File {
            source: Arc::clone(&source),
            span: span(entry.line, entry.column, entry.width),
            path: entry.key.clone(),
        },
        key: entry.key,
        value: entry.value,
    };
    Ok(documents
        .into_iter()
        .map(|document| document.into_iter().map(setting).collect())
        .collect())
}

fn of_yaml(shown: &str, text: &str) -> Result<Vec<Vec<Setting>>, Vec<Problem>> {
    let unquoted = |problems: Vec<Problem>| problems.into_iter().map(Problem::unquoted).collect::<Vec<_>>();
    let documents = manifest::parse_documents(shown, text).map_err(unquoted)?;
    let flat = |document: manifest::Document| {
        let source = Arc::new(document.source);
        if !document.value.is_object() {
            return Err(vec![source.at_path(
                "",
                false,
                "yaml",
                "a map of properties is due here",
            )]);
        }
        let origin = |path: &str| Origin::File {
            // The root has a place, so that the nearest one always exists.
            span: source.span_of(path, true).unwrap_or(START),
            source: Arc::clone(&source),
            path: path.to_owned(),
        };
        let mut settings = Vec::new();
        flatten(&document.value, String::new(), String::new(), &origin, &mut settings);
        Ok(settings)
    };
    documents.into_iter().map(flat).collect()
}

/// The start of a file.
pub const START: Span = Span {
    line: 1,
    column: 1,
    end_line: 1,
    end_column: 1,
};

/// Maps by dots, lists by `[0]`, keys in brackets as they are; what is empty is the empty text.
pub fn flatten(value: &Value, key: String, path: String, origin: &dyn Fn(&str) -> Origin, out: &mut Vec<Setting>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                let below = match (key.is_empty(), name.starts_with('[')) {
                    (true, _) => name.clone(),
                    (false, true) => format!("{key}{name}"),
                    (false, false) => format!("{key}.{name}"),
                };
                flatten(value, below, join(&path, name), origin, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                flatten(
                    value,
                    format!("{key}[{index}]"),
                    format!("{path}[{index}]"),
                    origin,
                    out,
                );
            }
        }
        scalar => out.push(Setting {
            value: match scalar {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => scalar.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
            },
            key,
            origin: origin(&path),
        }),
    }
}

/// Lines that hold a secret are not shown with a problem.
fn hide_secrets(documents: &mut [Vec<Setting>]) {
    let line = |setting: &Setting| match &setting.origin {
        Origin::File { span, .. } => span.line,
        _ => 0,
    };
    let secret: BTreeSet<usize> = documents
        .iter()
        .flatten()
        .filter(|setting| mask::is_secret(&setting.key))
        .map(line)
        .collect();
    for setting in documents.iter_mut().flatten() {
        if secret.contains(&line(setting))
            && let Origin::File { source, .. } = &mut setting.origin
        {
            *source = Arc::new(Source::new(&source.file, ""));
        }
    }
}

/// The files of a directory as properties: a file is a value, directories are the words before it. Kubernetes mounts Secrets so.
pub fn read_tree(path: &Path, shown: &str) -> std::io::Result<Vec<Setting>> {
    let mut settings = Vec::new();
    tree(path, shown, "", &mut settings)?;
    Ok(settings)
}

fn tree(path: &Path, shown: &str, key: &str, out: &mut Vec<Setting>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        // `..data`, by which Kubernetes swaps all files at once.
        if name.starts_with('.') {
            continue;
        }
        let below = if key.is_empty() {
            name.clone()
        } else {
            format!("{key}.{name}")
        };
        let shown = format!("{}/{name}", shown.trim_end_matches('/'));
        if entry.path().is_dir() {
            tree(&entry.path(), &shown, &below, out)?;
        } else {
            let text = properties::decode(&std::fs::read(entry.path())?);
            let origin = Origin::File {
                source: Arc::new(Source::new(&shown, "")),
                span: START,
                path: below.clone(),
            };
            out.push(Setting {
                key: below,
                value: text.strip_suffix('\n').unwrap_or(&text).to_owned(),
                origin,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_flattened() {
        let text = "
spring:
  kafka:
    bootstrap-servers: [a:9092, b:9092]
    streams:
      properties:
        commit.interval.ms: 1_000
        \"[consumer.max.poll.records]\": 5
        processing: {guarantee: exactly_once_v2}
empty:
  map: {}
  list: []
  nothing:
flag: on
---
second: 0.5
";
        let documents = of_yaml("a.yaml", text).unwrap();
        let shown: Vec<String> = documents
            .iter()
            .flatten()
            .map(|setting| format!("{} {}={}", setting.origin, setting.key, setting.value))
            .collect();
        expect_test::expect![[r#"
            a.yaml:12 empty.list=
            a.yaml:11 empty.map=
            a.yaml:13 empty.nothing=
            a.yaml:14 flag=true
            a.yaml:4 spring.kafka.bootstrap-servers[0]=a:9092
            a.yaml:4 spring.kafka.bootstrap-servers[1]=b:9092
            a.yaml:8 spring.kafka.streams.properties[consumer.max.poll.records]=5
            a.yaml:7 spring.kafka.streams.properties.commit.interval.ms=1000
            a.yaml:9 spring.kafka.streams.properties.processing.guarantee=exactly_once_v2
            a.yaml:16 second=0.5"#]]
        .assert_eq(&shown.join("\n"));
    }
}
