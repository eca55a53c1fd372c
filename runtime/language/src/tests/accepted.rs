//! What is accepted, and the plan that comes of it: scripts in `accepted/`.

use millrace_topology::NodeKind;

use crate::{CompileOptions, Program, compile};

#[test]
fn scripts_of_accepted_manifests() {
    let cases = super::script::replay("accepted", |topology| {
        match compile(topology, &CompileOptions::default()) {
            Ok(program) => shown(&program),
            Err(diagnostics) => format!("REFUSED\n{diagnostics}"),
        }
    });
    assert!(cases > 10, "only {cases} cases: are the scripts still there?");
}

/// The plan as Java's `describe` prints it, and what that does not show.
fn shown(program: &Program) -> String {
    let plan = &program.plan;
    let mut out = plan.describe().trim_end().to_owned();
    for store in &plan.stores {
        let changelog = store.changelog.as_ref().map(|changelog| &changelog.config);
        out.push_str(&format!(
            "\nstore {}: {:?}, {} -> {}, caching {}, changelog {changelog:?}",
            store.name, store.kind, store.key.0, store.value.0, store.caching
        ));
    }
    for node in &plan.nodes {
        match &node.kind {
            NodeKind::Source(source) => {
                out.push_str(&format!("\n{} reads {} -> {}", node.name, source.key.0, source.value.0));
                let reads = program.reads[&node.id].to_string();
                if !reads.is_empty() {
                    out.push_str(&format!(", of them {reads}"));
                }
            }
            NodeKind::Sink(sink) => out.push_str(&format!("\n{} writes {} -> {}", node.name, sink.key.0, sink.value.0)),
            NodeKind::Processor(_) => {}
        }
        assert!(program.nodes.contains_key(&node.id), "{} comes from nowhere", node.name);
    }
    if !program.warnings.0.is_empty() {
        out.push_str(&format!("\n{}", program.warnings));
    }
    out
}
