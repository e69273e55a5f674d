//! Values of dimensions as numbers: rows are grouped by these, and each text is looked at once.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::filter::Filter;
use super::metric::Dimension;

/// Number of a value.
pub type Symbol = u32;

/// A value that is missing.
pub const NONE: &str = "(none)";

/// Values of one query, each once.
#[derive(Debug)]
pub struct Symbols {
    list: RefCell<Vec<Arc<str>>>,
    index: RefCell<FxHashMap<Arc<str>, Symbol>>,
}

impl Default for Symbols {
    fn default() -> Self {
        let symbols = Self { list: RefCell::default(), index: RefCell::default() };
        symbols.number(NONE);
        symbols
    }
}

impl Symbols {
    /// The number of the value that is missing.
    pub const NONE: Symbol = 0;

    /// The number of a text; of an empty one that of the value that is missing.
    pub fn of(&self, text: &str) -> Symbol {
        if text.is_empty() { Self::NONE } else { self.number(text) }
    }

    fn number(&self, text: &str) -> Symbol {
        if let Some(symbol) = self.index.borrow().get(text) {
            return *symbol;
        }
        let mut list = self.list.borrow_mut();
        let symbol = Symbol::try_from(list.len()).unwrap_or(Symbol::MAX);
        let text: Arc<str> = text.into();
        list.push(text.clone());
        self.index.borrow_mut().insert(text, symbol);
        symbol
    }

    /// The text of a number.
    #[must_use]
    pub fn text(&self, symbol: Symbol) -> Arc<str> {
        let at = usize::try_from(symbol).unwrap_or(usize::MAX);
        self.list.borrow().get(at).cloned().unwrap_or_else(|| NONE.into())
    }
}

/// A filter that judges each value once.
#[derive(Debug)]
pub struct Sieve<'a> {
    filter: Option<&'a Filter>,
    symbols: &'a Symbols,
    judged: RefCell<FxHashMap<(usize, Symbol), bool>>,
}

impl<'a> Sieve<'a> {
    /// Of a filter; without one everything passes.
    #[must_use]
    pub fn new(filter: Option<&'a Filter>, symbols: &'a Symbols) -> Self {
        Self { filter, symbols, judged: RefCell::default() }
    }

    /// Whether something passes, of which `value` gives the value of a dimension.
    pub fn passes(&self, value: &impl Fn(Dimension) -> Symbol) -> bool {
        let Some(filter) = self.filter else { return true };
        filter.passes_by(&|condition, by| {
            let symbol = value(by);
            let key = (std::ptr::from_ref(condition).addr(), symbol);
            if let Some(judged) = self.judged.borrow().get(&key) {
                return *judged;
            }
            let holds = condition.holds(&self.symbols.text(symbol));
            self.judged.borrow_mut().insert(key, holds);
            holds
        })
    }
}
