//! Who changed what: one note a change, in the log beside the change itself.
//!
//! Notes outlive erasures, so they name no person, and they hold no secret: keys and links are
//! told by their ids.

use std::collections::BTreeSet;
use std::sync::Arc;

use edgetally_proto::ids::SiteId;
use serde::{Deserialize, Serialize};

/// Notes of a block of the store.
pub const BLOCK: u64 = 64;
/// Notes that are kept: the newest, in whole blocks.
pub const KEPT_MAX: u64 = 1 << 16;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Made a site, or replaced its settings.
    #[serde(rename = "site.put")]
    PutSite,
    /// Removed a site.
    #[serde(rename = "site.delete")]
    DeleteSite,
    /// Made a key.
    #[serde(rename = "key.create")]
    CreateKey,
    /// Removed a key.
    #[serde(rename = "key.delete")]
    DeleteKey,
    /// Made a public link.
    #[serde(rename = "link.create")]
    CreateLink,
    /// Revoked a public link.
    #[serde(rename = "link.delete")]
    DeleteLink,
    /// Erased a person.
    #[serde(rename = "person.erase")]
    Erase,
    /// Took a copy of all that is known of a person.
    #[serde(rename = "person.export")]
    Export,
    /// Merged persons.
    #[serde(rename = "person.merge")]
    Merge,
    /// Took a merge back.
    #[serde(rename = "person.unmerge")]
    Unmerge,
    /// Had rejected events judged again.
    #[serde(rename = "rejects.replay")]
    Replay,
    /// Told what campaigns cost.
    #[serde(rename = "costs.put")]
    PutCosts,
    /// Took note of an alert.
    #[serde(rename = "alert.acknowledge")]
    AcknowledgeAlert,
    /// Tried whether alerts arrive.
    #[serde(rename = "alert.test")]
    TestAlert,
    /// Had the report of a day sent.
    #[serde(rename = "report.send")]
    SendReport,
    /// Took a backup.
    #[serde(rename = "backup.create")]
    BackUp,
    /// Fetched a backup, which holds everything.
    #[serde(rename = "backup.read")]
    ReadBackup,
    /// Removed a backup.
    #[serde(rename = "backup.delete")]
    DeleteBackup,
    /// Logged in.
    #[serde(rename = "login")]
    Login,
    /// Gave a wrong password.
    #[serde(rename = "login.failed")]
    LoginFailed,
    /// Logged out.
    #[serde(rename = "logout")]
    Logout,
}

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When, epoch ms.
    pub at_ms: i64,
    /// Who: the id of a key, `environment`, `login:<id>`, or `nobody`.
    pub who: String,
    /// What.
    pub act: Act,
    /// On which site, if on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteId>,
    /// What about it: an id, names of settings, an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// The newest notes, by number.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Number of the first note that is kept: the first of a block.
    first: u64,
    notes: imbl::Vector<Arc<Note>>,
    dirty: BTreeSet<u64>,
    gone: Vec<u64>,
}

impl Audit {
    /// Adds a note.
    pub fn push(&mut self, note: Note) {
        self.dirty.insert(self.end() / BLOCK);
        self.notes.push_back(Arc::new(note));
        if self.notes.len() as u64 > KEPT_MAX {
            let block = self.first / BLOCK;
            self.notes = self.notes.skip(BLOCK as usize);
            self.first += BLOCK;
            self.dirty.remove(&block);
            self.gone.push(block);
        }
    }

    fn end(&self) -> u64 {
        self.first + self.notes.len() as u64
    }

    /// Notes with their numbers, the newest first, before a number if one is given.
    pub fn newest(&self, before: Option<u64>) -> impl Iterator<Item = (u64, &Arc<Note>)> {
        let end = before.map_or(self.end(), |before| before.clamp(self.first, self.end()));
        let len = end - self.first;
        let kept = self.notes.iter().take(usize::try_from(len).unwrap_or(usize::MAX));
        kept.rev().enumerate().map(move |(at, note)| (end - 1 - at as u64, note))
    }

    /// Blocks that changed since the last call, none where one is gone.
    pub fn take_dirty(&mut self) -> Vec<(u64, Option<Vec<Arc<Note>>>)> {
        let gone = std::mem::take(&mut self.gone).into_iter().map(|block| (block, None));
        let dirty = std::mem::take(&mut self.dirty);
        let changed = dirty.into_iter().map(|block| {
            let from = usize::try_from(block * BLOCK - self.first).unwrap_or(usize::MAX);
            let notes = self.notes.iter().skip(from).take(BLOCK as usize);
            (block, Some(notes.cloned().collect()))
        });
        gone.chain(changed).collect()
    }

    /// Takes a block back; they come in ascending order.
    ///
    /// # Errors
    /// If one is missing between them.
    pub fn restore(&mut self, block: u64, notes: Vec<Note>) -> Result<(), String> {
        if self.notes.is_empty() {
            self.first = block * BLOCK;
        }
        if block * BLOCK != self.end() {
            return Err(format!("block {block} of the audit log is out of turn"));
        }
        self.notes.extend(notes.into_iter().map(Arc::new));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(at_ms: i64) -> Note {
        let who = "key_1".to_owned();
        Note { at_ms, who, act: Act::PutSite, site: None, about: None }
    }

    fn times<'a>(notes: impl Iterator<Item = (u64, &'a Arc<Note>)>) -> Vec<(u64, i64)> {
        notes.map(|(number, note)| (number, note.at_ms)).collect()
    }

    #[test]
    fn the_newest_come_first_and_pages_follow() {
        let mut audit = Audit::default();
        (0..5).for_each(|at| audit.push(note(at)));
        assert_eq!(times(audit.newest(None).take(2)), [(4, 4), (3, 3)]);
        assert_eq!(times(audit.newest(Some(3))), [(2, 2), (1, 1), (0, 0)]);
        assert_eq!(times(audit.newest(Some(0))), []);
        assert_eq!(times(audit.newest(Some(99)).take(1)), [(4, 4)]);
    }

    /// A store that takes every change holds what the memory does, however often it is asked.
    #[test]
    fn blocks_bring_it_back_and_the_oldest_go() {
        let mut audit = Audit::default();
        let mut store = std::collections::BTreeMap::new();
        for at in 0..(KEPT_MAX + 3 * BLOCK + 5) as i64 {
            audit.push(note(at));
            if at % 1_000 == 0 {
                save(&mut audit, &mut store);
            }
        }
        save(&mut audit, &mut store);
        let mut back = Audit::default();
        for (block, notes) in &store {
            back.restore(*block, notes.iter().map(|note| note.as_ref().clone()).collect()).unwrap();
        }
        assert_eq!(times(back.newest(None)), times(audit.newest(None)));
        assert_eq!(back.notes.len() as u64, KEPT_MAX - BLOCK + 5);
        assert!(Audit { first: 0, ..back }.restore(9, Vec::new()).is_err());
    }

    type Blocks = std::collections::BTreeMap<u64, Vec<Arc<Note>>>;

    fn save(audit: &mut Audit, store: &mut Blocks) {
        for (block, notes) in audit.take_dirty() {
            match notes {
                Some(notes) => drop(store.insert(block, notes)),
                None => drop(store.remove(&block)),
            }
        }
    }
}
