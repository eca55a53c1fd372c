//! The manifest's language: `spec.topology` to a plan and compiled expressions, with located errors. Pure.
//!
//! [`compile`] is the entrance. It reads the manifest by [`grammar`], compiles [`expression`]s and [`aggregate`]s, and lowers everything
//! through the builder of `millrace-topology` to a [`Program`]. [`value`], [`json`] and [`mod@format`] are what flows at run time.

pub mod aggregate;
mod compile;
mod diagnostic;
pub mod expression;
pub mod format;
pub mod grammar;
pub mod json;
mod lower;
pub mod value;

#[cfg(test)]
mod tests;

pub use compile::{CompileOptions, compile};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity, Spot};
pub use lower::{Function, FunctionKind, KeySelector, Origin, Output, OutputField, Program, timestamp_ms};
