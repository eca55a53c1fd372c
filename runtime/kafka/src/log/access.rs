//! Rights on a cluster's resources, by the names of its access-control lists.

use std::fmt;

/// What somebody may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Fetch records; join a group and commit its offsets.
    Read,
    /// Write records; use a transactional id.
    Write,
    /// Create topics.
    Create,
    /// Delete records.
    Delete,
    /// See that it is there.
    Describe,
    /// See its configuration.
    DescribeConfigs,
}

impl Operation {
    /// The number of `AclOperation`, which is also its bit in what a broker says is authorized.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Read => 3,
            Self::Write => 4,
            Self::Create => 5,
            Self::Delete => 6,
            Self::Describe => 8,
            Self::DescribeConfigs => 10,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What something is done to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A topic.
    Topic(String),
    /// A group.
    Group(String),
    /// A transactional id.
    TransactionalId(String),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::TransactionalId(name) => write!(f, "transactional id {name}"),
        }
    }
}

/// A right: an operation on a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Right {
    /// What may be done.
    pub operation: Operation,
    /// To what.
    pub resource: Resource,
}

impl Right {
    /// `operation` on a topic.
    pub fn on_topic(operation: Operation, name: impl Into<String>) -> Self {
        Self {
            operation,
            resource: Resource::Topic(name.into()),
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.operation, self.resource)
    }
}
