//! Whether a disk that was full has room again.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::{ASIDE, options};
use crate::error::is_full;

/// See [`StateVolume::make_room`](crate::StateVolume::make_room).
pub(super) fn make_room(dir: &Path) -> bool {
    has_room(dir) || (drop_set_aside(dir) && has_room(dir))
}

/// Whether a memtable could be flushed. Tried rather than asked for: quotas and reserves are not in the file system's own figures.
fn has_room(dir: &Path) -> bool {
    match try_to_write(dir, options::WRITE_BUFFER) {
        Ok(()) => true,
        // Whatever else is wrong here, opening the tasks will tell.
        Err(error) => !is_full(&error.to_string()),
    }
}

fn try_to_write(dir: &Path, bytes: usize) -> std::io::Result<()> {
    let mut file = nameless(dir)?;
    // Not zeros: those may cost nothing.
    let chunk = vec![0xA5; 1 << 20];
    for _ in 0..bytes / chunk.len() {
        file.write_all(&chunk)?;
    }
    file.sync_data()
}

/// A file that goes with its handle, whatever happens to the process.
fn nameless(dir: &Path) -> std::io::Result<File> {
    let path = dir.join(format!(".room-{:?}", std::thread::current().id()));
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Removes damaged state, which is kept for a person to look at; whether there was any.
fn drop_set_aside(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return false;
    };
    let mut dropped = false;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().ends_with(ASIDE) && std::fs::remove_dir_all(entry.path()).is_ok() {
            tracing::warn!(dir = %entry.path().display(), "damaged state that was set aside is removed: the disk is full");
            dropped = true;
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_for_room_leaves_nothing_behind() {
        let files = tempfile::tempdir().unwrap();
        assert!(make_room(files.path()));
        assert_eq!(std::fs::read_dir(files.path()).unwrap().count(), 0);
        assert!(make_room(&files.path().join("missing")), "that is for others to tell");
    }

    #[test]
    fn only_what_was_set_aside_is_removed() {
        let files = tempfile::tempdir().unwrap();
        for name in ["0_0", "0_0.damaged"] {
            std::fs::create_dir(files.path().join(name)).unwrap();
        }
        assert!(drop_set_aside(files.path()));
        assert!(!drop_set_aside(files.path()));
        assert!(files.path().join("0_0").exists() && !files.path().join("0_0.damaged").exists());
    }
}
