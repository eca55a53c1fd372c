//! The orders of Java's collections, on which the text of `describe` depends: `HashMap` by buckets of hash codes, `TreeSet` with
//! a comparator whose answers change while it fills.

use std::cmp::Ordering;

/// `String.hashCode`: over UTF-16 units.
pub(crate) fn string_hash(text: &str) -> i32 {
    text.encode_utf16()
        .fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The capacity of a `HashMap` that grew one by one from nothing.
pub(crate) fn grown_capacity(length: usize) -> usize {
    let mut capacity = 16;
    while length * 4 > capacity * 3 {
        capacity *= 2;
    }
    capacity
}

/// The capacity of a `HashSet` made from a collection, as JDK 17 sizes it.
pub(crate) fn copied_capacity(length: usize) -> usize {
    (length * 4 / 3 + 1).max(16).next_power_of_two()
}

/// Sorts items, given in insertion order, into a `HashMap`'s order of iteration. Buckets that Java turns into trees (8 collisions)
/// are not followed.
pub(crate) fn hash_order<T>(items: &mut [T], capacity: usize, hash: impl Fn(&T) -> i32) {
    items.sort_by_key(|item| {
        let hash = hash(item).cast_unsigned();
        (hash ^ (hash >> 16)) as usize & (capacity - 1)
    });
}

/// A `TreeSet` of small numbers that is only added to: a red-black tree. The comparison is asked when an item is added and its
/// answers may change later, so the shape of the tree matters.
#[derive(Default)]
pub(crate) struct TreeOrder {
    entries: Vec<Entry>,
    root: Option<usize>,
}

struct Entry {
    item: usize,
    /// Left and right.
    children: [Option<usize>; 2],
    parent: Option<usize>,
    red: bool,
}

impl TreeOrder {
    /// Adds an item; `compare` orders the new item (first) against one in the tree.
    pub(crate) fn insert(&mut self, item: usize, compare: impl Fn(usize, usize) -> Ordering) {
        let mut at = None;
        let mut side = 0;
        let mut next = self.root;
        while let Some(entry) = next {
            at = next;
            side = match compare(item, self.entries[entry].item) {
                Ordering::Less => 0,
                Ordering::Greater => 1,
                Ordering::Equal => return,
            };
            next = self.entries[entry].children[side];
        }
        let new = self.entries.len();
        self.entries.push(Entry {
            item,
            children: [None, None],
            parent: at,
            red: true,
        });
        match at {
            None => self.root = Some(new),
            Some(parent) => self.entries[parent].children[side] = Some(new),
        }
        self.balance(new);
    }

    fn balance(&mut self, mut node: usize) {
        while let Some(parent) = self.entries[node].parent.filter(|&parent| self.entries[parent].red) {
            // A red parent is not the root.
            let Some(grandparent) = self.entries[parent].parent else {
                break;
            };
            let side = usize::from(self.entries[grandparent].children[1] == Some(parent));
            match self.entries[grandparent].children[1 - side] {
                Some(uncle) if self.entries[uncle].red => {
                    self.entries[parent].red = false;
                    self.entries[uncle].red = false;
                    self.entries[grandparent].red = true;
                    node = grandparent;
                }
                _ => {
                    let mut upper = parent;
                    if self.entries[parent].children[1 - side] == Some(node) {
                        self.rotate(parent, side);
                        upper = node;
                        node = parent;
                    }
                    self.entries[upper].red = false;
                    self.entries[grandparent].red = true;
                    self.rotate(grandparent, 1 - side);
                }
            }
        }
        if let Some(root) = self.root {
            self.entries[root].red = false;
        }
    }

    /// Moves `node` down to the given side; its child of the other side takes its place.
    fn rotate(&mut self, node: usize, side: usize) {
        let Some(child) = self.entries[node].children[1 - side] else {
            return;
        };
        let inner = self.entries[child].children[side];
        self.entries[node].children[1 - side] = inner;
        if let Some(inner) = inner {
            self.entries[inner].parent = Some(node);
        }
        let above = self.entries[node].parent;
        self.entries[child].parent = above;
        match above {
            None => self.root = Some(child),
            Some(above) => {
                let side = usize::from(self.entries[above].children[1] == Some(node));
                self.entries[above].children[side] = Some(child);
            }
        }
        self.entries[child].children[side] = Some(node);
        self.entries[node].parent = Some(child);
    }

    /// The items in the tree's order.
    pub(crate) fn items(&self) -> Vec<usize> {
        let mut result = Vec::with_capacity(self.entries.len());
        let mut open = Vec::new();
        let mut next = self.root;
        while next.is_some() || !open.is_empty() {
            while let Some(entry) = next {
                open.push(entry);
                next = self.entries[entry].children[0];
            }
            if let Some(entry) = open.pop() {
                result.push(self.entries[entry].item);
                next = self.entries[entry].children[1];
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hash_codes_are_javas() {
        for (text, hash) in [
            ("", 0),
            ("a", 97),
            ("transactions-topic", -1_891_543_369),
            ("größe", 98_762_257),
        ] {
            assert_eq!(string_hash(text), hash, "{text}");
        }
    }

    #[test]
    fn capacities_are_javas() {
        for (length, grown, copied) in [
            (0, 16, 16),
            (11, 16, 16),
            (12, 16, 32),
            (13, 32, 32),
            (24, 32, 64),
            (25, 64, 64),
        ] {
            assert_eq!(
                (grown_capacity(length), copied_capacity(length)),
                (grown, copied),
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_tree_with_a_steady_comparison_sorts(items in proptest::collection::vec(0usize..1000, 0..200)) {
            let mut tree = TreeOrder::default();
            for &item in &items {
                tree.insert(item, |a, b| a.cmp(&b));
            }
            let mut sorted = items;
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(tree.items(), sorted);
        }
    }
}
