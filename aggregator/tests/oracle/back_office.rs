//! What the back office tells, for the engine, and the engine's statistics of it.

use std::collections::BTreeMap;

use aggregator::orders::daily::{Cell as TheirCell, Sums};
use aggregator::orders::statistics::date_of;
use aggregator::orders::told::Told;
use aggregator::site::{Effects, Site};
use edgetally_proto::back_office::{State, Version};
use edgetally_proto::ids::{ClientId, EventId, UserId};
use edgetally_proto::record::Fact;
use xxhash_rust::xxh3::xxh3_128;

use super::model::{Event, OrderFact};
use super::orders::order_key;
use super::outcome::{Cell, Daily};

/// The id under which the engine keeps what the back office says of an order.
pub fn id(event: &Event) -> Option<String> {
    event.version()?;
    let (platform, transaction) = order_key(event.order.as_ref()?);
    let hash = xxh3_128(format!("{platform}\0{transaction}").as_bytes());
    Some(EventId::Uuid(hash.to_be_bytes()).to_string())
}

/// Tells the engine a version of an order, if the event is one, as `POST /v1/orders` does.
pub fn tell(site: &mut Site, event: &Event, fact: impl Fn(&OrderFact) -> Fact) {
    let (Some(version), Some(said)) = (event.version(), &event.order) else { return };
    let version = Version {
        state: State::parse(version.state).unwrap(),
        state_written: None,
        updated_at_ms: version.updated_ms,
        completed_at_ms: None,
        cancelled_at_ms: version.cancelled_ms,
        total: version.total,
        category: version.category.map(str::to_owned),
        region: version.region.map(str::to_owned),
        was_booked: false,
    };
    let told = Told {
        client: event.client.as_deref().map(|client| ClientId::parse(client).unwrap()),
        user: event.user.as_deref().map(|user| UserId::parse(user).unwrap()),
        ordered_at_ms: event.at_ms,
        fact: Fact { told: Some(version.into()), ..fact(said) },
    };
    let (news, _) = site.plan_orders(vec![told]);
    site.tell_orders(news, event.received_ms, &mut Effects::default());
}

fn same(cell: &TheirCell, sums: &Sums) -> (Cell, Daily) {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    let currency = cell.currency.code().replace("JPY", "USD");
    let (category, region) = (text(&cell.category), text(&cell.region));
    let minor = |amount: i128| i64::try_from(amount).unwrap();
    let daily = Daily {
        orders: sums.orders,
        completed: sums.completed,
        cancelled: sums.cancelled,
        total: minor(sums.total),
        revenue: minor(sums.revenue),
        discount: minor(sums.discount),
    };
    ((date_of(cell.day), cell.platform.to_string(), currency, category, region), daily)
}

/// Where the engine's daily statistics are not the oracle's.
pub fn differences(ours: &BTreeMap<Cell, Daily>, site: &Site) -> Vec<String> {
    let days = site.daily.between(-1_000_000, 1_000_000);
    let theirs: BTreeMap<Cell, Daily> = days.map(|(cell, sums)| same(&cell, sums)).collect();
    if *ours == theirs {
        return Vec::new();
    }
    vec![format!("daily statistics:\n  {ours:?}\n  {theirs:?}")]
}
