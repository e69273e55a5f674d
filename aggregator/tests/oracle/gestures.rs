//! Gestures, of which random streams are made, and the events they stand for.

use edgetally_proto::event::Platform;
use edgetally_proto::time::DAY_MS;
use jiff::Timestamp;

use super::model::{Config, Event, Item, OrderFact, Version, date_of};

/// One thing that somebody does.
#[derive(Debug, Clone)]
pub struct Gesture {
    pub client: u8,
    /// How many gestures back the event is of which this is a copy that says something else.
    pub copy: Option<u8>,
    pub act: Act,
    pub landing: Landing,
    /// A user id beside.
    pub carries: Option<u8>,
    /// How many gestures back the one is from which the step is counted.
    pub from: u8,
    pub step: Step,
    pub delay_ms: i64,
    pub is_bot: bool,
    pub server_key: bool,
    /// Begins the id, so that ids order otherwise than gestures.
    pub salt: u8,
}

#[derive(Debug, Clone)]
pub enum Act {
    View,
    Cart,
    /// By its name.
    Login(&'static str, u8),
    IdentifyInBackground(u8),
    Logout,
    Vital,
    Purchase(Said),
    Created(Said),
    Paid(Said),
    Failed(Said),
    Refund(Said),
    Cancelled(Said),
    /// The back office tells of the order.
    Told(Said, Telling),
}

/// What only the back office says of an order.
#[derive(Debug, Clone)]
pub struct Telling {
    pub state: usize,
    /// How long after the order date it was changed last; none of two is the same.
    pub updated_after_ms: i64,
    /// Whether it knows when the order was cancelled.
    pub names_cancellation: bool,
    pub cell: usize,
}

/// What is said of an order.
#[derive(Debug, Clone)]
pub struct Said {
    pub transaction: u8,
    /// On another order platform.
    pub is_elsewhere: bool,
    pub speaker: Speaker,
    pub value: usize,
    pub lines: usize,
    /// In the other currency.
    pub is_foreign: bool,
    pub refund: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    Browser,
    ServerForClient,
    ServerForUser,
    ServerAlone,
}

#[derive(Debug, Clone)]
pub enum Landing {
    Nothing,
    Tagged(usize),
    Referred(usize),
    TaggedAndReferred(usize),
}

#[derive(Debug, Clone)]
pub enum Step {
    By(i64),
    /// To so many milliseconds after the next local midnight.
    ToMidnight(i64),
}

/// States in which nothing is paid, in which something is, and the ends of an order.
pub const STATES: [&str; 10] = [
    "unpaid",
    "pending",
    "unknown",
    "ready_to_ship",
    "shipped",
    "delivered",
    "completed",
    "cancelled",
    "returned",
    "failed",
];
/// Category and region.
const CELLS: [(Option<&str>, Option<&str>); 3] =
    [(None, None), (Some("shoes"), None), (Some("shoes"), Some("Hà Nội"))];

/// The third differs from the second in its content only; the last looks like a search.
const CAMPAIGNS: [[&str; 6]; 4] = [
    ["facebook", "cpc", "sale3", "", "", ""],
    ["accesstrade", "affiliate", "tet", "", "", ""],
    ["accesstrade", "affiliate", "tet", "", "banner", ""],
    ["google.com", "organic", "", "", "", ""],
];
/// The last two are inside.
const REFERRERS: [&str; 4] = ["google.com", "blog.example", "vnpay.vn", "m.shop.vn"];
const PLATFORMS: [Platform; 4] = [Platform::Web, Platform::Android, Platform::Mweb, Platform::Ios];
const VALUES: [i64; 6] = [100, 250, 99, 1_000, 101, 0];
/// Id, price, quantity.
const LINES: [&[(&str, Option<i64>, i64)]; 6] = [
    &[],
    &[("a", Some(100), 1)],
    &[("a", Some(100), 2), ("b", Some(33), 1)],
    &[("a", None, 1), ("b", Some(70), 3), ("c", Some(7), 1)],
    &[("a", None, 2)],
    &[("a", Some(30), 1), ("b", Some(30), 1), ("c", Some(40), 1)],
];
const REFUNDED: [&[(&str, Option<i64>, i64)]; 6] = [
    &[],
    &[],
    &[],
    &[("a", None, 1)],
    &[("b", Some(30), 1)],
    &[("z", Some(10), 1), ("a", None, 1)],
];

/// The events of gestures, one each, from an instant on.
pub fn events(
    gestures: &[Gesture],
    clients: u8,
    users: u8,
    start: Timestamp,
    config: &Config,
) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (n, gesture) in gestures.iter().enumerate() {
        let back = |steps: u8| n.checked_sub(1 + usize::from(steps)).and_then(|at| events.get(at));
        let from_ms = back(gesture.from).or(events.last()).map(|event| event.at_ms);
        let at_ms = gesture.step.apply(from_ms.unwrap_or(start.as_millisecond()), config);
        let mut event = gesture.event(n, at_ms, clients, users);
        // What the back office says is no event: it has no copies and is none.
        let back = |steps| back(steps).filter(|of| of.version().is_none());
        let copied = gesture.copy.filter(|_| event.version().is_none()).and_then(back);
        if let Some(of) = copied {
            (event.id, event.client) = (of.id.clone(), of.client.clone());
            // An event without client is always the server's.
            if event.client.is_none() {
                (event.platform, event.server_key) = (Platform::Server, true);
            }
        }
        let longest_ms = if event.server_key { i64::MAX } else { 7 * DAY_MS };
        event.received_ms = at_ms + gesture.delay_ms.min(longest_ms);
        // Of copies received in the same millisecond the hash decides.
        let of = copied.filter(|_| gesture.salt % 2 == 0);
        if let Some(of) = of.filter(|of| of.received_ms - of.at_ms <= longest_ms) {
            (event.at_ms, event.received_ms) = (of.at_ms, of.received_ms);
        }
        if let (Act::Told(said, telling), Some(fact)) = (&gesture.act, &mut event.order) {
            event.id = said.id();
            fact.version = Some(telling.version(at_ms, n, fact.value));
        }
        event.hash = event.content_hash();
        events.push(event);
    }
    events
}

impl Step {
    fn apply(&self, from_ms: i64, config: &Config) -> i64 {
        match self {
            Self::By(ms) => from_ms + ms,
            Self::ToMidnight(after_ms) => {
                let zone = config.time_zone();
                let tomorrow = date_of(&zone, from_ms).tomorrow().unwrap();
                let midnight = tomorrow.to_zoned(zone).unwrap().start_of_day().unwrap();
                midnight.timestamp().as_millisecond() + after_ms
            }
        }
    }
}

impl Gesture {
    fn event(&self, n: usize, at_ms: i64, clients: u8, users: u8) -> Event {
        let client = self.client % clients;
        let name_of = |user: u8| format!("u{}", user % users);
        let (name, user, said) = self.act.parts();
        let has_landing = !matches!(self.act, Act::Vital | Act::Logout);
        let landing = if has_landing { &self.landing } else { &Landing::Nothing };
        let event = Event {
            user: user.or(self.carries).map(name_of),
            platform: PLATFORMS[usize::from(client)],
            is_bot: self.is_bot,
            is_background: matches!(self.act, Act::IdentifyInBackground(_)),
            server_key: self.server_key,
            key: landing.key(),
            referrer: landing.referrer(),
            page: (name == "page_view").then(|| format!("/{n}")),
            order: said.map(|said| self.act.fact(said)),
            ..Event::new(&self.id(n), &format!("c{client}"), name, at_ms)
        };
        match said.map(|said| said.speaker) {
            None | Some(Speaker::Browser) => event,
            Some(speaker) => by_server(event, speaker, name_of(self.client)),
        }
    }

    /// In the shown form; now and then the same one on every client.
    fn id(&self, n: usize) -> String {
        match self.salt {
            0..=5 => "same".to_owned(),
            6..=20 => format!("{:08x}-0000-7000-8000-{n:012x}", self.salt),
            salt => format!("{salt:02x}.{n}"),
        }
    }
}

fn by_server(event: Event, speaker: Speaker, user: String) -> Event {
    let event = Event { platform: Platform::Server, server_key: true, page: None, ..event };
    match speaker {
        Speaker::ServerForUser => Event { client: None, user: Some(user), ..event },
        Speaker::ServerAlone => Event { client: None, user: None, ..event },
        Speaker::Browser | Speaker::ServerForClient => event,
    }
}

impl Said {
    /// Of an order there is one thing that the back office says.
    fn id(&self) -> String {
        format!("order.{}.{}", self.transaction, self.is_elsewhere)
    }
}

impl Telling {
    /// The number of the gesture tells times of change apart.
    fn version(&self, at_ms: i64, n: usize, value: Option<i64>) -> Version {
        let (category, region) = CELLS[self.cell];
        let seconds = (at_ms + self.updated_after_ms).div_euclid(1_000);
        let state = STATES[self.state];
        let names_it = self.names_cancellation && state == "cancelled";
        Version {
            state,
            updated_ms: seconds * 1_000 + i64::try_from(n).unwrap(),
            cancelled_ms: names_it.then_some(at_ms + 1),
            total: value.unwrap_or_default() + 20,
            category,
            region,
        }
    }
}

impl Act {
    /// Name, user, and what it says of an order.
    fn parts(&self) -> (&'static str, Option<u8>, Option<&Said>) {
        match self {
            Self::View => ("page_view", None, None),
            Self::Cart => ("add_to_cart", None, None),
            Self::Login(name, user) => (name, Some(*user), None),
            Self::IdentifyInBackground(user) => ("identify", Some(*user), None),
            Self::Logout => ("logout", None, None),
            Self::Vital => ("web_vital", None, None),
            Self::Purchase(said) => ("purchase", None, Some(said)),
            Self::Created(said) => ("order_created", None, Some(said)),
            Self::Paid(said) => ("payment_success", None, Some(said)),
            Self::Failed(said) => ("payment_failed", None, Some(said)),
            Self::Refund(said) => ("refund", None, Some(said)),
            Self::Cancelled(said) => ("order_cancelled", None, Some(said)),
            Self::Told(said, _) => ("order_upsert", None, Some(said)),
        }
    }

    fn fact(&self, said: &Said) -> OrderFact {
        let makes = matches!(self, Self::Purchase(_) | Self::Created(_) | Self::Told(..));
        let is_refund = matches!(self, Self::Refund(_));
        let currency = if said.is_foreign { "USD" } else { "VND" };
        let names_value = makes || (is_refund && said.value < 4);
        let lines = match (makes, is_refund) {
            (true, _) => LINES[said.lines],
            (_, true) => REFUNDED[said.lines],
            _ => &[],
        };
        OrderFact {
            transaction: format!("T{}", said.transaction),
            order_platform: said.is_elsewhere.then(|| "marketplace".to_owned()),
            value: names_value.then(|| VALUES[said.value]),
            currency: (makes || (is_refund && said.is_foreign)).then(|| currency.to_owned()),
            discount: if makes && said.lines == 2 { 20 } else { 0 },
            items: lines.iter().map(item).collect(),
            refund_id: said.refund.filter(|_| is_refund).map(|id| format!("R{id}")),
            version: None,
        }
    }
}

fn item((id, price, quantity): &(&str, Option<i64>, i64)) -> Item {
    Item { id: (*id).to_owned(), price: *price, quantity: *quantity }
}

impl Landing {
    fn key(&self) -> Option<[String; 6]> {
        match self {
            Self::Tagged(n) | Self::TaggedAndReferred(n) => Some(CAMPAIGNS[*n].map(str::to_owned)),
            Self::Nothing | Self::Referred(_) => None,
        }
    }

    fn referrer(&self) -> Option<String> {
        match self {
            Self::Referred(n) | Self::TaggedAndReferred(n) => Some(REFERRERS[*n].to_owned()),
            Self::Nothing | Self::Tagged(_) => None,
        }
    }
}
