//! What a RocksDB error means for a task.

use std::path::Path;

use rocksdb::ErrorKind;

use crate::Error;

/// An error of a call on an open database.
pub(super) fn classify(err: rocksdb::Error, dir: &Path, store: Option<&str>) -> Error {
    let text = err.to_string();
    match err.kind() {
        ErrorKind::IOError if !text.contains("No such file") => Error::io(dir, store, text),
        ErrorKind::Busy | ErrorKind::TimedOut | ErrorKind::TryAgain | ErrorKind::ShutdownInProgress => {
            Error::io(dir, store, text)
        }
        ErrorKind::InvalidArgument | ErrorKind::NotSupported => Error::Config {
            dir: dir.to_owned(),
            reason: text,
        },
        _ => Error::damaged(dir, store, text),
    }
}

/// An error of opening: whatever is neither a lock nor the disk's refusal is damage.
pub(super) fn classify_open(err: rocksdb::Error, dir: &Path) -> Error {
    let text = err.to_string();
    let lower = text.to_ascii_lowercase();
    if lower.contains("lock file") || lower.contains("lock hold") || lower.contains("/lock:") {
        return Error::Locked {
            dir: dir.to_owned(),
            reason: text,
        };
    }
    let refusals = [
        "no space left",
        "permission denied",
        "read-only file system",
        "too many open files",
    ];
    if refusals.iter().any(|refusal| lower.contains(refusal)) {
        return Error::io(dir, None, text);
    }
    Error::damaged(dir, None, text)
}
