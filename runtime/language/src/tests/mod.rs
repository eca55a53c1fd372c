//! Manifests as scripts: what is refused and how, what is accepted and what comes of it.

mod refused;
mod yaml;
