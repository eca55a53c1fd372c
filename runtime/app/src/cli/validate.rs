//! `millrace validate`.

use clap::{Args, ValueEnum};

use super::{Failure, PropertyArgs};
use crate::checked::check_file;
use crate::manifest::Problem;

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Manifests; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// How problems are written to standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    properties: PropertyArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Each with its line and a caret
    #[default]
    Text,
    /// One JSON array
    Json,
}

/// Checks all files, says every problem, and fails if one of them is an error.
pub fn validate(args: &ValidateArgs) -> Result<(), Failure> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut good = Vec::new();
    for file in &args.files {
        match check_file(file, &args.properties.overrides()) {
            Ok(checked) => {
                problems.extend(checked.warnings);
                let part = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
                let plan = &checked.program.plan;
                let parts = part(plan.subtopologies.len(), "sub-topology", "sub-topologies");
                let stores = part(plan.stores.len(), "store", "stores");
                good.push(format!(
                    "{file}: {} is valid: {parts}, {stores}",
                    checked.config.application_id
                ));
            }
            Err(found) => problems.extend(found),
        }
    }
    let has_errors = problems.iter().any(Problem::is_error);
    match args.format {
        Format::Json => {
            println!("{}", serde_json::to_string_pretty(&problems).unwrap_or_default());
            if has_errors {
                std::process::exit(crate::failure::CONFIG)
            } else {
                Ok(())
            }
        }
        Format::Text if has_errors => Err(Failure::Manifest(problems)),
        Format::Text => {
            problems.iter().for_each(|warning| eprint!("{}", warning.render()));
            good.iter().for_each(|line| println!("{line}"));
            Ok(())
        }
    }
}
