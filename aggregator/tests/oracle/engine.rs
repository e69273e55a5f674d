//! The engine, made to answer as the oracle does.

use std::collections::{BTreeMap, BTreeSet};

use aggregator::people::SessionRow;
use aggregator::records::BLOCK_RECORDS;
use aggregator::sessionize::{Rules, Touch as EngineTouch};
use aggregator::site::credits::OrderRow;
use aggregator::site::{Room, Site, Terms, check};
use aggregator::zone::Zone;
use edgetally_proto::campaign::Campaign;
use edgetally_proto::copies::Said;
use edgetally_proto::event::{Event as Accepted, Platform};
use edgetally_proto::ids::{ClientId, EventId, EventName, SiteId, TransactionId, UserId};
use edgetally_proto::money::{Currency, Money, format_minor};
use edgetally_proto::record::{Fact, Flags, Item};
use edgetally_proto::visitor::Device;
use edgetally_proto::window::Window;
use proptest::prelude::*;

use super::back_office;
use super::model::{Config, Event, EventKey, OrderFact};
use super::outcome::{Order, Session, Touch, TouchKey, Why};
use super::streams::stream;
use super::warehouse::{Warehouse, are_ids_unique};
use crate::support::cellar::Cellar;

use super::wishes::{candidates, merge, undo_all, wish, wishes};

/// What an event of an order says, as the edge would have read it.
fn fact(event: &Event, said: &OrderFact) -> Fact {
    // In the streams amounts are minor units; a currency without decimals writes them so.
    let currency = said.currency.as_deref().map(|code| code.replace("USD", "JPY"));
    let written_as = currency.clone();
    let currency = currency.as_deref().and_then(Currency::parse);
    let own = currency.unwrap_or(Currency::parse("VND").unwrap());
    let is_refund = event.name == "refund";
    let makes = matches!(event.name.as_str(), "purchase" | "order_created" | "order_upsert");
    let items = said.items.iter().map(|item| Item {
        id: Some(item.id.clone()),
        price: item.price,
        quantity: u32::try_from(item.quantity).unwrap(),
        ..Item::default()
    });
    let written = said.value.filter(|_| is_refund);
    Fact {
        transaction: Some(TransactionId::parse(&said.transaction).unwrap()),
        order_platform: said.order_platform.clone(),
        value: said.value.filter(|_| makes).map(|minor| Money { minor, currency: own }),
        value_written: written.map(|minor| format_minor(i128::from(minor), own)),
        currency_written: written_as.filter(|_| is_refund),
        discount: Some(said.discount).filter(|discount| *discount != 0),
        refund_id: said.refund_id.clone(),
        items: items.collect(),
        ..Fact::default()
    }
}

fn campaign(key: &[String; 6]) -> Campaign {
    let [source, medium, name, term, content, id] = key.clone();
    Campaign { source, medium, name, term, content, id }
}

fn accepted(event: &Event, config: &Config) -> Accepted {
    let flags = Flags::default()
        .with(Flags::BOT, event.is_bot)
        .with(Flags::BACKGROUND, event.is_background)
        .with(Flags::SERVER_KEY, event.server_key);
    Accepted {
        id: EventId::parse(&event.id).unwrap(),
        client: event.client.as_deref().map(|client| ClientId::parse(client).unwrap()),
        user: event.user.as_deref().map(|user| UserId::parse(user).unwrap()),
        name: EventName::parse(&event.name).unwrap(),
        platform: event.platform,
        occurred_at_ms: event.at_ms,
        received_at_ms: event.received_ms,
        flags,
        page: event.page.clone(),
        // The edge leaves out what comes from inside.
        referrer: event.referrer.clone().filter(|host| !config.is_inside(host)),
        campaign: event.key.as_ref().map(campaign),
        grade: None,
        place: None,
        device: None,
        fact: event.order.as_ref().map(|said| Box::new(fact(event, said))),
        user_agent: None,
        page_host: None,
    }
}

/// The hash by which the engine chooses between copies, for the oracle to choose by.
fn hash(event: &Accepted) -> u64 {
    let campaign = event.campaign.as_ref().map(|tags| serde_json::to_string(tags).unwrap());
    Said {
        name: event.name.as_str(),
        client: event.client.as_ref().map_or("", |client| client.as_str()),
        user: event.user.as_ref().map(|user| user.as_str()),
        platform: event.platform,
        occurred_at_ms: event.occurred_at_ms,
        flags: event.flags,
        page: event.page.as_deref(),
        referrer: event.referrer.as_deref(),
        campaign: campaign.as_deref(),
        grade: "",
        place: "",
        device: Device::default(),
        fact: event.fact.as_deref(),
    }
    .hash()
}

fn terms(config: &Config) -> Terms {
    let mut terms = Terms { zone: Zone::parse(&config.zone).unwrap().into(), ..Terms::default() };
    terms.rules = Rules {
        gap_ms: config.gap_ms,
        window_ms: config.window_ms,
        daily_cut: config.daily_cut,
        campaign_cut: config.campaign_cut,
    }
    .into();
    terms.window.freeze_ms = config.freeze_ms;
    terms
}

fn site(config: &Config) -> Site {
    Site::new(terms(config))
}

/// Leaves the site hardly any room: every block of records goes to the store, and everything else
/// is worked out again for the next event. A block is full of what tells nobody's story.
fn cramp(site: &mut Site, cellar: &mut Cellar) {
    let mut window = Window::default();
    let number = site.records.len();
    let at_ms = site.records.get(number.saturating_sub(1)).map_or(1, |last| last.received_at_ms);
    for filler in number..number.next_multiple_of(BLOCK_RECORDS as u32) {
        let event = Accepted {
            id: EventId::parse(&format!("filler-{filler}")).unwrap(),
            client: None,
            user: None,
            name: EventName::parse("stock_update").unwrap(),
            platform: Platform::Server,
            occurred_at_ms: at_ms,
            received_at_ms: at_ms,
            flags: Flags::default(),
            page: None,
            referrer: None,
            campaign: None,
            grade: None,
            place: None,
            device: None,
            fact: None,
            user_agent: None,
            page_host: None,
        };
        window.fold(&SiteId::parse("demo").unwrap(), event);
    }
    for share in window.seal(1).sites {
        site.apply(&share);
    }
    cellar.save(site);
    site.set_room(Room { record_bytes: 0, events: 1, column_bytes: 0 });
    assert_eq!(site.weight().0, 0, "a block stays in memory");
}

/// Gives an event what the engine chooses by, for the oracle to choose by.
fn prepare(event: &mut Event, config: &Config) {
    match back_office::id(event) {
        Some(id) => event.id = id,
        None => event.hash = hash(&accepted(event, config)),
    }
}

fn deliver(site: &mut Site, events: &[Event], config: &Config) {
    for event in events {
        back_office::tell(site, event, |said| fact(event, said));
    }
    let demo = SiteId::parse("demo").unwrap();
    let mut window = Window::default();
    let events = events.iter().filter(|event| event.version().is_none());
    events.for_each(|event| window.fold(&demo, accepted(event, config)));
    for share in window.seal(1).sites {
        check(&share).unwrap();
        site.apply(&share);
    }
}

/// Reads a site's state as the oracle tells it.
struct Reader<'a>(&'a Site);

impl Reader<'_> {
    fn key(&self, record: u32) -> EventKey {
        let record = self.0.records.get(record).unwrap();
        let client = self.0.texts.text(record.client);
        let client = Some(client.to_owned()).filter(|client| !client.is_empty());
        EventKey { client, id: record.id.to_string() }
    }

    fn touch(&self, touch: EngineTouch) -> Touch {
        let record = self.0.records.get(touch.record).unwrap();
        let text = |id| self.0.texts.text(id).to_owned();
        let key = match record.campaign {
            Some(tags) => {
                let tags: Campaign = serde_json::from_str(&text(tags)).unwrap();
                let Campaign { source, medium, name, term, content, id } = tags;
                TouchKey::Campaign([source, medium, name, term, content, id])
            }
            None => TouchKey::Referrer(text(record.referrer.unwrap())),
        };
        Touch { key, event: self.key(touch.record), at_ms: touch.occurred_at_ms }
    }

    fn session(&self, row: &SessionRow) -> Session {
        let line = self.0.line(row.person);
        let place = line.sessions().iter().position(|s| s.record == row.record).unwrap();
        let entries = line.entries_of(place);
        let events: Vec<EventKey> = entries.iter().map(|entry| self.key(entry.record)).collect();
        let why = row.why.names().map(|name| match name {
            "first" => Why::First,
            "gap" => Why::Gap,
            "day" => Why::Day,
            _ => Why::Campaign,
        });
        let text = |id| self.0.texts.text(id).to_owned();
        let page = |entry: Option<&aggregator::sessionize::Entry>| {
            self.0.records.get(entry?.record)?.page.map(text)
        };
        assert_eq!(row.events as usize, entries.len());
        let orders = self
            .0
            .credits
            .rows()
            .values()
            .filter(|order| order.order.is_booked && order.credit.session == Some(row.record));
        let key =
            |order: &OrderRow| (order.key.platform.to_string(), order.key.transaction.to_string());
        Session {
            person: self.0.person_text(row.person),
            clients: row.clients.iter().map(|client| text(*client)).collect(),
            events,
            start_ms: row.start_ms,
            end_ms: row.end_ms,
            local_date: self.0.zone.date_of(row.start_ms),
            why: why.collect(),
            entry: row.entry.map(|touch| self.touch(touch).key),
            attributed: row.attributed.map(|touch| self.touch(touch)),
            pageviews: row.pageviews as usize,
            entry_page: page(entries.first()),
            exit_page: page(entries.last()),
            orders: orders.map(|order| key(order)).collect(),
        }
    }
}

fn note<T: PartialEq + std::fmt::Debug>(lines: &mut Vec<String>, what: &str, ours: T, theirs: T) {
    if ours != theirs {
        lines.push(format!("{what}:\n  {ours:?}\n  {theirs:?}"));
    }
}

fn compare_order(reader: &Reader<'_>, row: &OrderRow, ours: &Order, lines: &mut Vec<String>) {
    let what = |member: &str| format!("{member} of order {:?}", row.key.transaction);
    let person = row.credit.person.map(|person| reader.0.person_text(person));
    note(lines, &what("time"), ours.at_ms, row.order.at_ms);
    note(lines, &what("event"), ours.event.clone(), reader.key(row.order.record));
    note(lines, &what("booked"), ours.is_booked, row.order.is_booked);
    // The oracle names persons who did nothing else; the engine knows those who were seen.
    if person.is_some() {
        note(lines, &what("person"), ours.person.clone(), person);
    }
    let session = row.credit.session.map(|record| reader.key(record));
    note(lines, &what("session"), ours.session.clone(), session);
    let credited = row.credit.touch.map(|touch| reader.touch(touch));
    note(lines, &what("credit"), ours.credited.clone(), credited);
    note(lines, &what("aged out"), ours.aged_out, row.credit.is_aged_out);
    let (worth, money) = (&row.order.worth, &ours.money);
    note(lines, &what("gmv"), money.gmv, worth.gmv);
    note(lines, &what("nmv"), money.nmv, worth.nmv);
    note(lines, &what("units"), money.units, row.order.units);
    note(lines, &what("value"), Some(money.value), row.order.value.map(|value| value.minor));
    note(lines, &what("cancelled"), money.cancelled_ms, worth.cancelled_at_ms);
    let back = money.refunds.values().sum::<i64>() + money.cancelled;
    note(lines, &what("refunds"), back, worth.refunds);
}

/// Where the engine says something else than the oracle.
fn disagreements(site: &Site, events: &[Event], config: &Config) -> Vec<String> {
    let ours = super::outcome(events, config);
    let reader = Reader(site);
    let mut lines = Vec::new();
    let theirs: BTreeMap<EventKey, Session> = site
        .people
        .rows()
        .values()
        .map(|row| (reader.key(row.record), reader.session(row)))
        .collect();
    let keys: BTreeSet<&EventKey> = ours.sessions.keys().chain(theirs.keys()).collect();
    for key in keys {
        let what = format!("session {key:?}");
        note(&mut lines, &what, ours.sessions.get(key), theirs.get(key));
    }
    for (record, person) in site.owned() {
        let key = EventKey {
            client: Some(site.texts.text(record.client).to_owned()),
            id: record.id.to_string(),
        };
        note(&mut lines, &format!("owner of {key:?}"), ours.owners.get(&key), Some(&person));
    }
    let mut told = BTreeSet::new();
    for row in site.credits.rows().values() {
        let key = (row.key.platform.to_string(), row.key.transaction.to_string());
        match ours.orders.get(&key) {
            Some(order) => compare_order(&reader, row, order, &mut lines),
            None => lines.push(format!("there is no order {key:?}")),
        }
        told.insert(key);
    }
    let wrong = back_office::differences(&ours.daily, site);
    lines.extend(wrong);
    note(&mut lines, "orders", ours.orders.keys().cloned().collect(), told);
    let persons: BTreeSet<&String> = ours.sessions.values().map(|row| &row.person).collect();
    let ever = || events.iter().map(|event| event.at_ms);
    if let (Some(first), Some(last)) = (ever().min(), ever().max()) {
        let present = site.presence.distinct(first, last + 1, None, &site.zone);
        note(&mut lines, "persons", persons.len(), present);
    }
    lines
}

/// Holds the engine against the oracle after each event, in the order given.
pub(super) fn agree(events: Vec<Event>, config: &Config) {
    agree_merged(events, &[], config);
}

/// The same with merges, from and into, each after so many events.
pub(super) fn agree_merged(
    mut events: Vec<Event>,
    merges: &[(usize, &str, &str)],
    config: &Config,
) {
    let (mut site, mut config) = (site(config), config.clone());
    for event in &mut events {
        prepare(event, &config);
    }
    for at in 0..=events.len() {
        for (_, from, into) in merges.iter().filter(|(after, ..)| *after == at) {
            merge(&mut site, &mut config, from, into);
        }
        let lines = disagreements(&site, &events[..at], &config);
        assert!(lines.is_empty(), "after {at} events: {}", lines.join("\n"));
        deliver(&mut site, events.get(at..=at).unwrap_or_default(), &config);
        let upto = (at + 1).min(events.len());
        let lines = disagreements(&site, &events[..upto], &config);
        assert!(lines.is_empty(), "after {upto} events: {}", lines.join("\n"));
    }
}

fn cases() -> u32 {
    let soak = std::env::var_os("EDGETALLY_SOAK").is_some_and(|value| value == "1");
    if soak { 200_000 } else { 2_000 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// After every delivery, in whatever pieces and order, the engine says what a computation over
    /// all that was delivered says.
    #[test]
    fn the_engine_says_what_the_oracle_says(
        mut stream in stream(), sizes in prop::collection::vec(1usize..6, 1..12),
        places in prop::collection::vec(any::<u32>(), 200),
        wishes in wishes(),
    ) {
        // Merging persons is an administrator's write.
        stream.config.merges.clear();
        let mut config = stream.config.clone();
        for event in &mut stream.events {
            prepare(event, &config);
        }
        let whom = candidates(&stream.events);
        let mut wishes = wishes.into_iter();
        let mut shuffled: Vec<(u32, Event)> = (0..).zip(stream.events.iter().cloned())
            .map(|(n, event): (usize, Event)| (places.get(n).copied().unwrap_or(n as u32), event))
            .collect();
        if places[0] % 2 == 0 {
            shuffled.sort_by_key(|(place, _)| *place);
        }
        let events: Vec<Event> = shuffled.into_iter().map(|(_, event)| event).collect();
        let mut site = site(&config);
        let mut cellar = Cellar::of(&mut site);
        let is_cramped = places[1] % 4 == 0;
        let mut warehouse = are_ids_unique(&events).then(Warehouse::default);
        let mut delivered = 0;
        for size in sizes.iter().cycle() {
            if delivered == events.len() {
                break;
            }
            let next = (delivered + size).min(events.len());
            deliver(&mut site, &events[delivered..next], &config);
            delivered = next;
            if is_cramped {
                cramp(&mut site, &mut cellar);
            }
            if let Some(asked) = wishes.next().flatten() {
                wish(&mut site, &mut config, &whom, asked);
            }
            if let Some(warehouse) = &mut warehouse {
                warehouse.follow(&site);
                let lines = warehouse.differences(&site);
                prop_assert!(lines.is_empty(), "{}", lines.join("\n"));
            }
            let is_checked = delivered == events.len() || (events.len() <= 12 || size % 5 == 0);
            if is_checked {
                let lines = disagreements(&site, &events[..delivered], &config);
                prop_assert!(lines.is_empty(), "{}", lines.join("\n"));
            }
        }
        if !config.merges.is_empty() {
            // Worked out anew from records and list, as after a start.
            let mut again = site.clone();
            again.set_terms(Terms::default());
            again.set_terms(terms(&config));
            let lines = disagreements(&again, &events, &config);
            prop_assert!(lines.is_empty(), "after a start: {}", lines.join("\n"));
            undo_all(&mut site, &mut config);
            let lines = disagreements(&site, &events, &config);
            prop_assert!(lines.is_empty(), "all undone: {}", lines.join("\n"));
        }
    }
}
