//! Events as the edge would pack them.

use std::collections::HashMap;

use edgetally_proto::batch::{Batch, SiteBatch};
use edgetally_proto::campaign::Campaign;
use edgetally_proto::copies::Said;
use edgetally_proto::event::Platform;
use edgetally_proto::ids::{ClientId, EventId, EventName, SiteId, TransactionId, UserId};
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Flags, Item, Record};
use edgetally_proto::visitor::Device;

/// The site of the tests.
pub fn demo() -> SiteId {
    SiteId::parse("demo").unwrap()
}

/// Epoch milliseconds.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis() as i64
}

/// One accepted event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: String,
    pub client: String,
    pub user: Option<String>,
    pub name: String,
    pub platform: Platform,
    pub at_ms: i64,
    pub received_ms: i64,
    pub is_bot: bool,
    pub by_server_key: bool,
    /// Source, medium and name, folded.
    pub campaign: Option<[String; 3]>,
    /// A host outside the shop.
    pub referrer: Option<String>,
    /// Transaction and VND.
    pub order: Option<(String, i64)>,
    pub refund_id: Option<String>,
}

impl Event {
    pub fn new(id: &str, client: &str, name: &str, at_ms: i64) -> Self {
        Self {
            id: id.to_owned(),
            client: client.to_owned(),
            user: None,
            name: name.to_owned(),
            platform: Platform::Web,
            at_ms,
            received_ms: at_ms,
            is_bot: false,
            by_server_key: false,
            campaign: None,
            referrer: None,
            order: None,
            refund_id: None,
        }
    }

    pub fn user(self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self }
    }

    pub fn order(self, transaction: &str, value: i64) -> Self {
        Self { order: Some((transaction.to_owned(), value)), ..self }
    }

    fn flags(&self) -> Flags {
        let flags = Flags::default().with(Flags::BOT, self.is_bot);
        flags.with(Flags::SERVER_KEY, self.by_server_key)
    }

    fn campaign(&self) -> Option<Campaign> {
        let [source, medium, name] = self.campaign.clone()?;
        Some(Campaign { source, medium, name, ..Campaign::default() })
    }

    fn fact(&self, record: u32) -> Option<Fact> {
        let (transaction, value) = self.order.as_ref()?;
        let whole = fact(record, transaction, *value);
        let bare = Fact { record, transaction: whole.transaction.clone(), ..Fact::default() };
        Some(match self.name.as_str() {
            "refund" => {
                let value_written = Some(value.to_string());
                Fact { value_written, refund_id: self.refund_id.clone(), ..bare }
            }
            "order_cancelled" => bare,
            _ => whole,
        })
    }

    /// What decides between copies that were received in the same millisecond.
    pub fn hash(&self) -> u64 {
        let campaign = self.campaign().map(|tags| serde_json::to_string(&tags).unwrap());
        Said {
            name: &self.name,
            client: &self.client,
            user: self.user.as_deref(),
            platform: self.platform,
            occurred_at_ms: self.at_ms,
            flags: self.flags(),
            page: None,
            referrer: self.referrer.as_deref(),
            campaign: campaign.as_deref(),
            grade: "",
            place: "",
            device: Device::default(),
            fact: self.fact(0).as_ref(),
        }
        .hash()
    }
}

/// Texts of a table, each once.
struct Table<T> {
    values: Vec<T>,
    numbers: HashMap<String, u32>,
}

impl<T> Table<T> {
    fn new() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new() }
    }

    fn number(&mut self, text: &str, make: impl Fn(&str) -> T) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.values.len() as u32;
        self.values.push(make(text));
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// The share of the demo site in a frame with these events.
pub fn share(events: &[Event]) -> SiteBatch {
    let mut share = SiteBatch::new(demo());
    let (mut names, mut clients, mut users) = (Table::new(), Table::new(), Table::new());
    let (mut referrers, mut campaigns) = (Table::new(), Table::new());
    for event in events {
        let name = names.number(&event.name, |text| EventName::parse(text).unwrap());
        let client = clients.number(&event.client, |text| ClientId::parse(text).unwrap());
        let user = event.user.as_ref();
        let user = user.map(|user| users.number(user, |text| UserId::parse(text).unwrap()));
        let host = event.referrer.as_ref();
        let referrer = host.map(|host| referrers.number(host, str::to_owned));
        let tags = event.campaign.as_ref().map(|tags| tags.join("/"));
        let campaign =
            tags.map(|tags| campaigns.number(&tags, |_| event.campaign().unwrap_or_default()));
        share.facts.extend(event.fact(share.records.len() as u32));
        share.records.push(Record {
            id: EventId::parse(&event.id).unwrap(),
            client: Some(client),
            user,
            name,
            platform: event.platform,
            occurred_at_ms: event.at_ms,
            received_at_ms: event.received_ms,
            flags: event.flags(),
            page: None,
            referrer,
            campaign,
            grade: None,
            place: None,
            device: None,
        });
    }
    share.tables.names = names.values;
    share.tables.clients = clients.values;
    share.tables.users = users.values;
    share.tables.referrers = referrers.values;
    share.tables.campaigns = campaigns.values;
    share
}

fn fact(record: u32, transaction: &str, value: i64) -> Fact {
    Fact {
        record,
        transaction: Some(TransactionId::parse(transaction).unwrap()),
        value: Some(Money { minor: value, currency: Currency::parse("VND").unwrap() }),
        shipping_city: Some("Huế".to_owned()),
        items: vec![Item { id: Some("sku-1".to_owned()), quantity: 2, ..Item::default() }],
        ..Fact::default()
    }
}

/// A frame's content.
pub fn batch(events: &[Event], committed_at_ms: i64) -> Batch {
    Batch { committed_at_ms, sites: vec![share(events)] }
}
