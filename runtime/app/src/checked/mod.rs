//! From a file to all that can be known without a cluster: the manifest, its compiled program, its configuration.

mod configured;
#[cfg(test)]
mod tests;

use millrace::config::StreamsConfig;
use millrace_crds::StreamApp;
use millrace_language::{CompileOptions, Program, compile};

pub use configured::{Configured, configure};

use crate::manifest::{self, Manifest, Problem};
use crate::settings::{Settings, Surroundings};

/// What the command line sets over everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--bootstrap-servers`.
    pub bootstrap_servers: Option<String>,
    /// `--state-dir`.
    pub state_dir: Option<String>,
    /// `--config`.
    pub config: Vec<(String, String)>,
    /// `--any.property=value`.
    pub properties: Vec<(String, String)>,
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
    /// Where it comes from.
    pub settings: Settings,
    /// What is perhaps not meant so.
    pub warnings: Vec<Problem>,
}

/// Reads and checks a file with all that surrounds it: environment, profiles, `application.properties`. All problems are found,
/// warnings among them.
pub fn check_file(file: &str, overrides: &Overrides) -> Result<Checked, Vec<Problem>> {
    let text = manifest::read_file(file)?;
    check_in(file, &text, overrides, Some(&Surroundings::of_process()))
}

/// Checks a text as it stands, whatever surrounds the process.
pub fn check(file: &str, text: &str, overrides: &Overrides) -> Result<Checked, Vec<Problem>> {
    check_in(file, text, overrides, None)
}

fn check_in(
    file: &str,
    text: &str,
    overrides: &Overrides,
    around: Option<&Surroundings>,
) -> Result<Checked, Vec<Problem>> {
    let manifest = manifest::parse(file, text)?;
    let compiled = compile(&manifest.app.spec.topology, &CompileOptions::default());
    let Configured {
        config,
        settings,
        mut problems,
    } = configure(&manifest, overrides, around);
    let Manifest { app, source } = manifest;
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
    in_order(file, &mut problems);
    match (program, config) {
        (Some(program), Some(config)) => Ok(Checked {
            app,
            program,
            config,
            settings,
            warnings: problems,
        }),
        _ => Err(problems),
    }
}

/// Arguments and environment, then other files, then the manifest, each from top to bottom.
pub fn in_order(manifest: &str, problems: &mut [Problem]) {
    problems.sort_by(|a, b| {
        let place = |problem: &Problem| (problem.line > 0, problem.file == manifest);
        let within = |problem: &Problem| (problem.line, problem.column);
        place(a)
            .cmp(&place(b))
            .then_with(|| {
                if a.line > 0 {
                    a.file.cmp(&b.file)
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .then_with(|| within(a).cmp(&within(b)))
    });
}
