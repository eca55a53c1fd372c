//! The state that this machine keeps for the application.

use std::io::ErrorKind;
use std::path::Path;

use millrace_state::StateVolume;

use super::StateReset;
use crate::instance::{Identity, PROCESS_FILE};
use crate::{Code, Error, Result};

/// The lock that a running process of the application has on its state.
pub(super) struct Hold(#[expect(dead_code, reason = "held, not read")] Identity);

/// Locks the application's directory; `None` if there is none.
pub(super) fn hold(directory: &Path) -> Result<Option<Hold>> {
    if !directory.exists() {
        return Ok(None);
    }
    match Identity::on_volume(directory) {
        Ok(identity) => Ok(Some(Hold(identity))),
        Err(error) if error.code() == Code::S001 => Err(held(directory)),
        Err(error) => Err(error),
    }
}

/// What there is to remove. Writes nothing; `is_ours` says that the lock is this process's own.
pub(super) fn look(directory: &Path, is_ours: bool) -> Result<Option<StateReset>> {
    let read = match std::fs::read_dir(directory) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("cannot read", directory, &error)),
    };
    let mut entries = Vec::new();
    for entry in read {
        let entry = entry.map_err(|error| io("cannot read", directory, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // The process keeps its identity, as it does over restarts.
        if name != PROCESS_FILE {
            entries.push(name);
        }
    }
    entries.sort();
    let is_held = !is_ours && Identity::is_held(directory)?;
    if entries.is_empty() && !is_held {
        return Ok(None);
    }
    Ok(Some(StateReset {
        directory: directory.to_owned(),
        entries,
        is_held,
    }))
}

/// Removes what [`look`] found. A database that somebody has open in spite of the lock is left alone, which is an error.
pub(super) fn remove(state: &StateReset, volume: &dyn StateVolume) -> Result<()> {
    for name in &state.entries {
        let path = state.directory.join(name);
        if path.is_dir() {
            volume.destroy(&path)?;
        } else {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(io("cannot remove", &path, &error)),
                _ => {}
            }
        }
    }
    Ok(())
}

pub(super) fn held(directory: &Path) -> Error {
    Error::new(
        Code::S001,
        format!(
            "{} is in use by a live process of this application: stop it, then reset",
            directory.display()
        ),
    )
}

fn io(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Code::S003,
        format!(
            "{what} {}: {error}; check state.dir and its permissions",
            path.display()
        ),
    )
}
