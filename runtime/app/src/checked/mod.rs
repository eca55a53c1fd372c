//! From a file to all that can be known without a cluster: the manifest, its compiled program, its configuration.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use millrace::config::{ConfigError, Notice, StreamsConfig};
use millrace_crds::StreamApp;
use millrace_language::{CompileOptions, Program, compile};

use crate::manifest::{self, Manifest, Problem, Source, join};

/// What the command line sets over the manifest.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--bootstrap-servers`.
    pub bootstrap_servers: Option<String>,
    /// `--state-dir`.
    pub state_dir: Option<String>,
    /// `--config`.
    pub config: Vec<(String, String)>,
}

/// A manifest without errors.
#[derive(Debug)]
pub struct Checked {
    /// The resource.
    pub app: StreamApp,
    /// The topology, compiled.
    pub program: Program,
    /// The configuration, read.
    pub config: StreamsConfig,
    /// What is perhaps not meant so.
    pub warnings: Vec<Problem>,
}

/// Reads and checks a file; all problems are found, warnings among them.
pub fn check_file(file: &str, overrides: &Overrides) -> Result<Checked, Vec<Problem>> {
    let text = manifest::read_file(file)?;
    check(file, &text, overrides)
}

/// As [`check_file`], for a text.
pub fn check(file: &str, text: &str, overrides: &Overrides) -> Result<Checked, Vec<Problem>> {
    let Manifest { app, source } = manifest::parse(file, text)?;
    let compiled = compile(&app.spec.topology, &CompileOptions::default());
    let properties = properties(&app, overrides);
    let parsed = StreamsConfig::parse(&properties);
    let mut problems = Vec::new();
    let program = match compiled {
        Ok(program) => {
            problems.extend(program.warnings.0.iter().map(|warning| source.of(warning)));
            Some(program)
        }
        Err(diagnostics) => {
            problems.extend(diagnostics.0.iter().map(|diagnostic| source.of(diagnostic)));
            None
        }
    };
    let config = match parsed {
        Ok(parsed) => {
            let warnings = parsed
                .warnings
                .iter()
                .map(|notice| located(&source, &app, overrides, notice).warning());
            problems.extend(warnings);
            Some(parsed.config)
        }
        Err(ConfigError { problems: notices }) => {
            problems.extend(notices.iter().map(|notice| located(&source, &app, overrides, notice)));
            None
        }
    };
    problems.sort_by_key(|problem| (problem.line, problem.column));
    match (program, config) {
        (Some(program), Some(config)) => Ok(Checked {
            app,
            program,
            config,
            warnings: problems,
        }),
        _ => Err(problems),
    }
}

/// All properties: the manifest's fields and `spec.config`, then the command line's.
fn properties(app: &StreamApp, overrides: &Overrides) -> BTreeMap<String, String> {
    let mut properties = app.spec.properties();
    let mut set = |key: &str, value: String| properties.insert(key.to_owned(), value);
    set("application.id", app.effective_application_id().to_owned());
    set("bootstrap.servers", app.spec.kafka.bootstrap_servers.clone());
    set("num.standby.replicas", app.spec.standby_replicas().to_string());
    for (key, value) in &overrides.config {
        set(key, value.clone());
    }
    if let Some(servers) = &overrides.bootstrap_servers {
        set("bootstrap.servers", servers.clone());
    }
    if let Some(dir) = &overrides.state_dir {
        set("state.dir", dir.clone());
    }
    properties
}

/// A word on a property, at the place that set it.
fn located(source: &Source, app: &StreamApp, overrides: &Overrides, notice: &Notice) -> Problem {
    let code = "config";
    let Notice { key, message } = notice;
    let text = format!("{key}: {message}");
    if overrides.config.iter().any(|(given, _)| given == key) {
        return Problem::nowhere("--config", code, text);
    }
    let path = match key.as_str() {
        "application.id" if app.spec.application_id.is_none() => "metadata.name".to_owned(),
        "application.id" => "spec.applicationId".to_owned(),
        "bootstrap.servers" => "spec.kafka.bootstrapServers".to_owned(),
        "num.standby.replicas" => "spec.standbyReplicas".to_owned(),
        key => {
            let spring = format!("spring.kafka.streams.properties.{key}");
            let written = if app.spec.config.contains_key(&spring) {
                &spring
            } else {
                key
            };
            join("spec.config", written)
        }
    };
    source.at_path(&path, true, code, text)
}
