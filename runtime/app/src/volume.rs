//! Where state lives: RocksDB under the state directory.

use std::path::Path;
use std::sync::Arc;

use millrace::Code;
use millrace::state::{Environment, EnvironmentConfig, StateVolume};

use crate::failure::Failure;

/// Sets up what all databases of the process share.
pub fn open(state_dir: &Path) -> Result<Arc<dyn StateVolume>, Failure> {
    match Environment::new(EnvironmentConfig::default()) {
        Ok(environment) => Ok(Arc::new(environment)),
        Err(error) => Err(Failure::coded(
            Code::S003,
            format!("no state can be kept in {}: {error}", state_dir.display()),
        )),
    }
}
