//! Manifests as scripts: what is refused and how, what is accepted and what comes of it.

mod accepted;
mod damaged;
mod documents;
mod refused;
mod script;
mod yaml;
