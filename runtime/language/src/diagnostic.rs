//! What is wrong with a manifest: where, what, and what to do.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The manifest cannot run.
    Error,
    /// It runs, but perhaps not as meant.
    Warning,
}

/// The kind of mistake: a stable word for tools and error pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A key that is not in the language.
    UnknownKey,
    /// A key that must be there.
    MissingKey,
    /// A value of another kind than is due, e.g. a list for a map.
    WrongKind,
    /// A value that is none of the words allowed.
    UnknownWord,
    /// In the language, but this version cannot do it.
    NotAvailable,
    /// Something that is no text stands where an expression is due, or text that YAML has split.
    NotAnExpression,
    /// An expression that does not compile: syntax, an unknown name, types.
    Expression,
    /// A name that Kafka or YAML would not take.
    BadName,
    /// A name that must be unique, twice.
    DuplicateName,
    /// A duration or a number out of its bounds.
    BadValue,
    /// A topic or pipeline that is not declared.
    UnknownReference,
    /// Pipelines that feed each other in a circle.
    Circle,
    /// A step that does not fit on what comes before it.
    StepDoesNotFit,
    /// A format that does not fit what is written or read with it.
    FormatDoesNotFit,
    /// Something that has no effect.
    Unused,
}

impl Code {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::UnknownKey => "unknown-key",
            Code::MissingKey => "missing-key",
            Code::WrongKind => "wrong-kind",
            Code::UnknownWord => "unknown-word",
            Code::NotAvailable => "not-available",
            Code::NotAnExpression => "not-an-expression",
            Code::Expression => "expression",
            Code::BadName => "bad-name",
            Code::DuplicateName => "duplicate-name",
            Code::BadValue => "bad-value",
            Code::UnknownReference => "unknown-reference",
            Code::Circle => "circle",
            Code::StepDoesNotFit => "step-does-not-fit",
            Code::FormatDoesNotFit => "format-does-not-fit",
            Code::Unused => "unused",
        }
    }
}

/// A place inside an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The whole expression.
    pub expression: String,
    /// First character concerned, counted from 1.
    pub column: usize,
    /// Characters concerned, at least 1.
    pub width: usize,
}

/// One thing to say about a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The kind of mistake.
    pub code: Code,
    /// JSON path of the value concerned, e.g. `spec.topology.pipelines[0].steps[1].aggregate.window`.
    pub path: String,
    /// Where in the expression, if the value is one.
    pub spot: Option<Spot>,
    /// What is wrong, in one sentence without full stop.
    pub message: String,
    /// What to do, likewise.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Diagnostic {
            severity: Severity::Error,
            code,
            path,
            spot: None,
            message,
            hint: None,
        }
    }

    /// A warning.
    pub fn warning(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error(code, path, message)
        }
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the place inside an expression; `column` counts characters from 1.
    #[must_use]
    pub fn at(mut self, expression: &str, column: usize, width: usize) -> Self {
        self.spot = Some(Spot {
            expression: expression.to_owned(),
            column: column.max(1),
            width: width.max(1),
        });
        self
    }

    /// Several lines: what [`Display`](fmt::Display) prints without hint, then the expression with a caret, then the hint.
    ///
    /// ```
    /// use millrace_language::{Code, Diagnostic};
    /// let wrong = Diagnostic::error(Code::Expression, "steps[0].filter", "no such name: amount")
    ///     .hint("fields are read from the value: value.amount")
    ///     .at("amount > 0", 1, 6);
    /// assert_eq!(wrong.to_string(), "error: steps[0].filter, column 1: no such name: amount; fields are read from the value: value.amount");
    /// assert_eq!(wrong.render(), "\
    /// error: steps[0].filter, column 1: no such name: amount
    ///   | amount > 0
    ///   | ^^^^^^
    ///   = fields are read from the value: value.amount
    /// ");
    /// ```
    pub fn render(&self) -> String {
        let mut out = format!("{}\n", self.headline());
        if let Some(spot) = &self.spot {
            // Only the line concerned of an expression over several lines.
            let mut before = spot.column - 1;
            for line in spot.expression.split('\n') {
                let length = line.chars().count();
                if before <= length {
                    let line = line.replace('\t', " ");
                    let carets = "^".repeat(spot.width.min((length - before).max(1)));
                    out.push_str(&format!("  | {line}\n  | {:before$}{carets}\n", ""));
                    break;
                }
                before -= length + 1;
            }
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("  = {hint}\n"));
        }
        out
    }

    fn headline(&self) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        match &self.spot {
            Some(spot) => format!("{severity}: {}, column {}: {}", self.path, spot.column, self.message),
            None => format!("{severity}: {}: {}", self.path, self.message),
        }
    }
}

/// One line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// All there is to say about a manifest, by the order of the places in it as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|one| one.severity == Severity::Error)
    }

    /// All in several lines each.
    pub fn render(&self) -> String {
        self.0.iter().map(Diagnostic::render).collect()
    }

    pub(crate) fn push(&mut self, one: Diagnostic) {
        self.0.push(one);
    }
}

/// One line each.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{one}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
