//! Configuration by Kafka Streams' names.
//!
//! Every property that Java knows is a row of a table: what it takes, its default, and what setting it does here. Properties are read
//! into [`StreamsConfig`]; all problems are collected, not only the first. A property that Java knows and that means nothing here gives
//! a warning that says why; one that nobody knows is refused, with the name that was probably meant. `docs/configuration.md` is written
//! from the same tables.
//!
//! ```
//! use std::collections::BTreeMap;
//! use millrace::config::StreamsConfig;
//!
//! let properties = BTreeMap::from([
//!     ("application.id".to_owned(), "totals".to_owned()),
//!     ("bootstrap.servers".to_owned(), "kafka:9092".to_owned()),
//!     ("processing.guarantee".to_owned(), "exactly_once_v2".to_owned()),
//! ]);
//! let parsed = StreamsConfig::parse(&properties)?;
//! assert_eq!(parsed.config.commit_interval.as_millis(), 100);
//!
//! let mistyped = BTreeMap::from([("commit.intervall.ms".to_owned(), "1000".to_owned())]);
//! let error = StreamsConfig::parse(&mistyped).unwrap_err().to_string();
//! assert!(error.contains("did you mean `commit.interval.ms`?"));
//! # Ok::<(), millrace::config::ConfigError>(())
//! ```

mod client_table;
mod clients;
mod effective;
mod known;
mod property;
mod read;
mod reference;
mod scope;
mod spring_table;
mod streams_config;
mod streams_table;
mod value;

use std::fmt;

pub use client_table::{CLIENTS, Clients, TOPIC};
pub use clients::ClientKind;
pub use effective::Effective;
pub use known::{Known, known, names, suggestion};
pub use property::{Check, Effect, Importance, Kind, Property};
pub use reference::reference;
pub use scope::Scope;
pub use spring_table::{SPRING, SPRING_SHARED, SpringGroup, SpringKind, SpringMeaning, SpringName, environment_name};
pub use streams_config::{AutoOffsetReset, Parsed, ProcessingGuarantee, StreamsConfig, TaskIdle, TimestampExtractor};
pub use streams_table::STREAMS;
use value::class_name;

/// Something to say about one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The property as it was written, without Spring's prefix.
    pub key: String,
    /// What is wrong with it, or why it has no effect.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.key, self.message)
    }
}

/// A configuration that cannot be used: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Notice>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
