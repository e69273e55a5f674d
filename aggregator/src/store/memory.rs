//! A store in memory, for tests and simulations.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Change, Store, StoreError, Values, Visit};

/// Keys and values in memory; a clone is the same store.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    values: Arc<RwLock<BTreeMap<Vec<u8>, Vec<u8>>>>,
}

impl Store for Memory {
    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.iter().try_for_each(|(key, value)| visit(key, value))
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            match value {
                Some(value) => values.insert(key, value),
                None => values.remove(&key),
            };
        }
        Ok(())
    }

    fn values(&self) -> Arc<dyn Values> {
        Arc::new(self.clone())
    }
}

impl Values for Memory {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        Ok(values.get(key).cloned())
    }
}
