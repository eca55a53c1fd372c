//! Scripts: cases with an empty line between.
//!
//! A case is YAML, then what comes of it, behind `=>`. YAML that starts with a dash is the list of steps of a pipeline `p` from the topic
//! `in` to the topic `out`; other YAML is a whole topology. Lines that start with `# ` are comments.
//! `UPDATE_EXPECT=1 cargo test` writes what comes of it anew.

use std::path::Path;

use expect_test::expect_file;
use serde_json::Value;

use super::yaml;

/// Replays all scripts in a folder beside this file; gives the number of cases.
pub(crate) fn replay(folder: &str, outcome: fn(&Value) -> String) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut cases = 0;
    for file in files {
        let script = std::fs::read_to_string(&file).unwrap();
        let replayed: Vec<String> = script
            .trim_end()
            .split("\n\n")
            .map(|case| replay_case(case, outcome, &mut cases))
            .collect();
        expect_file![file].assert_eq(&format!("{}\n", replayed.join("\n\n")));
    }
    cases
}

/// The case with what comes of it now.
fn replay_case(case: &str, outcome: fn(&Value) -> String, cases: &mut usize) -> String {
    let given: Vec<&str> = case.lines().filter(|line| !line.starts_with("=>")).collect();
    let code: Vec<&str> = given.iter().copied().filter(|line| !line.starts_with("# ")).collect();
    let mut out = given.join("\n");
    if code.is_empty() {
        return out;
    }
    *cases += 1;
    let outcome = match yaml::parse(&topology(&code.join("\n"))) {
        Ok(topology) => outcome(&topology),
        Err(error) => format!("YAML itself: {error}"),
    };
    for line in outcome.lines() {
        out.push_str(format!("\n=> {line}").trim_end());
    }
    out
}

/// The whole topology around a list of steps.
pub(crate) fn topology(code: &str) -> String {
    if !code.starts_with('-') {
        return code.to_owned();
    }
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
}
