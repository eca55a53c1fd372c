//! Where state lives: RocksDB under the state directory.

use std::sync::Arc;

use millrace::Code;
use millrace::config::StreamsConfig;
use millrace::state::{Environment, EnvironmentConfig, StateVolume};

use crate::failure::Failure;

/// Sets up what all databases of the process share, within the memory that the configuration grants them.
pub fn open(config: &StreamsConfig) -> Result<Arc<dyn StateVolume>, Failure> {
    match Environment::new(EnvironmentConfig::within(config.state_memory_max_bytes)) {
        Ok(environment) => Ok(Arc::new(environment)),
        Err(error) => Err(Failure::coded(
            Code::S003,
            format!("no state can be kept in {}: {error}", config.state_dir.display()),
        )),
    }
}
