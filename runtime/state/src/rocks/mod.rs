//! State in RocksDB: one database per task, a column family per store, everything dear shared by the process.

mod bulk;
mod cursor;
mod environment;
mod errors;
mod flush;
mod handle;
mod open;
mod options;
mod restore;
mod room;
mod task;

use std::path::{Path, PathBuf};

pub use environment::{Environment, EnvironmentConfig};
pub use task::TaskState;

/// How the names of directories end that damaged state was moved to.
const ASIDE: &str = ".damaged";

/// Where damaged state of `dir` goes.
pub(crate) fn aside_of(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(ASIDE);
    dir.with_file_name(name)
}
