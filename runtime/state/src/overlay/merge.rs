//! An ordered read over overlay and store: the overlay's rows win, its deletions hide.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::slots::Slots;
use crate::memory::MapCursor;
use crate::row::RowLayout;
use crate::scan::{Bounds, Cursor, RowScan};
use crate::{Order, Result, Rows, Scan};

struct OverlayCursor<'a, C> {
    map: MapCursor<'a, u32>,
    slots: &'a Slots<C>,
}

impl<C: Copy + Default> Cursor for OverlayCursor<'_, C> {
    fn seek(&mut self, key: &[u8]) {
        self.map.seek(key);
    }

    fn seek_for_prev(&mut self, key: &[u8]) {
        self.map.seek_for_prev(key);
    }

    fn next(&mut self) {
        self.map.next();
    }

    fn prev(&mut self) {
        self.map.prev();
    }

    fn row(&self) -> Option<(&[u8], Option<&[u8]>)> {
        self.map
            .entry()
            .map(|(key, at)| (key.as_slice(), self.slots.slot(*at).value.get()))
    }

    fn status(&self) -> Result<()> {
        Ok(())
    }
}

/// Which side the reader stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    Above,
    Below,
}

struct Merged<'a, C> {
    above: RowScan<OverlayCursor<'a, C>>,
    below: Box<dyn Rows + 'a>,
    has_above: bool,
    has_below: bool,
    side: Side,
    order: Order,
    head: usize,
}

pub(super) fn merged<'a, C: Copy + Default>(
    ordered: &'a BTreeMap<Vec<u8>, u32>,
    slots: &'a Slots<C>,
    layout: RowLayout,
    scan: &Scan<'_>,
    below: Box<dyn Rows + 'a>,
) -> Box<dyn Rows + 'a> {
    let cursor = OverlayCursor {
        map: MapCursor::new(ordered),
        slots,
    };
    let above = RowScan::new(cursor, Bounds::new(scan, layout, None));
    let order = scan.order;
    Box::new(Merged {
        above,
        below,
        has_above: false,
        has_below: false,
        side: Side::Start,
        order,
        head: layout.head(),
    })
}

impl<C: Copy + Default> Rows for Merged<'_, C> {
    fn advance(&mut self) -> Result<bool> {
        match self.side {
            Side::Start => {
                self.has_above = self.above.advance()?;
                self.has_below = self.below.advance()?;
            }
            Side::Above => self.has_above = self.above.advance()?,
            Side::Below => self.has_below = self.below.advance()?,
        }
        loop {
            let ordering = match (self.has_above, self.has_below) {
                (false, false) => return Ok(false),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (true, true) => {
                    let natural = self.above.row().0.cmp(self.below.row_key());
                    if self.order == Order::Descending {
                        natural.reverse()
                    } else {
                        natural
                    }
                }
            };
            if ordering == Ordering::Greater {
                self.side = Side::Below;
                return Ok(true);
            }
            if ordering == Ordering::Equal {
                self.has_below = self.below.advance()?;
            }
            if self.above.row().1.is_some() {
                self.side = Side::Above;
                return Ok(true);
            }
            self.has_above = self.above.advance()?;
        }
    }

    fn key(&self) -> &[u8] {
        &self.row_key()[self.head..]
    }

    fn value(&self) -> &[u8] {
        match self.side {
            Side::Below => self.below.value(),
            _ => self.above.row().1.unwrap_or_default(),
        }
    }

    fn row_key(&self) -> &[u8] {
        match self.side {
            Side::Below => self.below.row_key(),
            _ => self.above.row().0,
        }
    }
}
