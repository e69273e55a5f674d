//! A small shop on one morning, with something under every dimension. Its numbers are counted by
//! hand in the tests that ask for them.

use std::sync::Arc;

use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::{Category, Grade, Group};
use edgetally_proto::event::{Event, Platform};
use edgetally_proto::ids::{ClientId, EventId, EventName, TransactionId};
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Flags, Item};
use edgetally_proto::visitor::{Device, Kind, Place};
use edgetally_proto::vital::Vital;
use edgetally_proto::window::Window;
use serde_json::json;

use super::events::demo;
use super::snapshot::{START, Snapshot};

/// An event of a visitor, so many seconds after ten o'clock.
pub fn event(client: &str, name: &str, second: i64) -> Event {
    let at_ms = START + second * 1_000;
    let is_mobile = client == "a" || client == "bot";
    let device = match is_mobile {
        true => Device::of(Kind::Mobile, "Safari", "iOS"),
        false => Device::of(Kind::Desktop, "Chrome", "Windows"),
    };
    let place = match is_mobile {
        true => Place::of(Some("VN"), Some("Hà Nội"), Some("Ba Đình")),
        false => Place::of(Some("SG"), None, None),
    };
    Event {
        id: EventId::parse(&format!("{client}-{name}-{second}")).unwrap(),
        client: (!client.is_empty()).then(|| ClientId::parse(client).unwrap()),
        user: None,
        name: EventName::parse(name).unwrap(),
        platform: if is_mobile { Platform::Mweb } else { Platform::Web },
        occurred_at_ms: at_ms,
        received_at_ms: at_ms,
        flags: Flags::default().with(Flags::BOT, client == "bot"),
        page: None,
        referrer: None,
        campaign: None,
        grade: None,
        place: place.map(Arc::new),
        device: Some(device),
        fact: None,
        user_agent: None,
        page_host: None,
    }
}

pub fn on(event: Event, page: &str) -> Event {
    Event { page: Some(page.to_owned()), ..event }
}

pub fn with(event: Event, fact: Fact) -> Event {
    Event { fact: Some(Box::new(fact)), ..event }
}

/// A product by id, price in VND and quantity.
pub fn item(id: &str, price: Option<i64>, quantity: u32) -> Item {
    let brand = (id == "sku-1").then(|| "Acme".to_owned());
    Item { id: Some(id.to_owned()), brand, price, quantity, ..Item::default() }
}

pub fn items(items: &[Item]) -> Fact {
    Fact { items: items.to_vec(), ..Fact::default() }
}

pub fn order(transaction: &str, value: i64, lines: &[Item]) -> Fact {
    let currency = Currency::parse("VND").unwrap();
    Fact {
        transaction: Some(TransactionId::parse(transaction).unwrap()),
        value: (value > 0).then_some(Money { minor: value, currency }),
        ..items(lines)
    }
}

fn from_a_campaign(event: Event) -> Event {
    let text = str::to_owned;
    let campaign = Campaign {
        source: text("facebook"),
        medium: text("cpc"),
        name: text("sale"),
        term: text("shoes"),
        content: text("red"),
        id: String::new(),
    };
    let grade = Grade {
        version: 1,
        rule: 6,
        channel: text("Paid Social"),
        group: Group::Paid,
        source: text("facebook"),
        category: Some(Category::Social),
    };
    Event { campaign: Some(campaign), grade: Some(Arc::new(grade)), ..event }
}

fn term(text: &str) -> Fact {
    Fact { search_term: Some(text.to_owned()), ..Fact::default() }
}

/// The visitor `a`, who came by an advertisement and bought.
fn buyer() -> Vec<Event> {
    let seen = Fact {
        experiment: Some("banner".to_owned()),
        variant: Some("blue".to_owned()),
        ..Fact::default()
    };
    let lines = [item("sku-1", Some(100), 2), item("sku-2", Some(50), 1)];
    let bought = Fact { shipping_city: Some("Huế".to_owned()), ..order("T1", 300, &lines) };
    let red = Fact {
        params: vec![("color".to_owned(), "red".to_owned())],
        ..items(&[item("sku-1", None, 2), item("sku-2", None, 1)])
    };
    let paid = Fact { latency_ms: Some(120), ..order("T1", 0, &[]) };
    let vital = Fact { vital: Vital::read("TTFB", "12.7"), ..Fact::default() };
    vec![
        on(from_a_campaign(event("a", "page_view", 0)), "/home"),
        with(event("a", "experiment_view", 10), seen),
        on(with(event("a", "search", 20), term("laptop")), "/search"),
        on(with(event("a", "view_item", 30), items(&[item("sku-1", None, 1)])), "/p/1"),
        on(with(event("a", "add_to_cart", 40), red), "/p/1"),
        on(with(event("a", "purchase", 60), bought), "/checkout"),
        with(event("a", "payment_success", 65), paid),
        on(with(event("a", "web_vital", 120), vital), "/home"),
    ]
}

/// The visitor `b`, who came by himself, twice, and has not paid.
fn browser() -> Vec<Event> {
    let again = event("b", "page_view", 3_000);
    let late = Event { received_at_ms: again.occurred_at_ms + 7_200_000, ..again };
    vec![
        on(event("b", "page_view", 600), "/home"),
        with(event("b", "payment_failed", 660), order("T2", 0, &[])),
        on(with(event("b", "search", 720), term("laptop")), "/search"),
        on(with(event("b", "view_item", 750), items(&[item("sku-2", None, 1)])), "/p/2"),
        with(event("b", "order_created", 780), order("T2", 80, &[])),
        on(late, "/p/2"),
    ]
}

/// Both, a bot, and a refund that the shop's server tells.
pub fn morning() -> Vec<Event> {
    let back = Fact { value_written: Some("50".to_owned()), ..order("T1", 0, &[]) };
    let refund = with(event("", "refund", 1_200), back);
    let refund = Event { platform: Platform::Server, device: None, place: None, ..refund };
    let mut all = buyer();
    all.extend(browser());
    all.extend([on(event("bot", "page_view", 5), "/home"), refund]);
    all
}

/// A site with these events, which keeps the parameter `color` and knows one product.
pub fn shop(events: Vec<Event>) -> Snapshot {
    let mut window = Window::default();
    events.into_iter().for_each(|event| window.fold(&demo(), event));
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND",
        "params": {"keep": ["color"]},
        "catalog": {"sku-1": {"name": "Laptop", "category": "it"}}});
    Snapshot::with(settings, window.seal(START).sites)
}
