//! All visitors together: who is in the shop, who does something next, who is suspicious.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::event::{Event, Ids};
use super::journey::Kind;
use super::shop::{ORDINARY_ORDERS_PER_MINUTE, pick_weighted};
use super::visitor::Visitor;

/// What visits come to, with weights: about one in six buys.
const KINDS: [(Kind, u32); 4] =
    [(Kind::Bounce, 30), (Kind::Browse, 34), (Kind::Abandon, 18), (Kind::Buy, 18)];
/// Ordinary orders before the first suspicious ones, so that a run does not open with fraud.
const ORDERS_BEFORE_FRAUD: u64 = 10;

/// The visitors of one run. The same seed and size give the same visits.
#[derive(Debug)]
pub struct Crowd {
    rng: ChaCha8Rng,
    ids: Ids,
    visitors: Vec<Visitor>,
    /// Somebody who orders again and again, every other event, so that it fits into a minute.
    rush: Option<Visitor>,
    orders: Orders,
}

/// Orders planned so far, to keep the share of suspicious ones.
#[derive(Debug)]
struct Orders {
    suspicious_share: f64,
    all: u64,
    high_value: u64,
    velocity: u64,
}

impl Crowd {
    /// A shop with `size` visitors at a time, at least one; `suspicious_share` of all orders,
    /// 0.0 to 1.0, are suspicious, half of them by value and half by velocity.
    #[must_use]
    pub fn new(seed: u64, run_id: &str, size: usize, suspicious_share: f64) -> Self {
        let mut crowd = Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            ids: Ids::new(seed, run_id),
            visitors: Vec::new(),
            rush: None,
            orders: Orders { suspicious_share, all: 0, high_value: 0, velocity: 0 },
        };
        for _ in 0..size.max(1) {
            let visitor = crowd.newcomer();
            crowd.visitors.push(visitor);
        }
        crowd
    }

    /// What happens next in the shop, at `at_ms`.
    pub fn next(&mut self, at_ms: i64) -> Event {
        loop {
            if let Some(event) = self.rush_event(at_ms) {
                return event;
            }
            let at = self.rng.random_range(0..self.visitors.len());
            if let Some(event) = self.visitors[at].act(at_ms, &mut self.ids) {
                return event;
            }
            self.visitors[at] = self.newcomer();
        }
    }

    fn rush_event(&mut self, at_ms: i64) -> Option<Event> {
        let rush = self.rush.as_mut()?;
        if !self.rng.random_ratio(1, 2) {
            return None;
        }
        let event = rush.act(at_ms, &mut self.ids);
        if rush.is_gone() {
            self.rush = None;
        }
        event
    }

    fn newcomer(&mut self) -> Visitor {
        if self.rush.is_none() && self.orders.is_velocity_due() {
            let extra = self.rng.random_range(1..=4);
            let orders = ORDINARY_ORDERS_PER_MINUTE + extra;
            self.orders.all += orders;
            self.orders.velocity += orders;
            let kind = Kind::Velocity { orders };
            self.rush = Some(Visitor::draw(kind, &mut self.rng, &mut self.ids));
        }
        let mut kind = pick_weighted(&mut self.rng, &KINDS);
        if kind == Kind::Buy {
            self.orders.all += 1;
            if self.orders.is_high_value_due() {
                self.orders.high_value += 1;
                kind = Kind::HighValue;
            }
        }
        Visitor::draw(kind, &mut self.rng, &mut self.ids)
    }
}

impl Orders {
    fn due_of_each(&self) -> f64 {
        if self.all < ORDERS_BEFORE_FRAUD {
            return 0.0;
        }
        self.suspicious_share * self.all as f64 / 2.0
    }

    fn is_high_value_due(&self) -> bool {
        (self.high_value as f64) < self.due_of_each()
    }

    /// A rush is due ahead of its share, so that a short run has one too.
    fn is_velocity_due(&self) -> bool {
        (self.velocity as f64) < self.due_of_each()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::simulate::shop::ORDINARY_TOTAL_MAX;

    fn play(seed: u64, run_id: &str, count: i64, share: f64) -> Vec<Event> {
        let mut crowd = Crowd::new(seed, run_id, 50, share);
        (0..count).map(|at| crowd.next(at * 10)).collect()
    }

    #[test]
    fn the_same_seed_plays_the_same_events() {
        assert_eq!(play(1, "a", 3_000, 0.05), play(1, "a", 3_000, 0.05));
    }

    #[test]
    fn another_run_plays_the_same_visits_by_other_visitors() {
        let (one, other) = (play(1, "a", 3_000, 0.05), play(1, "b", 3_000, 0.05));
        let ids: HashSet<&String> = one.iter().map(|event| &event.id).collect();
        assert_eq!(ids.len(), one.len());
        assert!(other.iter().all(|event| !ids.contains(&event.id)));
        let clients: HashSet<&String> = one.iter().map(|event| &event.client_id).collect();
        assert!(other.iter().all(|event| !clients.contains(&event.client_id)));
        let value_of = |event: &Event| event.order.as_ref().map(|order| order.value);
        for (one, other) in one.iter().zip(&other) {
            assert_eq!((one.name, value_of(one)), (other.name, value_of(other)));
        }
    }

    #[test]
    fn another_seed_plays_other_visits() {
        let names = |seed| -> Vec<&'static str> {
            play(seed, "a", 500, 0.05).iter().map(|event| event.name).collect()
        };
        assert_ne!(names(1), names(2));
    }

    #[test]
    fn suspicious_orders_keep_their_share_and_break_their_rule() {
        let events = play(3, "a", 60_000, 0.05);
        let bought = events.iter().filter(|event| event.name == "purchase");
        let high = |event: &&Event| {
            event.order.as_ref().is_some_and(|order| order.value > ORDINARY_TOTAL_MAX)
        };
        let mut by_user: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for event in bought.clone() {
            if let Some(user) = &event.user_id {
                by_user.entry(user).or_default().push(event.ts);
            }
        }
        let rushes: Vec<&Vec<i64>> = by_user.values().filter(|times| times.len() > 1).collect();
        for times in &rushes {
            assert!(times.len() as u64 > ORDINARY_ORDERS_PER_MINUTE);
            assert!(times[times.len() - 1] - times[0] < 60_000);
        }
        let velocity: usize = rushes.iter().map(|times| times.len()).sum();
        let share = (bought.clone().filter(high).count() + velocity) as f64 / bought.count() as f64;
        assert!(velocity > 0 && (0.04..0.06).contains(&share), "share {share}");
    }

    #[test]
    fn no_share_no_suspicion() {
        let events = play(3, "a", 20_000, 0.0);
        let is_ordinary = |event: &Event| {
            event.order.as_ref().is_none_or(|order| order.value <= ORDINARY_TOTAL_MAX)
        };
        assert!(events.iter().all(is_ordinary));
    }

    #[test]
    fn a_run_has_every_kind_of_event() {
        let names: HashSet<&str> =
            play(1, "a", 20_000, 0.05).iter().map(|event| event.name).collect();
        for name in [
            "page_view",
            "app_open",
            "view_item_list",
            "view_item",
            "search",
            "add_to_cart",
            "remove_from_cart",
            "view_cart",
            "begin_checkout",
            "add_payment_info",
            "purchase",
            "order_created",
            "payment_success",
            "payment_failed",
            "login",
            "identify",
            "sign_up",
        ] {
            assert!(names.contains(name), "{name}");
        }
    }
}
