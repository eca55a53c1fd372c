//! What every command that runs an application does first.

use super::Failure;
use crate::checked::{Checked, Overrides, check_file};

/// Reads the manifest and its configuration, and logs what is perhaps not meant so.
pub fn load(file: &str, overrides: &Overrides) -> Result<Checked, Failure> {
    let checked = check_file(file, overrides).map_err(Failure::Manifest)?;
    for warning in &checked.warnings {
        tracing::warn!(
            file = warning.file,
            line = warning.line,
            path = warning.path,
            "{}",
            warning.message
        );
    }
    let (profiles, files) = (checked.settings.profiles.join(","), checked.settings.files.join(","));
    if !files.is_empty() {
        tracing::info!(profiles, "configured by {files}");
    }
    Ok(checked)
}
