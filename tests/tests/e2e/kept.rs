//! What a stopped aggregator's folder holds of a site, told so that two folders can be compared:
//! sessions are not asked for by queries yet.

use std::path::Path;

use aggregator::people::SessionRow;
use aggregator::site::Site;
use aggregator::site::credits::OrderRow;
use aggregator::store::recover::{Layout, recover};
use edgetally_proto::ids::SiteId;

use super::system::now_ms;

/// What a folder holds of sessions, booked orders and who did what, told without numbers of rows.
pub fn kept(data: &Path, site: &str) -> [Vec<String>; 3] {
    let recovered = recover(&Layout::below(data), now_ms()).expect("the folder is whole");
    let site = &recovered.world.sites[&SiteId::parse(site).expect("an id")];
    let sessions = site.people.rows().values().map(|row| session(site, row));
    let orders = site.credits.rows().values().map(|row| order(site, row));
    let owned = site.owned().map(|(record, person)| {
        format!("{} {} {} {person}", record.id, record.occurred_at_ms, record.received_at_ms)
    });
    let mut kept = [sessions.collect(), orders.collect(), owned.collect::<Vec<_>>()];
    kept.iter_mut().for_each(|list| list.sort());
    kept
}

fn id(site: &Site, record: u32) -> String {
    let record = site.records.get(record).expect("held");
    format!("{}/{}", site.texts.text(record.client), record.id)
}

fn session(site: &Site, row: &SessionRow) -> String {
    let text = |number: u32| site.texts.text(number).to_string();
    let touches = [row.entry, row.attributed].map(|touch| touch.map(|t| id(site, t.record)));
    let mut clients: Vec<String> = row.clients.iter().map(|client| text(*client)).collect();
    clients.sort();
    let pages = [row.entry_page, row.exit_page].map(|page| page.map(text));
    let counts = (row.start_ms, row.end_ms, row.events, row.pageviews, row.platforms);
    let (record, person) = (id(site, row.record), site.person_text(row.person));
    format!("{record} {person} {counts:?} {:?} {touches:?} {clients:?} {pages:?}", row.why)
}

fn order(site: &Site, row: &OrderRow) -> String {
    let (order, credit) = (&row.order, &row.credit);
    let records = [order.record, order.money_record].map(|record| id(site, record));
    let person = credit.person.map(|person| site.person_text(person));
    let touch = credit.touch.map(|touch| id(site, touch.record));
    let session = credit.session.map(|record| id(site, record));
    let facts = (order.at_ms, order.is_booked, order.value, order.units);
    let aged = credit.is_aged_out;
    format!("{:?} {facts:?} {records:?} {person:?} {session:?} {touch:?} {aged}", row.key)
}
