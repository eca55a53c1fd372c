//! Problems as people see them: file, line, column, the line itself, a caret, and what to do.

use std::fmt::Write as _;

use millrace_language::{Diagnostic, Severity, Spot};
use serde::Serialize;

use super::places::{Place, Places};
use super::tree::{Span, Style};

/// One thing to say about a manifest, located in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The file as it was named on the command line.
    pub file: String,
    /// Line, from 1; 0 where there is none (an argument, an unreadable file).
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The stable word of the mistake.
    pub code: &'static str,
    /// JSON path.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The source line and the columns concerned, from 1; what is shown with a caret.
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    line: String,
    column: usize,
    width: usize,
}

/// A file's text and places: what turns paths into lines.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was named on the command line.
    pub file: String,
    pub(super) lines: Vec<String>,
    pub(super) places: Places,
}

impl Problem {
    /// About no place in a file.
    #[must_use]
    pub fn nowhere(file: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: "error",
            file: file.to_owned(),
            line: 0,
            column: 0,
            code,
            path: String::new(),
            message: message.into(),
            hint: None,
            excerpt: None,
        }
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// As a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = "warning";
        self
    }

    /// Without the line itself, which may hold a secret.
    #[must_use]
    pub fn unquoted(mut self) -> Self {
        self.excerpt = None;
        self
    }

    /// Whether it keeps the manifest from running.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// Several lines of text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = self.file.clone();
        if self.line > 0 {
            let _ = write!(out, ":{}:{}", self.line, self.column);
        }
        let _ = writeln!(out, ": {}: {} [{}]", self.severity, self.message, self.code);
        if let Some(excerpt) = &self.excerpt {
            let line = excerpt.line.replace('\t', " ");
            let before = " ".repeat(excerpt.column - 1);
            let carets = "^".repeat(excerpt.width.max(1));
            let _ = writeln!(out, "{:>5} | {line}\n      | {before}{carets}", self.line);
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "      = {hint}");
        }
        out
    }
}

impl Source {
    /// A file without places.
    #[must_use]
    pub fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
            places: Places::default(),
        }
    }

    /// A problem at a stretch of the source.
    #[must_use]
    pub fn at(&self, span: Span, code: &'static str, path: &str, message: impl Into<String>) -> Problem {
        let line = self.lines.get(span.line.saturating_sub(1)).cloned().unwrap_or_default();
        let length = line.trim_end().chars().count();
        let end = if span.end_line > span.line {
            length + 1
        } else {
            span.end_column
        };
        let width = end.min(length + 1).saturating_sub(span.column).max(1);
        // Past the end there is nothing to show.
        let excerpt = (!line.trim().is_empty()).then_some(Excerpt {
            line,
            column: span.column,
            width,
        });
        Problem {
            line: span.line,
            column: span.column,
            path: path.to_owned(),
            excerpt,
            ..Problem::nowhere(&self.file, code, message)
        }
    }

    /// A problem at a JSON path; `on_key` points at the key rather than the value.
    #[must_use]
    pub fn at_path(&self, path: &str, on_key: bool, code: &'static str, message: impl Into<String>) -> Problem {
        match self.span_of(path, on_key) {
            Some(span) => self.at(span, code, path, message),
            None => Problem {
                path: path.to_owned(),
                ..Problem::nowhere(&self.file, code, message)
            },
        }
    }

    /// Where a JSON path stands, or the nearest thing around it; `None` in a file without places.
    #[must_use]
    pub fn span_of(&self, path: &str, on_key: bool) -> Option<Span> {
        let (place, is_exact) = self.places.nearest(path)?;
        Some(self.pointed(place, on_key || !is_exact))
    }

    /// A diagnostic of the language.
    #[must_use]
    pub fn of(&self, diagnostic: &Diagnostic) -> Problem {
        use millrace_language::Code;
        let on_key = matches!(
            diagnostic.code,
            Code::UnknownKey | Code::MissingKey | Code::StepDoesNotFit | Code::Unused
        );
        let code = diagnostic.code.as_str();
        let spot = diagnostic
            .spot
            .as_ref()
            .and_then(|spot| Some((spot, self.in_text(&diagnostic.path, spot)?)));
        let problem = match spot {
            Some((_, span)) => self.at(span, code, &diagnostic.path, &diagnostic.message),
            None => {
                let mut problem = self.at_path(&diagnostic.path, on_key, code, &diagnostic.message);
                // Text over several lines, or out of the file's sight: the expression itself is shown.
                if let Some(spot) = &diagnostic.spot {
                    problem.excerpt = excerpt_of(spot);
                }
                problem
            }
        };
        let problem = problem.hint(diagnostic.hint.clone());
        if diagnostic.severity == Severity::Warning {
            problem.warning()
        } else {
            problem
        }
    }

    fn pointed(&self, place: Place, on_key: bool) -> Span {
        match place.key {
            Some(key) if on_key || place.is_container => key,
            _ if place.is_container => Span {
                end_line: place.value.line,
                end_column: place.value.column + 1,
                ..place.value
            },
            _ => place.value,
        }
    }

    /// The place of a spot in text that stands in one line: quotes and escapes are counted.
    fn in_text(&self, path: &str, spot: &Spot) -> Option<Span> {
        let place = self.places.get(path)?;
        let span = place.value;
        if span.line != span.end_line {
            return None;
        }
        let raw: Vec<char> = self.lines.get(span.line - 1)?.chars().collect();
        let raw = raw.get(span.column - 1..span.end_column - 1)?;
        let widths = match place.style? {
            Style::Plain => vec![1; raw.len()],
            Style::Single => widths(raw, |rest| if rest.starts_with(&['\'', '\'']) { 2 } else { 1 }),
            Style::Double => widths(raw, escape_width),
            Style::Block => return None,
        };
        let quote = usize::from(place.style != Some(Style::Plain));
        let start: usize = quote + widths.iter().take(spot.column - 1).sum::<usize>();
        let width: usize = widths.iter().skip(spot.column - 1).take(spot.width).sum();
        let column = span.column + start;
        Some(Span {
            line: span.line,
            column,
            end_line: span.line,
            end_column: column + width.max(1),
        })
    }
}

/// How many characters of the source each character of quoted text takes.
fn widths(raw: &[char], width: impl Fn(&[char]) -> usize) -> Vec<usize> {
    let mut rest = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    let mut widths = Vec::new();
    while !rest.is_empty() {
        let width = width(rest).min(rest.len());
        widths.push(width);
        rest = &rest[width..];
    }
    widths
}

fn escape_width(rest: &[char]) -> usize {
    match rest {
        ['\\', 'x', ..] => 4,
        ['\\', 'u', ..] => 6,
        ['\\', 'U', ..] => 10,
        ['\\', ..] => 2,
        _ => 1,
    }
}

fn excerpt_of(spot: &Spot) -> Option<Excerpt> {
    let mut before = spot.column - 1;
    for line in spot.expression.split('\n') {
        let length = line.chars().count();
        if before <= length {
            return Some(Excerpt {
                line: line.to_owned(),
                column: before + 1,
                width: spot.width.min((length - before).max(1)),
            });
        }
        before -= length + 1;
    }
    None
}
