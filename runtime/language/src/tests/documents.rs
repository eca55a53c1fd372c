//! What the guide and the examples show compiles.

use std::path::PathBuf;

use serde_json::Value;

use super::{script::topology, yaml};
use crate::{CompileOptions, compile};

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_guides_examples_compile() {
    let guide = std::fs::read_to_string(project().join("docs/language.md")).unwrap();
    let blocks: Vec<&str> = guide
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() > 10, "only {} examples", blocks.len());
    for block in blocks {
        let document = yaml::parse(&topology(block.trim_end())).unwrap_or_else(|error| panic!("{block}\n{error}"));
        let topology = document.get("topology").unwrap_or(&document);
        if let Err(wrong) = compile(topology, &CompileOptions::default()) {
            panic!("{block}\n{}", wrong.render());
        }
    }
}

#[test]
fn the_guide_shows_errors_as_they_are() {
    let guide = std::fs::read_to_string(project().join("docs/language.md")).unwrap();
    let shown = guide.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let wrong = yaml::parse(&topology("- filter: \"amount > 0\"")).unwrap();
    assert_eq!(compile(&wrong, &CompileOptions::default()).unwrap_err().render(), shown);
}

#[test]
fn the_examples_compile() {
    let mut found = 0;
    for entry in std::fs::read_dir(project().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let manifest = yaml::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
            // Feeds of `millrace dev` lie beside the manifests.
            if manifest["kind"] != "StreamApp" {
                continue;
            }
            found += 1;
            let topology: &Value = &manifest["spec"]["topology"];
            if let Err(wrong) = compile(topology, &CompileOptions::default()) {
                panic!("{}\n{}", path.display(), wrong.render());
            }
        }
    }
    assert!(found > 0);
}
