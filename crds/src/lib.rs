//! The custom resource: [`StreamApp`] v1alpha1, its CRD and JSON Schema, and the checks that need no cluster.
//!
//! - [`StreamApp`] and [`StreamAppSpec`]: the Rust types; their docs are what `kubectl explain` prints.
//! - [`decode`]: strict decoding of a manifest, with every problem located.
//! - [`crd_yaml`] and [`json_schema`]: the generated files in `generated/`, checked for drift by a test.

mod config;
mod decode;
mod generate;
mod problem;
mod streamapp;
mod yaml;

pub use config::{ConfigValue, validate_config};
pub use decode::decode;
pub use generate::{crd, crd_yaml, json_schema};
pub use problem::{Problem, Problems};
pub use streamapp::{KafkaSpec, StorageSpec, StreamApp, StreamAppSpec};
