//! Compiling expressions, with located errors.

use crate::{
    diagnostic::{Code, Diagnostic},
    expression::{Expression, ExpressionError, Scope, Type},
    format::Format,
    grammar::{self, ExpressionText},
    lower::{Lowering, Output, OutputField},
    value::Name,
};

impl Lowering<'_> {
    /// Compiles an expression; says what is wrong with it.
    pub(super) fn compile(&mut self, text: &ExpressionText, scope: &Scope) -> Option<Expression> {
        match Expression::compile(&text.value, scope) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.report.push(located(text, error));
                None
            }
        }
    }

    /// Compiles an expression that must give one of these types.
    pub(super) fn compile_as(
        &mut self,
        text: &ExpressionText,
        scope: &Scope,
        what: &str,
        due: &[Type],
        hint: &str,
    ) -> Option<Expression> {
        let expression = self.compile(text, scope)?;
        let ty = expression.static_type();
        if ty == Type::Dyn || due.contains(&ty) {
            return Some(expression);
        }
        let message = format!("{what}, but this gives {}", with_article(ty));
        let width = text.value.chars().count();
        self.report.push(
            Diagnostic::error(Code::Expression, &text.path, message)
                .at(&text.value, 1, width)
                .hint(hint),
        );
        None
    }

    /// Compiles a new value, and says its type.
    pub(super) fn compile_output(&mut self, output: &grammar::Output, scope: &Scope) -> Option<(Output, Type)> {
        let output = match output {
            grammar::Output::Expression(text) => {
                let expression = self.compile(text, scope)?;
                let ty = expression.static_type();
                return Some((Output::Expression(expression), ty));
            }
            grammar::Output::Fields(fields) => Output::Fields(self.compile_fields(fields, scope)?),
            grammar::Output::Add(fields) => Output::Add(self.compile_fields(fields, scope)?),
            grammar::Output::Drop(names) => Output::Drop(names.iter().map(|name| Name::new(&name.value)).collect()),
        };
        Some((output, Type::Map))
    }

    /// All of them are compiled, so that all mistakes are found.
    fn compile_fields(&mut self, fields: &[grammar::Field], scope: &Scope) -> Option<Vec<OutputField>> {
        let compiled: Vec<_> = fields
            .iter()
            .map(|field| {
                let expression = self.compile(&field.expression, scope)?;
                Some(OutputField {
                    name: Name::new(&field.name),
                    expression,
                })
            })
            .collect();
        compiled.into_iter().collect()
    }
}

/// The error with its place in the manifest.
pub(super) fn located(text: &ExpressionText, error: ExpressionError) -> Diagnostic {
    let width = token_at(&text.value, error.column);
    let problem = Diagnostic::error(Code::Expression, &text.path, error.message).at(&text.value, error.column, width);
    match error.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// Characters of the word that starts at the column, at least 1.
fn token_at(text: &str, column: usize) -> usize {
    let word = |c: &char| c.is_alphanumeric() || *c == '_';
    text.chars()
        .skip(column.saturating_sub(1))
        .take_while(word)
        .count()
        .max(1)
}

/// Whether a topic of this format can hold values of this type; if not, how to convert them.
pub(super) fn writes(format: Format, ty: Type) -> Result<(), &'static str> {
    match (format, ty) {
        (Format::Json, _) | (_, Type::Dyn | Type::Null) => Ok(()),
        (Format::String, Type::String) | (Format::Long, Type::Int) | (Format::Double, Type::Double | Type::Int) => {
            Ok(())
        }
        (Format::Bytes, Type::Bytes | Type::String) => Ok(()),
        (Format::String, Type::List | Type::Map) => Err("declare the format json for it"),
        (Format::String, _) => Err("convert it with string(..)"),
        (Format::Long, Type::Double | Type::String | Type::Timestamp) => Err("convert it with int(..)"),
        (Format::Double, Type::String) => Err("convert it with double(..)"),
        (Format::Long | Format::Double | Format::Bytes, _) => Err("declare another format for the topic, e.g. json"),
    }
}

/// `a string`, `an int`.
pub(super) fn with_article(ty: Type) -> String {
    match ty {
        Type::Null => "null".to_owned(),
        Type::Int | Type::Map | Type::Optional => format!("an {ty}"),
        _ => format!("a {ty}"),
    }
}
