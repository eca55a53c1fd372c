//! A compiled expression: a tree in which every name is resolved.

use regex::Regex;

use super::ast::MacroKind;
use super::error::EvalError;
use super::operators::{Arithmetic, Comparison};
use super::paths::{FieldPath, Root};
use super::val::Val;
use crate::value::{Name, Value};

/// A function: takes what its arguments gave.
pub(crate) type Function = for<'a> fn(&[Val<'a>]) -> Result<Val<'a>, EvalError>;

#[derive(Debug)]
pub(crate) enum Node {
    Const(Value),
    /// The whole key or value.
    Root(Root),
    /// A field of the key or value, at least one name deep.
    Path(FieldPath),
    /// `has(value.a.b)`.
    HasPath(FieldPath),
    Timestamp,
    Topic,
    Partition,
    Offset,
    Headers,
    Header(Name),
    HasHeader(Name),
    WindowStart,
    WindowEnd,
    /// The variable of the macro that is this many macros further out.
    Local(usize),
    Field(Box<Node>, Name),
    Has(Box<Node>, Name),
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Conditional(Box<[Node; 3]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Compare(Comparison, Box<[Node; 2]>),
    /// Equal, or not.
    Equals(bool, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    List(Vec<Element>),
    Object(Vec<(Node, Element)>),
    Call(Function, &'static str, Vec<Node>),
    Matches(Box<Node>, Regex),
    Fold(Box<Fold>),

    // Optionals: evaluated by `Node::eval_optional`.
    OptPath(FieldPath),
    OptField(Box<Node>, Name),
    OptIndex(Box<[Node; 2]>),
    OptOf(Box<Node>),
    OptNone,
    OptOr(Box<[Node; 2]>),

    // What makes values of optionals.
    OrValue(Box<[Node; 2]>),
    HasValue(Box<Node>),
    OptValue(Box<Node>),
}

/// An element of a list or object literal; an optional one may be left out.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) node: Node,
    pub(crate) optional: bool,
}

/// `all`, `exists`, `exists_one`, `map`, `filter`.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) kind: MacroKind,
    pub(crate) list: Node,
    pub(crate) filter: Option<Node>,
    pub(crate) body: Node,
}
