//! Who this process is: an id that lives on its volume, and a lock that keeps a second process off it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use uuid::Uuid;

use crate::{Code, Error, Result};

/// The file that holds a volume's process id, and the lock.
pub(crate) const PROCESS_FILE: &str = "millrace-process";

/// The process id of a volume, held as long as the process runs.
#[derive(Debug)]
pub(crate) struct Identity {
    id: Uuid,
    _lock: Option<File>,
}

impl Identity {
    /// An id for this run alone, on no volume.
    pub(crate) fn transient(id: Uuid) -> Self {
        Self { id, _lock: None }
    }

    /// Reads the id from `<dir>/millrace-process`, or makes one; the file is locked against other processes.
    pub(crate) fn on_volume(dir: &Path) -> Result<Self> {
        let io = |what: &str, error: &std::io::Error| {
            let code = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::S004,
                _ => Code::S003,
            };
            Error::new(
                code,
                format!(
                    "{what} {}: {error}; check state.dir, its space and its permissions",
                    dir.display()
                ),
            )
        };
        std::fs::create_dir_all(dir).map_err(|error| io("cannot create", &error))?;
        let path = dir.join(PROCESS_FILE);
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = opened.map_err(|error| io("cannot open millrace-process in", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    Code::S001,
                    format!(
                        "{} is in use by another process of this application: give each process a state.dir of its own",
                        dir.display()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(io("cannot lock millrace-process in", &error)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|error| io("cannot read millrace-process in", &error))?;
        if let Ok(id) = text.trim().parse() {
            return Ok(Self { id, _lock: Some(file) });
        }
        let id = Uuid::new_v4();
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(format!("{id}\n").as_bytes()))
            .and_then(|()| file.sync_all());
        written.map_err(|error| io("cannot write millrace-process in", &error))?;
        Ok(Self { id, _lock: Some(file) })
    }

    /// Whether a process holds the directory now. Creates nothing.
    pub(crate) fn is_held(dir: &Path) -> Result<bool> {
        let path = dir.join(PROCESS_FILE);
        let failed = |what: &str, error: &std::io::Error| {
            let text = format!("cannot {what} {}: {error}; check its permissions", path.display());
            Err(Error::new(Code::S003, text))
        };
        match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => failed("open", &error),
            // Shared, so that two who only look do not see each other.
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(error)) => failed("lock", &error),
            },
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_keeps_its_id_and_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::on_volume(dir.path()).unwrap();
        assert_eq!(Identity::on_volume(dir.path()).unwrap_err().code(), Code::S001);
        assert!(Identity::is_held(dir.path()).unwrap());
        let id = first.id();
        drop(first);
        assert!(!Identity::is_held(dir.path()).unwrap());
        assert_eq!(Identity::on_volume(dir.path()).unwrap().id(), id);
    }
}
