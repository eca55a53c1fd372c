//! `millrace reset`: Kafka's application reset tool for the application of a manifest.

mod report;
mod target;

use std::io::Write as _;

use clap::{Args, ValueEnum};
use millrace::reset::{Reset, ResetPlan};

use self::report::Stage;
use self::target::TargetArgs;
use super::load::load;
use super::{Failure, OverrideArgs, run};
use crate::checked::Checked;
use crate::volume;

/// Arguments of `reset`.
#[derive(Debug, Args)]
pub struct ResetArgs {
    /// The manifest; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Do it; without this it is only shown what would be done
    #[arg(long)]
    execute: bool,
    /// Show what would be done, and change nothing: the default
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    #[command(flatten)]
    target: TargetArgs,
    /// Delete these internal topics only, which have to be among those that a dry run lists
    #[arg(long, value_name = "TOPICS", value_delimiter = ',')]
    internal_topics: Vec<String>,
    /// Remove members that the group still has, as those of killed processes; a process that lives joins again, and is refused
    #[arg(long)]
    force: bool,
    /// How it is written to standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Reach Kafka here (spec.kafka.bootstrapServers)
    #[arg(long, value_name = "ADDRESSES")]
    bootstrap_servers: Option<String>,
    #[command(flatten)]
    overrides: OverrideArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables, coloured on a terminal
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// Shows what a reset does, and does it if asked.
pub fn reset(args: &ResetArgs) -> Result<(), Failure> {
    let mut overrides = args.overrides.overrides();
    overrides.bootstrap_servers.clone_from(&args.bootstrap_servers);
    let Checked { program, config, .. } = load(&args.file, &overrides)?;
    let servers = config.bootstrap_servers.join(",");
    let log = run::kafka(&config)?;
    let target = args.target.target(chrono::Utc::now().timestamp_millis());
    let show = |plan: &ResetPlan, stage: Stage| match args.format {
        Format::Text => say(&report::text(plan, &servers, target, stage, report::is_coloured())),
        Format::Json => say(&report::json(plan, &servers, target, stage)),
    };
    let mut reset = Reset::new(&program.plan, &config, &log, target)?;
    let mut found = reset.survey()?;
    restrict(&mut found, &args.internal_topics)?;
    if !args.execute {
        show(&found, Stage::DryRun);
        return found.refusal(args.force).map_or(Ok(()), |error| Err(error.into()));
    }
    let volume = volume::open(&config)?;
    let mut plan = reset.prepare(args.force)?;
    restrict(&mut plan, &args.internal_topics)?;
    // People see what is being done while it is; a program reads one object, of what was done.
    if args.format == Format::Text {
        show(&plan, Stage::Begun);
    }
    reset.execute(&plan, volume.as_ref())?;
    match args.format {
        Format::Text => say("Done."),
        Format::Json => show(&plan, Stage::Done),
    }
    Ok(())
}

/// Leaves only the named topics to be deleted, if any are named.
fn restrict(plan: &mut ResetPlan, only: &[String]) -> Result<(), Failure> {
    if only.is_empty() {
        return Ok(());
    }
    let is_known = |name: &&String| plan.internal_topics.iter().any(|topic| topic.name == **name);
    if let Some(unknown) = only.iter().find(|name| !is_known(name)) {
        return Err(Failure::Usage(format!(
            "--internal-topics: {unknown} is no internal topic of {}; without this option a dry run lists them",
            plan.application_id
        )));
    }
    plan.internal_topics.retain(|topic| only.contains(&topic.name));
    Ok(())
}

/// On standard output; whoever reads it may have gone.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
}
