//! Kafka Streams' test driver in a JVM of its own, which runs script after script (`Interpreter.java`).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Case;
use super::outcome::{Outcome, Written};
use super::script::Script;
use crate::{janitor, paths};

/// A running interpreter.
pub struct Interpreter {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    _state: tempfile::TempDir,
}

#[derive(Deserialize)]
struct Answer {
    describe: Option<String>,
    #[serde(default)]
    written: Vec<Vec<Record>>,
    failed: Option<String>,
    broken: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    topic: String,
    key: Option<String>,
    value: Option<String>,
    timestamp: i64,
    headers: Vec<(String, Option<String>)>,
}

impl Interpreter {
    /// Starts the JVM.
    ///
    /// # Panics
    /// If `make setup` has not run.
    pub fn start() -> Interpreter {
        let state = tempfile::Builder::new()
            .prefix("millrace-interpreter-")
            .tempdir()
            .expect("a temporary directory");
        janitor::watch_directory(state.path());
        let mut child = Command::new("java")
            .args([
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
            ])
            .args(["-cp", &paths::reference_class_path(), "Interpreter"])
            .arg(state.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start java: {e}"));
        janitor::watch_process(child.id());
        let to = child.stdin.take().expect("piped");
        let from = BufReader::new(child.stdout.take().expect("piped"));
        Interpreter {
            child,
            to,
            from,
            _state: state,
        }
    }

    /// What Kafka Streams makes of the case.
    ///
    /// # Panics
    /// If the interpreter has a defect.
    pub fn run(&mut self, case: &Case, script: &Script) -> Outcome {
        let config: serde_json::Map<String, Value> = case
            .app
            .config()
            .into_iter()
            .chain([("application.id", case.app.id.clone())])
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        let encoded = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
        let records: Vec<Value> = case
            .records
            .iter()
            .map(|record| {
                let headers: Vec<_> = record
                    .headers
                    .iter()
                    .map(|(name, value)| json!([name, encoded(value)]))
                    .collect();
                json!({
                    "topic": record.topic, "key": encoded(&record.key), "value": encoded(&record.value),
                    "timestamp": record.timestamp, "headers": headers,
                })
            })
            .collect();
        let asked =
            json!({"script": script.calls, "config": config, "writing": case.app.writing.name(), "records": records});
        writeln!(self.to, "{asked}").expect("the interpreter lives");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the interpreter lives");
        let answer: Answer =
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("the interpreter said {line:?}: {e}"));
        if let Some(broken) = answer.broken {
            panic!(
                "the interpreter cannot run this: {broken}\n{}\n{}",
                case.show(),
                json!(script.calls)
            );
        }
        let decoded = |text: String| STANDARD.decode(text).expect("base64");
        let written = |record: Record| Written {
            topic: record.topic,
            key: record.key.map(decoded),
            value: record.value.map(decoded),
            timestamp: record.timestamp,
            headers: record
                .headers
                .into_iter()
                .map(|(name, value)| (name, value.map(decoded)))
                .collect(),
        };
        Outcome {
            describe: answer.describe.expect("it was built"),
            written: answer
                .written
                .into_iter()
                .map(|records| records.into_iter().map(written).collect())
                .collect(),
            failed: answer.failed,
        }
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        janitor::forget_process(self.child.id());
    }
}
