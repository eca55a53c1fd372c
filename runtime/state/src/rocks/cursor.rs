//! A cursor over a column family.

use std::path::Path;

use rocksdb::DBRawIterator;

use super::errors;
use crate::Result;
use crate::scan::Cursor;

pub(super) struct RocksCursor<'a> {
    pub iter: DBRawIterator<'a>,
    pub dir: &'a Path,
    pub store: &'a str,
}

impl Cursor for RocksCursor<'_> {
    fn seek(&mut self, key: &[u8]) {
        self.iter.seek(key);
    }

    fn seek_for_prev(&mut self, key: &[u8]) {
        self.iter.seek_for_prev(key);
    }

    fn next(&mut self) {
        self.iter.next();
    }

    fn prev(&mut self) {
        self.iter.prev();
    }

    fn row(&self) -> Option<(&[u8], Option<&[u8]>)> {
        self.iter.item().map(|(key, value)| (key, Some(value)))
    }

    fn status(&self) -> Result<()> {
        self.iter
            .status()
            .map_err(|err| errors::classify(err, self.dir, Some(self.store)))
    }
}
