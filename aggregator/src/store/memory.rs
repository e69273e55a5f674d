//! A store in memory, for tests and simulations.

use std::collections::BTreeMap;

use super::{Change, Store, StoreError, Visit};

/// Keys and values in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Store for Memory {
    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.values.iter().try_for_each(|(key, value)| visit(key, value))
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        for (key, value) in changes {
            match value {
                Some(value) => self.values.insert(key, value),
                None => self.values.remove(&key),
            };
        }
        Ok(())
    }
}
