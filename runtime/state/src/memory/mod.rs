//! State in memory: for the in-process log, the test driver and the simulator.
//!
//! It loses on a crash what RocksDB would lose: each store falls back, on its own, to some state between its last flush
//! and now, at a border between batches, drawn by the volume's seed.

mod cursor;
mod store;
mod volume;

pub(crate) use cursor::MapCursor;
pub use store::MemoryTaskStore;
pub use volume::MemoryVolume;
