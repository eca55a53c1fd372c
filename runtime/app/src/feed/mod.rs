//! Declared feeds: what `millrace dev` writes into its log.

mod generate;
mod random;
mod reader;
mod spec;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::parse_duration;
pub use spec::Feed;
pub use writer::{FED_AT, Feeding, Progress};
