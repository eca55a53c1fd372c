//! The nodes of a running task, wired by type.
//!
//! A node of type `Process<K, V>` is fed `Record<K, V>` and owns the edges to its children, so one call into a source runs a record
//! through the whole sub-topology. Nodes are built on the worker thread that owns the task, from factories that all tasks share.
//!
//! Record path: synchronous; no await, no shared lock; records are borrowed, and an operation allocates only what it makes.

mod aggregate;
mod scratch;
mod sink;
mod source;
mod stateless;
mod table;
mod wiring;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;

pub use self::aggregate::Aggregator;
pub(crate) use self::aggregate::Flush;
pub use self::source::TimestampFn;
pub(crate) use self::source::{InputReader, Loaded};
pub(crate) use self::wiring::Wired;
pub use self::wiring::{NodeTable, Wiring};

use crate::task::Context;
use crate::{BoxError, Record, RecordContext, Result};

/// A node: takes a record, does its work, forwards what comes of it.
pub trait Process<K, V> {
    /// Works on one record. An error ends the application: what the handlers forgive never gets here.
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()>;
}

/// What a table's node forwards: the row's new value, and the old one where a node further down asks for it.
#[derive(Debug)]
pub struct Change<V> {
    /// The value now; `None`: the row is gone.
    pub new: Option<V>,
    /// The value that was forwarded before. As in Java, it is the initial one of an aggregation whose first value is forwarded at once.
    /// `None`: there was none, or nobody further down asks.
    pub old: Option<V>,
}

/// An edge to a child: owned, or shared by several parents (a merge).
pub enum Edge<K, V> {
    /// The only way to this child.
    Own(Box<dyn Process<K, V>>),
    /// One of several ways.
    Shared(Rc<RefCell<dyn Process<K, V>>>),
}

impl<K, V> Edge<K, V> {
    #[inline]
    fn process(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        match self {
            Self::Own(node) => node.process(record, context),
            Self::Shared(node) => node.borrow_mut().process(record, context),
        }
    }
}

/// All children of a node, in the plan's order.
pub struct Children<K, V> {
    edges: SmallVec<[Edge<K, V>; 1]>,
}

impl<K, V> Children<K, V> {
    /// Hands the record to every child in turn.
    #[inline]
    pub fn forward(&mut self, record: Record<'_, K, V>, context: &mut Context<'_>) -> Result<()> {
        for edge in &mut self.edges {
            edge.process(record, context)?;
        }
        Ok(())
    }
}

/// A user's predicate over a record.
pub type PredicateFn<K, V> = Arc<dyn Fn(Record<'_, K, V>, &RecordContext<'_>) -> Result<bool, BoxError> + Send + Sync>;
/// A user's function from a record to a value (`None` is null).
pub type ValueFn<K, V, R> =
    Arc<dyn Fn(Record<'_, K, V>, &RecordContext<'_>) -> Result<Option<R>, BoxError> + Send + Sync>;
/// A user's function from a record to a key and a value.
pub type KeyValueFn<K, V, K2, V2> =
    Arc<dyn Fn(Record<'_, K, V>, &RecordContext<'_>) -> Result<(Option<K2>, Option<V2>), BoxError> + Send + Sync>;
