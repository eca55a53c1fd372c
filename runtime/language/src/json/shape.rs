//! Which fields of a document the expressions downstream ask for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use smallvec::SmallVec;

use super::doc::{Slot, Slots};
use crate::value::Name;

/// The way to a field, e.g. `order.customer`. Equal paths are one object in memory and compare by number.
///
/// ```
/// use millrace_language::json::Path;
///
/// assert_eq!(Path::new(&["order", "customer"]).to_string(), "order.customer");
/// assert_eq!(Path::new(&["order", "customer"]), Path::new(&["order", "customer"]));
/// ```
#[derive(Clone, Copy)]
pub struct Path(&'static PathData);

struct PathData {
    id: u32,
    segments: Box<[Name]>,
}

impl Path {
    /// The one copy of a path. Takes a lock: for compiling only.
    #[must_use]
    pub fn new(segments: &[&str]) -> Self {
        static PATHS: LazyLock<Mutex<HashMap<Box<[Name]>, Path>>> = LazyLock::new(Mutex::default);
        let segments: Box<[Name]> = segments.iter().map(|s| Name::new(s)).collect();
        let mut paths = PATHS.lock().unwrap_or_else(PoisonError::into_inner);
        let id = paths.len() as u32;
        *paths
            .entry(segments.clone())
            .or_insert_with(|| Path(Box::leak(Box::new(PathData { id, segments }))))
    }

    /// The names, from the outside in.
    #[must_use]
    pub fn segments(self) -> &'static [Name] {
        &self.0.segments
    }

    /// The number that stands for this path in a document's slots.
    pub(crate) fn id(self) -> u32 {
        self.0.id
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Path {}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.segments().iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(name.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

/// The fields to note while a document is checked: the union of what all expressions that see it ask for. The expression compiler
/// says what that is ([`Expression::paths`](crate::expression::Expression::paths)). A shape that misses a path costs a scan each time
/// the field is read, and nothing else.
///
/// ```
/// use millrace_language::json::{JsonDoc, Path, Shape};
///
/// let shape = Shape::new([Path::new(&["amount"]), Path::new(&["user", "id"])]);
/// let doc = JsonDoc::decode(br#"{"user": {"id": "u1"}, "amount": 5}"#[..].into(), &shape).unwrap();
/// assert_eq!(doc.raw_field(Path::new(&["amount"])), Some(&b"5"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Shape {
    nodes: Vec<Node>,
    /// A slot for each path, all absent.
    template: Slots,
}

/// A field on the way to (or at the end of) a path.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) children: SmallVec<[(Name, u32); 4]>,
    /// The slot of the path that ends here.
    pub(super) slot: Option<u32>,
    /// The slots of this node and of all nodes below it.
    pub(super) slots_from: u32,
    pub(super) slots_to: u32,
}

impl Shape {
    /// A shape of these paths; repeated ones, and the empty path, count for nothing.
    #[must_use]
    pub fn new(paths: impl IntoIterator<Item = Path>) -> Self {
        let mut unique: Vec<Path> = Vec::new();
        for path in paths {
            if !path.segments().is_empty() && !unique.contains(&path) {
                unique.push(path);
            }
        }
        let mut shape = Shape {
            nodes: vec![Node::default()],
            template: Slots::new(),
        };
        for (index, path) in unique.iter().enumerate() {
            let mut at = 0;
            for name in path.segments() {
                at = shape.child_or_new(at, *name);
            }
            // For now the path's number; `number_slots` gives slots in tree order.
            shape.nodes[at].slot = Some(index as u32);
        }
        shape.number_slots(0, &unique);
        shape
    }

    /// A shape without fields.
    #[must_use]
    pub fn empty() -> Self {
        Self::new([])
    }

    fn child_or_new(&mut self, parent: usize, name: Name) -> usize {
        if let Some((_, child)) = self.nodes[parent].children.iter().find(|(n, _)| *n == name) {
            return *child as usize;
        }
        let child = self.nodes.len();
        self.nodes.push(Node::default());
        self.nodes[parent].children.push((name, child as u32));
        child
    }

    /// Numbers slots so that those of a subtree are one range, which a duplicate key clears.
    fn number_slots(&mut self, node: usize, paths: &[Path]) {
        self.nodes[node].slots_from = self.template.len() as u32;
        if let Some(path) = self.nodes[node].slot {
            self.nodes[node].slot = Some(self.template.len() as u32);
            self.template.push(Slot::absent(paths[path as usize]));
        }
        for (_, child) in self.nodes[node].children.clone() {
            self.number_slots(child as usize, paths);
        }
        self.nodes[node].slots_to = self.template.len() as u32;
    }

    pub(super) fn root(&self) -> &Node {
        &self.nodes[0]
    }

    pub(super) fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    pub(super) fn slots(&self) -> Slots {
        Slots::from_slice(&self.template)
    }
}
