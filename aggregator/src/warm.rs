//! Things that were used lately, as many as there is room for; the others are let go.

use std::collections::hash_map::Entry;
use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Room for about so many events that are kept unpacked, if nothing else is said.
pub const ROOM: usize = 1 << 20;

/// Two generations: what is used goes to the young one, and when that is half of the room, the old
/// one is let go and the young one is the old one. So what stays is what was used last, near
/// enough, without a list of who was used when.
#[derive(Debug, Clone)]
pub struct Warm<K, V> {
    young: FxHashMap<K, V>,
    old: FxHashMap<K, V>,
    weight: usize,
    room: usize,
}

impl<K, V> Default for Warm<K, V> {
    fn default() -> Self {
        Self { young: FxHashMap::default(), old: FxHashMap::default(), weight: 0, room: ROOM }
    }
}

impl<K: Copy + Eq + Hash, V> Warm<K, V> {
    /// A thing that is here.
    #[must_use]
    pub fn get(&self, key: K) -> Option<&V> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    /// A thing that is here, else one that is made, to be used; `weigh` says how heavy it is.
    pub fn get_or_insert(
        &mut self,
        key: K,
        make: impl FnOnce() -> V,
        weigh: impl FnOnce(&V) -> usize,
    ) -> &mut V {
        match self.young.entry(key) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => {
                let value = self.old.remove(&key).unwrap_or_else(make);
                self.weight += weigh(&value);
                place.insert(value)
            }
        }
    }

    /// A copy of a thing that is here, which is used thereby.
    pub fn touch(&mut self, key: K) -> Option<V>
    where
        V: Clone,
    {
        if let Some(value) = self.old.remove(&key) {
            self.young.insert(key, value);
        }
        self.young.get(&key).cloned()
    }

    /// Lets go of one thing.
    pub fn remove(&mut self, key: K) {
        self.young.remove(&key);
        self.old.remove(&key);
    }

    /// Something that is here has become heavier.
    pub fn grow(&mut self, by: usize) {
        self.weight += by;
    }

    /// Everything that is here.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.young.iter().chain(&self.old).map(|(key, value)| (*key, value))
    }

    /// Says for how much there is room.
    pub fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        (self.young, self.old) = Default::default();
        self.weight = 0;
    }

    /// Lets go of what was not used lately, if that is due.
    pub fn cool(&mut self) -> Option<FxHashMap<K, V>> {
        if self.weight <= self.room / 2 {
            return None;
        }
        self.weight = 0;
        Some(std::mem::replace(&mut self.old, std::mem::take(&mut self.young)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut warm: Warm<u32, u32> = Warm::default();
        warm.set_room(4);
        let mut gone = Vec::new();
        for key in 0..20 {
            for key in [key, 0] {
                *warm.get_or_insert(key, || key, |_| 1) += u32::from(key == 0);
            }
            gone.extend(warm.cool().into_iter().flatten().map(|(key, _)| key));
        }
        assert_eq!(warm.get(0), Some(&21));
        assert!(!gone.contains(&0) && warm.iter().count() <= 6, "{gone:?}");
        assert_eq!(gone.len() + warm.iter().count(), 20);
        assert!(warm.get(1).is_none());
    }
}
