//! What is sent, and what a world counts of it.

use std::collections::BTreeSet;

use aggregator::apply::World;
use aggregator::merge::Measure;
use edge_worker::waiting::encode_admission;
use edgetally_proto::event::{Event, Platform};
use edgetally_proto::frame;
use edgetally_proto::ids::{ClientId, EventId, EventName, SiteId, TransactionId};
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Flags};
use edgetally_proto::window::Window;
use serde_json::json;

use super::disk::Disk;

/// When every case begins.
pub const START_MS: i64 = 1_772_420_400_000;

/// The only site.
pub fn site() -> SiteId {
    SiteId::parse("demo").unwrap()
}

/// Every fourth event is an order of its own, worth its number.
pub fn event(number: u16, now_ms: i64) -> Event {
    let is_order = number.is_multiple_of(4);
    let fact = is_order.then(|| Fact {
        transaction: TransactionId::parse(&format!("T{number}")).ok(),
        value: Some(Money { minor: i64::from(number), currency: vnd() }),
        ..Fact::default()
    });
    Event {
        id: EventId::parse(&format!("e{number}")).unwrap(),
        client: ClientId::parse(&format!("c{}", number % 5)).ok(),
        user: None,
        name: EventName::parse(if is_order { "purchase" } else { "page_view" }).unwrap(),
        platform: Platform::Web,
        occurred_at_ms: START_MS + i64::from(number) * 700,
        received_at_ms: now_ms,
        flags: Flags::default(),
        page: Some(format!("/p/{}", number % 7)),
        referrer: None,
        campaign: None,
        grade: None,
        place: None,
        device: None,
        fact: fact.map(Box::new),
        user_agent: None,
        page_host: None,
    }
}

/// The line of an event in the archive.
pub fn line(number: u16, now_ms: i64) -> String {
    let event = json!({"id": format!("e{number}"), "client_id": "c", "name": "page_view"});
    json!({"site": "demo", "received": now_ms, "facts": {}, "event": event}).to_string()
}

/// What the worker hands to a shard, with lines if there is an archive.
pub fn admission(window: &mut Window, lines: &[String], now_ms: i64) -> Vec<u8> {
    encode_admission(&window.seal(now_ms), lines)
}

fn vnd() -> Currency {
    Currency::parse("VND").unwrap()
}

/// What a world has counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// Events, by their numbers.
    pub held: BTreeSet<u16>,
    /// Events by the counters, orders, and revenue in VND.
    pub totals: (usize, usize, i128),
    /// Rejects, and repeats that the edge or the aggregator found, by the counters.
    pub rejects: i64,
    /// Repeats that the aggregator found.
    pub late_duplicates: i64,
}

impl Books {
    /// The books of a world.
    pub fn of(world: &World) -> Self {
        let mut books = Self::default();
        let Some(site) = world.sites.get(&site()) else { return books };
        for (_, record) in site.records.standing() {
            let number = record.id.to_string().trim_start_matches('e').parse();
            books.held.insert(number.unwrap_or(u16::MAX));
        }
        let (from_ms, to_ms) = (START_MS - 86_400_000, START_MS + 30 * 86_400_000);
        let mut events = 0;
        site.counters.visit(from_ms, to_ms, |measure, count| match measure {
            Measure::Events { .. } => events += count,
            Measure::Rejects(_) => books.rejects += count,
            Measure::LateDuplicates => books.late_duplicates += count,
            Measure::Duplicates | Measure::Dropped => {}
        });
        let sales = site.ledger.sales.between(from_ms, to_ms);
        let revenue = sales.takings.iter().map(|(_, takings)| takings.minor).sum();
        let count = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        books.totals = (count(events), count(sales.orders), revenue);
        books
    }

    /// Whether the counters say what the held events are: nothing counts twice.
    ///
    /// # Errors
    /// If not, with both.
    pub fn check(&self) -> Result<(), String> {
        let orders = self.held.iter().filter(|number| number.is_multiple_of(4));
        let revenue: i64 = orders.clone().map(|number| i64::from(*number)).sum();
        let expected = (self.held.len(), orders.count(), i128::from(revenue));
        if self.totals == expected {
            return Ok(());
        }
        let counted = self.totals;
        Err(format!("(events, orders, revenue): counted {counted:?}, held {expected:?}"))
    }

    /// Whether every frame of a ring was applied once, which only a shard of one epoch can say.
    ///
    /// # Errors
    /// If not, with both.
    pub fn check_frames(&self, disk: &Disk) -> Result<(), String> {
        let (mut records, mut rejects) = (0, 0);
        for (_, _, stored) in disk.ring.values() {
            let batch = frame::decode(&stored.frame).map_err(|error| error.to_string())?;
            for site in &batch.sites {
                records += site.records.len() as i64;
                rejects += site.rejects.values().map(|count| *count as i64).sum::<i64>();
            }
        }
        let applied = self.held.len() as i64 + self.late_duplicates;
        if (applied, self.rejects) == (records, rejects) {
            return Ok(());
        }
        let counted = (applied, self.rejects);
        Err(format!("(records, rejects): applied {counted:?}, committed {:?}", (records, rejects)))
    }
}
