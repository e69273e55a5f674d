//! The worked examples pass through the oracle, every stage and every column of them.

use std::collections::{BTreeMap, BTreeSet};

use edgetally_proto::event::{Platform, user_id};
use serde::Deserialize;

use super::model::{Config, Event, EventKey, OrderFact};
use super::outcome;
use super::outcome::{Order, Outcome, Session, TouchKey, Why};

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
    sessions: Vec<ExpectedSession>,
    orders: Vec<ExpectedOrder>,
}

#[derive(Deserialize)]
struct Told {
    id: String,
    client: String,
    #[serde(rename = "type")]
    name: String,
    ct: i64,
    user_id: Option<String>,
    utm: Option<Utm>,
    #[serde(rename = "ref")]
    referrer: Option<String>,
    order: Option<String>,
    value: Option<i64>,
    refund_id: Option<String>,
    platform: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
struct Utm {
    source: String,
    medium: String,
    campaign: String,
}

#[derive(Debug, Deserialize, PartialEq)]
struct ExpectedSession {
    session: String,
    person: String,
    clients: BTreeSet<String>,
    events: Vec<String>,
    start_ms: i64,
    end_ms: i64,
    local_date: String,
    start_reason: BTreeSet<String>,
    entry_campaign: Option<Vec<String>>,
    attributed_campaign: Option<Vec<String>>,
    attributed_touch: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct ExpectedOrder {
    order: String,
    person: String,
    session: String,
    touch: Option<String>,
    campaign: Vec<String>,
    gmv: i64,
    nmv: i64,
    #[serde(default)]
    cancelled: bool,
}

impl Told {
    fn event(&self) -> Event {
        let key = self.utm.as_ref().map(|utm| {
            let (source, medium) = (utm.source.clone(), utm.medium.clone());
            [source, medium, utm.campaign.clone(), String::new(), String::new(), String::new()]
        });
        let order = self.order.clone().map(|transaction| OrderFact {
            transaction,
            value: self.value,
            currency: Some("VND".to_owned()),
            refund_id: self.refund_id.clone(),
            ..OrderFact::default()
        });
        let user = self.user_id.as_deref().and_then(|text| user_id(text).unwrap());
        let platform = self.platform.as_deref().and_then(Platform::parse);
        Event {
            user: user.map(|user| user.to_string()),
            platform: platform.unwrap_or(Platform::Web),
            server_key: platform == Some(Platform::Server),
            is_bot: self.bot,
            key,
            referrer: self.referrer.clone(),
            order,
            ..Event::new(&self.id, &self.client, &self.name, self.ct)
        }
    }
}

fn campaign(key: &TouchKey) -> Vec<String> {
    match key {
        TouchKey::Campaign(parts) => parts.to_vec(),
        TouchKey::Referrer(host) => vec![format!("ref:{host}")],
    }
}

fn why(why: Why) -> String {
    match why {
        Why::First => "first",
        Why::Gap => "gap",
        Why::Day => "day",
        Why::Campaign => "campaign",
    }
    .to_owned()
}

fn session_row((key, session): (&EventKey, &Session)) -> ExpectedSession {
    let touch = session.attributed.as_ref();
    ExpectedSession {
        session: key.id.clone(),
        person: session.person.clone(),
        clients: session.clients.clone(),
        events: session.events.iter().map(|key| key.id.clone()).collect(),
        start_ms: session.start_ms,
        end_ms: session.end_ms,
        local_date: session.local_date.to_string(),
        start_reason: session.why.iter().copied().map(why).collect(),
        entry_campaign: session.entry.as_ref().map(campaign),
        attributed_campaign: touch.map(|touch| campaign(&touch.key)),
        attributed_touch: touch.map(|touch| touch.event.id.clone()),
    }
}

fn order_row((transaction, order): (&String, &Order)) -> ExpectedOrder {
    let touch = order.credited.as_ref();
    ExpectedOrder {
        order: transaction.clone(),
        person: order.person.clone().unwrap(),
        session: order.session.as_ref().unwrap().id.clone(),
        touch: touch.map(|touch| touch.event.id.clone()),
        campaign: touch.map_or(vec!["(direct)".to_owned()], |touch| campaign(&touch.key)),
        gmv: order.money.gmv,
        nmv: order.money.nmv,
        cancelled: order.money.cancelled_ms.is_some(),
    }
}

/// Holds what was said against the rows of a stage, whatever their order.
fn check(name: &str, said: &Outcome, stage: &Stage) {
    let sessions: BTreeMap<String, ExpectedSession> =
        said.sessions.iter().map(|one| (one.0.id.clone(), session_row(one))).collect();
    assert_eq!(sessions.len(), stage.sessions.len(), "{name}: {sessions:#?}");
    for expected in &stage.sessions {
        assert_eq!(sessions.get(&expected.session), Some(expected), "{name}");
    }
    let orders: BTreeMap<String, ExpectedOrder> =
        said.orders.iter().map(|(key, o)| (key.1.clone(), order_row((&key.1, o)))).collect();
    assert_eq!(orders.len(), stage.orders.len(), "{name}: {orders:#?}");
    for expected in &stage.orders {
        assert_eq!(orders.get(&expected.order), Some(expected), "{name}");
    }
}

#[test]
fn the_examples_pass() {
    let text = include_str!("../fixtures/worked-examples.json");
    let examples: Vec<Example> = serde_json::from_str(text).unwrap();
    assert_eq!(examples.len(), 20);
    for example in &examples {
        for stage in &example.stages {
            let events: Vec<Event> = stage.events.iter().map(Told::event).collect();
            let said = outcome(&events, &Config::new(&example.timezone));
            check(&format!("example {}, {}", example.n, stage.stage), &said, stage);
        }
    }
}
