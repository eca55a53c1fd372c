//! A column family's handle, looked up once.
//!
//! The `rocksdb` crate lends handles out of its database, which a struct that owns the database cannot keep; looking one up
//! by name costs a string-keyed tree search per record. This keeps the pointer instead. It stays valid as long as the column
//! family is not dropped and the database is open; only `TaskState` makes one, beside the database that it owns, and puts the default
//! column family's in its place before it drops one.

use std::sync::atomic::{AtomicPtr, Ordering};

use librocksdb_sys::rocksdb_column_family_handle_t;
use rocksdb::{AsColumnFamilyRef, ColumnFamily};

/// See the module's text. `AtomicPtr` only because it may be sent between threads.
#[derive(Debug)]
pub(super) struct CfHandle(AtomicPtr<rocksdb_column_family_handle_t>);

impl CfHandle {
    pub fn of(family: &ColumnFamily) -> Self {
        Self(AtomicPtr::new(family.inner()))
    }
}

impl AsColumnFamilyRef for CfHandle {
    #[inline]
    fn inner(&self) -> *mut rocksdb_column_family_handle_t {
        self.0.load(Ordering::Relaxed)
    }
}
