//! Everything that is known of a person.

use std::collections::BTreeSet;
use std::sync::Arc;

use edgetally_proto::record::Letter;

use super::Site;
use crate::merges::Name;
use crate::people::Person;
use crate::presence::PersonId;
use crate::story::{Link, Sources, related};
use crate::texts::TextId;
use crate::tombstones::{Person as Whom, Tombstones};

/// Where everything of a person is found.
#[derive(Debug, Clone)]
pub struct Known {
    /// Who it is.
    pub name: Name,
    /// His number, if he ever had activity or an order of his own.
    pub number: Option<PersonId>,
    /// What the log of reassignments is worked out from.
    pub sources: Sources,
}

/// All records of a person, for a copy of what is known.
#[derive(Debug, Clone, Default)]
pub struct Copied {
    /// Numbers of records, in the order of their arrival.
    pub records: Vec<u32>,
    /// Rejected events that name him.
    pub letters: Vec<Arc<Letter>>,
}

impl Site {
    /// What is known of a person; none if nothing ever named him.
    #[must_use]
    pub fn known(&self, whom: &Whom) -> Option<Known> {
        let name = Name::find(whom, &self.texts)?;
        let number = self.person_named(&name).and_then(|person| self.people.known(person));
        let links = self.links();
        let is_linked = links.iter().any(|link| link.from == name || Name::User(link.into) == name);
        if number.is_none() && !is_linked {
            return None;
        }
        let sources = self.sources(&name, links);
        Some(Known { name, number, sources })
    }

    fn links(&self) -> Vec<Link> {
        let link = |change: &crate::merges::Change| {
            let from = Name::find(&change.from, &self.texts)?;
            let into = self.texts.find(change.into.as_str())?;
            Some(Link { from, into, change: change.clone() })
        };
        self.merges.history().iter().filter_map(link).collect()
    }

    fn sources(&self, name: &Name, mut links: Vec<Link>) -> Sources {
        let related = related(name, &links);
        links.retain(|link| related.contains(&link.from));
        let clients: BTreeSet<TextId> =
            related.iter().flat_map(|name| self.credits.clients_named(name)).collect();
        let timelines = clients.iter().filter_map(|client| {
            let timeline = self.timeline(*client)?;
            let steps = timeline.steps().iter().map(|step| (*client, *step));
            Some(steps.collect::<Vec<_>>())
        });
        Sources { steps: timelines.flatten().collect(), links, rules: self.rules.clone() }
    }

    /// Every record of a person and of those who were merged into him: what an erasure would take,
    /// and what is his because he signed in later.
    #[must_use]
    pub fn copied(&self, whom: &Whom, now_ms: i64) -> Copied {
        let mut records = BTreeSet::new();
        let mut alone = Tombstones::default();
        for whom in self.merges.group(whom) {
            let plan = self.plan_erasure(&whom, [0; 16], now_ms);
            records.extend(plan.numbers);
            alone.push(plan.erasure);
        }
        if let Some(person) = Name::find(whom, &self.texts).and_then(|name| self.root_of(&name)) {
            let line = self.people.known(person).map(|number| self.line(number));
            records.extend(line.iter().flat_map(|line| line.entries()).map(|e| e.record));
        }
        records.retain(|number| self.records.get(*number).is_some_and(|r| !r.is_superseded));
        let letters = self.rejects.matching(|letter| alone.is_letter_erased(letter));
        Copied { records: records.into_iter().collect(), letters }
    }

    fn root_of(&self, name: &Name) -> Option<Person> {
        Some(self.merges.root(self.person_named(name)?, &self.records))
    }
}
