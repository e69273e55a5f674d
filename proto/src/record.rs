//! Records: one for every accepted event, packed without loss at the edge (semantics, section 11).
//!
//! Texts that repeat stand once in the [`Tables`] of their site and frame; records refer to them.

use serde::{Deserialize, Serialize};

use crate::back_office::Version;
use crate::campaign::{Campaign, Click};
use crate::channel::Grade;
use crate::error::RejectCode;
use crate::event::Platform;
use crate::ids::{ClientId, EventId, EventName, TransactionId, UserId};
use crate::money::Money;
use crate::visitor::{Device, Place};
use crate::vital::Vital;

/// Reference into a table.
pub type Ref = u32;

/// Marks of a record, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// Sent by a bot.
    pub const BOT: Self = Self(1);
    /// Its client is a daily hash.
    pub const COOKIELESS: Self = Self(2);
    /// An `identify` that happened in the background: a fact, but no activity.
    pub const BACKGROUND: Self = Self(4);
    /// Came with a server key, so it is never late.
    pub const SERVER_KEY: Self = Self(8);
    /// Its time was clamped.
    pub const CLAMPED: Self = Self(16);
    /// The money of an order whose person was erased: it belongs to nobody and is no activity.
    pub const ERASED: Self = Self(128);

    /// Whether all marks of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These marks, and `other` if `on`.
    #[must_use]
    pub fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { self }
    }
}

/// One accepted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id, in full.
    pub id: EventId,
    /// Its client; none for events of the shop's server without one.
    pub client: Option<Ref>,
    /// The valid user id it carries.
    pub user: Option<Ref>,
    /// Its name.
    pub name: Ref,
    /// Where it came from.
    pub platform: Platform,
    /// Corrected event time, epoch ms.
    pub occurred_at_ms: i64,
    /// When the edge took it, epoch ms.
    pub received_at_ms: i64,
    /// Marks.
    pub flags: Flags,
    /// Path of its page.
    pub page: Option<Ref>,
    /// Host of its referrer.
    pub referrer: Option<Ref>,
    /// Its folded campaign.
    pub campaign: Option<Ref>,
    /// The channel of its campaign, else of its referrer; none where nothing came from outside.
    pub grade: Option<Ref>,
    /// Where its visitor was.
    pub place: Option<Ref>,
    /// What its visitor used.
    pub device: Option<Ref>,
}

/// Texts that the records and counters of one site and frame refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tables {
    /// Event names.
    pub names: Vec<EventName>,
    /// Clients.
    pub clients: Vec<ClientId>,
    /// Users.
    pub users: Vec<UserId>,
    /// Page paths.
    pub pages: Vec<String>,
    /// Referrer hosts.
    pub referrers: Vec<String>,
    /// Folded campaigns.
    pub campaigns: Vec<Campaign>,
    /// Channels of campaigns and referrers.
    #[serde(with = "crate::channel::of_wire", skip_serializing_if = "Vec::is_empty")]
    pub grades: Vec<Grade>,
    /// Places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
    /// Devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

/// A dead letter: a rejected event as it was sent, kept for people to look at and send again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// When the edge refused it, epoch ms.
    pub received_at_ms: i64,
    /// Why.
    pub code: RejectCode,
    /// Path of the member at fault.
    pub field: String,
    /// For people.
    pub message: String,
    /// The event as JSON, with its batch's members copied into it.
    pub event: String,
}

/// One line of a commerce event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// The shop's number of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Its variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Unit price in minor units of the fact's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
    /// How many.
    pub quantity: u32,
}

/// The parameter with an order's coupon, kept where coupons are watched (`fraud.coupon_abuse`).
pub const COUPON: &str = "coupon";
/// The parameter with a hash of the address from which a payment failed, under the salt of the day.
/// No shop can send one of this name: `~` stands in none that is kept.
pub const ADDRESS: &str = "~address";
/// The same of its network: 24 bits of IPv4, 48 of IPv6.
pub const NETWORK: &str = "~network";

/// What an event says beside its record: orders, payments, refunds, stock, experiments, searches,
/// its products, and the parameters that its site keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fact {
    /// Index of its record in the batch of the site.
    pub record: u32,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<TransactionId>,
    /// `params.order_platform`; absent means `web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_platform: Option<String>,
    /// The order's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// A refund's value as written: it is rounded when it meets its order and so its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_written: Option<String>,
    /// A refund's currency, where it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency_written: Option<String>,
    /// Discount in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<i64>,
    /// Shipping in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<i64>,
    /// Tax in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<i64>,
    /// Number of the refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<String>,
    /// Where the order goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping_city: Option<String>,
    /// How it was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Why a payment failed, or an order was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long a payment took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u32>,
    /// The product of a stock update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
    /// What is left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<u64>,
    /// The experiment seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// Its variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What a page measured of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vital: Option<Vital>,
    /// The click id of its page's link; of any event, not of commerce alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click: Option<Box<Click>>,
    /// Lines; of an event that is of no order they have neither price nor variant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// What was searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_term: Option<String>,
    /// What the back office says of the order; then it is no event at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Box<Version>>,
    /// Parameters that the site keeps (`params.keep`), each once, in the order of their
    /// names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<(String, String)>,
}
