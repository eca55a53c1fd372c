//! State of Millrace's tasks: bytes in, bytes out.
//!
//! One RocksDB database per task with a column family per store, an [`Environment`] that all databases of the process share,
//! and above it a [`StoreOverlay`] per store that holds what is not committed yet. The write-ahead log is off: the changelog
//! is the log, and every store knows its own place in it ([`Position`]).
//!
//! The engine sees [`StateVolume`] and [`TaskStore`]; behind them stand RocksDB ([`TaskState`]) and memory
//! ([`MemoryVolume`]), which loses on a crash what RocksDB would lose.

mod batch;
mod config;
#[cfg(test)]
mod conformance;
mod error;
mod memory;
mod overlay;
mod position;
mod rocks;
mod row;
mod scan;
mod task_store;

pub use batch::Batch;
pub use config::{StoreConfig, StoreIndex, StoreKind};
pub use error::{Error, Result};
pub use memory::{MemoryTaskStore, MemoryVolume};
pub use overlay::{Dirty, Evicted, Lookup, StoreOverlay};
pub use position::Position;
pub use rocks::{Environment, EnvironmentConfig, TaskState};
pub use scan::{KeyRange, Order, Rows, Scan};
pub use task_store::{FlushBounds, Pinned, StateVolume, StoreMetrics, TaskStore};
