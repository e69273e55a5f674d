//! The log of reassignments: what went from one person to another, when and why.
//!
//! It is worked out when somebody asks, by letting the events of the clients concerned arrive once
//! more in the order in which they came. So it costs nothing while events come in, it is the same
//! after every start, and it tells nothing of events that were erased.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::eras::Eras;
use crate::identity::{Role, Step};
use crate::merges::{Change, Merges, Name};
use crate::people::Person;
use crate::sessionize::Rules;
use crate::texts::TextId;
use crate::timeline::{Ids, Timeline};

/// Why something went over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The event of this record: a login, a logout, or one that came late.
    Event(Step),
    /// An administrator.
    Merge(Change),
}

/// What went over at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassigned {
    /// Whose it was.
    pub from: Name,
    /// Whose it is.
    pub to: Name,
    /// Activity events.
    pub events: usize,
    /// Time of the first of them, epoch ms; none if there were none.
    pub first_ms: Option<i64>,
    /// Time of the last of them, epoch ms.
    pub last_ms: Option<i64>,
    /// Why.
    pub cause: Cause,
}

/// A change of the list of merges, its names as numbers.
#[derive(Debug, Clone)]
pub struct Link {
    /// Who is merged.
    pub from: Name,
    /// Into whom.
    pub into: TextId,
    /// The change.
    pub change: Change,
}

/// What a person's log is worked out from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The events of the clients concerned, in any order.
    pub steps: Vec<(TextId, Step)>,
    /// The merges and undone merges that concern them, in their order.
    pub links: Vec<Link>,
    /// How sessions are cut; a pause longer than their gap makes an entry.
    pub rules: Eras<Rules>,
}

/// Times of what went over.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    events: usize,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
}

impl Span {
    fn add(&mut self, at_ms: i64) {
        self.events += 1;
        self.first_ms = Some(self.first_ms.map_or(at_ms, |first| first.min(at_ms)));
        self.last_ms = Some(self.last_ms.map_or(at_ms, |last| last.max(at_ms)));
    }

    fn told(self, (from, to): (Name, Name), cause: Cause) -> Reassigned {
        let Self { events, first_ms, last_ms } = self;
        Reassigned { from, to, events, first_ms, last_ms, cause }
    }
}

struct Stage<'a, I> {
    ids: &'a I,
    rules: Eras<Rules>,
    timelines: HashMap<TextId, Timeline>,
    merges: Merges,
    log: Vec<Reassigned>,
}

/// Everything that went over between persons, in the order in which it was learned.
#[must_use]
pub fn log(sources: Sources, ids: &impl Ids) -> Vec<Reassigned> {
    let Sources { mut steps, links, rules } = sources;
    // The number of a record is its place in the order of arrival.
    steps.sort_by_key(|(_, step)| step.record);
    let (timelines, merges, log) = Default::default();
    let mut stage = Stage { ids, rules, timelines, merges, log };
    let mut links = links.into_iter().peekable();
    for (client, step) in steps {
        while let Some(link) = links.next_if(|link| link.change.after <= step.record) {
            stage.link(link);
        }
        stage.arrive(client, step);
    }
    links.for_each(|link| stage.link(link));
    stage.log
}

impl<I: Ids> Stage<'_, I> {
    fn name(&self, client: TextId, owner: crate::identity::Owner) -> Option<Name> {
        Name::of(Person::of(client, owner), self.ids)
    }

    fn arrive(&mut self, client: TextId, step: Step) {
        let timeline = self.timelines.entry(client).or_default();
        let moves = timeline.insert(step, &self.rules, self.ids);
        let mut pairs: Vec<((Name, Name), Span)> = Vec::new();
        for moved in moves.iter().filter(|moved| moved.step.is_activity) {
            let (Some(from), Some(to)) = (moved.from, moved.to) else { continue };
            let name = |owner| Some(self.merges.root_of(self.name(client, owner)?));
            let (Some(from), Some(to)) = (name(from.owner), name(to.owner)) else { continue };
            if from == to {
                continue;
            }
            let pair = (from, to);
            let known = pairs.iter().position(|(known, _)| *known == pair);
            let at = known.unwrap_or_else(|| {
                pairs.push((pair, Span::default()));
                pairs.len() - 1
            });
            if let Some((_, span)) = pairs.get_mut(at) {
                span.add(moved.step.occurred_at_ms);
            }
        }
        let told = pairs.into_iter().map(|(pair, span)| span.told(pair, Cause::Event(step)));
        self.log.extend(told);
    }

    fn link(&mut self, link: Link) {
        let Link { from, into, change } = link;
        let host = self.merges.root_of(Name::User(into));
        let members: HashSet<Name> = self.merges.members(from.clone()).into_iter().collect();
        let mut span = Span::default();
        for (client, timeline) in &self.timelines {
            for (step, place) in timeline.iter().filter(|(step, _)| step.is_activity) {
                let name = self.name(*client, place.owner);
                if name.is_some_and(|name| members.contains(&name)) {
                    span.add(step.occurred_at_ms);
                }
            }
        }
        self.merges.link(&from, into, change.is_undo);
        let pair = if change.is_undo { (host, from) } else { (from, host) };
        self.log.push(span.told(pair, Cause::Merge(change)));
    }
}

/// Why an event made something go over: `login`, `logout` or `late_event`.
#[must_use]
pub fn kind_of(step: &Step) -> &'static str {
    match step.role {
        Role::Login(_) => "login",
        Role::Logout => "logout",
        Role::Carries(_) | Role::Plain => "late_event",
    }
}

/// The persons whom merges, done or undone, ever put together with somebody.
#[must_use]
pub fn related(name: &Name, links: &[Link]) -> Vec<Name> {
    let mut next: BTreeMap<usize, Name> = BTreeMap::from([(0, name.clone())]);
    let mut found = vec![name.clone()];
    while let Some((_, name)) = next.pop_first() {
        for Link { from, into, .. } in links {
            let into = Name::User(*into);
            let other = match (name == *from, name == into) {
                (true, _) => into,
                (_, true) => from.clone(),
                _ => continue,
            };
            if !found.contains(&other) {
                next.insert(found.len(), other.clone());
                found.push(other);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use edgetally_proto::ids::{EventId, UserId};

    use super::*;
    use crate::texts::Texts;
    use crate::tombstones::Person as Whom;
    use crate::touches::Clue;

    struct Numbered(Vec<EventId>);

    impl Ids for Numbered {
        fn id(&self, record: u32) -> Option<EventId> {
            self.0.get(record as usize).cloned()
        }
    }

    fn step(record: u32, minute: i64, role: Role) -> Step {
        let clue = Clue::default();
        let occurred_at_ms = minute * 60_000;
        Step { record, occurred_at_ms, rank: 2, role, is_activity: true, clue }
    }

    fn told(log: &[Reassigned]) -> Vec<(Name, Name, usize)> {
        log.iter().map(|one| (one.from.clone(), one.to.clone(), one.events)).collect()
    }

    #[test]
    fn a_login_takes_over_what_was_anonymous_and_a_merge_what_was_a_users() {
        let mut texts = Texts::default();
        let [client, ann, bea] = ["w", "ann", "bea"].map(|text| texts.intern(text));
        let ids = Numbered(["a", "b", "l", "m"].map(|id| EventId::parse(id).unwrap()).to_vec());
        let link = |after, is_undo| {
            let (from, into) = (Whom::User(UserId::parse("ann").unwrap()), "bea");
            let into = UserId::parse(into).unwrap();
            let change = Change { from, into, at_ms: 9, is_undo, after };
            Link { from: Name::User(ann), into: bea, change }
        };
        let login = Role::Login(ann);
        // The login comes before one of the events that precede it.
        let steps = [(2, 1, Role::Plain), (0, 0, Role::Plain), (1, 5, login), (3, 9, Role::Plain)]
            .map(|(record, minute, role)| (client, step(record, minute, role)));
        let links = vec![link(3, false), link(4, true)];
        let sources = Sources { steps: steps.to_vec(), links, rules: Rules::default().into() };
        let log = log(sources, &ids);
        let (c, a, b) = (Name::Client(client), Name::User(ann), Name::User(bea));
        let expected = [(c, a.clone(), 1), (a.clone(), b.clone(), 3), (b, a, 4)];
        assert_eq!(told(&log), expected);
        assert_eq!((log[1].first_ms, log[1].last_ms), (Some(0), Some(300_000)));
        assert!(matches!(&log[0].cause, Cause::Event(step) if kind_of(step) == "login"));
    }

    #[test]
    fn persons_are_related_by_merges_in_a_row() {
        let change = Change {
            from: Whom::User(UserId::parse("x").unwrap()),
            into: UserId::parse("y").unwrap(),
            at_ms: 0,
            is_undo: false,
            after: 0,
        };
        let link = |from, into| Link { from: Name::User(from), into, change: change.clone() };
        let links = [link(1, 2), link(3, 2), link(4, 5)];
        assert_eq!(related(&Name::User(1), &links), [1, 2, 3].map(Name::User));
        assert_eq!(related(&Name::User(9), &links), [Name::User(9)]);
    }
}
