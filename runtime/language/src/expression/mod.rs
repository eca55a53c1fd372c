//! Expressions: CEL, compiled once and evaluated on every record.
//!
//! The `cel` crate parses; everything after that is ours: names are resolved, types checked where they are known, constants folded,
//! and field paths collected, so that reading `value.amount` is a look at a slot of the document. Evaluation borrows from the record;
//! numbers, comparisons and logic allocate nothing. It never locks or waits.
//!
//! # Semantics
//! CEL's, as the `cel` crate evaluates them (a property test compares the two), with these decisions:
//! * **Numbers**: arithmetic between int and double gives double, our one extension. They compare as doubles. JSON numbers without
//!   fraction or exponent are int; one that does not fit into 64 bits is an error when it is read. There is no `uint`.
//! * **Errors** (an absent field, a wrong type, an overflow) are errors of the record. `&&` and `||` absorb one if the other side
//!   decides; `has(value.x)` and `value.?x.orValue(0)` ask first. A null value has no fields: `value.x` of it is an error.
//! * **Comparing with NaN** is an error; `==` with it is false.
//! * **Maps** have string keys.
//! * **Timestamps** answer in UTC; the functions that take a time zone are not supported.
//! * **Optionals** live inside an expression only: it must end in `orValue`, `hasValue` or `value()`.

mod ast;
mod calls;
mod compile;
mod error;
mod eval;
mod functions;
mod node;
mod operators;
mod paths;
mod print;
mod scope;
mod strings;
mod val;

use std::sync::Arc;

pub(crate) use ast::parse;
pub(crate) use compile::{Compiler, nearest};
pub use error::{EvalError, ExpressionError};
pub(crate) use functions::AGGREGATES;
pub(crate) use node::Node;
pub(crate) use operators::{Arithmetic, arithmetic, compare};
pub use paths::{FieldPath, Paths, Root};
pub(crate) use print::print;
pub use scope::{Env, Headers, NoHeaders, Scope, Type};
pub(crate) use val::{Frame, Val};

use crate::value::Value;

#[cfg(test)]
mod bench;
#[cfg(test)]
pub(crate) use bench::time;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

/// A compiled expression. Cloning shares it.
///
/// ```
/// use millrace_language::expression::{Env, Expression, NoHeaders, Scope};
/// use millrace_language::format::Format;
/// use millrace_language::value::Value;
///
/// let scope = Scope::new(Format::String.value_type(), Format::Json.value_type());
/// let large = Expression::compile("value.amount > 100 && key.startsWith('user-')", &scope).unwrap();
///
/// let key = Value::from("user-1");
/// let value = Format::Json.decode(br#"{"amount": 120.5}"#[..].into(), &large.paths().value_shape()).unwrap();
/// let env = Env { key: &key, value: &value, timestamp: 0, topic: "t", partition: 0, offset: 0, headers: &NoHeaders, window: None };
/// assert_eq!(large.eval_bool(&env), Ok(true));
///
/// let error = Expression::compile("value.amount > 100 && key.startWith('user-')", &scope).unwrap_err();
/// assert_eq!(error.to_string(), "column 36: there is no function startWith (did you mean startsWith?)");
/// ```
#[derive(Clone, Debug)]
pub struct Expression {
    compiled: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    node: Node,
    ty: Type,
    paths: Paths,
    fingerprint: String,
}

impl Expression {
    /// Compiles `source` for records of `scope`.
    ///
    /// # Errors
    /// If it is no CEL, names what is not there, or cannot have the types that it needs; the error has the column and a hint.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, ExpressionError> {
        let source = parse(source)?;
        let mut compiler = Compiler::new(&source, scope);
        let typed = compiler.compile_root(&source.root)?;
        let compiled = Compiled {
            node: typed.node,
            ty: typed.ty,
            paths: compiler.into_paths(),
            fingerprint: print(&source.root),
        };
        Ok(Expression {
            compiled: Arc::new(compiled),
        })
    }

    /// Its value for one record.
    ///
    /// # Errors
    /// If the record does not have what the expression asks for; the message names the field and what was found.
    pub fn eval(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        match &self.compiled.node {
            // The whole key or value keeps its slots.
            Node::Root(root) => Ok(root.of(env).clone()),
            node => node.eval(Frame::new(env)).map(Val::into_value),
        }
    }

    /// Its value for one record, as the truth value that a predicate must have.
    ///
    /// # Errors
    /// As [`Expression::eval`], and if the value is no truth value.
    pub fn eval_bool(&self, env: &Env<'_>) -> Result<bool, EvalError> {
        match self.compiled.node.eval(Frame::new(env))? {
            Val::Bool(b) => Ok(b),
            other => Err(EvalError::new(format!(
                "the condition gives {}, not true or false",
                other.described()
            ))),
        }
    }

    /// The fields that it reads: what a [`Shape`](crate::json::Shape) for its records should have.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.compiled.paths
    }

    /// The expression in one spelling, without superfluous space and parentheses: equal for expressions that read the same.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.compiled.fingerprint.clone()
    }

    /// The type of its value, as far as it is known before there are records.
    #[must_use]
    pub fn static_type(&self) -> Type {
        self.compiled.ty
    }

    /// Its value if it is the same for every record.
    #[must_use]
    pub fn constant(&self) -> Option<&Value> {
        match &self.compiled.node {
            Node::Const(value) => Some(value),
            _ => None,
        }
    }
}
