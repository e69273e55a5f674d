//! Values as small numbers.

use std::hash::Hash;

use imbl::Vector;
use rustc_hash::FxHashMap;

/// Values by code, which are given in the order of appearance.
#[derive(Debug)]
pub struct Dictionary<K: Clone> {
    list: Vector<K>,
    index: FxHashMap<K, u32>,
}

impl<K: Clone> Default for Dictionary<K> {
    fn default() -> Self {
        Self { list: Vector::new(), index: FxHashMap::default() }
    }
}

impl<K: Copy + Eq + Hash> Dictionary<K> {
    /// The code of a value, which gets one if it has none.
    pub fn code(&mut self, value: K) -> u32 {
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        *self.index.entry(value).or_insert_with(|| {
            self.list.push_back(value);
            next
        })
    }

    /// The codes of some rows; neighbours often have the same value.
    pub fn codes(&mut self, values: &[K]) -> Codes {
        let mut before: Option<(K, u32)> = None;
        let codes = values.iter().map(|value| {
            let code = match before {
                Some((known, code)) if known == *value => code,
                _ => self.code(*value),
            };
            before = Some((*value, code));
            code
        });
        Codes::of(&codes.collect::<Vec<u32>>())
    }

    /// The values by code, as they are now.
    #[must_use]
    pub fn values(&self) -> Vector<K> {
        self.list.clone()
    }
}

/// A column of codes, as narrow as they allow.
#[derive(Debug)]
pub enum Codes {
    /// Below 2^8.
    Narrow(Box<[u8]>),
    /// Below 2^16.
    Middle(Box<[u16]>),
    /// Any.
    Wide(Box<[u32]>),
}

impl Codes {
    /// A column of these.
    #[must_use]
    pub fn of(codes: &[u32]) -> Self {
        // Each fits, because the largest does.
        match codes.iter().max().copied().unwrap_or_default() {
            0..=0xFF => Self::Narrow(codes.iter().map(|code| *code as u8).collect()),
            0x100..=0xFFFF => Self::Middle(codes.iter().map(|code| *code as u16).collect()),
            _ => Self::Wide(codes.into()),
        }
    }

    /// Appends all of them to a list.
    pub fn read_into(&self, out: &mut Vec<u32>) {
        match self {
            Self::Narrow(codes) => out.extend(codes.iter().map(|code| u32::from(*code))),
            Self::Middle(codes) => out.extend(codes.iter().map(|code| u32::from(*code))),
            Self::Wide(codes) => out.extend(codes.iter()),
        }
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Narrow(codes) => codes.len(),
            Self::Middle(codes) => 2 * codes.len(),
            Self::Wide(codes) => 4 * codes.len(),
        }
    }
}
