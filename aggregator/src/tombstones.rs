//! Tombstones: who was erased, so that whatever comes later is erased too.
//!
//! Nothing here tells who it was: names are hashes under a random salt of the site.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use edgetally_proto::ids::{ClientId, EventId, SiteId, UserId};
use edgetally_proto::record::{Fact, Letter};
use edgetally_proto::sign::veil;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use std::sync::Arc;

/// A name that only the salt leads to.
pub type Veiled = [u8; 16];

/// A person as an administrator names him.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Person {
    /// `u:<user id>`: what happened while the user was signed in.
    User(UserId),
    /// `c:<client id>`: what the client did while nobody was signed in.
    Client(ClientId),
    /// `c:<client id>#<event id>`: what it did after that logout.
    AfterLogout(ClientId, EventId),
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "u:{user}"),
            Self::Client(client) => write!(f, "c:{client}"),
            Self::AfterLogout(client, logout) => write!(f, "c:{client}#{logout}"),
        }
    }
}

impl Person {
    /// Reads a person as reports name it. `is_client` tells whether a client of that id is known,
    /// since an id may itself hold a `#`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, is_client: impl Fn(&str) -> bool) -> Result<Self, String> {
        let wrong = "a person is u:<user id>, c:<client id> or c:<client id>#<logout event id>";
        let whose = |error: edgetally_proto::ids::IdError| format!("the id {error}");
        if let Some(user) = text.strip_prefix("u:") {
            return UserId::parse(user).map(Self::User).map_err(whose);
        }
        let rest = text.strip_prefix("c:").ok_or(wrong)?;
        let parts = rest.rsplit_once('#').filter(|_| !is_client(rest));
        let parsed = |(client, logout)| {
            Some(Self::AfterLogout(ClientId::parse(client).ok()?, EventId::parse(logout).ok()?))
        };
        match parts.and_then(parsed) {
            Some(person) => Ok(person),
            None => ClientId::parse(rest).map(Self::Client).map_err(whose),
        }
    }
}

/// A time in which what a client did without naming a user was the person's; both ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The client.
    pub client: ByteArray<16>,
    /// Event time of the first event, epoch ms.
    pub from_ms: i64,
    /// Event time of the last one, epoch ms.
    pub to_ms: i64,
}

/// One erasure, as log, checkpoint and archive hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The site's salt; all erasures of a site have the same.
    pub salt: ByteArray<16>,
    /// When it was asked for, epoch ms: what happens later is somebody new's.
    pub erased_at_ms: i64,
    /// The user, if it is one.
    pub user: Option<ByteArray<16>>,
    /// What else was the person's.
    pub stretches: Vec<Stretch>,
    /// Events that were erased, 16 bytes each.
    #[serde(with = "serde_bytes")]
    pub keys: Vec<u8>,
    /// Their clients, 16 bytes each.
    #[serde(with = "serde_bytes")]
    pub clients: Vec<u8>,
}

impl Erasure {
    /// One that concerns nothing yet.
    #[must_use]
    pub fn new(salt: Veiled, erased_at_ms: i64, user: Option<&str>) -> Self {
        let user = user.map(|user| ByteArray::new(veil_user(&salt, user)));
        let salt = ByteArray::new(salt);
        let (stretches, keys, clients) = (Vec::new(), Vec::new(), Vec::new());
        Self { salt, erased_at_ms, user, stretches, keys, clients }
    }
}

impl Erasure {
    /// Whether it erased a person who is named so, as far as hashes of user and client tell.
    #[must_use]
    pub fn is_of(&self, person: &Person) -> bool {
        match (person, &self.user) {
            (Person::User(user), Some(veiled)) => veil_user(&self.salt, user.as_str()) == **veiled,
            (Person::Client(client) | Person::AfterLogout(client, _), None) => {
                let veiled = veil_client(&self.salt, client.as_str());
                self.stretches.iter().any(|stretch| *stretch.client == veiled)
            }
            _ => false,
        }
    }
}

fn veil_user(salt: &Veiled, user: &str) -> Veiled {
    veil(salt, &[b"user", user.as_bytes()])
}

/// The veiled name of a client.
#[must_use]
pub fn veil_client(salt: &Veiled, client: &str) -> Veiled {
    veil(salt, &[b"client", client.as_bytes()])
}

/// The veiled name of an event.
#[must_use]
pub fn veil_event(salt: &Veiled, client: &str, id: &EventId) -> Veiled {
    veil(salt, &[b"event", client.as_bytes(), id.to_string().as_bytes()])
}

/// Where an archive remembers the erasures of a site, as a CBOR list.
#[must_use]
pub fn object_name(site: &SiteId) -> String {
    format!("erased/{site}.cbor")
}

/// What an event says of whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its client; empty if it has none.
    pub client: &'a str,
    /// The user id it carries.
    pub user: Option<&'a str>,
    /// Its id.
    pub id: Option<&'a EventId>,
    /// Event time, epoch ms.
    pub occurred_at_ms: i64,
}

/// Erasures under one salt.
#[derive(Debug, Clone, Default)]
struct Group {
    salt: Veiled,
    users: BTreeMap<Veiled, i64>,
    /// By client; those of whom only single events were erased have none.
    stretches: HashMap<Veiled, Vec<(i64, i64)>>,
    keys: HashSet<Veiled>,
}

fn names(bytes: &[u8]) -> impl Iterator<Item = Veiled> {
    bytes.as_chunks::<16>().0.iter().copied()
}

impl Group {
    fn push(&mut self, erasure: &Erasure) {
        if let Some(user) = &erasure.user {
            let until = self.users.entry(**user).or_insert(erasure.erased_at_ms);
            *until = erasure.erased_at_ms.max(*until);
        }
        for Stretch { client, from_ms, to_ms } in &erasure.stretches {
            self.stretches.entry(**client).or_default().push((*from_ms, *to_ms));
        }
        for client in names(&erasure.clients) {
            self.stretches.entry(client).or_default();
        }
        self.keys.extend(names(&erasure.keys));
    }

    fn is_erased(&self, told: &Told<'_>) -> bool {
        if let Some(user) = told.user {
            let until = self.users.get(&veil_user(&self.salt, user));
            if until.is_some_and(|until| told.occurred_at_ms <= *until) {
                return true;
            }
        }
        let Some(stretches) = self.stretches.get(&veil_client(&self.salt, told.client)) else {
            return false;
        };
        let at = told.occurred_at_ms;
        let is_within = |(from, to): &(i64, i64)| (*from..=*to).contains(&at);
        let is_key = |id| self.keys.contains(&veil_event(&self.salt, told.client, id));
        (told.user.is_none() && !told.client.is_empty() && stretches.iter().any(is_within))
            || told.id.is_some_and(is_key)
    }
}

/// All erasures of a site.
#[derive(Debug, Clone, Default)]
pub struct Tombstones {
    erasures: Arc<Vec<Arc<Erasure>>>,
    /// Erasures before this one are in the store already.
    stored: usize,
    /// By salt: one, unless some came out of an archive that another state of the site wrote.
    groups: Vec<Group>,
}

impl Tombstones {
    /// Whether nobody was ever erased.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.erasures.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.erasures.len()
    }

    /// All of them, in their order.
    #[must_use]
    pub fn list(&self) -> &[Arc<Erasure>] {
        &self.erasures
    }

    /// The same, for readers.
    #[must_use]
    pub fn shared(&self) -> Arc<Vec<Arc<Erasure>>> {
        self.erasures.clone()
    }

    /// The salt of the site, once there is one.
    #[must_use]
    pub fn salt(&self) -> Option<Veiled> {
        self.erasures.first().map(|erasure| *erasure.salt)
    }

    /// Adds one.
    pub fn push(&mut self, erasure: Erasure) {
        let known = self.groups.iter().position(|group| group.salt == *erasure.salt);
        let at = known.unwrap_or_else(|| {
            self.groups.push(Group { salt: *erasure.salt, ..Group::default() });
            self.groups.len() - 1
        });
        if let Some(group) = self.groups.get_mut(at) {
            group.push(&erasure);
        }
        Arc::make_mut(&mut self.erasures).push(Arc::new(erasure));
    }

    /// Puts one back as it was stored; they come in order.
    pub fn restore(&mut self, erasure: Erasure) {
        self.push(erasure);
        self.stored = self.erasures.len();
    }

    /// Those that came since the last call, with their numbers.
    pub fn take_dirty(&mut self) -> Vec<(usize, Arc<Erasure>)> {
        let first = std::mem::replace(&mut self.stored, self.erasures.len());
        self.erasures.iter().cloned().enumerate().skip(first).collect()
    }

    /// The salt of the erasure that an event falls to, if it falls to any.
    #[must_use]
    pub fn erased_by(&self, told: &Told<'_>) -> Option<Veiled> {
        self.groups.iter().find(|group| group.is_erased(told)).map(|group| group.salt)
    }

    /// Whether an event is erased.
    #[must_use]
    pub fn is_erased(&self, told: &Told<'_>) -> bool {
        self.erased_by(told).is_some()
    }

    /// Whether a rejected event names somebody who is erased. Its time is that of receipt, since
    /// nobody vouches for its own.
    #[must_use]
    pub fn is_letter_erased(&self, letter: &Letter) -> bool {
        if self.is_empty() {
            return false;
        }
        let event: serde_json::Value = serde_json::from_str(&letter.event).unwrap_or_default();
        let text = |path: &str| event.pointer(path).and_then(serde_json::Value::as_str);
        let client = text("/client_id").unwrap_or_default();
        let id = text("/id").and_then(|id| EventId::parse(id).ok());
        let users = [text("/user_id"), text("/params/user_id")];
        let told =
            |user| Told { client, user, id: id.as_ref(), occurred_at_ms: letter.received_at_ms };
        let named = users.into_iter().flatten().map(str::trim);
        let mut named = named.filter(|user| !user.is_empty()).peekable();
        if named.peek().is_none() {
            return self.is_erased(&told(None));
        }
        named.any(|user| self.is_erased(&told(Some(user))))
    }
}

/// Whether an event with this name and fact is part of an order, and stays as money.
#[must_use]
pub fn is_money(name: &str, fact: Option<&Fact>) -> bool {
    let names = ["purchase", "order_created", "payment_success", "refund", "order_cancelled"];
    let is_order = |fact: &Fact| fact.told.is_some() || names.contains(&name);
    fact.is_some_and(|fact| fact.transaction.is_some() && is_order(fact))
}

/// What stays of what an event says about an order: its number, its money and its lines.
#[must_use]
pub fn money_fact(fact: &Fact) -> Fact {
    let Fact { transaction, order_platform, value, value_written, currency_written, .. } =
        fact.clone();
    let Fact { discount, shipping, tax, refund_id, items, told, .. } = fact.clone();
    Fact {
        transaction,
        order_platform,
        value,
        value_written,
        currency_written,
        discount,
        shipping,
        tax,
        refund_id,
        items,
        told,
        ..Fact::default()
    }
}

/// The id under which the money of an erased event is kept.
#[must_use]
pub fn money_id(salt: &Veiled, client: &str, id: &EventId) -> EventId {
    EventId::Uuid(veil(salt, &[b"money", client.as_bytes(), id.to_string().as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<'a>(client: &'a str, user: Option<&'a str>, at: i64) -> Told<'a> {
        Told { client, user, id: None, occurred_at_ms: at }
    }

    #[test]
    fn persons_are_read_as_reports_name_them() {
        let parse = |text| Person::parse(text, |client| client == "a#b");
        assert_eq!(parse("u:42"), Ok(Person::User(UserId::parse("42").unwrap())));
        assert_eq!(parse("c:a#b"), Ok(Person::Client(ClientId::parse("a#b").unwrap())));
        let client = ClientId::parse("a").unwrap();
        let logout = EventId::parse("out").unwrap();
        assert_eq!(parse("c:a#out"), Ok(Person::AfterLogout(client, logout)));
        for wrong in ["", "42", "u:", "c:", "x:1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_was_the_persons_is_erased() {
        let salt = [7; 16];
        let mut erasure = Erasure::new(salt, 1_000, Some("ann"));
        let client = ByteArray::new(veil_client(&salt, "c-1"));
        erasure.stretches.push(Stretch { client, from_ms: 10, to_ms: 20 });
        let id = EventId::parse("e-1").unwrap();
        erasure.keys.extend(veil_event(&salt, "c-2", &id));
        erasure.clients.extend(veil_client(&salt, "c-2"));
        let mut tombstones = Tombstones::default();
        assert!(!tombstones.is_erased(&told("c-1", Some("ann"), 15)));
        tombstones.push(erasure);
        for (event, expected) in [
            (told("c-9", Some("ann"), 1_000), true),
            (told("c-9", Some("ann"), 1_001), false),
            (told("c-1", None, 10), true),
            (told("c-1", None, 20), true),
            (told("c-1", None, 21), false),
            (told("c-1", Some("bob"), 15), false),
            (told("c-2", None, 15), false),
            (Told { id: Some(&id), ..told("c-2", None, 15) }, true),
            (Told { id: Some(&id), ..told("c-3", None, 15) }, false),
        ] {
            assert_eq!(tombstones.is_erased(&event), expected, "{event:?}");
        }
    }

    #[test]
    fn nobody_is_named() {
        let erasure = Erasure::new([7; 16], 1_000, Some("ann-of-the-hills"));
        let mut bytes = Vec::new();
        ciborium::into_writer(&erasure, &mut bytes).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"ann-"));
        assert_eq!(ciborium::from_reader::<Erasure, _>(bytes.as_slice()).unwrap(), erasure);
    }
}
