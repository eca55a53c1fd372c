//! From a manifest to a running application: what the `millrace` binary does, for the binary and for tests that run manifests in-process.

pub mod bind;
pub mod checked;
pub mod cli;
mod failure;
mod feed;
mod log;
pub mod manifest;
mod settings;
mod signals;
mod view;
mod volume;
