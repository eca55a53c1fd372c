//! Type checks of operators, and how a call finds its function.

use cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::compile::{Compiler, Result, Typed, nearest};
use super::functions::{AGGREGATES, KNOWN_TO_CEL, SIGNATURES, Signature};
use super::node::Node;
use super::operators::{Arithmetic, Comparison};
use super::scope::Type;
use crate::value::Value;

const NAMESPACES: [&str; 11] = [
    "math", "optional", "strings", "lists", "base64", "sets", "cel", "regex", "net", "proto", "encoders",
];

impl Compiler<'_> {
    pub(super) fn arithmetic(
        &mut self,
        expr: &IdedExpr,
        op: Arithmetic,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Typed> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        let Some(ty) = result_of(op, left.ty, right.ty) else {
            let error = self.error(expr, format!("{} {} {} is not defined", left.ty, op.sign(), right.ty));
            return Err(match (left.ty, right.ty) {
                (Type::String, _) | (_, Type::String) if op == Arithmetic::Add => {
                    error.hint("convert the other side with string(..)")
                }
                (Type::String, other) | (other, Type::String) if other.is_number() => {
                    error.hint("convert the text with int(..) or double(..)")
                }
                (Type::Double, _) | (_, Type::Double) if op == Arithmetic::Remainder => {
                    error.hint("% takes integers: use int(..)")
                }
                _ => error,
            });
        };
        Ok(self.folded(Node::Arithmetic(op, Box::new([left.node, right.node])), ty))
    }

    pub(super) fn comparison(
        &mut self,
        expr: &IdedExpr,
        op: Comparison,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Typed> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        let ordered = |ty| !matches!(ty, Type::Null | Type::List | Type::Map | Type::Optional);
        let same = left.ty.fits(right.ty) || (left.ty.is_number() && right.ty.is_number());
        if !same || !ordered(left.ty) || !ordered(right.ty) {
            let error = self.error(expr, format!("{} {} {} is not defined", left.ty, op.sign(), right.ty));
            return Err(match (left.ty, right.ty) {
                (Type::String, other) | (other, Type::String) if other.is_number() => {
                    error.hint("convert the text with int(..) or double(..)")
                }
                (Type::String, Type::Timestamp) | (Type::Timestamp, Type::String) => {
                    error.hint("convert the text with timestamp(..)")
                }
                (Type::String, Type::Duration) | (Type::Duration, Type::String) => {
                    error.hint("convert the text with duration(..)")
                }
                _ => error,
            });
        }
        Ok(self.folded(Node::Compare(op, Box::new([left.node, right.node])), Type::Bool))
    }

    pub(super) fn equality(
        &mut self,
        expr: &IdedExpr,
        wanted: bool,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Typed> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        let can_be_equal = left.ty.fits(right.ty)
            || (left.ty.is_number() && right.ty.is_number())
            || left.ty == Type::Null
            || right.ty == Type::Null;
        if !can_be_equal {
            let message = format!("{} and {} are never equal", left.ty, right.ty);
            return Err(self.error(expr, message).hint("convert one side"));
        }
        Ok(self.folded(Node::Equals(wanted, Box::new([left.node, right.node])), Type::Bool))
    }

    pub(super) fn function(&mut self, expr: &IdedExpr, call: &CallExpr) -> Result<Typed> {
        let Some(target) = &call.target else {
            return self.invoke(expr, &call.func_name, None, &call.args);
        };
        if let Expr::Ident(space) = &target.expr
            && NAMESPACES.contains(&space.as_str())
        {
            let name = format!("{space}.{}", call.func_name);
            return match (name.as_str(), call.args.as_slice()) {
                ("optional.none", []) => Ok(Typed::new(Node::OptNone, Type::Optional)),
                ("optional.of", [value]) => {
                    let value = self.value(value)?;
                    Ok(Typed::new(Node::OptOf(Box::new(value.node)), Type::Optional))
                }
                ("optional.of" | "optional.none", _) => {
                    Err(self.error(expr, format!("{name} has another number of arguments")))
                }
                _ => self.invoke(expr, &name, None, &call.args),
            };
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("orValue", [default]) => {
                let of = self.optional(target, "orValue")?;
                let default = self.value(default)?;
                let ty = if default.ty == Type::Null {
                    Type::Null
                } else {
                    Type::Dyn
                };
                let ty = if ty == Type::Null { Type::Dyn } else { ty };
                Ok(Typed::new(Node::OrValue(Box::new([of, default.node])), ty))
            }
            ("or", [other]) => {
                let parts = [self.optional(target, "or")?, self.optional(other, "or")?];
                Ok(Typed::new(Node::OptOr(Box::new(parts)), Type::Optional))
            }
            ("hasValue", []) => Ok(Typed::new(
                Node::HasValue(Box::new(self.optional(target, "hasValue")?)),
                Type::Bool,
            )),
            ("value", []) => Ok(Typed::new(
                Node::OptValue(Box::new(self.optional(target, "value()")?)),
                Type::Dyn,
            )),
            _ => self.invoke(expr, &call.func_name, Some(target), &call.args),
        }
    }

    fn optional(&mut self, expr: &IdedExpr, method: &str) -> Result<Node> {
        let typed = self.part(expr)?;
        if typed.ty != Type::Optional {
            return Err(self
                .error(expr, format!("{method} belongs to an optional"))
                .hint("make one with .?, e.g. value.?x"));
        }
        Ok(typed.node)
    }

    fn invoke(
        &mut self,
        expr: &IdedExpr,
        name: &str,
        target: Option<&IdedExpr>,
        arguments: &[IdedExpr],
    ) -> Result<Typed> {
        let named: Vec<&Signature> = SIGNATURES.iter().filter(|s| s.name == name).collect();
        if named.is_empty() {
            return Err(self.unknown(expr, name, target.is_some()));
        }
        let called: Vec<&Signature> = named.iter().copied().filter(|s| s.method == target.is_some()).collect();
        if called.is_empty() {
            let form = if target.is_some() {
                format!("{name}(x)")
            } else {
                format!("x.{name}(..)")
            };
            return Err(self
                .error(expr, format!("{name} is called otherwise"))
                .hint(format!("write {form}")));
        }
        let mut nodes = Vec::with_capacity(arguments.len() + 1);
        let mut types = Vec::with_capacity(arguments.len() + 1);
        for argument in target.into_iter().chain(arguments) {
            let typed = self.value(argument)?;
            nodes.push(typed.node);
            types.push(typed.ty);
        }
        let fitting: Vec<&Signature> = called
            .iter()
            .copied()
            .filter(|s| {
                s.arguments.len() == types.len() && s.arguments.iter().zip(&types).all(|(wanted, ty)| ty.fits(*wanted))
            })
            .collect();
        let Some(first) = fitting.first() else {
            return Err(self.no_overload(expr, name, &called, &types));
        };
        if name == "matches"
            && let Node::Const(Value::String(pattern)) = &nodes[1]
        {
            let pattern = regex::Regex::new(pattern.as_str()).map_err(|e| {
                let last_line = e
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                self.error(
                    &arguments[arguments.len() - 1],
                    format!("this is no regular expression: {last_line}"),
                )
            })?;
            let text = nodes.swap_remove(0);
            return Ok(self.folded(Node::Matches(Box::new(text), pattern), Type::Bool));
        }
        let ty = if fitting.iter().all(|s| s.result == first.result) {
            first.result
        } else {
            Type::Dyn
        };
        Ok(self.folded(Node::Call(first.function, first.name, nodes), ty))
    }

    fn no_overload(
        &self,
        expr: &IdedExpr,
        name: &str,
        called: &[&Signature],
        types: &[Type],
    ) -> super::ExpressionError {
        let listed = |types: &[Type]| types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
        let show = |types: &[Type], method: bool| match types {
            [on, rest @ ..] if method => format!("{on}.{name}({})", listed(rest)),
            all => format!("{name}({})", listed(all)),
        };
        let method = called[0].method;
        let time_zone =
            matches!(types, [Type::Timestamp | Type::Dyn, Type::String | Type::Dyn]) && name.starts_with("get");
        let known: Vec<String> = called.iter().map(|s| show(s.arguments, method)).collect();
        let error = self.error(expr, format!("there is no {}", show(types, method)));
        if time_zone {
            return error.hint("time zones are not supported: timestamps answer in UTC");
        }
        error.hint(format!("there is {}", known.join(", ")))
    }

    fn unknown(&self, expr: &IdedExpr, name: &str, method: bool) -> super::ExpressionError {
        if AGGREGATES.contains(&name) && !method {
            return self
                .error(expr, format!("{name} is an aggregate, not a function"))
                .hint("it stands by itself in the fields of an aggregate step; put a mapValues after that for what follows from it");
        }
        if KNOWN_TO_CEL.contains(&name) {
            return self.error(expr, format!("{name} is known to CEL but not supported here"));
        }
        let error = self.error(expr, format!("there is no function {name}"));
        let macros = [
            "has",
            "all",
            "exists",
            "exists_one",
            "map",
            "filter",
            "orValue",
            "hasValue",
        ];
        let known = SIGNATURES.iter().map(|s| s.name).chain(macros);
        match nearest(name, known) {
            Some(near) if near == name => error.hint(format!("{name} takes another number of arguments")),
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error,
        }
    }
}

/// The type of `left op right`; `None` if there can be none.
fn result_of(op: Arithmetic, left: Type, right: Type) -> Option<Type> {
    use Type::{Bytes, Double, Duration, Dyn, Int, List, String, Timestamp};
    match (op, left, right) {
        (_, Type::Optional | Type::Null | Type::Bool | Type::Map, _)
        | (_, _, Type::Optional | Type::Null | Type::Bool | Type::Map) => None,
        (Arithmetic::Remainder, Int | Dyn, Int | Dyn) => Some(Int),
        (Arithmetic::Remainder, _, _) => None,
        (_, Int, Int) => Some(Int),
        (_, Int | Double, Double) | (_, Double, Int) => Some(Double),
        (_, Dyn, Double) | (_, Double, Dyn) => Some(Double),
        (_, Dyn, Int) | (_, Int, Dyn) => Some(Dyn),
        (Arithmetic::Add, String, String | Dyn) | (Arithmetic::Add, Dyn, String) => Some(String),
        (Arithmetic::Add, Bytes, Bytes | Dyn) | (Arithmetic::Add, Dyn, Bytes) => Some(Bytes),
        (Arithmetic::Add, List, List | Dyn) | (Arithmetic::Add, Dyn, List) => Some(List),
        (Arithmetic::Add, Timestamp, Duration | Dyn) | (Arithmetic::Add, Duration | Dyn, Timestamp) => Some(Timestamp),
        (Arithmetic::Add | Arithmetic::Subtract, Duration, Duration) => Some(Duration),
        (Arithmetic::Subtract, Timestamp, Timestamp) => Some(Duration),
        (Arithmetic::Subtract, Timestamp, Duration) => Some(Timestamp),
        (Arithmetic::Add | Arithmetic::Subtract, Timestamp | Duration | Dyn, Timestamp | Duration | Dyn) => Some(Dyn),
        (_, Dyn, Dyn) => Some(Dyn),
        _ => None,
    }
}
