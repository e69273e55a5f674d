//! The clickstream: what persons do in three days, drawn from a seed.
//!
//! Of a million persons each has 1.6 clients and ten events on average. One in five signs in, on
//! each of his clients, and his later events there carry his user id. 15 % of all events are
//! tagged, half of them echoes of a link whose tags stay in the address. 3 % of all events come
//! late by a minute to a day, the others by up to two seconds; 2 % come twice.

use std::ops::RangeInclusive;

use edgetally_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// 2026-03-02 00:00 in Ho Chi Minh City.
pub const START_MS: i64 = 1_772_384_400_000;
/// Names of events; the first four are drawn for pages.
pub const NAMES: [&str; 6] =
    ["page_view", "view_item", "add_to_cart", "begin_checkout", "purchase", "login"];
/// The number of `purchase`.
pub const PURCHASE: u8 = 4;
/// The number of `login`.
pub const LOGIN: u8 = 5;
/// Campaigns there are.
pub const CAMPAIGNS: u16 = 200;
/// Referrers there are.
pub const REFERRERS: u8 = 20;
/// Pages there are.
pub const PAGES: u16 = 5_000;

/// How many persons there are and how much they do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Persons.
    pub persons: u32,
    /// What everything is drawn from.
    pub seed: u64,
    /// Visits of a person.
    pub visits: RangeInclusive<u32>,
    /// Events of a visit.
    pub events: RangeInclusive<u32>,
    /// Share of persons with a second client.
    pub second_clients: f64,
    /// Share of events that come twice.
    pub repeats: f64,
}

impl Plan {
    /// The stream of the benchmark.
    pub fn of(events: u64, seed: u64) -> Self {
        let persons = u32::try_from(events / 10).unwrap_or(u32::MAX);
        Self { persons, seed, visits: 1..=3, events: 3..=7, second_clients: 0.6, repeats: 0.02 }
    }

    /// Persons with one client and five events each.
    pub fn of_five(persons: u32, seed: u64) -> Self {
        let (second_clients, repeats) = (0.0, 0.0);
        Self { persons, seed, visits: 1..=1, events: 5..=5, second_clients, repeats }
    }
}

/// An event as it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// When the edge took it.
    pub received_ms: i64,
    /// When it happened.
    pub occurred_ms: i64,
    /// Its id.
    pub id: [u8; 16],
    /// Its client.
    pub client: u32,
    /// The user that it carries.
    pub user: Option<u32>,
    /// Its order.
    pub order: Option<u64>,
    /// Its campaign.
    pub campaign: Option<u16>,
    /// Its referrer.
    pub referrer: Option<u8>,
    /// Its page.
    pub page: u16,
    /// Its name.
    pub name: u8,
}

/// Every event, by receipt.
pub fn events(plan: &Plan) -> Vec<Event> {
    let mut all = Vec::with_capacity(plan.persons as usize * 11);
    for person in 0..plan.persons {
        let rng = ChaCha8Rng::seed_from_u64(plan.seed << 32 | u64::from(person));
        Visitor { plan, person, rng, is_user: false, signed_in: [false; 2] }.live(&mut all);
    }
    all.sort_unstable_by_key(|event| (event.received_ms, event.id));
    all
}

struct Visitor<'a> {
    plan: &'a Plan,
    person: u32,
    rng: ChaCha8Rng,
    is_user: bool,
    signed_in: [bool; 2],
}

impl Visitor<'_> {
    fn live(mut self, all: &mut Vec<Event>) {
        self.is_user = self.rng.random_bool(0.2);
        let clients = 1 + usize::from(self.rng.random_bool(self.plan.second_clients));
        let visits = self.rng.random_range(self.plan.visits.clone());
        let mut starts: Vec<i64> =
            (0..visits).map(|_| START_MS + self.rng.random_range(0..3 * DAY_MS)).collect();
        starts.sort_unstable();
        for start_ms in starts {
            let client = self.rng.random_range(0..clients);
            self.visit(start_ms, client, all);
        }
    }

    /// Small numbers are drawn oftener, as a few campaigns bring most visitors.
    fn one_of(&mut self, count: u16) -> u16 {
        let share: f64 = self.rng.random();
        (share * share * f64::from(count)) as u16
    }

    fn visit(&mut self, start_ms: i64, client: usize, all: &mut Vec<Event>) {
        let tag = self.rng.random_bool(0.25).then(|| self.one_of(CAMPAIGNS));
        let mut tag_stays = self.rng.random_bool(0.5);
        let mut tag_now = tag;
        let mut at_ms = start_ms;
        for turn in 0..self.rng.random_range(self.plan.events.clone()) {
            if turn > 0 && self.rng.random_bool(0.02) {
                tag_now = Some(self.one_of(CAMPAIGNS));
                tag_stays = false;
            }
            let referred = turn == 0 && tag_now.is_none() && self.rng.random_bool(0.35);
            let referrer = referred.then(|| self.rng.random_range(0..REFERRERS));
            let name = self.name(turn, client);
            let event = self.event(at_ms, client, name, tag_now, referrer);
            self.send(event, all);
            if !tag_stays {
                tag_now = None;
            }
            let pause = if self.rng.random_bool(0.01) { 40 * MINUTE_MS } else { 2 * MINUTE_MS };
            at_ms += self.rng.random_range(2 * SECOND_MS..pause);
        }
    }

    fn name(&mut self, turn: u32, client: usize) -> u8 {
        let is_due = self.is_user && !self.signed_in.get(client).copied().unwrap_or_default();
        if turn == 1 && is_due && self.rng.random_bool(0.7) {
            if let Some(signed_in) = self.signed_in.get_mut(client) {
                *signed_in = true;
            }
            return LOGIN;
        }
        match (turn, self.rng.random_range(0..100)) {
            (0, _) | (_, 0..50) => 0,
            (_, 50..80) => 1,
            (_, 80..92) => 2,
            (_, 92..97) => 3,
            _ => PURCHASE,
        }
    }

    fn event(
        &mut self,
        occurred_ms: i64,
        client: usize,
        name: u8,
        campaign: Option<u16>,
        referrer: Option<u8>,
    ) -> Event {
        // Random UUIDs, which cannot be packed.
        let mut id: [u8; 16] = self.rng.random();
        id[6] = id[6] & 0x0F | 0x40;
        id[8] = id[8] & 0x3F | 0x80;
        let delay_ms = match self.rng.random_bool(0.03) {
            true => self.rng.random_range(MINUTE_MS..24 * HOUR_MS),
            false => self.rng.random_range(0..2 * SECOND_MS),
        };
        let signed_in = self.signed_in.get(client).copied().unwrap_or_default();
        Event {
            received_ms: occurred_ms + delay_ms,
            occurred_ms,
            id,
            client: 2 * self.person + u32::try_from(client).unwrap_or_default(),
            user: signed_in.then_some(self.person),
            order: (name == PURCHASE).then(|| self.rng.random()),
            campaign,
            referrer,
            page: self.one_of(PAGES),
            name,
        }
    }

    fn send(&mut self, event: Event, all: &mut Vec<Event>) {
        all.push(event);
        if self.rng.random_bool(self.plan.repeats) {
            let later = self.rng.random_range(SECOND_MS..10 * MINUTE_MS);
            all.push(Event { received_ms: event.received_ms + later, ..event });
        }
    }
}
