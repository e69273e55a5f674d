//! The records of each client, as chains from the newest back: four bytes a record.

use crate::texts::TextId;

const NONE: u32 = u32::MAX;

/// Which records each client has, superseded ones too.
#[derive(Debug, Clone, Default)]
pub struct Chains {
    /// The newest record of each client.
    newest: Vec<u32>,
    /// The record before each record on the same client.
    before: Vec<u32>,
}

fn at(list: &[u32], number: u32) -> Option<u32> {
    let held = list.get(usize::try_from(number).ok()?).copied()?;
    (held != NONE).then_some(held)
}

impl Chains {
    /// Adds the record with the next number. What names no client is on no chain.
    pub fn push(&mut self, client: TextId) {
        let record = u32::try_from(self.before.len()).unwrap_or(NONE);
        let Some(place) = usize::try_from(client).ok().filter(|place| *place > 0) else {
            return self.before.push(NONE);
        };
        if self.newest.len() <= place {
            self.newest.resize(place + 1, NONE);
        }
        let newest = self.newest.get_mut(place).map(|held| std::mem::replace(held, record));
        self.before.push(newest.unwrap_or(NONE));
    }

    /// The records of a client, the newest first.
    pub fn of(&self, client: TextId) -> impl Iterator<Item = u32> {
        std::iter::successors(at(&self.newest, client), |record| at(&self.before, *record))
    }

    /// Every client with a record.
    pub fn clients(&self) -> impl Iterator<Item = TextId> {
        (0..).zip(&self.newest).filter(|(_, newest)| **newest != NONE).map(|(client, _)| client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_has_its_own() {
        let mut chains = Chains::default();
        [7, 0, 3, 7, 0, 7].into_iter().for_each(|client| chains.push(client));
        let of = |client| chains.of(client).collect::<Vec<u32>>();
        assert_eq!((of(7), of(3)), (vec![5, 3, 0], vec![2]));
        assert_eq!((of(0), of(4), of(99)), (vec![], vec![], vec![]));
        assert_eq!(chains.clients().collect::<Vec<_>>(), [3, 7]);
    }
}
