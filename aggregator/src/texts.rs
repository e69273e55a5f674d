//! Texts of a site, each kept once: names, clients, users, pages, referrers, campaigns.
//!
//! A text keeps its number for ever, so that records, counters and checkpoints refer to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::Vector;
use rustc_hash::FxHashMap;

/// Number of a text; 0 is the empty one.
pub type TextId = u32;

/// Texts of one checkpoint block.
pub const BLOCK_TEXTS: usize = 512;

/// The texts of one site.
#[derive(Debug, Clone)]
pub struct Texts {
    /// Every record asks for texts, so this is a plain list.
    list: Vec<Arc<str>>,
    /// What readers see, brought up to date when they ask. Cloning it is cheap.
    shown: Vector<Arc<str>>,
    index: FxHashMap<Arc<str>, TextId>,
    /// Texts before this one are in the store already.
    stored: usize,
    /// Blocks before that which changed all the same.
    erased: BTreeSet<usize>,
}

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Self {
            list: Vec::new(),
            shown: Vector::new(),
            index: FxHashMap::default(),
            stored: 0,
            erased: BTreeSet::new(),
        };
        texts.intern("");
        texts
    }
}

impl Texts {
    /// The number of a text, given at its first appearance.
    pub fn intern(&mut self, text: &str) -> TextId {
        if let Some(id) = self.index.get(text) {
            return *id;
        }
        let id = TextId::try_from(self.list.len()).unwrap_or(TextId::MAX);
        let text: Arc<str> = text.into();
        self.list.push(text.clone());
        self.index.insert(text, id);
        id
    }

    /// The text with a number; empty where there is none.
    #[must_use]
    pub fn text(&self, id: TextId) -> &str {
        usize::try_from(id).ok().and_then(|at| self.list.get(at)).map_or("", |text| text)
    }

    /// The number of a text, if it has appeared.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<TextId> {
        self.index.get(text).copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none; there is always the empty one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Leaves nothing of a text but its number, which is not given again.
    pub fn erase(&mut self, id: TextId) {
        let at = usize::try_from(id).unwrap_or(usize::MAX);
        let Some(held) = self.list.get_mut(at).filter(|_| at > 0) else { return };
        let text = std::mem::replace(held, "".into());
        if let Some(shown) = self.shown.get_mut(at) {
            *shown = "".into();
        }
        self.index.remove(&text);
        self.erased.insert(at / BLOCK_TEXTS);
    }

    /// All texts, for readers.
    pub fn show(&mut self) -> Vector<Arc<str>> {
        self.shown.extend(self.list.iter().skip(self.shown.len()).cloned());
        self.shown.clone()
    }

    /// Every text, by number.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(AsRef::as_ref)
    }

    /// Puts back a block as it was stored; blocks come in order.
    pub fn restore(&mut self, number: usize, block: Vec<String>) {
        for (at, text) in (number * BLOCK_TEXTS..).zip(block) {
            let text: Arc<str> = text.into();
            let id = TextId::try_from(at).unwrap_or(TextId::MAX);
            match self.list.get_mut(at) {
                Some(held) => *held = text.clone(),
                None => self.list.push(text.clone()),
            }
            // Where a text was erased only its number is left.
            if at == 0 || !text.is_empty() {
                self.index.insert(text, id);
            }
        }
        self.stored = self.list.len();
    }

    /// The blocks that changed since the last call, each whole.
    pub fn take_dirty(&mut self) -> Vec<(usize, Vec<Arc<str>>)> {
        let mut dirty = std::mem::take(&mut self.erased);
        if self.stored < self.list.len() {
            dirty.extend(self.stored / BLOCK_TEXTS..self.block_count());
        }
        self.stored = self.list.len();
        dirty.into_iter().map(|number| (number, self.block(number))).collect()
    }

    /// How many blocks there are.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.list.len().div_ceil(BLOCK_TEXTS)
    }

    fn block(&self, number: usize) -> Vec<Arc<str>> {
        self.list.iter().skip(number * BLOCK_TEXTS).take(BLOCK_TEXTS).cloned().collect()
    }
}

/// The text with a number in a list of texts; empty where there is none.
#[must_use]
pub fn text_of(list: &Vector<Arc<str>>, id: TextId) -> &str {
    usize::try_from(id).ok().and_then(|at| list.get(at)).map_or("", |text| text)
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
