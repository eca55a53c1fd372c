//! Where a value comes from, and what came from one place.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::manifest::{Problem, Source, Span};

/// Where a value was set.
#[derive(Clone, Debug)]
pub enum Origin {
    /// On the command line, by this option.
    Argument(String),
    /// In this environment variable.
    Environment(String),
    /// In a file.
    File {
        /// The file, for showing the line.
        source: Arc<Source>,
        /// Where the key stands.
        span: Span,
        /// The key, or the JSON path.
        path: String,
    },
}

impl Origin {
    /// Something to say about what was set here.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        const CODE: &str = "config";
        match self {
            Self::Argument(option) => Problem::nowhere(option, CODE, message),
            Self::Environment(_) => Problem::nowhere(&self.to_string(), CODE, message),
            Self::File { source, span, path } => source.at(*span, CODE, path, message),
        }
    }

    /// For programs: `kind`, and what belongs to it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Argument(option) => json!({"kind": "argument", "name": option}),
            Self::Environment(name) => json!({"kind": "environment", "name": name}),
            Self::File { source, span, .. } => {
                json!({"kind": "file", "file": source.file, "line": span.line, "column": span.column})
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(option) => write!(f, "argument {option}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { source, span, .. } => write!(f, "{}:{}", source.file, span.line),
        }
    }
}

/// A key as it was written, its value, and where that was.
#[derive(Clone, Debug)]
pub struct Setting {
    /// In property notation; of an environment variable the property that it stands for.
    pub key: String,
    /// Before placeholders are replaced.
    pub value: String,
    /// Its place.
    pub origin: Origin,
}

/// What one source sets. Of two settings of one key the later holds.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    /// In the order in which they were written.
    pub settings: Vec<Setting>,
    /// What kind of source it is.
    pub kind: LayerKind,
}

/// Kinds of sources, as far as they are judged differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LayerKind {
    /// The command line: a name that nothing knows is a mistake.
    Arguments,
    /// The environment, as far as its names are ours.
    Environment,
    /// `application.properties` and its like, where other programs' names may stand too.
    #[default]
    File,
    /// The manifest: it gives way to all others, and a name that nothing knows is a mistake.
    Manifest,
}

impl Layer {
    /// The setting of a key, in any of its spellings.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings
            .iter()
            .rev()
            .find(|setting| super::relaxed::same(&setting.key, key))
    }
}
