//! The manifest's language: `spec.topology` to a plan and compiled expressions, with located errors. Pure.

pub mod aggregate;
mod diagnostic;
pub mod expression;
pub mod format;
pub mod grammar;
pub mod json;
pub mod value;

#[cfg(test)]
mod tests;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity, Spot};
