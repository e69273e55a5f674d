//! Persons that an administrator joined (semantics, section 6): a list, applied after the owners.
//!
//! The list keeps what was undone too, and how many records there were at each change, so that
//! everything that followed from it can be worked out again.

use std::collections::HashMap;
use std::sync::Arc;

use edgetally_proto::ids::{EventId, UserId};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::people::Person;
use crate::texts::{TextId, Texts};
use crate::timeline::Ids;
use crate::tombstones::Person as Whom;

/// Most changes that the list of a site takes.
pub const CHANGES_MAX: usize = 100_000;

/// A person by what does not change: the record of a logout does, where an earlier copy turns up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// A user.
    User(TextId),
    /// A client before any login.
    Client(TextId),
    /// A client after the logout with this id.
    AfterLogout(TextId, EventId),
}

impl Name {
    /// The name of a person; none if the logout is gone.
    #[must_use]
    pub fn of(person: Person, ids: &impl Ids) -> Option<Self> {
        Some(match person {
            Person::User(user) => Self::User(user),
            Person::Client(client) => Self::Client(client),
            Person::AfterLogout(client, logout) => Self::AfterLogout(client, ids.id(logout)?),
        })
    }

    /// The name of somebody whose user or client was met before.
    #[must_use]
    pub fn find(whom: &Whom, texts: &Texts) -> Option<Self> {
        Some(match whom {
            Whom::User(user) => Self::User(texts.find(user.as_str())?),
            Whom::Client(client) => Self::Client(texts.find(client.as_str())?),
            Whom::AfterLogout(client, logout) => {
                Self::AfterLogout(texts.find(client.as_str())?, logout.clone())
            }
        })
    }

    /// The name of somebody whom an administrator names.
    pub fn read(whom: &Whom, texts: &mut Texts) -> Self {
        match whom {
            Whom::User(user) => Self::User(texts.intern(user.as_str())),
            Whom::Client(client) => Self::Client(texts.intern(client.as_str())),
            Whom::AfterLogout(client, logout) => {
                Self::AfterLogout(texts.intern(client.as_str()), logout.clone())
            }
        }
    }

    /// Its text: the user, or the client.
    #[must_use]
    pub fn text(&self) -> TextId {
        match self {
            Self::User(text) | Self::Client(text) | Self::AfterLogout(text, _) => *text,
        }
    }
}

/// A merge, or its undoing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Who is somebody else.
    pub from: Whom,
    /// Who he is.
    pub into: UserId,
    /// When it was asked for, epoch ms.
    pub at_ms: i64,
    /// Whether it takes the merge back.
    pub is_undo: bool,
    /// How many records the site had.
    pub after: u32,
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// From and into are one.
    #[error("nobody can be merged into himself")]
    Same,
    /// The person is merged into another user.
    #[error("{0} is merged into u:{1} already; undo that first")]
    Already(String, String),
    /// The user is merged into the person.
    #[error("u:{1} is merged into {0}, directly or by way of others, so {0} cannot become u:{1}")]
    Circle(String, String),
    /// There is nothing to undo.
    #[error("{0} is not merged into u:{1}")]
    Apart(String, String),
    /// The list is full.
    #[error("there are {CHANGES_MAX} merges and undone merges already")]
    Full,
}

/// The merges of a site.
#[derive(Debug, Clone, Default)]
pub struct Merges {
    history: Arc<Vec<Change>>,
    is_dirty: bool,
    in_force: HashMap<Whom, UserId>,
    into: FxHashMap<Name, TextId>,
    from: FxHashMap<TextId, Vec<Name>>,
    /// Into whom anonymous persons of a client were merged.
    of_client: FxHashMap<TextId, Vec<TextId>>,
}

impl Merges {
    /// Whether nobody is merged into anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.into.is_empty()
    }

    /// All changes, in their order.
    #[must_use]
    pub fn history(&self) -> &Arc<Vec<Change>> {
        &self.history
    }

    /// Whether a change would change anything.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn judge(&self, from: &Whom, into: &UserId, is_undo: bool) -> Result<bool, Refusal> {
        let said = || (from.to_string(), into.to_string());
        let refused = |why: fn(String, String) -> Refusal| {
            let (from, into) = said();
            Err(why(from, into))
        };
        if *from == Whom::User(into.clone()) {
            return Err(Refusal::Same);
        }
        match self.in_force.get(from) {
            Some(known) if known == into => {}
            _ if is_undo => return refused(Refusal::Apart),
            Some(known) => return Err(Refusal::Already(from.to_string(), known.to_string())),
            None if self.history.len() >= CHANGES_MAX => return Err(Refusal::Full),
            None if self.last(&Whom::User(into.clone())) == *from => {
                return refused(Refusal::Circle);
            }
            None => return Ok(true),
        }
        Ok(is_undo)
    }

    /// Into whom somebody was merged in the end: himself if he was not.
    #[must_use]
    pub fn last(&self, whom: &Whom) -> Whom {
        let mut last = whom.clone();
        while let Some(into) = self.in_force.get(&last) {
            last = Whom::User(into.clone());
        }
        last
    }

    /// Somebody and all who were merged into him, directly or by way of others.
    #[must_use]
    pub fn group(&self, whom: &Whom) -> Vec<Whom> {
        let mut group = vec![whom.clone()];
        let mut at = 0;
        while let Some(into) = group.get(at).cloned() {
            let is_his = |user: &UserId| Whom::User(user.clone()) == into;
            let mut more: Vec<Whom> = self
                .in_force
                .iter()
                .filter(|(_, user)| is_his(user))
                .map(|(from, _)| from.clone())
                .collect();
            more.sort_by_key(ToString::to_string);
            group.extend(more);
            at += 1;
        }
        group
    }

    /// Who a person is, by merges in a row.
    #[must_use]
    pub fn root(&self, person: Person, ids: &impl Ids) -> Person {
        if self.into.is_empty() {
            return person;
        }
        let name = Name::of(person, ids);
        name.and_then(|name| self.last_user(&name)).map_or(person, Person::User)
    }

    /// The name under which somebody is told.
    #[must_use]
    pub fn root_of(&self, name: Name) -> Name {
        self.last_user(&name).map_or(name, Name::User)
    }

    fn last_user(&self, name: &Name) -> Option<TextId> {
        let mut user = *self.into.get(name)?;
        while let Some(into) = self.into.get(&Name::User(user)) {
            user = *into;
        }
        Some(user)
    }

    /// The users into whom anonymous persons of a client were merged.
    pub fn users_of(&self, client: TextId) -> impl Iterator<Item = Person> {
        self.of_client.get(&client).into_iter().flatten().map(|user| Person::User(*user))
    }

    /// Who is told as a person: himself and all who were merged into him.
    #[must_use]
    pub fn members(&self, name: Name) -> Vec<Name> {
        let mut members = vec![name];
        let mut at = 0;
        while let Some(member) = members.get(at) {
            if let Name::User(user) = member
                && let Some(more) = self.from.get(user)
            {
                members.extend(more.iter().cloned());
            }
            at += 1;
        }
        members
    }

    /// Puts a change on the list that [`Self::judge`] let pass.
    pub fn push(&mut self, change: &Change) {
        Arc::make_mut(&mut self.history).push(change.clone());
        self.is_dirty = true;
    }

    /// Puts a change in force.
    pub fn set(&mut self, change: &Change, texts: &mut Texts) {
        let name = Name::read(&change.from, texts);
        self.link(&name, texts.intern(change.into.as_str()), change.is_undo);
        if change.is_undo {
            self.in_force.remove(&change.from);
        } else {
            self.in_force.insert(change.from.clone(), change.into.clone());
        }
    }

    /// Makes somebody be told as a user, or no longer.
    pub fn link(&mut self, name: &Name, into: TextId, is_undo: bool) {
        let known = self.from.entry(into).or_default();
        known.retain(|from| from != name);
        if is_undo {
            self.into.remove(name);
        } else {
            known.push(name.clone());
            self.into.insert(name.clone(), into);
        }
        if self.from.get(&into).is_some_and(Vec::is_empty) {
            self.from.remove(&into);
        }
        if let Name::Client(client) | Name::AfterLogout(client, _) = name {
            let users = self.of_client.entry(*client).or_default();
            if !is_undo {
                users.push(into);
            } else if let Some(at) = users.iter().position(|user| *user == into) {
                users.swap_remove(at);
            }
        }
    }

    /// Puts nobody together, but keeps the list.
    pub fn restart(&mut self) {
        (self.in_force, self.into) = Default::default();
        (self.from, self.of_client) = Default::default();
    }

    /// The places of the changes that name somebody.
    #[must_use]
    pub fn naming(&self, is_meant: impl Fn(&Whom) -> bool) -> Vec<u32> {
        let names =
            |change: &Change| is_meant(&change.from) || is_meant(&Whom::User(change.into.clone()));
        let places = (0u32..).zip(self.history.iter());
        places.filter(|(_, change)| names(change)).map(|(place, _)| place).collect()
    }

    /// Takes changes off the list; those in force must be undone first.
    pub fn forget(&mut self, places: &[u32]) {
        let mut place = 0;
        Arc::make_mut(&mut self.history).retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
        self.is_dirty = true;
    }

    /// The texts that merges in force hold on to.
    pub fn texts(&self) -> impl Iterator<Item = TextId> {
        let from = self.into.keys().map(Name::text);
        from.chain(self.into.values().copied())
    }

    /// Puts the list back as it was stored.
    pub fn restore(&mut self, history: Vec<Change>) {
        self.history = Arc::new(history);
    }

    /// The list, if it changed since the last call.
    pub fn take_dirty(&mut self) -> Option<Arc<Vec<Change>>> {
        std::mem::take(&mut self.is_dirty).then(|| self.history.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whom(text: &str) -> Whom {
        Whom::parse(text, |_| false).unwrap()
    }

    fn user(text: &str) -> UserId {
        UserId::parse(text).unwrap()
    }

    fn change(from: &str, into: &str, is_undo: bool) -> Change {
        Change { from: whom(from), into: user(into), at_ms: 1, is_undo, after: 0 }
    }

    fn put(merges: &mut Merges, texts: &mut Texts, change: &Change) {
        merges.push(change);
        merges.set(change, texts);
    }

    struct Nobody;

    impl Ids for Nobody {
        fn id(&self, _: u32) -> Option<EventId> {
            None
        }
    }

    #[test]
    fn merges_in_a_row_lead_to_the_last_user_and_back() {
        let (mut merges, mut texts) = (Merges::default(), Texts::default());
        for (from, into) in [("u:b", "c"), ("u:a", "b"), ("c:x", "a")] {
            assert_eq!(merges.judge(&whom(from), &user(into), false), Ok(true));
            put(&mut merges, &mut texts, &change(from, into, false));
        }
        let number = |texts: &Texts, text: &str| texts.find(text).unwrap();
        let last = Person::User(number(&texts, "c"));
        assert_eq!(merges.root(Person::Client(number(&texts, "x")), &Nobody), last);
        assert_eq!(merges.members(Name::User(number(&texts, "c"))).len(), 4);
        assert_eq!(merges.last(&whom("c:x")), whom("u:c"));
        assert_eq!(merges.group(&whom("u:b")), ["u:b", "u:a", "c:x"].map(whom));
        put(&mut merges, &mut texts, &change("u:a", "b", true));
        let between = Person::User(number(&texts, "a"));
        assert_eq!(merges.root(Person::Client(number(&texts, "x")), &Nobody), between);
        assert_eq!(merges.history().len(), 4);
        assert_eq!(merges.users_of(number(&texts, "x")).count(), 1);
        put(&mut merges, &mut texts, &change("c:x", "a", true));
        assert_eq!(merges.users_of(number(&texts, "x")).count(), 0);
        put(&mut merges, &mut texts, &change("u:b", "c", true));
        assert!(merges.is_empty() && merges.texts().next().is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (mut merges, mut texts) = (Merges::default(), Texts::default());
        put(&mut merges, &mut texts, &change("u:a", "b", false));
        put(&mut merges, &mut texts, &change("u:b", "c", false));
        let judge = |from, into, is_undo| merges.judge(&whom(from), &user(into), is_undo);
        let said = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let ((a, b), (c, d)) = (said("u:a", "b"), said("u:c", "a"));
        assert_eq!(judge("u:a", "b", false), Ok(false));
        assert_eq!(judge("u:a", "a", false), Err(Refusal::Same));
        assert_eq!(judge("u:a", "x", false), Err(Refusal::Already(a, b)));
        assert_eq!(judge("u:c", "a", false), Err(Refusal::Circle(c, d)));
        assert!(matches!(judge("u:a", "c", true), Err(Refusal::Apart(..))));
        assert!(matches!(judge("u:x", "c", true), Err(Refusal::Apart(..))));
        assert_eq!(judge("u:a", "b", true), Ok(true));
    }
}
