//! From source to the `cel` crate's syntax tree, with columns, and with macros recognised again.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::error::ExpressionError;

/// A parsed expression.
pub(crate) struct Source {
    pub(crate) root: IdedExpr,
    info: SourceInfo,
}

/// Parses `source`.
pub(crate) fn parse(source: &str) -> Result<Source, ExpressionError> {
    if source.trim().is_empty() {
        return Err(ExpressionError::new(1, "the expression is empty"));
    }
    let parser = cel::parser::Parser::new()
        .enable_optional_syntax(true)
        .enable_ident_escape_syntax(true);
    match parser.parse_with_source_info(source) {
        Ok((root, info)) => Ok(Source { root, info }),
        Err(errors) => {
            let Some(first) = errors.errors.first() else {
                return Err(ExpressionError::new(1, "this is no CEL expression"));
            };
            let (line, column) = first.pos;
            let before: usize = source
                .split_inclusive('\n')
                .take((line - 1).max(0) as usize)
                .map(|l| l.chars().count())
                .sum();
            let message = in_words(first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg));
            Err(ExpressionError::new(
                before + column.max(1) as usize,
                format!("this is no CEL: {message}"),
            ))
        }
    }
}

/// What the parser says, without the names of all tokens that it would take.
fn in_words(message: &str) -> String {
    let found = message.split(" expecting ").next().unwrap_or(message);
    let wrong = [
        "mismatched input ",
        "extraneous input ",
        "no viable alternative at input ",
    ]
    .iter()
    .find_map(|what| found.strip_prefix(what));
    match wrong {
        Some("'<EOF>'") => "the expression ends too early".to_owned(),
        Some(token) => format!("{token} cannot stand here"),
        None => found.to_owned(),
    }
}

impl Source {
    /// The column of a node, in characters from 1.
    pub(crate) fn column(&self, id: u64) -> usize {
        let start = self.info.offset_for(id).map_or(0, |(start, _)| start as usize);
        // The parser counts bytes.
        self.info
            .source
            .get(..start)
            .map_or(start, |before| before.chars().count())
            + 1
    }
}

/// `list.all(x, ..)` and its kin, which the parser has expanded into folds.
pub(crate) struct Macro<'e> {
    pub(crate) kind: MacroKind,
    pub(crate) list: &'e IdedExpr,
    pub(crate) variable: &'e str,
    pub(crate) filter: Option<&'e IdedExpr>,
    pub(crate) body: &'e IdedExpr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Map,
}

impl MacroKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            MacroKind::All => "all",
            MacroKind::Exists => "exists",
            MacroKind::ExistsOne => "exists_one",
            MacroKind::Map => "map",
        }
    }
}

/// The macro that a fold came from.
pub(crate) fn recognise(fold: &ComprehensionExpr) -> Option<Macro<'_>> {
    let Expr::Call(step) = &fold.loop_step.expr else {
        return None;
    };
    let found = |kind, filter, body| {
        Some(Macro {
            kind,
            list: &fold.iter_range,
            variable: &fold.iter_var,
            filter,
            body,
        })
    };
    match (step.func_name.as_str(), step.args.as_slice()) {
        (operators::LOGICAL_AND, [_, body]) => found(MacroKind::All, None, body),
        (operators::LOGICAL_OR, [_, body]) => found(MacroKind::Exists, None, body),
        (operators::ADD, [_, appended]) => found(MacroKind::Map, None, only_element(appended)?),
        (operators::CONDITIONAL, [condition, then, _]) => {
            let Expr::Call(CallExpr { args, .. }) = &then.expr else {
                return None;
            };
            let added = args.get(1)?;
            match &fold.accu_init.expr {
                Expr::List(_) => found(MacroKind::Map, Some(condition), only_element(added)?),
                Expr::Literal(LiteralValue::Int(_)) => found(MacroKind::ExistsOne, None, condition),
                _ => None,
            }
        }
        _ => None,
    }
}

fn only_element(list: &IdedExpr) -> Option<&IdedExpr> {
    match &list.expr {
        Expr::List(list) => list.elements.first(),
        _ => None,
    }
}
