//! Files that secrets and certificates come from: read in one go, and looked at for changes.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use openssl::sha::Sha256;

use super::Secret;
use super::settings::SecretSource;
use crate::{Error, ErrorKind, Result};

/// Reads files and remembers which, and what was in them.
pub(super) struct Reader {
    paths: Vec<PathBuf>,
    digest: Sha256,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            paths: Vec::new(),
            digest: Sha256::new(),
        }
    }

    /// The file's bytes; `property` names it in errors.
    pub(super) fn bytes(&mut self, property: &str, path: &Path) -> Result<Vec<u8>> {
        let bytes = std::fs::read(path).map_err(|error| {
            let text = format!("{property}: {} cannot be read: {}", path.display(), plain(&error));
            Error::new(ErrorKind::Config, text)
        })?;
        self.paths.push(path.to_owned());
        self.digest.update(&(bytes.len() as u64).to_be_bytes());
        self.digest.update(&bytes);
        Ok(bytes)
    }

    /// A secret, without the line end that editors leave behind.
    pub(super) fn secret(&mut self, source: &SecretSource) -> Result<Secret> {
        match source {
            SecretSource::Value(secret) => Ok(secret.clone()),
            SecretSource::File(property, path) => {
                let bytes = self.bytes(property, path)?;
                let text = String::from_utf8(bytes).map_err(|_| {
                    let text = format!("{property}: {} is no text in UTF-8", path.display());
                    Error::new(ErrorKind::Config, text)
                })?;
                Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
            }
        }
    }

    /// The files that were read, and a digest of what was in them.
    pub(super) fn finish(self) -> (Vec<PathBuf>, [u8; 32]) {
        (self.paths, self.digest.finish())
    }
}

/// How files look from outside; differs once one of them was replaced or written.
pub(super) fn stamps(paths: &[PathBuf]) -> Vec<Option<(SystemTime, u64, u64)>> {
    use std::os::unix::fs::MetadataExt;
    // Follows links: Kubernetes swaps a link to a directory when a Secret changes.
    let stamp = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    };
    paths.iter().map(stamp).collect()
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this process may not read it".to_owned(),
        _ => error.to_string(),
    }
}
