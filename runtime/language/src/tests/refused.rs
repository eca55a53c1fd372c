//! What is refused, and how it is said: scripts in `refused/`.
//!
//! A script has cases with an empty line between. A case is YAML, then what is said of it, behind `=>`. YAML that starts with a dash is
//! the list of steps of a pipeline `p` from the topic `in` to the topic `out`; other YAML is a whole topology. `# ` starts a comment.
//! `UPDATE_EXPECT=1 cargo test` writes what is said anew.

use std::path::Path;

use expect_test::expect_file;

use super::yaml;

#[test]
fn scripts_of_refused_manifests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/refused");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut cases = 0;
    for file in files {
        let script = std::fs::read_to_string(&file).unwrap();
        let mut replayed = String::new();
        for case in script.trim_end().split("\n\n") {
            replayed.push_str(&replay(case, &mut cases));
            replayed.push_str("\n\n");
        }
        replayed.truncate(replayed.trim_end().len());
        expect_file![file].assert_eq(&format!("{replayed}\n"));
    }
    assert!(cases > 60, "only {cases} cases: are the scripts still there?");
}

/// The case with what is said now.
fn replay(case: &str, cases: &mut usize) -> String {
    let yaml: Vec<&str> = case.lines().filter(|line| !line.starts_with("=>")).collect();
    let code: Vec<&str> = yaml.iter().copied().filter(|line| !line.starts_with("# ")).collect();
    let mut out = yaml.join("\n");
    if code.is_empty() {
        return out;
    }
    *cases += 1;
    for said in said_of(&code.join("\n")).lines() {
        out.push_str(&format!("\n=> {said}"));
    }
    out
}

fn said_of(code: &str) -> String {
    let topology = if code.starts_with('-') {
        let steps = code.replace('\n', "\n        ");
        format!(
            "
topics:
  in: {{name: in-topic, key: string, value: json}}
  out: {{name: out-topic, key: string, value: json}}
pipelines:
  - name: p
    from: in
    to: out
    steps:
        {steps}
"
        )
    } else {
        code.to_owned()
    };
    match yaml::parse(&topology) {
        Ok(topology) => crate::grammar::decode(&topology, "topology").1.to_string(),
        Err(error) => format!("YAML itself: {error}"),
    }
}
