//! An expression in one spelling: what two expressions that read the same have in common.

use std::fmt::Write as _;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::ast::{MacroKind, recognise};

/// The expression with as few parentheses as it needs.
pub(crate) fn print(expr: &IdedExpr) -> String {
    let mut out = String::new();
    write(&mut out, expr, 0);
    out
}

/// How tightly an expression holds together; an operand that is looser needs parentheses.
const CONDITIONAL: u8 = 1;
const UNARY: u8 = 7;
const POSTFIX: u8 = 8;

fn binary(function: &str) -> Option<(&'static str, u8)> {
    Some(match function {
        operators::LOGICAL_OR => ("||", 2),
        operators::LOGICAL_AND => ("&&", 3),
        operators::EQUALS => ("==", 4),
        operators::NOT_EQUALS => ("!=", 4),
        operators::LESS => ("<", 4),
        operators::LESS_EQUALS => ("<=", 4),
        operators::GREATER => (">", 4),
        operators::GREATER_EQUALS => (">=", 4),
        operators::IN => ("in", 4),
        operators::ADD => ("+", 5),
        operators::SUBSTRACT => ("-", 5),
        operators::MULTIPLY => ("*", 6),
        operators::DIVIDE => ("/", 6),
        operators::MODULO => ("%", 6),
        _ => return None,
    })
}

fn level(expr: &IdedExpr) -> u8 {
    match &expr.expr {
        Expr::Call(call) if call.target.is_none() => match call.func_name.as_str() {
            operators::CONDITIONAL => CONDITIONAL,
            operators::LOGICAL_NOT | operators::NEGATE => UNARY,
            name => binary(name).map_or(POSTFIX, |(_, level)| level),
        },
        Expr::Literal(LiteralValue::Int(n)) if *n.inner() < 0 => UNARY,
        Expr::Literal(LiteralValue::Double(d)) if d.inner().is_sign_negative() => UNARY,
        _ => POSTFIX,
    }
}

fn write(out: &mut String, expr: &IdedExpr, at_least: u8) {
    if level(expr) < at_least {
        out.push('(');
        bare(out, expr);
        out.push(')');
    } else {
        bare(out, expr);
    }
}

fn bare(out: &mut String, expr: &IdedExpr) {
    match &expr.expr {
        Expr::Literal(literal) => write_literal(out, literal),
        Expr::Ident(name) => out.push_str(name),
        Expr::Select(select) => {
            out.push_str(if select.test { "has(" } else { "" });
            write(out, &select.operand, POSTFIX);
            out.push('.');
            write_name(out, &select.field);
            out.push_str(if select.test { ")" } else { "" });
        }
        Expr::List(list) => {
            out.push('[');
            for (i, element) in list.elements.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(if list.optional_indices.contains(&i) { "?" } else { "" });
                write(out, element, 0);
            }
            out.push(']');
        }
        Expr::Map(map) => {
            out.push('{');
            for (i, entry) in map.entries.iter().enumerate() {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    out.push_str(if i > 0 { ", " } else { "" });
                    out.push_str(if entry.optional { "?" } else { "" });
                    write(out, &entry.key, 0);
                    out.push_str(": ");
                    write(out, &entry.value, 0);
                }
            }
            out.push('}');
        }
        Expr::Comprehension(fold) => {
            if let Some(found) = recognise(fold) {
                write(out, found.list, POSTFIX);
                let _ = write!(out, ".{}({}, ", found.kind.name(), found.variable);
                if let (MacroKind::Map, Some(filter)) = (found.kind, found.filter) {
                    write(out, filter, 0);
                    out.push_str(", ");
                }
                write(out, found.body, 0);
                out.push(')');
            }
        }
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                write(out, condition, CONDITIONAL + 1);
                out.push_str(" ? ");
                write(out, then, CONDITIONAL + 1);
                out.push_str(" : ");
                write(out, otherwise, CONDITIONAL);
            }
            (operators::LOGICAL_NOT, [inner]) => {
                out.push('!');
                write(out, inner, UNARY);
            }
            (operators::NEGATE, [inner]) => {
                out.push('-');
                write(out, inner, POSTFIX);
            }
            (operators::INDEX | operators::OPT_INDEX, [of, index]) => {
                write(out, of, POSTFIX);
                out.push_str(if call.func_name == operators::INDEX { "[" } else { "[?" });
                write(out, index, 0);
                out.push(']');
            }
            (operators::OPT_SELECT, [of, field]) => {
                write(out, of, POSTFIX);
                out.push_str(".?");
                if let Expr::Literal(LiteralValue::String(name)) = &field.expr {
                    write_name(out, name.inner());
                }
            }
            (name, [left, right]) if call.target.is_none() && binary(name).is_some() => {
                let (sign, level) = binary(name).unwrap_or_default();
                // All of them lean to the left; `a && (b && c)` is `a && b && c` though, and so for ||.
                let right_level = if matches!(sign, "&&" | "||") { level } else { level + 1 };
                write(out, left, level);
                let _ = write!(out, " {sign} ");
                write(out, right, right_level);
            }
            (name, arguments) => {
                if let Some(target) = &call.target {
                    write(out, target, POSTFIX);
                    out.push('.');
                }
                let _ = write!(out, "{name}(");
                for (i, argument) in arguments.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    write(out, argument, 0);
                }
                out.push(')');
            }
        },
        Expr::Struct(_) | Expr::Unspecified => out.push_str("<message>"),
    }
}

fn write_name(out: &mut String, name: &str) {
    let plain = name
        .chars()
        .enumerate()
        .all(|(i, c)| c == '_' || c.is_ascii_alphabetic() || (i > 0 && c.is_ascii_digit()));
    if plain {
        out.push_str(name);
    } else {
        let _ = write!(out, "`{name}`");
    }
}

fn write_literal(out: &mut String, literal: &LiteralValue) {
    let _ = match literal {
        LiteralValue::Boolean(b) => write!(out, "{}", b.inner()),
        LiteralValue::Int(n) => write!(out, "{}", n.inner()),
        LiteralValue::UInt(n) => write!(out, "{}u", n.inner()),
        LiteralValue::Double(d) => write!(out, "{:?}", d.inner()),
        LiteralValue::Null => write!(out, "null"),
        LiteralValue::String(text) => {
            out.push('"');
            for c in text.inner().chars() {
                let _ = match c {
                    '"' | '\\' => write!(out, "\\{c}"),
                    c if c.is_control() => write!(out, "\\U{:08x}", u32::from(c)),
                    c => write!(out, "{c}"),
                };
            }
            out.push('"');
            Ok(())
        }
        LiteralValue::Bytes(bytes) => {
            out.push_str("b\"");
            for byte in bytes.inner() {
                let _ = write!(out, "\\x{byte:02x}");
            }
            out.push('"');
            Ok(())
        }
    };
}
