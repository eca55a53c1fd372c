//! What a soak has to tell beside its verdict: one JSON object a line, for `scripts/soak.sh`.

use std::fs::OpenOptions;
use std::io::Write;

/// Adds figures to the record of the part that runs (`MILLRACE_SOAK_FIGURES` names the file), and prints them.
///
/// # Panics
/// If the file cannot be written.
pub fn figures(figures: &serde_json::Value) {
    println!("soak: {figures}");
    if let Some(path) = std::env::var_os("MILLRACE_SOAK_FIGURES") {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("the soak's figures");
        writeln!(file, "{figures}").expect("the soak's figures");
    }
}
