//! What an event costs in a frame, of a shop's ordinary traffic, by how many come a second.
//!
//! Nothing is timed and nothing left to chance: the same events on every machine. To see the bytes
//! of every section: `cargo test -p edgetally-proto --test main sizes -- --nocapture`.

use std::collections::BTreeMap;

use edgetally_proto::batch::Batch;
use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::Grade;
use edgetally_proto::event::{Event, Platform};
use edgetally_proto::frame::{encode, sections};
use edgetally_proto::ids::{ClientId, EventId, EventName, SiteId, TransactionId, UserId};
use edgetally_proto::limits::COMMIT_INTERVAL_MS;
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Flags, Item};
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::visitor::{Device, Kind, Place};
use edgetally_proto::window::Window;

const START_MS: i64 = 1_772_420_400_000;
const PRODUCTS: u64 = 2_000;
const CITIES: [&str; 12] = [
    "Hà Nội",
    "Hồ Chí Minh",
    "Đà Nẵng",
    "Hải Phòng",
    "Cần Thơ",
    "Huế",
    "Nha Trang",
    "Biên Hòa",
    "Vũng Tàu",
    "Đà Lạt",
    "Vinh",
    "Buôn Ma Thuột",
];
const DEVICES: [(Kind, &str, &str, Platform); 8] = [
    (Kind::Mobile, "Chrome", "Android", Platform::Mweb),
    (Kind::Mobile, "Safari", "iOS", Platform::Mweb),
    (Kind::Desktop, "Chrome", "Windows", Platform::Web),
    (Kind::Desktop, "Coc Coc", "Windows", Platform::Web),
    (Kind::Mobile, "", "Android", Platform::Android),
    (Kind::Mobile, "", "iOS", Platform::Ios),
    (Kind::Desktop, "Edge", "Windows", Platform::Web),
    (Kind::Tablet, "Safari", "iOS", Platform::Mweb),
];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Small numbers are more likely: as 1/n, roughly what is popular in a shop.
    fn popular(&mut self, end: u64) -> u64 {
        let unit = self.below(1 << 32) as f64 / (1u64 << 32) as f64;
        ((end as f64).powf(unit) as u64).saturating_sub(1).min(end - 1)
    }

    /// A random UUID (version 4).
    fn uuid(&mut self) -> [u8; 16] {
        let number = u128::from(self.next()) << 64 | u128::from(self.next());
        (number & !(0xF << 76 | 3 << 62) | 4 << 76 | 2 << 62).to_be_bytes()
    }
}

struct Visitor {
    client: ClientId,
    user: Option<UserId>,
    device: (Kind, &'static str, &'static str, Platform),
    city: &'static str,
}

/// A shop and those who are in it; each sends a request about every ten seconds.
struct Shop {
    dice: Dice,
    visitors: Vec<Visitor>,
    orders: u64,
}

impl Shop {
    fn new(visitors: u64) -> Self {
        let mut shop = Self { dice: Dice(1), visitors: Vec::new(), orders: 0 };
        for _ in 0..visitors {
            let visitor = shop.visitor();
            shop.visitors.push(visitor);
        }
        shop
    }

    fn visitor(&mut self) -> Visitor {
        let dice = &mut self.dice;
        let client = EventId::Uuid(dice.uuid()).to_string();
        let user = dice.chance(15).then(|| format!("{}", 100_000 + dice.below(900_000)));
        Visitor {
            client: ClientId::parse(&client).unwrap(),
            user: user.map(|user| UserId::parse(&user).unwrap()),
            device: DEVICES[dice.popular(8) as usize],
            city: CITIES[dice.popular(12) as usize],
        }
    }

    /// The events of one request: one to six of the last second, three in the mean.
    fn request(&mut self, received_at_ms: i64) -> Vec<Event> {
        let who = self.dice.below(self.visitors.len() as u64) as usize;
        let count = [1, 2, 2, 3, 3, 3, 3, 4, 4, 5][self.dice.below(10) as usize];
        let path = match self.dice.below(20) {
            0 | 1 => "/".to_owned(),
            2 => "/cart".to_owned(),
            3 => "/checkout".to_owned(),
            4 => "/search".to_owned(),
            5..8 => {
                format!("/c/{}", ["dien-thoai", "laptop", "phu-kien"][self.dice.below(3) as usize])
            }
            _ => format!("/p/{}", 10_000 + self.dice.popular(PRODUCTS)),
        };
        let campaign = self.dice.chance(8).then(|| self.campaign());
        let mut ages: Vec<i64> = (0..count).map(|_| 30 + self.dice.below(1_000) as i64).collect();
        ages.sort_unstable_by_key(|age| -age);
        let mut events: Vec<Event> = ages
            .into_iter()
            .enumerate()
            .map(|(at, age)| self.event(who, at, &path, received_at_ms, age))
            .collect();
        if let (Some(campaign), Some(first)) = (campaign, events.first_mut()) {
            let grade = Grade::of_campaign(&campaign, None, &SiteSettings::default());
            first.grade = Some(grade.into());
            first.campaign = Some(campaign);
            first.referrer = Some("www.facebook.com".to_owned());
        }
        events
    }

    fn campaign(&mut self) -> Campaign {
        let at = self.dice.popular(4) as usize;
        let (source, medium) =
            [("google", "cpc"), ("facebook", "paid"), ("tiktok", "paid"), ("zalo", "social")][at];
        let name = format!("tet-2026-{}", self.dice.popular(6));
        Campaign {
            source: source.to_owned(),
            medium: medium.to_owned(),
            name,
            ..Campaign::default()
        }
    }

    fn event(&mut self, who: usize, at: usize, path: &str, received: i64, age: i64) -> Event {
        // Of two hundred events one is a purchase and one its payment.
        let name = match (at, self.dice.below(1_000)) {
            (0, _) => "page_view",
            (_, 0..400) => "view_item",
            (_, 400..600) => "web_vital",
            (_, 600..750) => "add_to_cart",
            (_, 750..850) => "search",
            (_, 850..930) => "view_item_list",
            (_, 930..960) => "begin_checkout",
            (_, 960..968) => "purchase",
            (_, 968..976) => "payment_success",
            _ => "engagement",
        };
        let fact = matches!(name, "purchase" | "payment_success").then(|| self.fact(name));
        let id = EventId::Uuid(self.dice.uuid());
        let visitor = &self.visitors[who];
        let (kind, browser, system, platform) = visitor.device;
        Event {
            id,
            client: Some(visitor.client.clone()),
            user: visitor.user.clone(),
            name: EventName::parse(name).unwrap(),
            platform,
            occurred_at_ms: received - age,
            received_at_ms: received,
            flags: Flags::default(),
            page: Some(path.to_owned()),
            referrer: None,
            campaign: None,
            grade: None,
            place: Place::of(Some("VN"), Some(visitor.city), Some(visitor.city)).map(Into::into),
            device: Some(Device::of(kind, browser, system)),
            fact: fact.map(Box::new),
            user_agent: None,
            page_host: None,
        }
    }

    fn fact(&mut self, name: &str) -> Fact {
        self.orders += 1;
        let currency = Currency::parse("VND").unwrap();
        let transaction = TransactionId::parse(&format!("DH{}", 240_000 + self.orders)).ok();
        let value = Some(Money { minor: 25_700_000, currency });
        if name == "payment_success" {
            let (method, latency_ms) =
                (Some("momo".to_owned()), Some(300 + self.dice.below(3_000) as u32));
            return Fact { transaction, value, method, latency_ms, ..Fact::default() };
        }
        let mut item = |name: &str| Item {
            id: Some(format!("{}", 10_000 + self.dice.popular(PRODUCTS))),
            name: Some(name.to_owned()),
            category: Some("laptop".to_owned()),
            price: Some(12_850_000),
            quantity: 1,
            ..Item::default()
        };
        let items = vec![item("Laptop Dell XPS 13"), item("Chuột Logitech M331")];
        let shipping_city = Some("Hà Nội".to_owned());
        Fact { transaction, value, shipping_city, items, ..Fact::default() }
    }
}

/// The frames of `seconds` at a rate: each holds what came in one commit interval.
fn frames(rate: u64, seconds: u64) -> Vec<Batch> {
    let site = SiteId::parse("demo").unwrap();
    let mut shop = Shop::new((rate * 10 / 3).max(3));
    let (mut frames, mut window, mut opened_ms) = (Vec::new(), Window::default(), 0);
    let requests = rate * seconds / 3;
    for request in 0..requests {
        let now_ms = START_MS + (request * 1_000 * seconds / requests) as i64;
        let is_due = now_ms - opened_ms >= COMMIT_INTERVAL_MS;
        if !window.is_empty() && is_due {
            frames.push(window.seal(opened_ms + COMMIT_INTERVAL_MS));
        }
        if window.is_empty() {
            opened_ms = now_ms;
        }
        for event in shop.request(now_ms) {
            window.fold(&site, event);
        }
    }
    frames
}

/// Bytes an event, and how many events a frame has.
#[expect(clippy::print_stdout, reason = "the numbers are there to be read")]
fn measure(rate: u64) -> (f64, f64) {
    let frames = frames(rate, if rate < 10 { 600 } else { 60 });
    let records = |batch: &Batch| batch.sites[0].records.len();
    let events: usize = frames.iter().map(records).sum();
    let bytes: usize = frames.iter().map(|batch| encode(batch).len()).sum();
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for (section, bytes) in frames.iter().flat_map(sections) {
        *all.entry(section).or_default() += bytes;
    }
    assert_eq!(all.values().sum::<usize>(), bytes, "the sections are the frame");
    let each = |bytes: usize| bytes as f64 / events as f64;
    println!("{rate} events/s: {:.2} bytes an event", each(bytes));
    let mut sorted: Vec<_> = all.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    sorted.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    sorted.iter().for_each(|(name, bytes)| println!("{:>10.2}  {name}", each(*bytes)));
    (each(bytes), events as f64 / frames.len() as f64)
}

#[test]
fn an_event_costs_little_more_than_its_id() {
    for (rate, at_most) in [(1, 75.0), (10, 75.0), (100, 37.0), (1_000, 30.0)] {
        let (each, of_frame) = measure(rate);
        assert!(
            each <= at_most,
            "{each:.2} bytes an event at {rate} events/s, {of_frame:.1} a frame"
        );
    }
}
