//! Orders as the back office tells of them: which version is news, and taking it in.
//!
//! Of an order the version changed last stands. It is kept as a record that is no event, so that
//! everything that follows from records (persons, credits, sums, erasure) follows from it as well.

use edgetally_proto::back_office::Version;
use edgetally_proto::ids::{ClientId, SiteId, UserId};
use edgetally_proto::record::Fact;
use serde::{Deserialize, Serialize};

use crate::apply::{Changed, Entry, World};
use crate::site::Site;

/// The name of the records.
pub const NAME: &str = "order_upsert";

/// A version of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The client that ordered, if it is known.
    pub client: Option<ClientId>,
    /// The customer.
    pub user: Option<UserId>,
    /// The order date, epoch ms.
    pub ordered_at_ms: i64,
    /// The order's number, money, lines and version.
    pub fact: Fact,
}

/// What becomes of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Nothing was known of the order.
    Created,
    /// It takes the place of what was known.
    Updated,
    /// It is known so.
    Unchanged,
    /// A later version is known.
    Stale,
}

impl Became {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
        }
    }
}

impl Told {
    /// What it says beside its money.
    fn version(&self) -> Option<&Version> {
        self.fact.told.as_deref()
    }

    /// Whether it says that the order was booked.
    pub(crate) fn is_booked(&self) -> bool {
        self.version().is_some_and(Version::is_booked)
    }

    /// The same, and whether another version says that the order was booked.
    pub(crate) fn noting(mut self, is_booked: bool) -> Self {
        self.fact.told.iter_mut().for_each(|version| version.note_booked(is_booked));
        self
    }

    /// What becomes of it where another version is known; of two changed at the same instant the
    /// one that comes later stands.
    pub(crate) fn after(&self, known: &Self) -> Became {
        let updated = |told: &Self| told.version().map(|version| version.updated_at_ms);
        match updated(self).cmp(&updated(known)) {
            std::cmp::Ordering::Less => Became::Stale,
            std::cmp::Ordering::Equal if self == known => Became::Unchanged,
            _ => Became::Updated,
        }
    }
}

impl World {
    /// Takes in what the back office tells of orders: what the log must hold, and what became of
    /// each version.
    pub fn take_orders(
        &mut self,
        site: &SiteId,
        told: Vec<Told>,
        now_ms: i64,
        changed: &mut Changed,
    ) -> (Vec<Entry>, Vec<Became>) {
        let nothing = Site::default();
        let (told, became) = self.sites.get(site).unwrap_or(&nothing).plan_orders(told);
        if told.is_empty() {
            return (Vec::new(), became);
        }
        self.tell_orders(site, told.clone(), now_ms, changed);
        (vec![Entry::Orders { site: site.clone(), received_at_ms: now_ms, told }], became)
    }

    /// Takes in versions that are news, now or when the log is read again.
    pub fn tell_orders(
        &mut self,
        site: &SiteId,
        told: Vec<Told>,
        received_at_ms: i64,
        changed: &mut Changed,
    ) {
        let terms = self.terms(site);
        self.site(site, || terms);
        self.change_site(site, changed, |state, effects| {
            state.tell_orders(told, received_at_ms, effects);
        });
    }
}
