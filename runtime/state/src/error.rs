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
    /// The disk is full. The state on it is sound: what could not be written is in the changelogs.
    #[error("the disk of state in {dir} is full: {reason}", dir = .dir.display())]
    NoSpace {
        /// The task's directory.
        dir: PathBuf,
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

    /// The directory of the task that it is about.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        match self {
            Self::Damaged { dir, .. }
            | Self::Locked { dir, .. }
            | Self::Io { dir, .. }
            | Self::NoSpace { dir, .. }
            | Self::Config { dir, .. } => Some(dir),
            Self::MalformedKey { .. } => None,
        }
    }

    pub(crate) fn damaged(dir: &Path, store: Option<&str>, reason: impl ToString) -> Self {
        Self::Damaged {
            dir: dir.to_owned(),
            store: store.map(str::to_owned),
            reason: reason.to_string(),
        }
    }

    /// The system refused; a full disk is told apart by its words, since RocksDB passes on nothing else.
    pub(crate) fn io(dir: &Path, store: Option<&str>, reason: impl ToString) -> Self {
        let (dir, reason) = (dir.to_owned(), reason.to_string());
        if is_full(&reason) {
            return Self::NoSpace { dir, reason };
        }
        Self::Io {
            dir,
            store: store.map(str::to_owned),
            reason,
        }
    }
}

/// Whether a message of the system's, or of RocksDB's with the system's in it, tells of a full disk (ENOSPC, EDQUOT).
pub(crate) fn is_full(message: &str) -> bool {
    ["No space left on device", "Disk quota exceeded", "Quota exceeded"]
        .iter()
        .any(|words| message.contains(words))
}

fn named(store: &Option<String>) -> String {
    store
        .as_ref()
        .map_or_else(|| "no store in particular".to_owned(), |name| format!("store {name}"))
}
