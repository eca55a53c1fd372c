//! The fields that expressions read.

use std::fmt;

use super::scope::Env;
use crate::json::{Path, Shape};
use crate::value::Value;

/// What a field path starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// `key`.
    Key,
    /// `value`.
    Value,
}

impl Root {
    pub(crate) fn of<'a>(self, env: &Env<'a>) -> &'a Value {
        match self {
            Root::Key => env.key,
            Root::Value => env.value,
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Root::Key => "key",
            Root::Value => "value",
        })
    }
}

/// A field that an expression reads, e.g. `value.order.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldPath {
    /// Key or value.
    pub root: Root,
    /// The way from there.
    pub path: Path,
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.root, self.path)
    }
}

/// The fields that one or more expressions read; each once.
///
/// ```
/// use millrace_language::expression::{Expression, Paths, Scope, Type};
///
/// let scope = Scope::new(Type::String, Type::Dyn);
/// let mut paths = Paths::default();
/// for source in ["value.amount > 0", "value.user.id + value.?note.orValue('')"] {
///     paths.union(Expression::compile(source, &scope).unwrap().paths());
/// }
/// assert_eq!(paths.to_string(), "value.amount, value.user.id, value.note");
/// let shape = paths.value_shape(); // for Format::decode
/// # let _ = shape;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    paths: Vec<FieldPath>,
}

impl Paths {
    pub(crate) fn add(&mut self, path: FieldPath) {
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }

    /// Adds all of `other`.
    pub fn union(&mut self, other: &Paths) {
        other.paths.iter().for_each(|path| self.add(*path));
    }

    /// The paths, in the order in which they were met.
    pub fn iter(&self) -> impl Iterator<Item = FieldPath> + '_ {
        self.paths.iter().copied()
    }

    /// The shape for decoding keys.
    #[must_use]
    pub fn key_shape(&self) -> Shape {
        self.shape(Root::Key)
    }

    /// The shape for decoding values.
    #[must_use]
    pub fn value_shape(&self) -> Shape {
        self.shape(Root::Value)
    }

    fn shape(&self, root: Root) -> Shape {
        Shape::new(self.paths.iter().filter(|p| p.root == root).map(|p| p.path))
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, path) in self.paths.iter().enumerate() {
            let separator = if i > 0 { ", " } else { "" };
            write!(f, "{separator}{path}")?;
        }
        Ok(())
    }
}
