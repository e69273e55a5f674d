//! A batch with something in every column, and a small one.

use edgetally_proto::batch::{Batch, SiteBatch};
use edgetally_proto::campaign::{Campaign, Click};
use edgetally_proto::channel::{Category, Grade, Group};
use edgetally_proto::error::RejectCode;
use edgetally_proto::event::Platform;
use edgetally_proto::ids::{ClientId, EventId, EventName, SiteId, TransactionId, UserId};
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Flags, Item, Letter, Record, Tables};
use edgetally_proto::rollup::RejectKey;
use edgetally_proto::visitor::{Device, Kind, Place};

/// 2026-03-02T03:00:00Z
pub const T: i64 = 1_772_420_400_000;

fn purchase() -> Fact {
    let laptop = Item {
        id: Some("sku-1".to_owned()),
        name: Some("Laptop".to_owned()),
        price: Some(25_000_000),
        quantity: 1,
        ..Item::default()
    };
    Fact {
        record: 1,
        transaction: Some(TransactionId::parse("T-1").unwrap()),
        value: Some(Money { minor: 25_000_000, currency: Currency::parse("VND").unwrap() }),
        shipping_city: Some("Hà Nội".to_owned()),
        click: Some(Box::new(Click { kind: "gclid".to_owned(), value: "Ab-1".to_owned() })),
        items: vec![laptop],
        ..Fact::default()
    }
}

fn records() -> Vec<Record> {
    let view = Record {
        id: EventId::parse("0193a5b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b").unwrap(),
        client: Some(0),
        user: None,
        name: 0,
        platform: Platform::Mweb,
        occurred_at_ms: T,
        received_at_ms: T + 123,
        flags: Flags::BOT,
        page: Some(0),
        referrer: Some(0),
        campaign: Some(0),
        grade: Some(0),
        place: Some(0),
        device: Some(0),
    };
    let purchase = Record {
        id: EventId::parse("order:T-1").unwrap(),
        client: None,
        user: Some(0),
        name: 1,
        platform: Platform::Server,
        occurred_at_ms: T - 86_400_000,
        received_at_ms: T + 124,
        flags: Flags::SERVER_KEY,
        page: None,
        referrer: None,
        campaign: None,
        grade: None,
        place: Some(1),
        device: None,
    };
    vec![view, purchase]
}

/// Something in every column.
pub fn full() -> Batch {
    let campaign =
        Campaign { source: "facebook".to_owned(), name: "tết".to_owned(), ..Campaign::default() };
    let grade = Grade {
        version: 1,
        rule: 2,
        channel: "Live streams".to_owned(),
        group: Group::Other,
        source: "facebook".to_owned(),
        category: Some(Category::Social),
    };
    let second = T / 1_000;
    let site = SiteBatch {
        site: SiteId::parse("demo").unwrap(),
        tables: Tables {
            names: ["page_view", "purchase"].map(|name| EventName::parse(name).unwrap()).to_vec(),
            clients: vec![ClientId::parse("c-1").unwrap()],
            users: vec![UserId::parse("u-42").unwrap()],
            pages: vec!["/p/1".to_owned()],
            referrers: vec!["www.google.com".to_owned()],
            campaigns: vec![campaign],
            grades: vec![grade],
            places: vec![
                Place::of(Some("VN"), Some("Hà Nội"), Some("Hà Nội")).unwrap(),
                Place::of(Some("SG"), None, None).unwrap(),
            ],
            devices: vec![Device::of(Kind::Mobile, "Safari", "iOS")],
        },
        records: records(),
        facts: vec![purchase()],
        rejects: [(RejectKey { second, code: RejectCode::CurrencyUnknown }, 3)].into(),
        letters: vec![Letter {
            received_at_ms: T,
            code: RejectCode::CurrencyUnknown,
            field: "params.currency".to_owned(),
            message: "XXQ is not an ISO 4217 currency".to_owned(),
            event: r#"{"name":"purchase"}"#.to_owned(),
        }],
        duplicates: [(second, 2), (second + 1, 1)].into(),
        dropped: [(second, 4)].into(),
    };
    Batch { committed_at_ms: T + 250, sites: vec![site] }
}

/// Facts that came later than the others: of an event that has both, and of one that has no others.
pub fn later() -> Batch {
    let mut batch = full();
    let site = &mut batch.sites[0];
    let kept = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    site.facts[0].params = vec![kept("color", "đỏ"), kept("size", "XL")];
    let search = Fact { record: 0, search_term: Some("laptop".to_owned()), ..Fact::default() };
    site.facts.insert(0, Fact { params: vec![kept("color", "đen")], ..search });
    batch
}

/// A site without events.
pub fn small() -> Batch {
    let site = SiteBatch::new(SiteId::parse("s").unwrap());
    Batch { committed_at_ms: 0, sites: vec![site] }
}
