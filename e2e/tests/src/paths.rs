//! Where the set-up puts things, and where the build puts the binary.

use std::path::{Path, PathBuf};

/// The cache that `make setup` fills: `MILLRACE_CACHE`, by default `~/.cache/millrace`.
pub fn cache() -> PathBuf {
    match std::env::var_os("MILLRACE_CACHE") {
        Some(dir) => dir.into(),
        None => PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/millrace"),
    }
}

/// Class path of Kafka's own jars.
///
/// # Panics
/// If `make setup` has not run.
pub fn kafka_class_path() -> String {
    let lib = cache().join("kafka-4.3.1/lib");
    require(&lib);
    format!("{}/*", lib.display())
}

/// Class path of the Java reference applications, Kafka's jars included.
///
/// # Panics
/// If `make setup` has not run.
pub fn reference_class_path() -> String {
    let classes = cache().join("java-classes");
    require(&classes.join("Reference.class"));
    format!("{}:{}", classes.display(), kafka_class_path())
}

/// The `millrace` binary: `MILLRACE_BIN`, else the one that was built beside this test.
///
/// # Panics
/// If there is none.
pub fn millrace_binary() -> PathBuf {
    if let Some(bin) = std::env::var_os("MILLRACE_BIN") {
        return bin.into();
    }
    let here = std::env::current_exe().expect("the test's own path");
    here.ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("millrace"))
        .find(|bin| bin.is_file())
        .unwrap_or_else(|| panic!("no millrace binary beside {}: run `make build`", here.display()))
}

fn require(path: &Path) {
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
}
