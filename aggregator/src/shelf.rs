//! A list of shared things, of which readers get a snapshot for next to nothing.

use std::sync::Arc;

use imbl::Vector;

/// Things by number. The writer works on a plain list; what readers see is brought up to date
/// only where something changed since they looked last.
#[derive(Debug, Clone)]
pub struct Shelf<T> {
    items: Vec<Arc<T>>,
    shown: Vector<Arc<T>>,
    stale: Vec<usize>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { items: Vec::new(), shown: Vector::new(), stale: Vec::new() }
    }
}

impl<T: Clone + Default> Shelf<T> {
    /// The thing with a number.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&T> {
        self.items.get(number).map(Arc::as_ref)
    }

    /// The thing with a number, to be changed; the list grows up to it.
    pub fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        while self.items.len() <= number {
            self.items.push(Arc::default());
        }
        if self.stale.last() != Some(&number) {
            self.stale.push(number);
        }
        self.items.get_mut(number).map(Arc::make_mut)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All of them as they are now.
    pub fn show(&mut self) -> Vector<Arc<T>> {
        for item in self.items.iter().skip(self.shown.len()) {
            self.shown.push_back(item.clone());
        }
        for number in self.stale.drain(..) {
            if let Some(item) = self.items.get(number) {
                self.shown.set(number, item.clone());
            }
        }
        self.shown.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_keep_what_they_saw() {
        let mut shelf: Shelf<u32> = Shelf::default();
        *shelf.get_mut(2).unwrap() = 7;
        let first = shelf.show();
        *shelf.get_mut(0).unwrap() = 5;
        *shelf.get_mut(3).unwrap() = 9;
        let second = shelf.show();
        let plain = |shown: &Vector<Arc<u32>>| shown.iter().map(|n| **n).collect::<Vec<_>>();
        assert_eq!(plain(&first), [0, 0, 7]);
        assert_eq!(plain(&second), [5, 0, 7, 9]);
        assert_eq!((shelf.len(), shelf.get(3)), (4, Some(&9)));
    }
}
