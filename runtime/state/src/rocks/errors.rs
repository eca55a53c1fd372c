//! What a RocksDB error means for a task.

use std::path::Path;

use rocksdb::ErrorKind;

use crate::Error;
use crate::error::is_full;

/// An error of a call on an open database.
pub(super) fn classify(err: rocksdb::Error, dir: &Path, store: Option<&str>) -> Error {
    let text = err.to_string();
    match err.kind() {
        // Of whatever kind: a write that waits for memory repeats the flush's words in an error of its own.
        _ if is_full(&text) => Error::io(dir, store, text),
        ErrorKind::IOError if !text.contains("No such file") => Error::io(dir, store, text),
        ErrorKind::Busy | ErrorKind::TimedOut | ErrorKind::TryAgain | ErrorKind::ShutdownInProgress => {
            Error::io(dir, store, text)
        }
        ErrorKind::Incomplete if !text.contains("Corruption") => Error::io(dir, store, text),
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
        "no space left on device",
        "quota exceeded",
        "permission denied",
        "read-only file system",
        "too many open files",
    ];
    if refusals.iter().any(|refusal| lower.contains(refusal)) {
        return Error::io(dir, None, text);
    }
    Error::damaged(dir, None, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_damage_wherever_it_is_met() {
        let full =
            "IO error: No space left on device: While appending to file: /s/0_0/000012.sst: No space left on device";
        let dir = Path::new("/s/0_0");
        for error in [
            Error::io(dir, None, full),
            Error::io(dir, Some("s"), "Disk quota exceeded (os error 122)"),
        ] {
            assert!(
                matches!(error, Error::NoSpace { .. }) && !error.is_damage(),
                "{error:?}"
            );
            assert_eq!(error.dir(), Some(dir));
        }
        let other = Error::io(dir, None, "IO error: Input/output error");
        assert!(matches!(other, Error::Io { .. }), "{other:?}");
    }
}
