//! The shop: visits with pages, searches, products and orders, drawn from a seed. Every visit
//! follows from its number, so a day can be made without the days before it.

use std::sync::Arc;

use anyhow::{Context, Result};
use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::Grade;
use edgetally_proto::event::{Event, Platform};
use edgetally_proto::ids::{ClientId, EventId, EventName, TransactionId};
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Flags, Item};
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::time::{DAY_MS, SECOND_MS};
use edgetally_proto::visitor::{Device, Kind, Place};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// 2026-03-02 00:00 in Ho Chi Minh City.
pub const START_MS: i64 = 1_772_384_400_000;
const COUNTRIES: [&str; 6] = ["VN", "VN", "VN", "SG", "US", "DE"];
const CITIES: [&str; 6] = ["Hà Nội", "Hồ Chí Minh", "Đà Nẵng", "Singapore", "Austin", "Berlin"];
const DEVICES: [(Kind, &str, &str); 4] = [
    (Kind::Mobile, "Chrome", "Android"),
    (Kind::Mobile, "Safari", "iOS"),
    (Kind::Desktop, "Chrome", "Windows"),
    (Kind::Desktop, "Edge", "Windows"),
];
const SOURCES: [(&str, &str); 6] = [
    ("google", "cpc"),
    ("facebook", "cpc"),
    ("tiktok", "paid"),
    ("newsletter", "email"),
    ("accesstrade", "affiliate"),
    ("zalo", "social"),
];
const CATEGORIES: [&str; 8] = ["it", "audio", "home", "kids", "food", "books", "sport", "garden"];
const PRODUCTS: u16 = 2_000;
const TERMS: u16 = 500;
const PAGES: u16 = 1_000;
const CAMPAIGNS: u16 = 100;

/// Draws visits.
pub struct Shop {
    grades: Vec<(Campaign, Arc<Grade>)>,
    currency: Currency,
    seed: u64,
    /// Persons who come, each again and again.
    persons: u32,
}

impl Shop {
    /// A shop with so many sessions a day.
    pub fn new(sessions: u32, seed: u64) -> Result<Self> {
        let settings = SiteSettings::default();
        let campaign = |number: u16| {
            let (source, medium) = SOURCES[usize::from(number) % SOURCES.len()];
            let name = format!("sale-{number}");
            let (source, medium) = (source.to_owned(), medium.to_owned());
            Campaign { source, medium, name, ..Campaign::default() }
        };
        let grade = |campaign: Campaign| {
            let grade = Grade::of_campaign(&campaign, None, &settings);
            (campaign, Arc::new(grade))
        };
        let grades = (0..CAMPAIGNS).map(campaign).map(grade).collect();
        let currency = Currency::parse("VND").context("a currency")?;
        Ok(Self { grades, currency, seed, persons: sessions.saturating_mul(8) })
    }

    /// The events of a visit on a day, in order.
    pub fn visit(&self, day: u32, number: u32) -> Result<Vec<Event>> {
        let mut rng = self.rng(day, number);
        let at_ms = START_MS + i64::from(day) * DAY_MS + rng.random_range(0..DAY_MS);
        self.walk(rng, (day, number), at_ms)
    }

    /// The events of a visit that begins at an instant, in order.
    pub fn visit_at(&self, day: u32, number: u32, at_ms: i64) -> Result<Vec<Event>> {
        self.walk(self.rng(day, number), (day, number), at_ms)
    }

    fn rng(&self, day: u32, number: u32) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed << 48 ^ place_of(day, number))
    }

    fn walk(&self, mut rng: ChaCha8Rng, of: (u32, u32), at_ms: i64) -> Result<Vec<Event>> {
        let person = rng.random_range(0..self.persons);
        Visit { shop: self, rng, person, at_ms, place: place_of(of.0, of.1), turn: 0 }.walk()
    }
}

fn place_of(day: u32, number: u32) -> u64 {
    u64::from(day) << 32 | u64::from(number)
}

struct Visit<'a> {
    shop: &'a Shop,
    rng: ChaCha8Rng,
    person: u32,
    at_ms: i64,
    place: u64,
    turn: u8,
}

impl Visit<'_> {
    /// Small numbers are drawn oftener, as a few products make most of the sales.
    fn one_of(&mut self, count: u16) -> u16 {
        let share: f64 = self.rng.random();
        (share * share * f64::from(count)) as u16
    }

    fn walk(&mut self) -> Result<Vec<Event>> {
        let mut all = Vec::new();
        let mut first = self.event("page_view", None)?;
        if self.rng.random_bool(0.4) {
            let number = usize::from(self.one_of(CAMPAIGNS));
            if let Some((campaign, grade)) = self.shop.grades.get(number) {
                first.campaign = Some(campaign.clone());
                first.grade = Some(grade.clone());
            }
        }
        all.push(first);
        for _ in 0..self.rng.random_range(0..7) {
            let next = match self.rng.random_range(0..100) {
                0..45 => self.event("page_view", None)?,
                45..55 => {
                    let search_term = Some(format!("term {}", self.one_of(TERMS)));
                    self.event("search", Some(Fact { search_term, ..Fact::default() }))?
                }
                55..85 => self.looks("view_item")?,
                85..95 => self.looks("add_to_cart")?,
                _ => {
                    self.buys(&mut all)?;
                    continue;
                }
            };
            all.push(next);
        }
        Ok(all)
    }

    fn item(&mut self) -> Item {
        let number = self.one_of(PRODUCTS);
        let category = CATEGORIES[usize::from(number) % CATEGORIES.len()];
        Item {
            id: Some(format!("sku-{number}")),
            category: Some(category.to_owned()),
            quantity: 1,
            ..Item::default()
        }
    }

    fn looks(&mut self, name: &str) -> Result<Event> {
        let items = vec![self.item()];
        self.event(name, Some(Fact { items, ..Fact::default() }))
    }

    fn buys(&mut self, all: &mut Vec<Event>) -> Result<()> {
        let number = format!("T{}-{}", self.place, self.turn);
        let transaction = Some(TransactionId::parse(&number)?);
        let mut items = Vec::new();
        for _ in 0..self.rng.random_range(1..4) {
            let (price, quantity) =
                (self.rng.random_range(10..500) * 1_000, self.rng.random_range(1..3));
            items.push(Item { price: Some(price), quantity, ..self.item() });
        }
        let lines = items.iter().map(|line| line.price.unwrap_or(0) * i64::from(line.quantity));
        let value = Some(Money { minor: lines.sum(), currency: self.shop.currency });
        let latency_ms = Some(self.rng.random_range(80..4_000));
        let paid = Fact { transaction: transaction.clone(), latency_ms, ..Fact::default() };
        let city = CITIES[self.rng.random_range(0..CITIES.len())].to_owned();
        let order =
            Fact { transaction, value, items, shipping_city: Some(city), ..Fact::default() };
        all.push(self.event("begin_checkout", None)?);
        all.push(self.event("purchase", Some(order))?);
        all.push(self.event("payment_success", Some(paid))?);
        Ok(())
    }

    fn event(&mut self, name: &str, fact: Option<Fact>) -> Result<Event> {
        let (kind, browser, system) = DEVICES[self.person as usize % DEVICES.len()];
        let home = self.person as usize / DEVICES.len() % COUNTRIES.len();
        let place = Place::of(Some(COUNTRIES[home]), None, Some(CITIES[home]));
        let mut id: [u8; 16] = self.rng.random();
        id[6] = id[6] & 0x0F | 0x40;
        id[8] = id[8] & 0x3F | 0x80;
        self.turn += 1;
        self.at_ms += self.rng.random_range(SECOND_MS..120 * SECOND_MS);
        Ok(Event {
            id: EventId::Uuid(id),
            client: Some(ClientId::parse(&format!("c{}", self.person))?),
            user: None,
            name: EventName::parse(name)?,
            platform: if kind == Kind::Mobile { Platform::Mweb } else { Platform::Web },
            occurred_at_ms: self.at_ms,
            received_at_ms: self.at_ms + self.rng.random_range(10..800),
            flags: Flags::default(),
            page: Some(format!("/p/{}", self.one_of(PAGES))),
            referrer: None,
            campaign: None,
            grade: None,
            place: place.map(Arc::new),
            device: Some(Device::of(kind, browser, system)),
            fact: fact.map(Box::new),
            user_agent: None,
            page_host: None,
        })
    }
}
