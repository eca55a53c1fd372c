//! Evaluation of a compiled expression. On the record path: borrows from the record, allocates for new text and lists only.

use std::sync::Arc;

use super::ast::MacroKind;
use super::error::EvalError;
use super::node::{Element, Fold, Node};
use super::operators::{arithmetic, compare, equal};
use super::paths::FieldPath;
use super::scope::Env;
use super::val::{BytesVal, Frame, Text, Val};
use crate::json::{Known, elements};
use crate::value::{Map, Name, Timestamp, Value};

type Result<T> = std::result::Result<T, EvalError>;

impl Node {
    /// The value of an expression that is no optional.
    pub(crate) fn eval<'a>(&'a self, frame: Frame<'a>) -> Result<Val<'a>> {
        match self {
            Node::Const(value) => Val::from_value(value),
            Node::Path(path) => read(*path, frame.env),
            Node::Compare(op, sides) => {
                let (left, right) = (sides[0].eval(frame)?, sides[1].eval(frame)?);
                Ok(Val::Bool(
                    op.holds(compare(&left, &right).map_err(|e| self.explain(e))?),
                ))
            }
            Node::Equals(wanted, sides) => {
                let (left, right) = (sides[0].eval(frame)?, sides[1].eval(frame)?);
                Ok(Val::Bool(equal(&left, &right) == *wanted))
            }
            Node::And(sides) => either(sides, frame, false, "&&"),
            Node::Or(sides) => either(sides, frame, true, "||"),
            Node::Arithmetic(op, sides) => {
                let (left, right) = (sides[0].eval(frame)?, sides[1].eval(frame)?);
                arithmetic(*op, &left, &right).map_err(|e| self.explain(e))
            }
            Node::Not(inner) => Ok(Val::Bool(!truth(inner.eval(frame)?, "!")?)),
            Node::Negate(inner) => match inner.eval(frame)? {
                Val::Int(n) => n
                    .checked_neg()
                    .map(Val::Int)
                    .ok_or_else(|| EvalError::new(format!("-({n}) does not fit into 64 bits"))),
                Val::Double(d) => Ok(Val::Double(-d)),
                other => Err(self.explain(EvalError::new(format!("- takes a number, not {}", other.described())))),
            },
            Node::Conditional(parts) => {
                let branch = if truth(parts[0].eval(frame)?, "? :")? {
                    &parts[1]
                } else {
                    &parts[2]
                };
                branch.eval(frame)
            }
            Node::Root(root) => Val::from_value(root.of(frame.env)).map_err(|e| e.at(root)),
            Node::HasPath(path) => has_path(*path, frame.env).map(Val::Bool),
            Node::Timestamp => timestamp(frame.env.timestamp),
            Node::Topic => Ok(Val::Text(Text::Slice(frame.env.topic))),
            Node::Partition => Ok(Val::Int(frame.env.partition.into())),
            Node::Offset => Ok(Val::Int(frame.env.offset)),
            Node::WindowStart => window(frame.env).and_then(|(start, _)| timestamp(start)),
            Node::WindowEnd => window(frame.env).and_then(|(_, end)| timestamp(end)),
            Node::Headers => Ok(all_headers(frame.env)),
            Node::Header(name) => match frame.env.headers.get(name.as_str()) {
                Some(value) => Ok(Val::Bytes(BytesVal::Slice(value))),
                None => Err(EvalError::new(format!("the record has no header {}", name.as_str()))),
            },
            Node::HasHeader(name) => Ok(Val::Bool(frame.env.headers.get(name.as_str()).is_some())),
            Node::Local(outwards) => Ok(frame.local(*outwards).clone()),
            Node::Field(of, name) => field(of.eval(frame)?, *name),
            Node::Has(of, name) => Ok(Val::Bool(of.eval(frame)?.field(name.as_str().as_bytes())?.is_some())),
            Node::Index(parts) => {
                let (of, index) = (parts[0].eval(frame)?, parts[1].eval(frame)?);
                index_of(of, &index)
            }
            Node::In(sides) => {
                let (element, of) = (sides[0].eval(frame)?, sides[1].eval(frame)?);
                contains(&element, &of).map(Val::Bool)
            }
            Node::List(elements) => list(elements, frame),
            Node::Object(entries) => object(entries, frame),
            Node::Call(function, name, arguments) => {
                let mut values = smallvec::SmallVec::<[Val<'a>; 3]>::new();
                for argument in arguments {
                    values.push(argument.eval(frame)?);
                }
                function(&values).map_err(|e| self.explain(e.at(name)))
            }
            Node::Matches(text, pattern) => match text.eval(frame)? {
                Val::Text(text) => Ok(Val::Bool(pattern.is_match(text.as_str()))),
                other => Err(self.explain(EvalError::new(format!(
                    "matches takes a string, not {}",
                    other.described()
                )))),
            },
            Node::Fold(fold) => fold.eval(frame),
            Node::OrValue(parts) => match parts[0].eval_optional(frame)? {
                Some(value) => Ok(value),
                None => parts[1].eval(frame),
            },
            Node::HasValue(inner) => Ok(Val::Bool(inner.eval_optional(frame)?.is_some())),
            Node::OptValue(inner) => inner.eval_optional(frame)?.ok_or_else(|| {
                EvalError::new("value() of an optional that is empty: ask with hasValue() first, or use orValue(..)")
            }),
            Node::OptPath(_)
            | Node::OptField(..)
            | Node::OptIndex(_)
            | Node::OptOf(_)
            | Node::OptNone
            | Node::OptOr(_) => Err(EvalError::new("an optional has no value by itself: use orValue(..)")),
        }
    }

    /// The value of an optional; `None` if it is empty.
    pub(crate) fn eval_optional<'a>(&'a self, frame: Frame<'a>) -> Result<Option<Val<'a>>> {
        match self {
            Node::OptPath(path) => opt_path(*path, frame.env),
            Node::OptField(of, name) => {
                let of = match of.is_optional() {
                    true => of.eval_optional(frame)?,
                    false => Some(of.eval(frame)?),
                };
                of.map_or(Ok(None), |of| opt_field(&of, *name))
            }
            Node::OptIndex(parts) => {
                let of = match parts[0].is_optional() {
                    true => parts[0].eval_optional(frame)?,
                    false => Some(parts[0].eval(frame)?),
                };
                let Some(of) = of else { return Ok(None) };
                let index = parts[1].eval(frame)?;
                Ok(index_of(of, &index).ok())
            }
            Node::OptOf(inner) => inner.eval(frame).map(Some),
            Node::OptNone => Ok(None),
            Node::OptOr(parts) => match parts[0].eval_optional(frame)? {
                Some(value) => Ok(Some(value)),
                None => parts[1].eval_optional(frame),
            },
            Node::Conditional(parts) => {
                let branch = if truth(parts[0].eval(frame)?, "? :")? {
                    &parts[1]
                } else {
                    &parts[2]
                };
                branch.eval_optional(frame)
            }
            plain => plain.eval(frame).map(Some),
        }
    }

    pub(crate) fn is_optional(&self) -> bool {
        match self {
            Node::OptPath(_)
            | Node::OptField(..)
            | Node::OptIndex(_)
            | Node::OptOf(_)
            | Node::OptNone
            | Node::OptOr(_) => true,
            Node::Conditional(parts) => parts[1].is_optional(),
            _ => false,
        }
    }

    /// Names the fields that a failed operation was about.
    #[cold]
    fn explain(&self, error: EvalError) -> EvalError {
        let operands: &[Node] = match self {
            Node::Compare(_, sides) | Node::Arithmetic(_, sides) => &sides[..],
            Node::Negate(inner) | Node::Matches(inner, _) => std::slice::from_ref(inner),
            Node::Call(_, _, arguments) => arguments,
            _ => &[],
        };
        let names: Vec<String> = operands
            .iter()
            .filter_map(|operand| match operand {
                Node::Path(path) => Some(path.to_string()),
                Node::Root(root) => Some(root.to_string()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            error
        } else {
            error.at(names.join(", "))
        }
    }
}

/// `&&` and `||`: a side that decides wins over an error on the other side.
#[inline]
fn either<'a>(sides: &'a [Node; 2], frame: Frame<'a>, decisive: bool, sign: &str) -> Result<Val<'a>> {
    let left = sides[0].eval(frame).and_then(|v| truth(v, sign));
    if left == Ok(decisive) {
        return Ok(Val::Bool(decisive));
    }
    let right = sides[1].eval(frame).and_then(|v| truth(v, sign));
    match (left, right) {
        (_, Ok(right)) if right == decisive => Ok(Val::Bool(decisive)),
        (Err(e), _) | (_, Err(e)) => Err(e),
        (Ok(_), Ok(right)) => Ok(Val::Bool(right)),
    }
}

fn truth(value: Val<'_>, sign: &str) -> Result<bool> {
    match value {
        Val::Bool(b) => Ok(b),
        other => Err(EvalError::new(format!(
            "{sign} takes true or false, not {}",
            other.described()
        ))),
    }
}

/// A field of the key or value: from the document's slots if it was asked for when the document was read.
#[inline]
fn read<'a>(path: FieldPath, env: &Env<'a>) -> Result<Val<'a>> {
    if let Value::Json(doc) = path.root.of(env)
        && let Known::Present(json) = doc.known(path.path)
    {
        return Val::from_json(json).map_err(|e| e.at(path));
    }
    walk(path, path.path.segments().len(), env)
}

/// Follows the first `depth` names of a path.
fn walk<'a>(path: FieldPath, depth: usize, env: &Env<'a>) -> Result<Val<'a>> {
    let mut at = Val::from_value(path.root.of(env)).map_err(|e| e.at(path.root))?;
    for (done, name) in path.path.segments()[..depth].iter().enumerate() {
        let so_far = |more: usize| {
            let mut text = path.root.to_string();
            for name in &path.path.segments()[..done + more] {
                text.push('.');
                text.push_str(name.as_str());
            }
            text
        };
        at = match at.field(name.as_str().as_bytes()) {
            Ok(Some(value)) => value,
            Ok(None) => return Err(EvalError::new(format!("{} is absent", so_far(1)))),
            Err(_) if matches!(at, Val::Json(_) | Val::Map(_)) && at.type_name() == "object" => {
                return at
                    .field(name.as_str().as_bytes())
                    .map(|v| v.unwrap_or(Val::Null))
                    .map_err(|e| e.at(so_far(1)));
            }
            Err(_) => {
                return Err(EvalError::new(format!(
                    "{} is {} and has no field {}",
                    so_far(0),
                    at.described(),
                    name.as_str()
                )));
            }
        };
    }
    Ok(at)
}

fn has_path(path: FieldPath, env: &Env<'_>) -> Result<bool> {
    let segments = path.path.segments();
    let (last, outer) = segments.split_last().expect("a path has a name");
    if let Value::Json(doc) = path.root.of(env) {
        match doc.known(path.path) {
            Known::Present(_) => return Ok(true),
            Known::Absent if outer.is_empty() && doc.is_object() => return Ok(false),
            Known::Absent | Known::Unknown => {}
        }
    }
    let object = walk(path, outer.len(), env)?;
    match object.field(last.as_str().as_bytes()) {
        Ok(found) => Ok(found.is_some()),
        // It is there, though it cannot be read.
        Err(_) if object.type_name() == "object" => Ok(true),
        Err(e) => Err(e.at(path)),
    }
}

/// `value.a.?b`: what is before the `?` must be there.
fn opt_path<'a>(path: FieldPath, env: &Env<'a>) -> Result<Option<Val<'a>>> {
    let (last, outer) = path.path.segments().split_last().expect("a path has a name");
    if let Value::Json(doc) = path.root.of(env) {
        match doc.known(path.path) {
            Known::Present(json) => return Val::from_json(json).map(Some).map_err(|e| e.at(path)),
            Known::Absent if outer.is_empty() => return Ok(None),
            Known::Absent | Known::Unknown => {}
        }
    }
    opt_field(&walk(path, outer.len(), env)?, *last)
}

/// Whatever has no such field has no value: an object without it, null, a number. What is there and cannot be read is an error.
fn opt_field<'a>(of: &Val<'a>, name: Name) -> Result<Option<Val<'a>>> {
    match of.type_name() {
        "object" => of.field(name.as_str().as_bytes()).map_err(|e| e.at(name.as_str())),
        _ => Ok(None),
    }
}

fn timestamp(millis: i64) -> Result<Val<'static>> {
    Timestamp::from_millis(millis)
        .map(Val::Timestamp)
        .ok_or_else(|| EvalError::new(format!("the timestamp {millis} is outside of the years 1 to 9999")))
}

fn window(env: &Env<'_>) -> Result<(i64, i64)> {
    env.window
        .ok_or_else(|| EvalError::new("the record belongs to no window"))
}

fn all_headers(env: &Env<'_>) -> Val<'static> {
    let mut map = Map::default();
    env.headers.names(&mut |name| {
        let value = env.headers.get(name).unwrap_or_default();
        map.insert(name, Value::Bytes(bytes::Bytes::copy_from_slice(value)));
    });
    Val::Map(std::borrow::Cow::Owned(Arc::new(map)))
}

fn field(of: Val<'_>, name: Name) -> Result<Val<'_>> {
    of.field(name.as_str().as_bytes())?
        .ok_or_else(|| EvalError::new(format!("the field {} is absent", name.as_str())))
}

fn index_of<'a>(of: Val<'a>, index: &Val<'_>) -> Result<Val<'a>> {
    if of.type_name() == "object" {
        let Val::Text(name) = index else {
            return Err(EvalError::new(format!(
                "an object is indexed with a string, not {}",
                index.described()
            )));
        };
        return of
            .field(name.as_bytes())?
            .ok_or_else(|| EvalError::new(format!("the field {} is absent", name.as_str())));
    }
    if of.type_name() != "list" {
        return Err(EvalError::new(format!("{} cannot be indexed", of.described())));
    }
    let position = match index {
        Val::Int(n) => usize::try_from(*n).ok(),
        Val::Double(d) if d.fract() == 0.0 && *d >= 0.0 => Some(*d as usize),
        Val::Double(_) => None,
        other => {
            return Err(EvalError::new(format!(
                "a list is indexed with an int, not {}",
                other.described()
            )));
        }
    };
    let found = match (position, of) {
        (None, _) => None,
        (Some(n), Val::Json(json)) => elements(json).nth(n).map(Val::from_json).transpose()?,
        (Some(n), Val::List(std::borrow::Cow::Borrowed(list))) => list.get(n).map(Val::from_value).transpose()?,
        (Some(n), Val::List(std::borrow::Cow::Owned(list))) => list.get(n).cloned().map(Val::from_owned).transpose()?,
        _ => None,
    };
    found.ok_or_else(|| EvalError::new("the list has no such element"))
}

fn contains(element: &Val<'_>, of: &Val<'_>) -> Result<bool> {
    match of {
        Val::Map(_) | Val::Json(_) if of.type_name() == "object" => match element {
            Val::Text(name) => {
                let mut found = false;
                of.each(|key| {
                    found = matches!(&key, Val::Text(key) if key.as_bytes() == name.as_bytes());
                    Ok(!found)
                })?;
                Ok(found)
            }
            Val::Int(_) | Val::Bool(_) | Val::Double(_) => Ok(false),
            other => Err(EvalError::new(format!(
                "in: {} is never a field name",
                other.described()
            ))),
        },
        Val::List(_) | Val::Json(_) => {
            let mut found = false;
            of.each(|other| {
                found = equal(element, &other);
                Ok(!found)
            })?;
            Ok(found)
        }
        other => Err(EvalError::new(format!(
            "in takes a list or an object, not {}",
            other.described()
        ))),
    }
}

fn list<'a>(elements: &'a [Element], frame: Frame<'a>) -> Result<Val<'a>> {
    let mut list = Vec::with_capacity(elements.len());
    for element in elements {
        if let Some(value) = element.eval(frame)? {
            list.push(value.into_value());
        }
    }
    Ok(Val::list(list))
}

fn object<'a>(entries: &'a [(Node, Element)], frame: Frame<'a>) -> Result<Val<'a>> {
    let mut map = Map::with_capacity(entries.len());
    for (key, element) in entries {
        let key = match key.eval(frame)? {
            Val::Text(text) => text.into_str(),
            other => {
                return Err(EvalError::new(format!(
                    "an object has strings as keys, not {}",
                    other.described()
                )));
            }
        };
        if let Some(value) = element.eval(frame)? {
            if map.get_bytes(key.as_bytes()).is_some() {
                return Err(EvalError::new(format!("the object has two fields {key}")));
            }
            map.push_new(key, value.into_value());
        }
    }
    Ok(Val::Map(std::borrow::Cow::Owned(Arc::new(map))))
}

impl Element {
    fn eval<'a>(&'a self, frame: Frame<'a>) -> Result<Option<Val<'a>>> {
        if self.optional {
            self.node.eval_optional(frame)
        } else {
            self.node.eval(frame).map(Some)
        }
    }
}

impl Fold {
    fn eval<'a>(&'a self, frame: Frame<'a>) -> Result<Val<'a>> {
        let over = self.list.eval(frame)?;
        match self.kind {
            MacroKind::All => self.quantify(&over, frame, false),
            MacroKind::Exists => self.quantify(&over, frame, true),
            MacroKind::ExistsOne => {
                let mut count = 0;
                over.each(|element| {
                    count += u32::from(frame.with(element, |inner| truth(self.body.eval(inner)?, "exists_one"))?);
                    Ok(true)
                })?;
                Ok(Val::Bool(count == 1))
            }
            MacroKind::Map => {
                let mut results: Vec<Value> = Vec::with_capacity(over.size().unwrap_or(0));
                over.each(|element| {
                    frame.with(element, |inner| {
                        let wanted = match &self.filter {
                            Some(filter) => truth(filter.eval(inner)?, "filter")?,
                            None => true,
                        };
                        if wanted {
                            results.push(self.body.eval(inner)?.into_value());
                        }
                        Ok(true)
                    })
                })?;
                Ok(Val::list(results))
            }
        }
    }

    /// As `&&` or `||` over all elements: one that decides wins over errors at the others.
    fn quantify<'a>(&'a self, over: &Val<'_>, frame: Frame<'a>, decisive: bool) -> Result<Val<'a>> {
        let mut decided = false;
        let mut error = None;
        over.each(|element| {
            match frame.with(element, |inner| truth(self.body.eval(inner)?, self.kind.name())) {
                Ok(b) => decided = b == decisive,
                Err(e) => error = Some(e),
            }
            Ok(!decided)
        })?;
        match error {
            Some(e) if !decided => Err(e),
            _ => Ok(Val::Bool(decided == decisive)),
        }
    }
}
