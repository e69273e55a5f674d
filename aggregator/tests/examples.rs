//! The worked examples: who owns which event, and what the orders are worth.

use std::collections::BTreeSet;

use aggregator::people::SessionRow;
use aggregator::site::{Site, Terms, check};
use aggregator::zone::Zone;
use edgetally_proto::channel::is_inside;
use edgetally_proto::event::{Platform, user_id};
use edgetally_proto::settings::SiteSettings;
use serde::Deserialize;

use crate::support::events::{Event, share};

#[derive(Deserialize)]
struct Example {
    n: u32,
    timezone: String,
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
    utm: Option<Tags>,
    #[serde(rename = "ref")]
    referrer: Option<String>,
    order: Option<String>,
    value: Option<i64>,
    refund_id: Option<String>,
    platform: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize, Clone)]
struct Tags {
    source: String,
    medium: String,
    campaign: String,
}

#[derive(Deserialize)]
struct Session {
    session: String,
    person: String,
    clients: BTreeSet<String>,
    events: Vec<String>,
    start_ms: i64,
    end_ms: i64,
    local_date: String,
    start_reason: Vec<String>,
    entry_campaign: Option<Vec<String>>,
    attributed_touch: Option<String>,
}

#[derive(Deserialize)]
struct Order {
    order: String,
    person: String,
    session: String,
    touch: Option<String>,
    gmv: i64,
    nmv: i64,
    #[serde(default)]
    cancelled: bool,
}

impl Told {
    fn event(&self) -> Event {
        let own_hosts = vec!["shop.vn".to_owned(), "pay.vn".to_owned()];
        let own = SiteSettings { own_hosts, ..SiteSettings::default() };
        let user = self.user_id.as_deref().and_then(|text| user_id(text).unwrap());
        let order = self.order.clone().map(|order| (order, self.value.unwrap_or_default()));
        Event {
            user: user.map(|user| user.to_string()),
            platform: self.platform.as_deref().and_then(Platform::parse).unwrap_or(Platform::Web),
            is_bot: self.bot,
            campaign: self.utm.clone().map(|tags| [tags.source, tags.medium, tags.campaign]),
            referrer: self.referrer.clone().filter(|host| !is_inside(host, None, &own)),
            order,
            refund_id: self.refund_id.clone(),
            ..Event::new(&self.id, &self.client, &self.name, self.ct)
        }
    }
}

/// Applies events one frame each.
fn applied<'a>(zone: &str, events: impl Iterator<Item = &'a Told>) -> Site {
    let mut site = Site::new(Terms { zone: Zone::parse(zone).unwrap().into(), ..Terms::default() });
    for told in events {
        let share = share(&[told.event()]);
        check(&share).unwrap();
        site.apply(&share);
    }
    site
}

fn id_of(site: &Site, record: u32) -> String {
    site.records.get(record).unwrap().id.to_string()
}

fn check_session(site: &Site, row: &SessionRow, expected: &Session) {
    let line = site.line(row.person);
    let place = line.session_at(row.start_ms).unwrap();
    let events: Vec<String> =
        line.entries_of(place).iter().map(|entry| id_of(site, entry.record)).collect();
    assert_eq!(events, expected.events);
    assert_eq!(row.events as usize, expected.events.len());
    assert_eq!(site.person_text(row.person), expected.person);
    let clients: BTreeSet<String> =
        row.clients.iter().map(|client| site.texts.text(*client).to_owned()).collect();
    assert_eq!(clients, expected.clients);
    assert_eq!((row.start_ms, row.end_ms), (expected.start_ms, expected.end_ms));
    assert_eq!(site.zone.date_of(row.start_ms).to_string(), expected.local_date);
    assert_eq!(row.why.names().collect::<Vec<_>>(), expected.start_reason);
    assert_eq!(row.entry.is_some(), expected.entry_campaign.is_some());
    let touch = row.attributed.map(|touch| id_of(site, touch.record));
    assert_eq!(touch, expected.attributed_touch);
}

fn check_stage(stage: &Stage, site: &Site) {
    let rows: Vec<_> = site.people.rows().values().collect();
    let said: Vec<String> = rows.iter().map(|row| id_of(site, row.record)).collect();
    let mut sessions: Vec<&Session> = stage.sessions.iter().collect();
    sessions.sort_by_key(|session| session.start_ms);
    assert_eq!(said, sessions.iter().map(|s| s.session.clone()).collect::<Vec<_>>());
    for (row, expected) in rows.iter().zip(sessions) {
        check_session(site, row, expected);
    }
    let orders: Vec<_> = site.credits.rows().values().collect();
    assert_eq!(orders.len(), stage.orders.len());
    for (row, expected) in orders.iter().zip(&stage.orders) {
        assert_eq!(row.key.transaction.as_ref(), expected.order);
        let worth = row.order.worth;
        assert_eq!((worth.gmv, worth.nmv), (expected.gmv, expected.nmv));
        assert_eq!(worth.cancelled_at_ms.is_some(), expected.cancelled);
        let credit = row.credit;
        assert_eq!(site.person_text(credit.person.unwrap()), expected.person);
        assert_eq!(id_of(site, credit.session.unwrap()), expected.session);
        assert_eq!(credit.touch.map(|touch| id_of(site, touch.record)), expected.touch);
    }
}

/// Every stage, its events arriving in the order told, and backwards, gives the same sessions and
/// credits.
#[test]
fn sessions_and_credits_are_those_of_the_examples() {
    let text = include_str!("fixtures/worked-examples.json");
    let examples: Vec<Example> = serde_json::from_str(text).unwrap();
    assert!(examples.len() >= 20);
    for example in &examples {
        for stage in &example.stages {
            println!("example {}, {}", example.n, stage.stage);
            check_stage(stage, &applied(&example.timezone, stage.events.iter()));
            check_stage(stage, &applied(&example.timezone, stage.events.iter().rev()));
        }
    }
}
