//! The worked examples: who owns which event, and what the orders are worth.

use std::collections::BTreeMap;

use aggregator::site::{Site, check};
use edgetally_proto::event::{Platform, user_id};
use edgetally_proto::time::DAY_MS;
use serde::Deserialize;

use crate::support::events::{Event, share};

#[derive(Deserialize)]
struct Example {
    n: u32,
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    stage: String,
    events: Vec<Told>,
    sessions: Vec<Session>,
    orders: Vec<Order>,
}

#[derive(Deserialize, Clone)]
struct Told {
    id: String,
    client: String,
    #[serde(rename = "type")]
    name: String,
    ct: i64,
    user_id: Option<String>,
    order: Option<String>,
    value: Option<i64>,
    platform: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
struct Session {
    person: String,
    events: Vec<String>,
}

#[derive(Deserialize)]
struct Order {
    order: String,
    value: i64,
}

impl Told {
    fn event(&self) -> Event {
        let user = self.user_id.as_deref().and_then(|text| user_id(text).unwrap());
        let order = self.order.clone().map(|order| (order, self.value.unwrap_or_default()));
        Event {
            user: user.map(|user| user.to_string()),
            platform: self.platform.as_deref().and_then(Platform::parse).unwrap_or(Platform::Web),
            is_bot: self.bot,
            order,
            ..Event::new(&self.id, &self.client, &self.name, self.ct)
        }
    }
}

/// Applies events one frame each and gives the owner of every event.
fn owners<'a>(site: &mut Site, events: impl Iterator<Item = &'a Told>) -> BTreeMap<String, String> {
    for told in events {
        let share = share(&[told.event()]);
        check(&share).unwrap();
        site.apply(&share);
    }
    let owned = site.owned().map(|(record, person)| (record.id.to_string(), person));
    owned.collect()
}

fn check_stage(example: u32, stage: &Stage, site: &Site, owners: &BTreeMap<String, String>) {
    let sessions = stage.sessions.iter();
    let expected = sessions.flat_map(|s| s.events.iter().map(|id| (id.clone(), s.person.clone())));
    for (id, person) in expected {
        assert_eq!(owners.get(&id), Some(&person), "example {example}, {}, {id}", stage.stage);
    }
    let times = stage.events.iter().map(|event| event.ct);
    let (from, to) = (times.clone().min().unwrap(), times.max().unwrap());
    let from = from.div_euclid(DAY_MS) * DAY_MS;
    let sum = site.ledger.sales.between(from, to + DAY_MS - to % DAY_MS);
    assert_eq!(sum.orders, stage.orders.len() as i64, "example {example}");
    let revenue: i128 = sum.takings.iter().map(|(_, takings)| takings.minor).sum();
    let expected: i128 = stage.orders.iter().map(|order| i128::from(order.value)).sum();
    assert_eq!(revenue, expected, "example {example}");
    assert!(stage.orders.iter().all(|order| !order.order.is_empty()));
}

/// Every stage, its events arriving in the order told, and backwards, gives the same owners.
#[test]
fn owners_and_orders_are_those_of_the_examples() {
    let text = include_str!("fixtures/worked-examples.json");
    let examples: Vec<Example> = serde_json::from_str(text).unwrap();
    assert!(examples.len() >= 14);
    for example in &examples {
        for stage in &example.stages {
            let mut site = Site::default();
            let said = owners(&mut site, stage.events.iter());
            check_stage(example.n, stage, &site, &said);
            let mut backwards = Site::default();
            let said = owners(&mut backwards, stage.events.iter().rev());
            check_stage(example.n, stage, &backwards, &said);
        }
    }
}
