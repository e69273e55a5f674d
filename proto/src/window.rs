//! Accumulating: accepted events folded into records and counters, by site, until the window is
//! sealed. The edge folds what visitors send; the aggregator, what it takes from an archive.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use crate::batch::{Batch, SiteBatch};
use crate::campaign::Campaign;
use crate::channel::Grade;
use crate::error::RejectCode;
use crate::event::Event;
use crate::ids::{ClientId, EventName, SiteId, UserId};
use crate::interner::Interner;
use crate::limits::{LETTER_BYTES_MAX, LETTERS_BYTES_MAX, LETTERS_PER_CODE_MAX};
use crate::record::{Fact, Letter, Record, Ref, Tables};
use crate::rollup::RejectKey;
use crate::time::second_of;
use crate::visitor::{Device, Place};

use crate::weight;

#[derive(Debug)]
struct SiteWindow {
    batch: SiteBatch,
    letters_bytes: usize,
    names: Interner,
    clients: Interner,
    users: Interner,
    pages: Interner,
    referrers: Interner,
    campaigns: Interner,
    grades: Interner,
    places: Interner,
    devices: Interner,
}

impl SiteWindow {
    fn new(site: SiteId) -> Self {
        Self {
            batch: SiteBatch::new(site),
            letters_bytes: 0,
            names: Interner::default(),
            clients: Interner::default(),
            users: Interner::default(),
            pages: Interner::default(),
            referrers: Interner::default(),
            campaigns: Interner::default(),
            grades: Interner::default(),
            places: Interner::default(),
            devices: Interner::default(),
        }
    }

    fn keep_letter(&mut self, letter: Letter) {
        let bytes = weight::of_letter(&letter);
        if bytes > LETTER_BYTES_MAX {
            return;
        }
        let letters = &mut self.batch.letters;
        let of_code = letters.iter().filter(|kept| kept.code == letter.code).count();
        if of_code >= LETTERS_PER_CODE_MAX
            && let Some(oldest) = letters.iter().position(|kept| kept.code == letter.code)
        {
            self.letters_bytes -= weight::of_letter(&letters.remove(oldest));
        }
        while self.letters_bytes + bytes > LETTERS_BYTES_MAX && !letters.is_empty() {
            self.letters_bytes -= weight::of_letter(&letters.remove(0));
        }
        self.letters_bytes += bytes;
        letters.push(letter);
    }

    /// Appends a record and counts it; gives the bytes it adds at most.
    fn push(&mut self, mut record: Record, of: Texts<'_>, fact: Option<Fact>) -> usize {
        let Tables { names, clients, users, pages, referrers, campaigns, grades, places, devices } =
            &mut self.batch.tables;
        let mut bytes = weight::RECORD_BYTES + weight::of_id(&record.id);
        let added = &mut bytes;
        record.name = self.names.refer(names, of.name, |n| n.as_str().len(), added);
        record.client =
            of.client.map(|c| self.clients.refer(clients, c, |c| c.as_str().len(), added));
        record.user = of.user.map(|u| self.users.refer(users, u, |u| u.as_str().len(), added));
        record.page = of.page.map(|p| self.pages.refer(pages, p, str::len, added));
        record.referrer = of.referrer.map(|r| self.referrers.refer(referrers, r, str::len, added));
        record.campaign =
            of.campaign.map(|c| self.campaigns.refer(campaigns, c, weight::of_campaign, added));
        record.grade = of.grade.map(|g| self.grades.refer(grades, g, weight::of_grade, added));
        record.place = of.place.map(|p| self.places.refer(places, p, weight::of_place, added));
        record.device =
            of.device.map(|d| self.devices.refer(devices, d, |_| weight::DEVICE_BYTES, added));
        if let Some(fact) = fact {
            bytes += weight::of_fact(&fact);
            let record = u32::try_from(self.batch.records.len()).unwrap_or(u32::MAX);
            self.batch.facts.push(Fact { record, ..fact });
        }
        self.batch.records.push(record);
        bytes
    }
}

/// The texts of a record, wherever they stand.
struct Texts<'a> {
    name: Cow<'a, EventName>,
    client: Option<Cow<'a, ClientId>>,
    user: Option<Cow<'a, UserId>>,
    page: Option<Cow<'a, str>>,
    referrer: Option<Cow<'a, str>>,
    campaign: Option<Cow<'a, Campaign>>,
    grade: Option<Cow<'a, Grade>>,
    place: Option<Cow<'a, Place>>,
    device: Option<Cow<'a, Device>>,
}

impl<'a> Texts<'a> {
    /// Of a record in a batch; references are checked where frames are decoded.
    fn of_record(record: &Record, tables: &'a Tables) -> Option<Self> {
        fn text_at(table: &[String], reference: Option<Ref>) -> Option<Cow<'_, str>> {
            table.get(usize::try_from(reference?).ok()?).map(|text| text.as_str().into())
        }
        fn at<T: Clone>(table: &[T], reference: Option<Ref>) -> Option<Cow<'_, T>> {
            table.get(usize::try_from(reference?).ok()?).map(Cow::Borrowed)
        }
        Some(Self {
            name: at(&tables.names, Some(record.name))?,
            client: at(&tables.clients, record.client),
            user: at(&tables.users, record.user),
            page: text_at(&tables.pages, record.page),
            referrer: text_at(&tables.referrers, record.referrer),
            campaign: at(&tables.campaigns, record.campaign),
            grade: at(&tables.grades, record.grade),
            place: at(&tables.places, record.place),
            device: at(&tables.devices, record.device),
        })
    }
}

/// What was folded since the last commit.
#[derive(Debug, Default)]
pub struct Window {
    sites: BTreeMap<SiteId, SiteWindow>,
    events: usize,
    bytes: usize,
}

impl Window {
    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// Events folded so far.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// About how large the frame would become.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn site(&mut self, site: &SiteId) -> &mut SiteWindow {
        // Looked up first: a site is new once a window, its id is cloned only then.
        if !self.sites.contains_key(site) {
            self.bytes += 128;
            self.sites.insert(site.clone(), SiteWindow::new(site.clone()));
        }
        self.sites.entry(site.clone()).or_insert_with(|| SiteWindow::new(site.clone()))
    }

    /// Folds an accepted event.
    pub fn fold(&mut self, site: &SiteId, event: Event) {
        let record = Record {
            id: event.id,
            client: None,
            user: None,
            name: 0,
            platform: event.platform,
            occurred_at_ms: event.occurred_at_ms,
            received_at_ms: event.received_at_ms,
            flags: event.flags,
            page: None,
            referrer: None,
            campaign: None,
            grade: None,
            place: None,
            device: None,
        };
        let texts = Texts {
            name: Cow::Owned(event.name),
            client: event.client.map(Cow::Owned),
            user: event.user.map(Cow::Owned),
            page: event.page.map(Cow::Owned),
            referrer: event.referrer.map(Cow::Owned),
            campaign: event.campaign.map(Cow::Owned),
            grade: event.grade.as_deref().map(Cow::Borrowed),
            place: event.place.as_deref().map(Cow::Borrowed),
            device: event.device.map(Cow::Owned),
        };
        self.events += 1;
        self.bytes += self.site(site).push(record, texts, event.fact.map(|fact| *fact));
    }

    /// Folds the records of another window's batch for which `is_new` holds, and all its rejects;
    /// the rest counts as duplicates. Gives for every record whether it was new.
    pub fn absorb(
        &mut self,
        batch: SiteBatch,
        mut is_new: impl FnMut(&SiteId, &str, &Record) -> bool,
    ) -> Vec<bool> {
        let SiteBatch { site, tables, records, facts, rejects, letters, .. } = batch;
        let (duplicates, dropped) = (batch.duplicates, batch.dropped);
        let mut facts: HashMap<u32, Fact> =
            facts.into_iter().map(|fact| (fact.record, fact)).collect();
        let mut news = Vec::with_capacity(records.len());
        for (at, record) in (0u32..).zip(records) {
            let Some(texts) = Texts::of_record(&record, &tables) else {
                news.push(false);
                continue;
            };
            let client = texts.client.as_ref().map_or("", |client| client.as_str());
            let new = is_new(&site, client, &record);
            news.push(new);
            if new {
                self.events += 1;
                self.bytes += self.site(&site).push(record, texts, facts.remove(&at));
            } else {
                self.count_duplicate(&site, second_of(record.received_at_ms));
            }
        }
        for letter in letters {
            self.keep_letter(&site, letter);
        }
        let window = &mut self.site(&site).batch;
        for (key, count) in rejects {
            *window.rejects.entry(key).or_default() += count;
        }
        for (second, count) in duplicates {
            *window.duplicates.entry(second).or_default() += count;
        }
        for (second, count) in dropped {
            *window.dropped.entry(second).or_default() += count;
        }
        news
    }

    /// Counts a repeat.
    fn count_duplicate(&mut self, site: &SiteId, second: i64) {
        *self.site(site).batch.duplicates.entry(second).or_default() += 1;
    }

    /// Counts a refusal.
    pub fn count_reject(&mut self, site: &SiteId, second: i64, code: RejectCode) {
        *self.site(site).batch.rejects.entry(RejectKey { second, code }).or_default() += 1;
    }

    /// Keeps a rejected event. Where there are too many of its code, or they weigh too much, the
    /// oldest go; an event that is too long is only counted.
    pub fn keep_letter(&mut self, site: &SiteId, letter: Letter) {
        let window = self.site(site);
        let before = window.letters_bytes;
        window.keep_letter(letter);
        let after = window.letters_bytes;
        self.bytes = self.bytes + after - before;
    }

    /// Counts events that a client had to drop.
    pub fn count_dropped(&mut self, site: &SiteId, second: i64, count: u64) {
        *self.site(site).batch.dropped.entry(second).or_default() += count;
    }

    /// Closes the window: what it held, and a new one begins.
    pub fn seal(&mut self, now_ms: i64) -> Batch {
        let window = std::mem::take(self);
        let sites = window.sites.into_values().map(|site| site.batch).collect();
        Batch { committed_at_ms: now_ms, sites }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::frame;
    use crate::raw::RawBatch;
    use crate::settings::SiteSettings;
    use crate::validate::{Ids, Rules, Visitor, validate};
    use serde_json::json;

    use crate::record::Item;
    use crate::rollup::CounterKey;

    use super::*;

    const T: i64 = 1_772_420_400_000;

    fn site() -> SiteId {
        SiteId::parse("demo").unwrap()
    }

    fn events(count: usize) -> Vec<Event> {
        let sent: Vec<serde_json::Value> = (0..count)
            .map(|n| {
                let params = json!({"transaction_id": format!("T{n}"), "value": n});
                let name = if n % 3 == 0 { "purchase" } else { "page_view" };
                json!({"id": format!("e{n}"), "client_id": format!("c{}", n % 2), "name": name,
                       "ts": T + 400 * i64::try_from(n).unwrap(), "params": params})
            })
            .collect();
        let body = json!({"site": "demo", "events": sent}).to_string();
        let batch = RawBatch::parse(body.as_bytes()).unwrap();
        let rules = Rules {
            site: &site(),
            settings: &SiteSettings::default(),
            server_key: true,
            received_at_ms: T + 60_000,
            sent_at_ms: None,
            ids: Ids::Used,
            visitor: Visitor { address: "", user_agent: "", salt: b"" },
            nonce: 0,
        };
        batch.events().map(|raw| validate(&raw, 0, &rules).unwrap().0).collect()
    }

    fn window(events: &[Event]) -> Window {
        let mut window = Window::default();
        events.iter().for_each(|event| window.fold(&site(), event.clone()));
        window
    }

    #[test]
    fn counters_are_the_sums_of_the_records() {
        let batch = window(&events(10)).seal(T).sites.remove(0);
        assert_eq!(batch.counters().values().sum::<u64>(), 10);
        let first = CounterKey {
            second: T / 1_000,
            name: 1,
            platform: crate::event::Platform::Web,
            bot: false,
        };
        assert_eq!(batch.counters().get(&first), Some(&2));
        assert_eq!(batch.tables.clients.len(), 2);
        assert_eq!(batch.facts.iter().map(|fact| fact.record).collect::<Vec<_>>(), [0, 3, 6, 9]);
    }

    #[test]
    fn absorbing_a_batch_is_folding_its_events() {
        let events = events(10);
        let sent = window(&events).seal(T);
        let mut absorbed = Window::default();
        for site in sent.sites.clone() {
            assert_eq!(absorbed.absorb(site, |_, _, _| true), vec![true; 10]);
        }
        assert_eq!(absorbed.seal(T), sent);
    }

    #[test]
    fn repeats_are_counted_and_left_out() {
        let events = events(10);
        let mut seen = HashSet::new();
        let mut absorbed = Window::default();
        for part in [&events[..6], &events[4..]] {
            let batch = window(part).seal(T).sites.remove(0);
            absorbed.absorb(batch, |_, client, record| {
                seen.insert((client.to_owned(), record.id.clone()))
            });
        }
        assert_eq!(absorbed.events(), 10);
        let batch = absorbed.seal(T).sites.remove(0);
        assert_eq!(batch.records.len(), 10);
        assert_eq!(batch.duplicates.get(&(T / 1_000 + 60)), Some(&2));
        assert_eq!(batch.counters().values().sum::<u64>(), 10);
    }

    fn letters(count: i64, padding: usize) -> SiteBatch {
        let mut window = Window::default();
        for n in 0..count {
            let letter = Letter {
                received_at_ms: T + n,
                code: RejectCode::ValueInvalid,
                field: "params.value".to_owned(),
                message: "must be a decimal number".to_owned(),
                event: "x".repeat(padding),
            };
            window.count_reject(&site(), T / 1_000, letter.code);
            window.keep_letter(&site(), letter);
        }
        // On its way to the shard the batch goes through a second window.
        let mut absorbed = Window::default();
        absorbed.absorb(window.seal(T).sites.remove(0), |_, _, _| true);
        absorbed.seal(T).sites.remove(0)
    }

    #[test]
    fn the_newest_rejected_events_are_kept_and_all_are_counted() {
        let batch = letters(1_200, 10);
        assert_eq!(batch.rejects.values().sum::<u64>(), 1_200);
        let kept: Vec<i64> = batch.letters.iter().map(|letter| letter.received_at_ms - T).collect();
        assert_eq!(kept, (200..1_200).collect::<Vec<_>>());
    }

    #[test]
    fn rejected_events_are_bounded_by_their_weight() {
        let batch = letters(1_000, 4_000);
        let bytes: usize = batch.letters.iter().map(weight::of_letter).sum();
        assert!(bytes <= LETTERS_BYTES_MAX && bytes > LETTERS_BYTES_MAX - 8_000, "{bytes}");
        assert_eq!(batch.letters.last().unwrap().received_at_ms, T + 999);
        assert!(letters(1, LETTER_BYTES_MAX).letters.is_empty());
    }

    #[test]
    fn long_texts_of_orders_are_weighed() {
        let mut events = events(1);
        let text = || Some("🛒".repeat(1_024));
        let item = Item {
            id: text(),
            name: text(),
            category: text(),
            brand: text(),
            variant: text(),
            price: Some(i64::MAX),
            quantity: u32::MAX,
        };
        let fact = events[0].fact.as_mut().unwrap();
        fact.items = vec![item; 50];
        for member in [&mut fact.shipping_city, &mut fact.method, &mut fact.reason] {
            *member = text();
        }
        for member in [&mut fact.order_platform, &mut fact.value_written, &mut fact.refund_id] {
            *member = text();
        }
        let mut window = window(&events);
        let weighed = window.bytes();
        let frame = frame::encode(&window.seal(T));
        assert!(frame.len() > 1_000_000 && weighed >= frame.len(), "{weighed} < {}", frame.len());
    }

    #[test]
    fn a_window_weighs_at_least_its_frame() {
        let mut window = window(&events(1_000));
        let weighed = window.bytes();
        let frame = frame::encode(&window.seal(T));
        assert!(weighed >= frame.len(), "{weighed} < {}", frame.len());
    }
}
