//! Texts of a site, each kept once: names, clients, users, pages, referrers, campaigns.
//!
//! A text keeps its number for ever, so that records, counters and checkpoints refer to it.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use imbl::Vector;
use rustc_hash::FxBuildHasher;

/// Number of a text; 0 is the empty one.
pub type TextId = u32;

/// Texts of one checkpoint block.
pub const BLOCK_TEXTS: usize = 512;

/// The texts of a full block, one behind the other.
#[derive(Debug)]
struct Block {
    all: Box<str>,
    ends: Box<[u32]>,
}

impl Block {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let (mut all, mut ends) = (String::new(), Vec::with_capacity(BLOCK_TEXTS));
        for text in texts {
            all.push_str(text);
            ends.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
        }
        Self { all: all.into(), ends: ends.into() }
    }

    fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let range = usize::try_from(start.unwrap_or_default()).ok()?..usize::try_from(end).ok()?;
        self.all.get(range)
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).filter_map(|at| self.get(at))
    }
}

/// Block and place of a text.
fn place_of(id: TextId) -> (usize, usize) {
    let at = usize::try_from(id).unwrap_or(usize::MAX);
    (at / BLOCK_TEXTS, at % BLOCK_TEXTS)
}

/// The texts as readers see them.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    full: Vector<Arc<Block>>,
    newest: Vector<Arc<str>>,
}

impl Shown {
    /// Every text, by number.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let full = self.full.iter().flat_map(|block| block.iter());
        full.chain(self.newest.iter().map(AsRef::as_ref))
    }
}

/// A text in the index: the hash beside the number, so that the index grows without reading texts.
#[derive(Debug, Clone, Copy)]
struct Indexed {
    hash: u32,
    text: TextId,
}

fn hash(text: &str) -> u32 {
    (FxBuildHasher.hash_one(text) >> 32) as u32
}

/// What the table places a hash by.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The texts of one site.
#[derive(Debug, Clone)]
pub struct Texts {
    full: Vec<Arc<Block>>,
    /// Those after the full blocks.
    newest: Vec<Arc<str>>,
    /// What readers see, brought up to date when they ask. Cloning it is cheap.
    shown: Shown,
    index: HashTable<Indexed>,
    /// Texts before this one are in the store already.
    stored: usize,
    /// Blocks before that which changed all the same.
    erased: BTreeSet<usize>,
}

impl Default for Texts {
    fn default() -> Self {
        let (full, newest, shown, index) = Default::default();
        let mut texts = Self { full, newest, shown, index, stored: 0, erased: BTreeSet::new() };
        texts.intern("");
        texts
    }
}

impl Texts {
    /// The number of a text, given at its first appearance.
    pub fn intern(&mut self, text: &str) -> TextId {
        if let Some(id) = self.find(text) {
            return id;
        }
        let id = TextId::try_from(self.len()).unwrap_or(TextId::MAX);
        self.push(id, text.into());
        id
    }

    fn push(&mut self, id: TextId, text: Arc<str>) {
        // Where a text was erased only its number is left.
        if id == 0 || !text.is_empty() {
            let of = Indexed { hash: hash(&text), text: id };
            self.index.insert_unique(spread(of.hash), of, |of| spread(of.hash));
        }
        self.newest.push(text);
        if self.newest.len() == BLOCK_TEXTS {
            let block = Block::of(self.newest.iter().map(AsRef::as_ref));
            self.full.push(Arc::new(block));
            self.newest.clear();
            self.shown.newest = Vector::new();
        }
    }

    /// The text with a number; empty where there is none.
    #[must_use]
    pub fn text(&self, id: TextId) -> &str {
        let (block, at) = place_of(id);
        let text = match self.full.get(block) {
            Some(block) => block.get(at),
            None if block == self.full.len() => self.newest.get(at).map(AsRef::as_ref),
            None => None,
        };
        text.unwrap_or_default()
    }

    /// The number of a text, if it has appeared.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<TextId> {
        let hash = hash(text);
        let is_it = |of: &Indexed| of.hash == hash && self.text(of.text) == text;
        self.index.find(spread(hash), is_it).map(|of| of.text)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.full.len() * BLOCK_TEXTS + self.newest.len()
    }

    /// Whether there are none; there is always the empty one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Leaves nothing of a text but its number, which is not given again.
    pub fn erase(&mut self, id: TextId) {
        let (number, at) = place_of(id);
        if id == 0 || self.text(id).is_empty() {
            return;
        }
        let key = spread(hash(self.text(id)));
        if let Ok(entry) = self.index.find_entry(key, |of| of.text == id) {
            entry.remove();
        }
        if let Some(held) = self.full.get_mut(number) {
            let kept = held.iter().enumerate().map(|(of, text)| if of == at { "" } else { text });
            *held = Arc::new(Block::of(kept));
            if let Some(shown) = self.shown.full.get_mut(number) {
                *shown = held.clone();
            }
        } else if let Some(held) = self.newest.get_mut(at) {
            *held = "".into();
            if let Some(shown) = self.shown.newest.get_mut(at) {
                *shown = "".into();
            }
        }
        self.erased.insert(number);
    }

    /// All texts, for readers.
    pub fn show(&mut self) -> Shown {
        let Shown { full, newest } = &mut self.shown;
        full.extend(self.full.iter().skip(full.len()).cloned());
        newest.extend(self.newest.iter().skip(newest.len()).cloned());
        self.shown.clone()
    }

    /// Every text, by number.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let full = self.full.iter().flat_map(|block| block.iter());
        full.chain(self.newest.iter().map(AsRef::as_ref))
    }

    /// Puts back a block as it was stored; blocks come in order.
    pub fn restore(&mut self, number: usize, block: Vec<String>) {
        if number == 0 {
            // It begins with the empty text, which was there before.
            *self = Self {
                full: Vec::new(),
                newest: Vec::new(),
                index: HashTable::new(),
                ..Self::default()
            };
        }
        for text in block {
            let id = TextId::try_from(self.len()).unwrap_or(TextId::MAX);
            self.push(id, text.into());
        }
        self.stored = self.len();
    }

    /// The blocks that changed since the last call, each whole.
    pub fn take_dirty(&mut self) -> Vec<(usize, Vec<Arc<str>>)> {
        let mut dirty = std::mem::take(&mut self.erased);
        if self.stored < self.len() {
            dirty.extend(self.stored / BLOCK_TEXTS..self.block_count());
        }
        self.stored = self.len();
        dirty.into_iter().map(|number| (number, self.block(number))).collect()
    }

    /// How many blocks there are.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.len().div_ceil(BLOCK_TEXTS)
    }

    fn block(&self, number: usize) -> Vec<Arc<str>> {
        match self.full.get(number) {
            Some(block) => block.iter().map(Into::into).collect(),
            None => self.newest.clone(),
        }
    }
}

/// The text with a number in a list of texts; empty where there is none.
#[must_use]
pub fn text_of(list: &Shown, id: TextId) -> &str {
    let (block, at) = place_of(id);
    let text = match list.full.get(block) {
        Some(block) => block.get(at),
        None if block == list.full.len() => list.newest.get(at).map(AsRef::as_ref),
        None => None,
    };
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_numbers_through_a_checkpoint() {
        let mut texts = Texts::default();
        let ids: Vec<TextId> = (0..1_200).map(|n| texts.intern(&format!("text {n}"))).collect();
        let mut blocks = texts.take_dirty();
        assert_eq!(blocks.len(), 3);
        assert!(texts.take_dirty().is_empty());
        texts.intern("one more");
        let later = texts.take_dirty();
        assert_eq!(later.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2]);
        blocks.pop();
        blocks.extend(later);

        let mut restored = Texts::default();
        for (number, block) in blocks {
            restored.restore(number, block.iter().map(ToString::to_string).collect());
        }
        assert_eq!(restored.intern("text 7"), ids[7]);
        assert_eq!(restored.text(ids[1_199]), "text 1199");
        assert_eq!(restored.find("one more"), Some(1_201));
        assert_eq!(restored.text(9_999), "");
        assert!(restored.take_dirty().is_empty());

        restored.erase(ids[7]);
        assert_eq!((restored.text(ids[7]), restored.find("text 7")), ("", None));
        let changed = restored.take_dirty();
        assert_eq!(changed.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0]);
        let block = changed[0].1.iter().map(ToString::to_string).collect();
        let mut again = Texts::default();
        again.restore(0, block);
        assert_eq!((again.find(""), again.find("text 7")), (Some(0), None));
        assert_eq!(again.intern("text 8"), ids[8]);
    }
}
