//! A cursor over a sorted map.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::Result;
use crate::scan::Cursor;

/// Looks its way up again at each step: plain and right, as memory stores are for tests and small data.
pub(crate) struct MapCursor<'a, V> {
    map: &'a BTreeMap<Vec<u8>, V>,
    at: Option<(&'a Vec<u8>, &'a V)>,
}

impl<'a, V> MapCursor<'a, V> {
    pub fn new(map: &'a BTreeMap<Vec<u8>, V>) -> Self {
        Self { map, at: None }
    }

    pub fn entry(&self) -> Option<(&'a Vec<u8>, &'a V)> {
        self.at
    }

    pub fn seek(&mut self, key: &[u8]) {
        self.at = self
            .map
            .range::<[u8], _>((Bound::Included(key), Bound::Unbounded))
            .next();
    }

    pub fn seek_for_prev(&mut self, key: &[u8]) {
        self.at = self
            .map
            .range::<[u8], _>((Bound::Unbounded, Bound::Included(key)))
            .next_back();
    }

    pub fn next(&mut self) {
        if let Some((key, _)) = self.at {
            self.at = self
                .map
                .range::<[u8], _>((Bound::Excluded(key.as_slice()), Bound::Unbounded))
                .next();
        }
    }

    pub fn prev(&mut self) {
        if let Some((key, _)) = self.at {
            self.at = self
                .map
                .range::<[u8], _>((Bound::Unbounded, Bound::Excluded(key.as_slice())))
                .next_back();
        }
    }
}

impl Cursor for MapCursor<'_, Vec<u8>> {
    fn seek(&mut self, key: &[u8]) {
        MapCursor::seek(self, key);
    }

    fn seek_for_prev(&mut self, key: &[u8]) {
        MapCursor::seek_for_prev(self, key);
    }

    fn next(&mut self) {
        MapCursor::next(self);
    }

    fn prev(&mut self) {
        MapCursor::prev(self);
    }

    fn row(&self) -> Option<(&[u8], Option<&[u8]>)> {
        self.at.map(|(key, value)| (key.as_slice(), Some(value.as_slice())))
    }

    fn status(&self) -> Result<()> {
        Ok(())
    }
}
