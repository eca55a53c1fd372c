//! What is wrong with an expression, or with a record that an expression met.

use std::fmt;

/// An expression that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// Where: characters from the start of the expression, from 1.
    pub column: usize,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ExpressionError {
    pub(crate) fn new(column: usize, message: impl Into<String>) -> Self {
        ExpressionError {
            message: message.into(),
            column,
            hint: None,
        }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `column 5: message (hint)`.
impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExpressionError {}

/// A record for which an expression has no value: an absent field, a wrong type, an overflow. It goes to the processing handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    message: Box<str>,
}

impl EvalError {
    /// An error that says what was found where.
    #[cold]
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        EvalError {
            message: message.into().into_boxed_str(),
        }
    }

    /// Puts the field that it is about in front.
    #[cold]
    #[must_use]
    pub(crate) fn at(self, place: impl fmt::Display) -> Self {
        EvalError::new(format!("{place}: {}", self.message))
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}
