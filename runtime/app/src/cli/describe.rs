//! `millrace describe`.

use clap::{Args, ValueEnum};

use super::{Failure, PropertyArgs};
use crate::checked::check_file;

/// Arguments of `describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// The manifest; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// How the topology is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    properties: PropertyArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// The text of Java's TopologyDescription
    #[default]
    Text,
    /// JSON
    Json,
    /// A Mermaid flowchart
    Mermaid,
}

/// Prints the topology.
pub fn describe(args: &DescribeArgs) -> Result<(), Failure> {
    let checked = check_file(&args.file, &args.properties.overrides()).map_err(Failure::Manifest)?;
    let plan = &checked.program.plan;
    let text = match args.format {
        Format::Text => plan.describe(),
        Format::Json => plan.describe_json(),
        Format::Mermaid => plan.describe_mermaid(),
    };
    println!("{}", text.trim_end_matches('\n'));
    Ok(())
}
