//! What the oracle reads: events as they were accepted, and the settings of a site.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use edgetally_proto::event::Platform;
use edgetally_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Names whose events are no activity (section 2).
const NO_ACTIVITY: [&str; 6] =
    ["refund", "order_cancelled", "stock_update", "web_vital", "engagement", "experiment_view"];

/// The key of an event: its client, none for the shop's server without one, and its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    pub client: Option<String>,
    pub id: String,
}

/// One accepted event; several with one key are copies of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// In the shown form.
    pub id: String,
    pub client: Option<String>,
    pub name: String,
    pub platform: Platform,
    /// Event time t, corrected already.
    pub at_ms: i64,
    pub received_ms: i64,
    /// Hash of the content: decides between copies received in the same millisecond.
    pub hash: u64,
    /// A valid user id; junk is absent.
    pub user: Option<String>,
    pub is_bot: bool,
    /// `params.background` of an `identify`.
    pub is_background: bool,
    pub server_key: bool,
    /// Folded campaign: source, medium, name, term, content, id.
    pub key: Option<[String; 6]>,
    /// Host of the referrer, outside the shop.
    pub referrer: Option<String>,
    pub page: Option<String>,
    pub order: Option<OrderFact>,
}

/// What a commerce event says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OrderFact {
    pub transaction: String,
    /// Absent is `web`.
    pub order_platform: Option<String>,
    /// Minor units of its currency; of a refund, of the order's.
    pub value: Option<i64>,
    /// Absent only from refunds, where it is the order's.
    pub currency: Option<String>,
    /// Minor units, borne by the shop.
    pub discount: i64,
    pub items: Vec<Item>,
    pub refund_id: Option<String>,
    /// What the back office says beside: then nobody did anything, and the time is the order date.
    pub version: Option<Version>,
}

/// One version of an order in the back office.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// A canonical state.
    pub state: &'static str,
    /// The greatest one stands; no two versions of an order have the same.
    pub updated_ms: i64,
    pub cancelled_ms: Option<i64>,
    /// Before discounts, in minor units.
    pub total: i64,
    pub category: Option<&'static str>,
    pub region: Option<&'static str>,
}

/// One line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Item {
    pub id: String,
    /// Price of one, in minor units.
    pub price: Option<i64>,
    pub quantity: i64,
}

/// Settings of a site, the same for all of its records.
#[derive(Debug, Clone)]
pub struct Config {
    /// IANA name.
    pub zone: String,
    /// A longer pause begins a session, and makes the next event of a client an entry.
    pub gap_ms: i64,
    /// A touch is in force, and gets orders, for this long.
    pub window_ms: i64,
    /// Records received later than this after an order do not change its credit.
    pub freeze_ms: i64,
    /// A login reaches back this far.
    pub stitch_ms: i64,
    /// Longest pause in the chain before another user's login.
    pub chain_ms: i64,
    pub daily_cut: bool,
    pub campaign_cut: bool,
    /// Persons an administrator joined: from, into.
    pub merges: Vec<(String, String)>,
    /// Own, payment and sign-in hosts, with their subdomains.
    pub inside: Vec<String>,
}

impl Config {
    /// The defaults of section 13 in a zone.
    pub fn new(zone: &str) -> Self {
        Self {
            zone: zone.to_owned(),
            gap_ms: 30 * MINUTE_MS,
            window_ms: 72 * HOUR_MS,
            freeze_ms: 7 * DAY_MS,
            stitch_ms: 7 * DAY_MS,
            chain_ms: 30 * MINUTE_MS,
            daily_cut: true,
            campaign_cut: true,
            merges: Vec::new(),
            inside: ["shop.vn", "pay.vn", "vnpay.vn"].map(str::to_owned).to_vec(),
        }
    }

    pub fn time_zone(&self) -> TimeZone {
        TimeZoneDatabase::bundled().get(&self.zone).unwrap()
    }

    /// Whether links from a host count as inside (section 5).
    pub fn is_inside(&self, host: &str) -> bool {
        self.inside.iter().any(|own| host == own || host.ends_with(&format!(".{own}")))
    }

    /// The person that an administrator made of a person, by merges in a row.
    pub fn merged(&self, person: String) -> String {
        let mut person = person;
        // No more steps than merges, so that a circle ends as well.
        for _ in &self.merges {
            let into = self.merges.iter().find(|(from, _)| *from == person).map(|(_, into)| into);
            person = into.cloned().unwrap_or(person);
        }
        person
    }
}

/// The local date of an instant (section 3).
pub fn date_of(zone: &TimeZone, ms: i64) -> Date {
    zone.to_datetime(Timestamp::from_millisecond(ms).unwrap()).date()
}

impl Event {
    /// An event of a browser, received when it happened.
    pub fn new(id: &str, client: &str, name: &str, at_ms: i64) -> Self {
        Self {
            id: id.to_owned(),
            client: Some(client.to_owned()),
            name: name.to_owned(),
            platform: Platform::Web,
            at_ms,
            received_ms: at_ms,
            hash: 0,
            user: None,
            is_bot: false,
            is_background: false,
            server_key: false,
            key: None,
            referrer: None,
            page: None,
            order: None,
        }
    }

    /// What the back office says, if it speaks.
    pub fn version(&self) -> Option<&Version> {
        self.order.as_ref()?.version.as_ref()
    }

    pub fn key(&self) -> EventKey {
        EventKey { client: self.client.clone(), id: self.id.clone() }
    }

    /// Section 2: an event that shows somebody using the shop.
    pub fn is_activity(&self) -> bool {
        let is_background = self.is_background && self.name == "identify";
        let is_named = !NO_ACTIVITY.contains(&self.name.as_str());
        is_named && !is_background && !self.is_bot && self.platform != Platform::Server
    }

    /// Section 6: a user id on a logout is ignored.
    pub fn own_user(&self) -> Option<&String> {
        self.user.as_ref().filter(|_| self.name != "logout")
    }

    /// Section 2: the user of a login fact. `login`, `sign_up` and `identify` are facts whoever
    /// sends them; of other events only activity is.
    pub fn login(&self) -> Option<&String> {
        self.own_user().filter(|_| self.rank() == 1 || self.is_activity())
    }

    /// Section 3: logout, then login, then the rest.
    fn rank(&self) -> u8 {
        match self.name.as_str() {
            "logout" => 0,
            "login" | "sign_up" | "identify" => 1,
            _ => 2,
        }
    }

    /// Section 3: `(t, rank, event_id)`. Ids of different clients may be the same, so the client
    /// comes last; it decides nothing between events of one client.
    pub fn compare(&self, other: &Self) -> Ordering {
        let place = |event: &Self| (event.at_ms, event.rank());
        place(self)
            .cmp(&place(other))
            .then_with(|| self.id.as_bytes().cmp(other.id.as_bytes()))
            .then_with(|| self.client.cmp(&other.client))
    }

    pub fn is_before(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Less
    }

    /// A hash of all that it says. A comparison with an engine that works out its own puts that
    /// one into `hash` instead, before both read the events.
    pub fn content_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        Self { received_ms: 0, hash: 0, ..self.clone() }.hash(&mut hasher);
        hasher.finish()
    }
}
