//! What can be wrong with a topology that was built by the DSL.

use std::fmt;

use crate::{Code, Error};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildFault {
    /// The plan refused a call.
    #[error(transparent)]
    Plan(#[from] millrace_topology::Error),
    /// A topic is read twice into different types.
    #[error(
        "topic `{topic}` is read twice, first as ({first}) and then as ({second}); read it once and map the stream, or read the same types"
    )]
    DifferentTypes {
        /// The topic.
        topic: String,
        /// Types of key and value of the first read.
        first: String,
        /// Those of the second.
        second: String,
    },
    /// A stream of one builder was merged with a stream of another.
    #[error("a stream of one StreamsBuilder is merged with a stream of another; make both with the same builder")]
    ForeignStream,
}

/// A topology that cannot be built: everything that is wrong with it, in the order of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// At least one.
    pub faults: Vec<BuildFault>,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildError {}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        Self::new(Code::C001, format!("the topology is wrong: {error}"))
    }
}
