//! What is refused, and how it is said: scripts in `refused/`.

use crate::{CompileOptions, compile};

#[test]
fn scripts_of_refused_manifests() {
    let cases = super::script::replay("refused", |topology| {
        let options = CompileOptions {
            path: "topology".to_owned(),
        };
        match compile(topology, &options) {
            Ok(program) if program.warnings.0.is_empty() => "accepted".to_owned(),
            Ok(program) => program.warnings.to_string(),
            Err(diagnostics) => diagnostics.to_string(),
        }
    });
    assert!(cases > 60, "only {cases} cases: are the scripts still there?");
}
