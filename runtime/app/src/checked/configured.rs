//! The configuration of a manifest: its own properties, and all that Spring Boot's sources set over them.

use std::sync::Arc;

use millrace::config::{ConfigError, StreamsConfig};

use super::Overrides;
use crate::manifest::{Manifest, Problem, join};
use crate::settings::{Layer, LayerKind, Origin, START, Setting, Settings, Surroundings, resolve};

/// A configuration, and what is to be said about it.
#[derive(Debug)]
pub struct Configured {
    /// The configuration; `None` if it cannot be used.
    pub config: Option<StreamsConfig>,
    /// Where it comes from.
    pub settings: Settings,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
}

/// Reads all sources. Without `around` only the manifest and the command line count.
pub fn configure(manifest: &Manifest, overrides: &Overrides, around: Option<&Surroundings>) -> Configured {
    let file = &manifest.source.file;
    let beside = around.map(|_| file.rfind('/').map_or("", |at| &file[..=at]));
    let nothing = Surroundings::default();
    let mut settings = resolve(
        of_overrides(overrides),
        of_manifest(manifest),
        beside,
        around.unwrap_or(&nothing),
    );
    let mut problems = std::mem::take(&mut settings.problems);
    let located = |notice| {
        let nowhere = |text| manifest.source.at_path("spec.config", true, "config", text);
        settings.located(notice, nowhere)
    };
    let config = match StreamsConfig::parse(&settings.properties()) {
        Ok(parsed) => {
            problems.extend(parsed.warnings.iter().map(|notice| located(notice).warning()));
            Some(parsed.config)
        }
        Err(ConfigError { problems: notices }) => {
            problems.extend(notices.iter().map(located));
            None
        }
    };
    Configured {
        config: config.filter(|_| !problems.iter().any(Problem::is_error)),
        settings,
        problems,
    }
}

/// The command line as a source; what is stated by an option of its own comes last, and holds.
fn of_overrides(overrides: &Overrides) -> Layer {
    let setting = |key: &str, value: &str, option: String| Setting {
        key: key.to_owned(),
        value: value.to_owned(),
        origin: Origin::Argument(option),
    };
    let mut settings: Vec<Setting> = Vec::new();
    for (key, value) in &overrides.properties {
        settings.push(setting(key, value, format!("--{key}")));
    }
    for (key, value) in &overrides.config {
        settings.push(setting(key, value, "--config".to_owned()));
    }
    for (key, option, value) in [
        ("bootstrap.servers", "--bootstrap-servers", &overrides.bootstrap_servers),
        ("state.dir", "--state-dir", &overrides.state_dir),
    ] {
        settings.extend(value.iter().map(|value| setting(key, value, option.to_owned())));
    }
    Layer {
        settings,
        kind: LayerKind::Arguments,
    }
}

/// The manifest as a source: `spec.config`, and the properties that have fields of their own.
fn of_manifest(manifest: &Manifest) -> Layer {
    let Manifest { app, source } = manifest;
    let source = Arc::new(source.clone());
    let setting = |path: String, key: &str, value: String| Setting {
        key: key.to_owned(),
        value,
        origin: Origin::File {
            // The root has a place, so that the nearest one always exists.
            span: source.span_of(&path, true).unwrap_or(START),
            source: Arc::clone(&source),
            path,
        },
    };
    let mut settings: Vec<Setting> = Vec::new();
    for (key, value) in app.spec.properties() {
        settings.push(setting(join("spec.config", &key), &key, value));
    }
    let id = if app.spec.application_id.is_none() {
        "metadata.name"
    } else {
        "spec.applicationId"
    };
    let mut field = |path: &str, key, value| settings.push(setting(path.to_owned(), key, value));
    field(id, "application.id", app.effective_application_id().to_owned());
    field(
        "spec.kafka.bootstrapServers",
        "bootstrap.servers",
        app.spec.kafka.bootstrap_servers.clone(),
    );
    if let Some(standbys) = app.spec.standby_replicas {
        field("spec.standbyReplicas", "num.standby.replicas", standbys.to_string());
    }
    Layer {
        settings,
        kind: LayerKind::Manifest,
    }
}
