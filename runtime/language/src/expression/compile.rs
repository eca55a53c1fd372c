//! From the syntax tree to a [`Node`]: names resolved, types checked as far as they are known, constants folded.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};

use super::ast::{MacroKind, Source, recognise};
use super::error::ExpressionError;
use super::node::{Element, Fold, Node};
use super::operators::{Arithmetic, Comparison};
use super::paths::{FieldPath, Paths, Root};
use super::scope::{Env, NoHeaders, Scope, Type};
use super::val::{Frame, Val};
use crate::json::Path;
use crate::value::{Name, Str, Value};

pub(super) type Result<T> = std::result::Result<T, ExpressionError>;

/// A compiled part and its type.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) node: Node,
    pub(crate) ty: Type,
}

impl Typed {
    pub(super) fn new(node: Node, ty: Type) -> Self {
        Typed { node, ty }
    }
}

pub(crate) struct Compiler<'s> {
    pub(super) source: &'s Source,
    scope: &'s Scope,
    /// The variables of the macros around, from the outside in.
    locals: Vec<String>,
    paths: Paths,
}

const NAMES: [&str; 8] = [
    "key",
    "value",
    "timestamp",
    "headers",
    "topic",
    "partition",
    "offset",
    "window",
];

impl<'s> Compiler<'s> {
    pub(crate) fn new(source: &'s Source, scope: &'s Scope) -> Self {
        Compiler {
            source,
            scope,
            locals: Vec::new(),
            paths: Paths::default(),
        }
    }

    pub(crate) fn into_paths(self) -> Paths {
        self.paths
    }

    /// An expression by itself: it must have a value.
    pub(crate) fn compile_root(&mut self, expr: &IdedExpr) -> Result<Typed> {
        self.value(expr)
    }

    pub(super) fn error(&self, at: &IdedExpr, message: impl Into<String>) -> ExpressionError {
        ExpressionError::new(self.source.column(at.id), message)
    }

    /// A part that must not be an optional.
    pub(super) fn value(&mut self, expr: &IdedExpr) -> Result<Typed> {
        let typed = self.part(expr)?;
        if typed.ty == Type::Optional {
            return Err(self
                .error(expr, "an optional is no value yet")
                .hint("end it with orValue(..) or hasValue()"));
        }
        Ok(typed)
    }

    /// A part whose type must be (or may be) `wanted`.
    pub(super) fn of_type(&mut self, expr: &IdedExpr, wanted: Type, what: &str) -> Result<Node> {
        let typed = self.value(expr)?;
        if !typed.ty.fits(wanted) {
            return Err(self.error(expr, format!("{what} takes {wanted}, and this is {}", typed.ty)));
        }
        Ok(typed.node)
    }

    pub(super) fn part(&mut self, expr: &IdedExpr) -> Result<Typed> {
        if let Some(path) = self.path(expr)? {
            self.paths.add(path);
            return Ok(Typed::new(Node::Path(path), Type::Dyn));
        }
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.name(expr, name),
            Expr::Select(select) => self.select(expr, select),
            Expr::Call(call) => self.call(expr, call),
            Expr::List(list) => {
                let mut elements = Vec::with_capacity(list.elements.len());
                for (i, element) in list.elements.iter().enumerate() {
                    elements.push(self.element(element, list.optional_indices.contains(&i))?);
                }
                Ok(self.folded(Node::List(elements), Type::List))
            }
            Expr::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(self.no_messages(expr));
                    };
                    let key = self.of_type(&entry.key, Type::String, "a field name")?;
                    entries.push((key, self.element(&entry.value, entry.optional)?));
                }
                Ok(self.folded(Node::Object(entries), Type::Map))
            }
            Expr::Comprehension(fold) => self.fold(expr, fold),
            Expr::Struct(_) | Expr::Unspecified => Err(self.no_messages(expr)),
        }
    }

    fn no_messages(&self, expr: &IdedExpr) -> ExpressionError {
        self.error(expr, "messages are not supported")
            .hint("build an object: {'name': value}")
    }

    fn element(&mut self, expr: &IdedExpr, optional: bool) -> Result<Element> {
        let typed = if optional { self.part(expr)? } else { self.value(expr)? };
        Ok(Element {
            node: typed.node,
            optional: optional && typed.ty == Type::Optional,
        })
    }

    fn literal(&self, expr: &IdedExpr, literal: &LiteralValue) -> Result<Typed> {
        let (value, ty) = match literal {
            LiteralValue::Boolean(b) => (Value::Bool(*b.inner()), Type::Bool),
            LiteralValue::Int(n) => (Value::Int(*n.inner()), Type::Int),
            LiteralValue::Double(d) => (Value::Double(*d.inner()), Type::Double),
            // The text of a literal lives as long as the process, so that a record that carries it counts no reference.
            LiteralValue::String(s) => (Value::String(Str::from(Name::new(s.inner()))), Type::String),
            LiteralValue::Bytes(b) => (Value::Bytes(bytes::Bytes::copy_from_slice(b.inner())), Type::Bytes),
            LiteralValue::Null => (Value::Null, Type::Null),
            LiteralValue::UInt(n) => {
                return Err(self
                    .error(expr, "there are no unsigned integers here")
                    .hint(format!("write {}", n.inner())));
            }
        };
        Ok(Typed::new(Node::Const(value), ty))
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|local| local == name)
    }

    fn name(&self, expr: &IdedExpr, name: &str) -> Result<Typed> {
        if let Some(outwards) = self.locals.iter().rev().position(|local| local == name) {
            return Ok(Typed::new(Node::Local(outwards), Type::Dyn));
        }
        Ok(match name {
            "key" => Typed::new(Node::Root(Root::Key), self.scope.key),
            "value" => Typed::new(Node::Root(Root::Value), self.scope.value),
            "timestamp" => Typed::new(Node::Timestamp, Type::Timestamp),
            "headers" => Typed::new(Node::Headers, Type::Map),
            "topic" => Typed::new(Node::Topic, Type::String),
            "partition" => Typed::new(Node::Partition, Type::Int),
            "offset" => Typed::new(Node::Offset, Type::Int),
            "window" if self.scope.window => {
                return Err(self
                    .error(expr, "the window is no value by itself")
                    .hint("write window.start or window.end"));
            }
            "window" => return Err(self.no_window(expr)),
            "left" | "right" => return Err(self.error(expr, format!("{name} is known in joins only"))),
            _ => {
                let error = self.error(expr, format!("there is no {name} here"));
                let known = NAMES.iter().copied().chain(self.locals.iter().map(String::as_str));
                return Err(match nearest(name, known) {
                    Some(near) => error.hint(format!("did you mean {near}?")),
                    None => error.hint(format!("fields are read from the key or value: value.{name}")),
                });
            }
        })
    }

    fn no_window(&self, expr: &IdedExpr) -> ExpressionError {
        self.error(expr, "there is no window here")
            .hint("window is known after a windowed aggregation, until the key changes")
    }

    /// The path that `value.a.b` or `value['a'].b` spells.
    fn path(&self, expr: &IdedExpr) -> Result<Option<FieldPath>> {
        let mut names: Vec<&str> = Vec::new();
        let mut at = expr;
        let root = loop {
            at = match &at.expr {
                Expr::Select(SelectExpr {
                    operand,
                    field,
                    test: false,
                }) => {
                    names.push(field);
                    operand
                }
                Expr::Call(CallExpr {
                    func_name,
                    target: None,
                    args,
                }) if func_name == operators::INDEX => {
                    let Expr::Literal(LiteralValue::String(name)) = &args[1].expr else {
                        return Ok(None);
                    };
                    names.push(name.inner());
                    &args[0]
                }
                Expr::Ident(name) if self.is_local(name) => return Ok(None),
                Expr::Ident(name) if name == "key" => break Root::Key,
                Expr::Ident(name) if name == "value" => break Root::Value,
                _ => return Ok(None),
            };
        };
        if names.is_empty() {
            return Ok(None);
        }
        names.reverse();
        let ty = if root == Root::Key {
            self.scope.key
        } else {
            self.scope.value
        };
        if !ty.fits(Type::Map) {
            return Err(self.error(expr, format!("{root} is of type {ty} and has no field {}", names[0])));
        }
        Ok(Some(FieldPath {
            root,
            path: Path::new(&names),
        }))
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Result<Typed> {
        let name = Name::new(&select.field);
        if let Expr::Ident(of) = &select.operand.expr
            && !self.is_local(of)
        {
            match (of.as_str(), select.field.as_str(), select.test) {
                ("headers", _, true) => return Ok(Typed::new(Node::HasHeader(name), Type::Bool)),
                ("headers", _, false) => return Ok(Typed::new(Node::Header(name), Type::Bytes)),
                ("window", _, _) if !self.scope.window => return Err(self.no_window(&select.operand)),
                ("window", "start", false) => return Ok(Typed::new(Node::WindowStart, Type::Timestamp)),
                ("window", "end", false) => return Ok(Typed::new(Node::WindowEnd, Type::Timestamp)),
                ("window", other, _) => {
                    return Err(self
                        .error(expr, format!("the window has no {other}"))
                        .hint("it has start and end"));
                }
                _ => {}
            }
        }
        if select.test
            && let Some(path) = self.field_of_path(&select.operand, &select.field)?
        {
            self.paths.add(path);
            return Ok(Typed::new(Node::HasPath(path), Type::Bool));
        }
        let of = self.part(&select.operand)?;
        match of.ty {
            Type::Optional if select.test => Ok(Typed::new(
                Node::HasValue(Box::new(Node::OptField(Box::new(of.node), name))),
                Type::Bool,
            )),
            // A field of an optional is an optional.
            Type::Optional => Ok(Typed::new(Node::OptField(Box::new(of.node), name), Type::Optional)),
            ty if !ty.fits(Type::Map) => {
                Err(self.error(expr, format!("this is of type {ty} and has no field {}", select.field)))
            }
            _ if select.test => Ok(Typed::new(Node::Has(Box::new(of.node), name), Type::Bool)),
            _ => Ok(Typed::new(Node::Field(Box::new(of.node), name), Type::Dyn)),
        }
    }

    /// The path of a field of `operand`, if that is the key, the value or a field of them.
    fn field_of_path(&self, operand: &IdedExpr, field: &str) -> Result<Option<FieldPath>> {
        let (root, outer) = match (self.path(operand)?, &operand.expr) {
            (Some(path), _) => (path.root, path.path.segments()),
            (None, Expr::Ident(name)) if !self.is_local(name) && name == "key" => (Root::Key, &[][..]),
            (None, Expr::Ident(name)) if !self.is_local(name) && name == "value" => (Root::Value, &[][..]),
            _ => return Ok(None),
        };
        let ty = if root == Root::Key {
            self.scope.key
        } else {
            self.scope.value
        };
        if !ty.fits(Type::Map) {
            return Err(self.error(operand, format!("{root} is of type {ty} and has no field {field}")));
        }
        let names: Vec<&str> = outer.iter().map(|n| n.as_str()).chain([field]).collect();
        Ok(Some(FieldPath {
            root,
            path: Path::new(&names),
        }))
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Result<Typed> {
        if call.target.is_some() {
            return self.function(expr, call);
        }
        let arithmetic = |op| Some((op, call.args.first()?, call.args.get(1)?));
        let found = match call.func_name.as_str() {
            operators::ADD => arithmetic(Arithmetic::Add),
            operators::SUBSTRACT => arithmetic(Arithmetic::Subtract),
            operators::MULTIPLY => arithmetic(Arithmetic::Multiply),
            operators::DIVIDE => arithmetic(Arithmetic::Divide),
            operators::MODULO => arithmetic(Arithmetic::Remainder),
            _ => None,
        };
        if let Some((op, left, right)) = found {
            return self.arithmetic(expr, op, left, right);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LESS, [l, r]) => self.comparison(expr, Comparison::Less, l, r),
            (operators::LESS_EQUALS, [l, r]) => self.comparison(expr, Comparison::LessOrEqual, l, r),
            (operators::GREATER, [l, r]) => self.comparison(expr, Comparison::Greater, l, r),
            (operators::GREATER_EQUALS, [l, r]) => self.comparison(expr, Comparison::GreaterOrEqual, l, r),
            (operators::EQUALS, [l, r]) => self.equality(expr, true, l, r),
            (operators::NOT_EQUALS, [l, r]) => self.equality(expr, false, l, r),
            (operators::LOGICAL_AND, [l, r]) => {
                let sides = [self.of_type(l, Type::Bool, "&&")?, self.of_type(r, Type::Bool, "&&")?];
                Ok(self.folded(Node::And(Box::new(sides)), Type::Bool))
            }
            (operators::LOGICAL_OR, [l, r]) => {
                let sides = [self.of_type(l, Type::Bool, "||")?, self.of_type(r, Type::Bool, "||")?];
                Ok(self.folded(Node::Or(Box::new(sides)), Type::Bool))
            }
            (operators::LOGICAL_NOT, [inner]) => {
                let inner = self.of_type(inner, Type::Bool, "!")?;
                Ok(self.folded(Node::Not(Box::new(inner)), Type::Bool))
            }
            (operators::NEGATE, [inner]) => {
                let inner = self.value(inner)?;
                if !inner.ty.is_number() && inner.ty != Type::Dyn {
                    return Err(self.error(expr, format!("- takes a number, and this is {}", inner.ty)));
                }
                Ok(self.folded(Node::Negate(Box::new(inner.node)), inner.ty))
            }
            (operators::CONDITIONAL, [condition, then, otherwise]) => self.conditional(condition, then, otherwise),
            (operators::INDEX, [of, index]) => self.index(expr, of, index),
            (operators::OPT_INDEX, [of, index]) => {
                let (of, index) = (self.part(of)?, self.value(index)?);
                Ok(Typed::new(
                    Node::OptIndex(Box::new([of.node, index.node])),
                    Type::Optional,
                ))
            }
            (operators::OPT_SELECT, [of, field]) => {
                let Expr::Literal(LiteralValue::String(name)) = &field.expr else {
                    return Err(self.error(expr, "a field name is due after .?"));
                };
                if let Some(path) = self.field_of_path(of, name.inner())? {
                    self.paths.add(path);
                    return Ok(Typed::new(Node::OptPath(path), Type::Optional));
                }
                let of = self.part(of)?;
                Ok(Typed::new(
                    Node::OptField(Box::new(of.node), Name::new(name.inner())),
                    Type::Optional,
                ))
            }
            (operators::IN, [element, of]) => {
                let (element, over) = (self.value(element)?, self.value(of)?);
                if !over.ty.fits(Type::List) && !over.ty.fits(Type::Map) {
                    return Err(self.error(of, format!("in takes a list or an object, and this is {}", over.ty)));
                }
                Ok(self.folded(Node::In(Box::new([element.node, over.node])), Type::Bool))
            }
            _ => self.function(expr, call),
        }
    }

    fn conditional(&mut self, condition: &IdedExpr, then: &IdedExpr, otherwise: &IdedExpr) -> Result<Typed> {
        let condition = self.of_type(condition, Type::Bool, "the condition of ? :")?;
        let (a, b) = (self.part(then)?, self.part(otherwise)?);
        let ty = match (a.ty, b.ty) {
            (a, b) if a == b => a,
            (Type::Optional, _) | (_, Type::Optional) => {
                return Err(self.error(otherwise, "one branch of ? : is an optional and the other is not"));
            }
            (Type::Int, Type::Double) | (Type::Double, Type::Int) => Type::Dyn,
            _ => Type::Dyn,
        };
        Ok(self.folded(Node::Conditional(Box::new([condition, a.node, b.node])), ty))
    }

    fn index(&mut self, expr: &IdedExpr, of: &IdedExpr, index: &IdedExpr) -> Result<Typed> {
        if let (Expr::Ident(name), Expr::Literal(LiteralValue::String(header))) = (&of.expr, &index.expr)
            && name == "headers"
            && !self.is_local(name)
        {
            return Ok(Typed::new(Node::Header(Name::new(header.inner())), Type::Bytes));
        }
        let (over, position) = (self.part(of)?, self.value(index)?);
        if over.ty == Type::Optional {
            return Ok(Typed::new(
                Node::OptIndex(Box::new([over.node, position.node])),
                Type::Optional,
            ));
        }
        match over.ty {
            Type::List if !position.ty.fits(Type::Int) && position.ty != Type::Double => {
                return Err(self.error(
                    index,
                    format!("a list is indexed with an int, and this is {}", position.ty),
                ));
            }
            Type::Map if !position.ty.fits(Type::String) => {
                return Err(self.error(
                    index,
                    format!("an object is indexed with a string, and this is {}", position.ty),
                ));
            }
            Type::List | Type::Map | Type::Dyn => {}
            other => return Err(self.error(expr, format!("{other} cannot be indexed"))),
        }
        Ok(self.folded(Node::Index(Box::new([over.node, position.node])), Type::Dyn))
    }

    fn fold(&mut self, expr: &IdedExpr, fold: &ComprehensionExpr) -> Result<Typed> {
        let Some(found) = recognise(fold).filter(|_| fold.iter_var2.is_none()) else {
            return Err(self
                .error(expr, "this macro is not supported")
                .hint("there are all, exists, exists_one, map and filter"));
        };
        let list = self.value(found.list)?;
        if !list.ty.fits(Type::List) && !list.ty.fits(Type::Map) {
            let message = format!(
                "{} goes over a list or an object, and this is {}",
                found.kind.name(),
                list.ty
            );
            return Err(self.error(found.list, message));
        }
        self.locals.push(found.variable.to_owned());
        let inside = self.fold_inside(found.kind, found.filter, found.body);
        self.locals.pop();
        let (filter, body) = inside?;
        let ty = if found.kind == MacroKind::Map {
            Type::List
        } else {
            Type::Bool
        };
        Ok(Typed::new(
            Node::Fold(Box::new(Fold {
                kind: found.kind,
                list: list.node,
                filter,
                body,
            })),
            ty,
        ))
    }

    fn fold_inside(
        &mut self,
        kind: MacroKind,
        filter: Option<&IdedExpr>,
        body: &IdedExpr,
    ) -> Result<(Option<Node>, Node)> {
        let filter = match filter {
            Some(filter) => Some(self.of_type(filter, Type::Bool, "the condition")?),
            None => None,
        };
        let body = match kind {
            MacroKind::Map => self.value(body)?.node,
            _ => self.of_type(body, Type::Bool, kind.name())?,
        };
        Ok((filter, body))
    }

    /// A node that becomes its value if that is the same for every record. What fails stays: the error is the record's.
    pub(super) fn folded(&self, node: Node, ty: Type) -> Typed {
        if ty == Type::Optional || !node.parts_are_constant() {
            return Typed::new(node, ty);
        }
        let env = Env {
            key: &Value::Null,
            value: &Value::Null,
            timestamp: 0,
            topic: "",
            partition: 0,
            offset: 0,
            headers: &NoHeaders,
            window: None,
        };
        let value = node.eval(Frame::new(&env)).map(Val::into_value);
        match value {
            Ok(value) => Typed::new(Node::Const(value), ty),
            Err(_) => Typed::new(node, ty),
        }
    }
}

impl Node {
    fn parts_are_constant(&self) -> bool {
        let constant = |node: &Node| matches!(node, Node::Const(_));
        match self {
            Node::Not(inner) | Node::Negate(inner) | Node::Matches(inner, _) => constant(inner),
            Node::And(parts) | Node::Or(parts) | Node::Index(parts) | Node::In(parts) => parts.iter().all(constant),
            Node::Arithmetic(_, parts) | Node::Compare(_, parts) | Node::Equals(_, parts) => parts.iter().all(constant),
            Node::Conditional(parts) => parts.iter().all(constant),
            Node::Call(_, _, arguments) => arguments.iter().all(constant),
            Node::List(elements) => elements.iter().all(|e| !e.optional && constant(&e.node)),
            Node::Object(entries) => entries
                .iter()
                .all(|(key, e)| constant(key) && !e.optional && constant(&e.node)),
            _ => false,
        }
    }
}

/// The name that was probably meant.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&candidate.to_lowercase(), &name.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
