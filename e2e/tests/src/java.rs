//! Kafka Streams, running the reference applications of `e2e/kafka/java`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{Exit, Process};
use crate::{Broker, janitor, paths};

/// What to run, and how.
pub struct JavaAppBuilder {
    app: String,
    bootstrap: String,
    application_id: String,
    input: String,
    output: String,
    jvm: Vec<String>,
    config: Vec<(String, String)>,
    until_caught_up: bool,
}

impl JavaAppBuilder {
    /// A Kafka Streams property: `config("processing.guarantee", "exactly_once_v2")`.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl ToString) -> Self {
        self.config.push((key.to_owned(), value.to_string()));
        self
    }

    /// Runs until [`terminate`](Process::terminate), not until the input is done.
    #[must_use]
    pub fn until_terminated(mut self) -> Self {
        self.until_caught_up = false;
        self
    }

    /// The JVM's own options in place of `-Xmx1g -XX:+UseSerialGC`.
    #[must_use]
    pub fn jvm(mut self, options: &[&str]) -> Self {
        self.jvm = options.iter().map(|&o| o.to_owned()).collect();
        self
    }

    pub fn start(self) -> JavaApp {
        let state = tempfile::Builder::new()
            .prefix("millrace-java-")
            .tempdir()
            .expect("a temporary directory");
        janitor::watch_directory(state.path());
        let mut command = Command::new("java");
        command
            .args(&self.jvm)
            .args([
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.streams.errors=off",
            ])
            .args(["-cp", &paths::reference_class_path(), "Reference"])
            .args([
                "--app",
                &self.app,
                "--bootstrap",
                &self.bootstrap,
                "--application-id",
                &self.application_id,
            ])
            .args(["--in", &self.input, "--out", &self.output])
            .args([
                "--until",
                if self.until_caught_up {
                    "caught-up"
                } else {
                    "terminated"
                },
            ])
            .arg("--state-dir")
            .arg(state.path());
        for (key, value) in &self.config {
            command.args(["--config", &format!("{key}={value}")]);
        }
        let mut process = Process::start(format!("java {}", self.application_id), &mut command);
        process.wait_for_line("STARTED", Duration::from_secs(60), |line| line == "STARTED");
        JavaApp { process, state }
    }
}

/// A running reference application; its state directory goes with it.
pub struct JavaApp {
    pub process: Process,
    state: tempfile::TempDir,
}

impl JavaApp {
    /// The application `app` (`totals` or `filter`) of `Apps.java`, reading `input` and writing `output`.
    #[must_use]
    pub fn run(broker: &Broker, app: &str, application_id: &str, input: &str, output: &str) -> JavaAppBuilder {
        JavaAppBuilder {
            app: app.to_owned(),
            bootstrap: broker.bootstrap(),
            application_id: application_id.to_owned(),
            input: input.to_owned(),
            output: output.to_owned(),
            jvm: vec!["-Xmx1g".to_owned(), "-XX:+UseSerialGC".to_owned()],
            config: Vec::new(),
            until_caught_up: true,
        }
    }

    pub fn state_dir(&self) -> PathBuf {
        self.state.path().to_owned()
    }

    /// Waits until everything that was in the input at its start is committed, and it has left.
    ///
    /// # Panics
    /// If that takes longer, or it fails.
    pub fn wait_caught_up(mut self, within: Duration) {
        let exit = self.process.wait(within);
        assert!(
            exit == Exit::Code(0) && self.process.stdout().contains("CAUGHT-UP"),
            "{}: {exit:?}",
            self.process.name()
        );
    }
}
