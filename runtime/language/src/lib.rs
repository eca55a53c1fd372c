//! The manifest's language: `spec.topology` to a plan and compiled expressions, with located errors. Pure.

mod diagnostic;
pub mod grammar;

#[cfg(test)]
mod tests;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity, Spot};
