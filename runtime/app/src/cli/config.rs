//! `millrace config`.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use millrace::config::StreamsConfig;
use serde_json::{Value, json};

use super::{Failure, OverrideArgs};
use crate::checked::{configure, in_order};
use crate::manifest;
use crate::settings::{self, MASK, Origin, Settings, Surroundings};

/// Arguments of `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The manifest; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Defaults too
    #[arg(long)]
    all: bool,
    /// How properties are written to standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Reach Kafka here (spec.kafka.bootstrapServers)
    #[arg(long, value_name = "ADDRESSES")]
    bootstrap_servers: Option<String>,
    #[command(flatten)]
    overrides: OverrideArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// A table
    #[default]
    Text,
    /// A JSON object
    Json,
}

/// Shown whether they are set or not.
const MATTERING: [&str; 10] = [
    "application.id",
    "bootstrap.servers",
    "commit.interval.ms",
    "deserialization.exception.handler",
    "num.standby.replicas",
    "num.stream.threads",
    "processing.guarantee",
    "security.protocol",
    "state.dir",
    "statestore.cache.max.bytes",
];

/// A property as it is shown.
struct Row {
    key: String,
    value: Option<String>,
    /// `None` for defaults.
    origin: Option<Origin>,
    has_effect: bool,
}

/// Prints what holds, and where it comes from.
pub fn config(args: &ConfigArgs) -> Result<(), Failure> {
    let text = manifest::read_file(&args.file).map_err(Failure::Manifest)?;
    let manifest = manifest::parse(&args.file, &text).map_err(Failure::Manifest)?;
    let mut overrides = args.overrides.overrides();
    overrides.bootstrap_servers.clone_from(&args.bootstrap_servers);
    let mut configured = configure(&manifest, &overrides, Some(&Surroundings::of_process()));
    in_order(&args.file, &mut configured.problems);
    let Some(config) = configured.config else {
        return Err(Failure::Manifest(configured.problems));
    };
    configured
        .problems
        .iter()
        .for_each(|warning| eprint!("{}", warning.render()));
    let settings = &configured.settings;
    let rows = rows(&config, settings, args.all);
    match args.format {
        Format::Text => print!("{}", table(settings, &rows)),
        Format::Json => {
            let all = json!({
                "applicationId": config.application_id,
                "profiles": settings.profiles,
                "files": settings.files,
                "properties": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            });
            println!("{}", serde_json::to_string_pretty(&all).unwrap_or_default());
        }
    }
    Ok(())
}

/// What is set and what matters, or everything; by name.
fn rows(config: &StreamsConfig, settings: &Settings, all: bool) -> Vec<Row> {
    let masked = |is_secret: bool, value: String| if is_secret { MASK.to_owned() } else { value };
    let effective = config.effective();
    let mut rows: Vec<Row> = effective
        .iter()
        .filter(|property| all || property.is_set || MATTERING.contains(&property.key.as_str()))
        .map(|property| Row {
            key: property.key.clone(),
            value: property.value.clone().map(|value| masked(property.is_secret, value)),
            origin: settings.origin(&property.key).filter(|_| property.is_set).cloned(),
            has_effect: true,
        })
        .collect();
    for (key, chosen) in &settings.chosen {
        let known = millrace::config::known(key);
        // An older name is shown by the newer one that it sets.
        let is_older = known.is_some_and(|known| known.newer.is_some());
        let has_effect = effective.iter().any(|property| property.key == *key && property.is_set);
        if !has_effect && !is_older {
            rows.retain(|row| row.key != *key);
            rows.push(Row {
                key: key.clone(),
                value: Some(masked(settings::is_secret(key), chosen.value.clone())),
                origin: Some(chosen.origin.clone()),
                has_effect: false,
            });
        }
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows
}

impl Row {
    fn to_json(&self) -> Value {
        let origin = match &self.origin {
            Some(origin) => origin.to_json(),
            None => json!({"kind": "default"}),
        };
        json!({"key": self.key, "value": self.value, "origin": origin, "hasEffect": self.has_effect})
    }

    fn place(&self) -> String {
        let place = self
            .origin
            .as_ref()
            .map_or_else(|| "default".to_owned(), ToString::to_string);
        if self.has_effect {
            place
        } else {
            format!("{place} (no effect)")
        }
    }
}

/// Values that are longer push their origin to the right.
const WIDEST: usize = 40;

fn table(settings: &Settings, rows: &[Row]) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "profiles: {}", settings.profiles.join(", "));
    if !settings.files.is_empty() {
        let _ = writeln!(out, "files: {}", settings.files.join(", "));
    }
    let width = |of: fn(&Row) -> usize, heading: &str| rows.iter().map(of).max().unwrap_or(0).max(heading.len());
    let keys = width(|row| row.key.chars().count(), "PROPERTY");
    let values = width(
        |row| row.value.as_deref().unwrap_or("-").chars().count().min(WIDEST),
        "VALUE",
    );
    let _ = writeln!(out, "\n{:keys$}  {:values$}  ORIGIN", "PROPERTY", "VALUE");
    for row in rows {
        let (key, value) = (&row.key, row.value.as_deref().unwrap_or("-"));
        let _ = writeln!(out, "{key:keys$}  {value:values$}  {}", row.place());
    }
    out
}
