//! Numbered rows, in blocks for the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;

/// Rows of a block of the store.
const BLOCK: u64 = 64;

/// Some rows with their numbers.
pub type Rows<T> = Vec<(u64, Arc<T>)>;

/// Rows by number. Clones share what did not change since.
#[derive(Debug, Clone)]
pub struct Shelf<T> {
    rows: OrdMap<u64, Arc<T>>,
    dirty: BTreeSet<u64>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { rows: OrdMap::new(), dirty: BTreeSet::new() }
    }
}

impl<T> Shelf<T> {
    /// All rows.
    #[must_use]
    pub fn rows(&self) -> &OrdMap<u64, Arc<T>> {
        &self.rows
    }

    /// A row.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&T> {
        self.rows.get(&number).map(AsRef::as_ref)
    }

    /// The number after the last one.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.rows.get_max().map_or(0, |(number, _)| number + 1)
    }

    /// Puts a row in its place.
    pub fn put(&mut self, number: u64, row: T) {
        self.rows.insert(number, Arc::new(row));
        self.dirty.insert(number / BLOCK);
    }

    /// Takes a row away.
    pub fn remove(&mut self, number: u64) {
        if self.rows.remove(&number).is_some() {
            self.dirty.insert(number / BLOCK);
        }
    }

    /// Numbers of the blocks that the store holds, or will hold.
    #[must_use]
    pub fn blocks(&self) -> BTreeSet<u64> {
        let held = self.rows.keys().map(|number| number / BLOCK);
        held.chain(self.dirty.iter().copied()).collect()
    }

    /// Blocks that changed since the last call; those without rows are gone.
    pub fn take_dirty(&mut self) -> Vec<(u64, Rows<T>)> {
        let block = |block: u64| {
            let rows = self.rows.range(block * BLOCK..(block + 1) * BLOCK);
            (block, rows.map(|(number, row)| (*number, row.clone())).collect())
        };
        std::mem::take(&mut self.dirty).into_iter().map(block).collect()
    }

    /// Puts a block back as it was stored.
    pub fn restore(&mut self, rows: Vec<(u64, T)>) {
        self.rows.extend(rows.into_iter().map(|(number, row)| (number, Arc::new(row))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_bring_rows_back_and_empty_ones_go() {
        let mut shelf = Shelf::default();
        (0..100u64).for_each(|number| shelf.put(number, number * 2));
        let blocks = shelf.take_dirty();
        assert_eq!(
            blocks.iter().map(|(at, rows)| (*at, rows.len())).collect::<Vec<_>>(),
            [(0, 64), (1, 36)]
        );
        let mut back = Shelf::default();
        for (_, rows) in blocks {
            back.restore(rows.into_iter().map(|(number, row)| (number, *row)).collect());
        }
        assert_eq!((back.get(99), back.end()), (Some(&198), 100));
        (0..64).for_each(|number| back.remove(number));
        assert_eq!(back.take_dirty().first().map(|(at, rows)| (*at, rows.len())), Some((0, 0)));
        assert_eq!(back.blocks(), [1].into());
    }
}
