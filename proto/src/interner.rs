//! Tables that hold every value once.

use std::borrow::{Borrow, Cow};
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::record::Ref;

/// Finds values in a table that lies elsewhere, and appends what is not there yet. References are
/// given in the order in which values come, and do not depend on hashes.
#[derive(Debug)]
pub(crate) struct Interner {
    refs: HashTable<Ref>,
    hasher: DefaultHashBuilder,
    /// The value that came last is mostly the one that comes next.
    last: usize,
}

impl Default for Interner {
    fn default() -> Self {
        Self { refs: HashTable::new(), hasher: DefaultHashBuilder::default(), last: 0 }
    }
}

impl Interner {
    /// The reference of a value. What is new to the table adds its weight to `bytes`.
    pub(crate) fn refer<T, Q>(
        &mut self,
        table: &mut Vec<T>,
        value: Cow<'_, Q>,
        weigh: impl Fn(&Q) -> usize,
        bytes: &mut usize,
    ) -> Ref
    where
        T: Borrow<Q>,
        Q: ToOwned<Owned = T> + Eq + Hash + ?Sized,
    {
        let is_at = |at: usize| table.get(at).map(Borrow::borrow) == Some(&*value);
        if is_at(self.last) {
            return to_ref(self.last);
        }
        let hash_of = |value: &Q| self.hasher.hash_one(value);
        let hash = hash_of(&value);
        let is_it = |known: &Ref| is_at(to_index(*known));
        if let Some(known) = self.refs.find(hash, is_it) {
            self.last = to_index(*known);
            return *known;
        }
        let new = to_ref(table.len());
        let rehash =
            |known: &Ref| table.get(to_index(*known)).map_or(0, |known| hash_of(known.borrow()));
        self.refs.insert_unique(hash, new, rehash);
        *bytes += weigh(&value);
        self.last = table.len();
        table.push(value.into_owned());
        new
    }
}

/// A window is committed long before a table has so many entries.
fn to_ref(index: usize) -> Ref {
    Ref::try_from(index).unwrap_or(Ref::MAX)
}

fn to_index(reference: Ref) -> usize {
    usize::try_from(reference).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_stands_once_in_the_order_of_its_coming() {
        let (mut interner, mut table, mut bytes) = (Interner::default(), Vec::new(), 0);
        let mut refer = |value: String| {
            interner.refer(&mut table, Cow::<str>::Owned(value), str::len, &mut bytes)
        };
        for round in 0..3 {
            for n in (0..500).rev() {
                let reference = refer(format!("value {n:03}"));
                assert_eq!(reference, 499 - n, "in round {round}");
                assert_eq!(refer(format!("value {n:03}")), reference);
            }
        }
        assert_eq!((table.len(), bytes), (500, 500 * 9));
    }
}
