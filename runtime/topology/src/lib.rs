//! The plan of a stream application: nodes, stores, internal topics, sub-topologies, names. Pure data.
//!
//! A [`Plan`] comes from the one untyped [`Builder`], which both the typed DSL and the manifest language use. The plan holds no
//! code: a user's function is a [`FunctionId`] into a table that the caller keeps beside it.

mod plan;

pub use plan::*;
