//! The one error of this crate.

use std::fmt;

/// What the caller can do about an error.
///
/// The engine decides by kind alone; the text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Try the same call again later: the cluster is busy, moving or away.
    Retriable,
    /// No broker could be reached at all.
    Unreachable,
    /// The open transaction must be aborted; the producer stays usable.
    Abortable,
    /// Another producer or member holds this identity.
    Fenced,
    /// A commit or abort timed out: it may or may not have happened.
    OutcomeUnknown,
    /// The group moved on (stale generation, unknown member): rejoin.
    Rejoin,
    /// The group has live members of another kind: none of ours is let in.
    ForeignGroup,
    /// A topic or partition that does not exist.
    UnknownTopic,
    /// A topic that was to be created exists already.
    TopicExists,
    /// Refused by the cluster's access control.
    Unauthorized,
    /// The credentials were refused.
    Authentication,
    /// The TLS handshake failed: one of the sides does not accept the other's certificate.
    Handshake,
    /// A record that the cluster or the client will never take (too large, invalid timestamp).
    RecordRejected,
    /// The offset asked for is outside the log.
    OffsetOutOfRange,
    /// The client was configured wrongly.
    Config,
    /// Nothing more can be done with this client.
    Fatal,
}

/// An error of the log, with what it is about in its text.
///
/// `Display` gives one line without the source chain.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The result of every call on a log.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `message` names the topic, partition, group or broker that it is about.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(self, what: impl fmt::Display) -> Self {
        Self {
            kind: self.kind,
            message: format!("{what}: {}", self.message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
