//! The command line.

mod config;
mod describe;
mod dev;
mod load;
mod properties;
mod reset;
mod run;
#[cfg(test)]
mod tests;
mod validate;

use clap::{Args, Parser, Subcommand};

use crate::checked::Overrides;
use crate::failure::Failure;
use crate::log::{self, LogFormat};

/// Stateful stream processing on Kafka, from one manifest.
///
/// Exit codes: 0 done, 2 usage, 3 manifest or configuration, 4 Kafka, 5 topics, 6 fenced, 7 state, 8 a record with the handler
/// fail, 70 a defect of Millrace.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

/// What to log, and how.
#[derive(Clone, Debug, Args)]
struct LogArgs {
    /// How the log on standard error is written
    #[arg(long, global = true, value_enum, default_value_t, display_order = 900)]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter as info,millrace=debug [default: info; dev: error]
    #[arg(long, global = true, value_name = "LEVEL", display_order = 901)]
    log_level: Option<String>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the application of a manifest on Kafka
    Run(run::RunArgs),
    /// Run the application of a manifest on a log in this process, with a live view
    Dev(dev::DevArgs),
    /// Check manifests and show every problem at its line
    Validate(validate::ValidateArgs),
    /// Show an application's topology
    Describe(describe::DescribeArgs),
    /// Take an application back to the start of its input, or to another place of it
    ///
    /// As Kafka's application reset tool does: the committed offsets of the input topics are moved, the internal topics (changelogs,
    /// repartition topics) deleted, and the state under --state-dir removed. Every process of the application has to be stopped before.
    /// Output topics and the dead-letter topic stay as they are: what is processed again is written again. State on other machines is
    /// found out by its changelog's new id and rebuilt when a process starts on it.
    ///
    /// Unlike Java's tool it only shows what it would do unless --execute is given, and takes application id and input topics from the
    /// manifest.
    Reset(reset::ResetArgs),
    /// Show each configuration property with its value and where it was set
    Config(config::ConfigArgs),
}

/// What overrides the manifest, the environment and `application.properties`.
#[derive(Clone, Debug, Default, Args)]
struct OverrideArgs {
    /// Keep state here (state.dir)
    #[arg(long, value_name = "DIR")]
    state_dir: Option<String>,
    #[command(flatten)]
    properties: PropertyArgs,
}

/// Properties on the command line.
#[derive(Clone, Debug, Default, Args)]
struct PropertyArgs {
    /// Set a configuration property over all other sources; repeat it for more. A property with a dot in its name may be given
    /// as an option itself: --spring.profiles.active=prod
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    config: Vec<(String, String)>,
    /// What `properties::as_options` makes of `--any.property=value`
    #[arg(long = properties::OPTION, value_name = "KEY=VALUE", value_parser = key_value, hide = true)]
    property: Vec<(String, String)>,
}

impl OverrideArgs {
    fn overrides(&self) -> Overrides {
        Overrides {
            state_dir: self.state_dir.clone(),
            ..self.properties.overrides()
        }
    }
}

impl PropertyArgs {
    fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            properties: self.property.clone(),
            ..Overrides::default()
        }
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("give it as KEY=VALUE".to_owned()),
    }
}

/// Runs the program; the exit code.
#[must_use]
pub fn main() -> i32 {
    let cli = Cli::parse_from(properties::as_options(std::env::args_os()));
    let level = match (&cli.log.log_level, &cli.command) {
        (Some(level), _) => level.as_str(),
        (None, Command::Run(_)) => "info",
        // Bad records are counted and shown by the view.
        (None, Command::Dev(_)) => "error",
        (None, Command::Validate(_) | Command::Describe(_) | Command::Reset(_) | Command::Config(_)) => "warn",
    };
    let result = log::start(cli.log.log_format, level)
        .map_err(Failure::Usage)
        .and_then(|()| match cli.command {
            Command::Run(args) => run::run(&args),
            Command::Dev(args) => dev::dev(&args),
            Command::Validate(args) => validate::validate(&args),
            Command::Describe(args) => describe::describe(&args),
            Command::Reset(args) => reset::reset(&args),
            Command::Config(args) => config::config(&args),
        });
    match result {
        Ok(()) => 0,
        Err(failure) => {
            match cli.log.log_format {
                LogFormat::Text => eprint!("{}", failure.render()),
                LogFormat::Json => eprint!("{}", failure.json_lines()),
            }
            failure.exit_code()
        }
    }
}
