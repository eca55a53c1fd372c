//! The one error of this crate.

use std::path::{Path, PathBuf};

/// What went wrong with a task's state.
///
/// `Display` gives one line that names the directory and the store, without the source chain.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The files of a task cannot be trusted any more. The task is to be set aside
    /// ([`StateVolume::set_aside`](crate::StateVolume::set_aside)) and restored from its changelogs.
    #[error("state in {dir} is damaged ({store}): {reason}", dir = .dir.display(), store = named(.store))]
    Damaged {
        /// The task's directory.
        dir: PathBuf,
        /// The store it was seen in, where that is known.
        store: Option<String>,
        /// What RocksDB said.
        reason: String,
    },
    /// Another process, or another owner in this one, has the task's database open.
    #[error("state in {dir} is in use by another writer: {reason}", dir = .dir.display())]
    Locked {
        /// The task's directory.
        dir: PathBuf,
        /// What RocksDB said.
        reason: String,
    },
    /// The disk or its permissions refuse: full, read-only, gone. The state itself may be sound.
    #[error("state in {dir} cannot be read or written ({store}): {reason}; check the volume's space and permissions", dir = .dir.display(), store = named(.store))]
    Io {
        /// The task's directory.
        dir: PathBuf,
        /// The store it was seen in, where that is known.
        store: Option<String>,
        /// What the system said.
        reason: String,
    },
    /// A changelog key too short for its store: a window's key ends with 8 bytes of start and 4 of sequence number.
    #[error("a key of {length} bytes is no window key of store {store}: it needs at least 12")]
    MalformedKey {
        /// The store.
        store: String,
        /// The key's length in bytes.
        length: usize,
    },
    /// Stores that cannot be opened as they were described.
    #[error("stores of {dir} cannot be opened as configured: {reason}", dir = .dir.display())]
    Config {
        /// The task's directory.
        dir: PathBuf,
        /// What to change.
        reason: String,
    },
}

/// The result of every call in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether the task's files must be set aside and its stores restored.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    pub(crate) fn damaged(dir: &Path, store: Option<&str>, reason: impl ToString) -> Self {
        Self::Damaged {
            dir: dir.to_owned(),
            store: store.map(str::to_owned),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn io(dir: &Path, store: Option<&str>, reason: impl ToString) -> Self {
        Self::Io {
            dir: dir.to_owned(),
            store: store.map(str::to_owned),
            reason: reason.to_string(),
        }
    }
}

fn named(store: &Option<String>) -> String {
    store
        .as_ref()
        .map_or_else(|| "no store in particular".to_owned(), |name| format!("store {name}"))
}
