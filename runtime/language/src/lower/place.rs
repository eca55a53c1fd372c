//! Where a pipeline stands between two steps.

use millrace_topology::{NodeId, Stream, Table};

use crate::{
    expression::{Paths, Root, Scope, Type},
    format::Format,
    grammar::Output,
};

/// A stream or a table.
#[derive(Clone, Debug)]
pub(super) enum Flow {
    Stream(Stream),
    Table(Table),
}

/// What is known of keys or values.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// How they are written to internal topics and stores.
    pub format: Format,
    /// Their type.
    pub ty: Type,
    /// Sources whose decoded documents they still are.
    pub sources: Vec<NodeId>,
}

impl Known {
    /// What a source reads.
    pub fn read(format: Format, source: NodeId) -> Self {
        Known {
            format,
            ty: format.value_type(),
            sources: vec![source],
        }
    }

    /// A key that an expression gives. A type that is only known at run time counts as text, which is what keys nearly always are:
    /// a key of another type is an error of the record that says how to convert it.
    pub fn key_of(ty: Type) -> Self {
        let format = match ty {
            Type::String | Type::Dyn | Type::Null | Type::Optional => Format::String,
            Type::Int => Format::Long,
            Type::Double => Format::Double,
            Type::Bytes => Format::Bytes,
            Type::Bool | Type::Timestamp | Type::Duration | Type::List | Type::Map => Format::Json,
        };
        Known {
            format,
            ty,
            sources: Vec::new(),
        }
    }

    /// A value that an expression gives: JSON, which has a place for everything but bytes.
    pub fn value_of(ty: Type) -> Self {
        let format = if ty == Type::Bytes { Format::Bytes } else { Format::Json };
        Known {
            format,
            ty,
            sources: Vec::new(),
        }
    }

    /// What comes out of a repartition topic.
    pub fn reread(&self, source: NodeId) -> Self {
        Known::read(self.format, source)
    }
}

/// Where a pipeline stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub flow: Flow,
    pub key: Known,
    pub value: Known,
    /// Whether the key has a window.
    pub windowed: bool,
    /// What errors call it, e.g. `after aggregate this is a windowed table`.
    pub after: String,
}

impl Place {
    /// What an expression of the next step may name.
    pub fn scope(&self) -> Scope {
        let scope = Scope::new(self.key.ty, self.value.ty);
        if self.windowed { scope.with_window() } else { scope }
    }

    /// What is known of a new key; `key` keeps all.
    pub fn new_key(&self, text: &str, ty: Type) -> Known {
        if text.trim() == "key" {
            self.key.clone()
        } else {
            Known::key_of(ty)
        }
    }

    /// What is known of a new value; `value` keeps all.
    pub fn new_value(&self, output: &Output, ty: Type) -> Known {
        match output {
            Output::Expression(text) if text.value.trim() == "value" => self.value.clone(),
            _ => Known::value_of(ty),
        }
    }

    /// What it is, in words for people.
    pub fn what(&self) -> &'static str {
        match (&self.flow, self.windowed) {
            (Flow::Stream(_), false) => "a stream",
            (Flow::Stream(_), true) => "a stream with windowed keys",
            (Flow::Table(_), false) => "a table",
            (Flow::Table(_), true) => "a windowed table",
        }
    }

    /// The paths by the source that decodes what they lead into.
    pub fn reads(&self, paths: &Paths) -> Vec<(NodeId, Paths)> {
        let mut found: Vec<(NodeId, Paths)> = Vec::new();
        for path in paths.iter() {
            let known = match path.root {
                Root::Key => &self.key,
                Root::Value => &self.value,
            };
            for source in &known.sources {
                let at = found.iter().position(|(node, _)| node == source).unwrap_or_else(|| {
                    found.push((*source, Paths::default()));
                    found.len() - 1
                });
                found[at].1.add(path);
            }
        }
        found
    }
}
