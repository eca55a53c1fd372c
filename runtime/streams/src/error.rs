//! The one error of this crate: coded, so that each has a page in `docs/errors` and an exit code.

use std::fmt;
use std::path::PathBuf;

/// A class of fatal errors: what the operator has to look at, and the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// No broker answers at the bootstrap addresses.
    K001,
    /// The credentials were refused.
    K002,
    /// An access-control list forbids what the application must do.
    K003,
    /// The cluster answered with an error that no retry mends.
    K004,
    /// The cluster did not do what it had to within the time that is given to it.
    K005,
    /// The TLS handshake failed: one of the sides does not accept the other's certificate.
    K006,
    /// An input topic does not exist.
    T001,
    /// An output topic does not exist.
    T002,
    /// An internal topic exists with another number of partitions, or another clean-up policy, than the plan needs.
    T003,
    /// Topics that are read together differ in their partition counts.
    T004,
    /// An internal topic could not be created.
    T005,
    /// The committed offset lies outside the input topic, and no reset policy is set.
    T006,
    /// The dead-letter topic does not exist.
    T007,
    /// An internal topic could not be deleted.
    T008,
    /// A live group of another kind holds the application id.
    G001,
    /// Members of the group run another plan.
    G002,
    /// What only an empty group allows was asked of one with members.
    G003,
    /// Another process holds this instance's identity.
    F001,
    /// The group, or the coordinator of its transactions, went on without this process. It drops its tasks and joins again.
    F002,
    /// The state directory is held by another process.
    S001,
    /// State on disk is damaged.
    S002,
    /// The disk refused a read or a write.
    S003,
    /// The disk is full.
    S004,
    /// A record could not be read, and the handler says fail.
    R001,
    /// A record could not be processed, and the handler says fail.
    R002,
    /// A record could not be written, and the handler says fail.
    R003,
    /// A record carries no valid timestamp, and the extractor says fail.
    R004,
    /// The configuration is wrong.
    C001,
    /// A worker does not move.
    W001,
    /// The engine broke one of its own rules.
    X001,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 30] = [
        Self::K001,
        Self::K002,
        Self::K003,
        Self::K004,
        Self::K005,
        Self::K006,
        Self::T001,
        Self::T002,
        Self::T003,
        Self::T004,
        Self::T005,
        Self::T006,
        Self::T007,
        Self::T008,
        Self::G001,
        Self::G002,
        Self::G003,
        Self::F001,
        Self::F002,
        Self::S001,
        Self::S002,
        Self::S003,
        Self::S004,
        Self::R001,
        Self::R002,
        Self::R003,
        Self::R004,
        Self::C001,
        Self::W001,
        Self::X001,
    ];

    /// The process's exit code: 3 configuration, 4 Kafka, 5 topics, 6 fenced, 7 state, 8 a record, 70 a defect of Millrace.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        match self {
            Self::C001 => 3,
            Self::K001 | Self::K002 | Self::K003 | Self::K004 | Self::K005 | Self::K006 => 4,
            Self::T001 | Self::T002 | Self::T003 | Self::T004 | Self::T005 | Self::T006 | Self::T007 | Self::T008 => 5,
            Self::G001 | Self::G002 | Self::G003 | Self::F001 | Self::F002 => 6,
            Self::S001 | Self::S002 | Self::S003 | Self::S004 => 7,
            Self::R001 | Self::R002 | Self::R003 | Self::R004 => 8,
            Self::W001 | Self::X001 => 70,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MILL-{self:?}")
    }
}

/// What the engine does about an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// The application ends.
    Fatal,
    /// The transaction is dropped; the tasks start again from what is committed.
    Revive,
    /// The state of the task in this directory is damaged: it is set aside; then as `Revive`.
    SetAside(PathBuf),
    /// The disk with this task's directory is full: as `Revive`, once there is room.
    AwaitRoom(PathBuf),
    /// The group moved on without this member: its tasks are dropped, it joins again.
    Rejoin,
}

/// Why the application cannot go on.
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    recovery: Recovery,
}

/// The result of everything that can end the application.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a user's function may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// An error; the message names what it is about and says what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            recovery: Recovery::Fatal,
        }
    }

    pub(crate) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub(crate) fn recover_by(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The text without the code.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl From<millrace_kafka::Error> for Error {
    fn from(error: millrace_kafka::Error) -> Self {
        use millrace_kafka::ErrorKind as Kind;
        let code = match error.kind() {
            Kind::Unreachable => Code::K001,
            Kind::Authentication => Code::K002,
            Kind::Handshake => Code::K006,
            Kind::Unauthorized => Code::K003,
            Kind::Retriable | Kind::OutcomeUnknown => Code::K005,
            Kind::UnknownTopic => Code::T001,
            Kind::OffsetOutOfRange => Code::T006,
            Kind::Fenced | Kind::Rejoin => Code::F002,
            Kind::ForeignGroup => Code::G001,
            Kind::RecordRejected => Code::R003,
            Kind::Config => Code::C001,
            Kind::Abortable | Kind::TopicExists | Kind::Fatal => Code::K004,
        };
        let recovery = match error.kind() {
            Kind::Abortable | Kind::OutcomeUnknown | Kind::Retriable | Kind::Unreachable => Recovery::Revive,
            Kind::Fenced | Kind::Rejoin => Recovery::Rejoin,
            _ => Recovery::Fatal,
        };
        Self::new(code, error.to_string()).recover_by(recovery)
    }
}
