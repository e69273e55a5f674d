//! Sessions that are told no more, and what became of their events (semantics, section 10).

use std::sync::Arc;

use imbl::OrdMap;

/// Most retractions that a site keeps; the oldest go first.
pub const KEPT_MAX: usize = 65_536;

/// What became of the events of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// They are all in this session of the same person now.
    MergedInto(String),
    /// They are all in this session of another person now.
    MovedTo(String),
    /// They are in these sessions now, in their order.
    Split(Vec<String>),
    /// They are not there any more.
    Erased,
}

/// A session that is told no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retraction {
    /// Which telling this is; of all tellings of a session the highest stands.
    pub rev: u64,
    /// The session.
    pub session_id: String,
    /// When it began, epoch ms.
    pub start_ms: i64,
    /// What became of it.
    pub fate: Fate,
}

/// The newest retractions of a site, by their numbers.
#[derive(Debug, Clone, Default)]
pub struct Retractions {
    /// By number.
    pub list: OrdMap<u64, Arc<Retraction>>,
    /// What happened up to this number is not known whole any more.
    pub floor: u64,
}

impl Retractions {
    /// Adds one.
    pub fn push(&mut self, retraction: Retraction) {
        self.list.insert(retraction.rev, Arc::new(retraction));
        if self.list.len() > KEPT_MAX
            && let Some(oldest) = self.list.get_min().map(|(rev, _)| *rev)
        {
            self.list.remove(&oldest);
            self.floor = self.floor.max(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_it_is_known_that_they_went() {
        let mut retractions = Retractions::default();
        for rev in 1..=KEPT_MAX as u64 + 2 {
            let session_id = rev.to_string();
            retractions.push(Retraction { rev, session_id, start_ms: 0, fate: Fate::Erased });
        }
        assert_eq!((retractions.list.len(), retractions.floor), (KEPT_MAX, 2));
        assert!(retractions.list.get(&3).is_some());
    }
}
