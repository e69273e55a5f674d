//! What a shop's back office, or a marketplace, says of an order: one version of it.

use serde::{Deserialize, Serialize};

/// How far an order has come, in one list for every marketplace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Placed, nothing is paid.
    Unpaid,
    /// Placed, and not accepted yet.
    Pending,
    /// Accepted: paid, or to be paid on delivery.
    ReadyToShip,
    /// On its way.
    Shipped,
    /// With the buyer.
    Delivered,
    /// Nothing is to be done any more.
    Completed,
    /// Called off.
    Cancelled,
    /// Sent back.
    Returned,
    /// Lost on its way, or nobody took it.
    Failed,
    /// None of these; what was written is kept.
    Unknown,
}

impl State {
    const ALL: [(&'static str, Self); 10] = [
        ("unpaid", Self::Unpaid),
        ("pending", Self::Pending),
        ("ready_to_ship", Self::ReadyToShip),
        ("shipped", Self::Shipped),
        ("delivered", Self::Delivered),
        ("completed", Self::Completed),
        ("cancelled", Self::Cancelled),
        ("returned", Self::Returned),
        ("failed", Self::Failed),
        ("unknown", Self::Unknown),
    ];

    /// The state with a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, state)| state)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, known)| *known == self).map_or("unknown", |(name, _)| name)
    }

    /// Whether an order in this state was paid, or accepted as cash on delivery. A cancelled one
    /// may have been, or not.
    #[must_use]
    pub fn is_booked(self) -> bool {
        !matches!(self, Self::Unpaid | Self::Pending | Self::Cancelled | Self::Unknown)
    }

    /// Whether all of the order's money went back though nobody cancelled it.
    #[must_use]
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Returned | Self::Failed)
    }
}

/// One version of an order. Its number, final amount, discount, city and lines are those of the
/// fact that holds it, its order date the time of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// How far it has come.
    pub state: State,
    /// The state as it was written, where it is none of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_written: Option<String>,
    /// When it was changed last, epoch ms: of two versions the greater one stands.
    pub updated_at_ms: i64,
    /// When it was completed, epoch ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at_ms: Option<i64>,
    /// When it was cancelled, epoch ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at_ms: Option<i64>,
    /// What it came to before discounts, minor units.
    pub total: i64,
    /// What kind of goods it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Where it was sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether another version, or a time of payment, says that the order was booked, which this
    /// state does not say.
    #[serde(default, skip_serializing_if = "is_false")]
    pub was_booked: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Version {
    /// Whether the order counts: once paid it stays booked, whatever becomes of it.
    #[must_use]
    pub fn is_booked(&self) -> bool {
        self.state.is_booked() || self.was_booked
    }

    /// Takes note that another version says so.
    pub fn note_booked(&mut self, is_booked: bool) {
        self.was_booked = is_booked && !self.state.is_booked();
    }
}
