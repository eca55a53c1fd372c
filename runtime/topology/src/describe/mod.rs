//! A plan for people: Java's `Topology.describe()` text, JSON, and Mermaid.

pub(crate) mod java_order;
mod json;
mod mermaid;
mod text;
