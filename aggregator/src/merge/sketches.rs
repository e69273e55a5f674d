//! Sketches by second, minute and quarter of an hour: distinct clients, payments' latencies, web
//! vitals. They follow from the records, like presence, and are worked out again at the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use edgetally_proto::sketch::distinct::Distinct;
use edgetally_proto::sketch::quantile::Quantiles;
use edgetally_proto::time::SECOND_MS;
use edgetally_proto::vital;
use imbl::OrdMap;

use super::kept::Kept;
use super::{Level, slots};

/// What numbers there are quantiles of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// How long payments took that succeeded, in milliseconds.
    PaymentLatency,
    /// What pages measured of themselves, in the metric's decimals.
    WebVital(vital::Metric),
}

impl Reading {
    /// Decimals of its whole numbers.
    #[must_use]
    pub fn decimals(self) -> u32 {
        match self {
            Self::PaymentLatency => 0,
            Self::WebVital(metric) => metric.decimals(),
        }
    }
}

/// The sketches of one stretch of time.
#[derive(Debug, Clone, Default)]
pub struct Slot {
    /// Clients with an accepted event, bots left out.
    pub clients: Distinct,
    /// Numbers by what they are.
    pub readings: BTreeMap<Reading, Quantiles>,
}

/// The sketches of one site. Clones share all slots.
#[derive(Debug, Clone, Default)]
pub struct Sketches {
    slots: OrdMap<(Level, i64), Arc<Slot>>,
    kept: Kept,
    /// Clients that are not in their slots yet: many at once take less.
    clients: Vec<(i64, u64)>,
}

/// So many clients wait at most.
const WAITING_MAX: usize = 1 << 16;

impl Sketches {
    fn change(&mut self, second: i64, mut change: impl FnMut(&mut Slot)) {
        for level in Level::ALL {
            let slot = (second * SECOND_MS).div_euclid(level.slot_ms());
            if !self.kept.holds(level, slot) {
                continue;
            }
            change(Arc::make_mut(self.slots.entry((level, slot)).or_default()));
        }
    }

    /// Adds a client, by its hash, to the UTC second of one of its events.
    ///
    /// It is seen after [`Self::settle`].
    pub fn add_client(&mut self, second: i64, hash: u64) {
        self.clients.push((second, hash));
        if self.clients.len() > WAITING_MAX {
            self.settle();
        }
    }

    /// Puts the clients that wait into their slots.
    pub fn settle(&mut self) {
        let mut clients = std::mem::take(&mut self.clients);
        for level in Level::ALL {
            let slot_of =
                |(second, _): &(i64, u64)| (second * SECOND_MS).div_euclid(level.slot_ms());
            clients.sort_unstable_by_key(|client| (slot_of(client), client.1));
            clients.dedup_by_key(|client| (slot_of(client), client.1));
            for of_slot in clients.chunk_by(|a, b| slot_of(a) == slot_of(b)) {
                let Some(slot) = of_slot.first().map(slot_of) else { continue };
                if !self.kept.holds(level, slot) {
                    continue;
                }
                let slot = Arc::make_mut(self.slots.entry((level, slot)).or_default());
                of_slot.iter().for_each(|(_, hash)| {
                    slot.clients.insert(*hash);
                });
            }
        }
        clients.clear();
        self.clients = clients;
    }

    /// Drops the slots of a level before an instant.
    pub fn forget(&mut self, level: Level, from_ms: i64) {
        if !self.kept.advance(level, from_ms) {
            return;
        }
        let end = self.kept.from_ms(level).div_euclid(level.slot_ms());
        let old = self.slots.range((level, i64::MIN)..(level, end));
        for key in old.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.slots.remove(&key);
        }
    }

    /// Adds a number to a UTC second.
    pub fn add_reading(&mut self, second: i64, reading: Reading, number: u64) {
        self.change(second, |slot| slot.readings.entry(reading).or_default().insert(number));
    }

    /// Takes a number out of a UTC second again.
    pub fn remove_reading(&mut self, second: i64, reading: Reading, number: u64) {
        self.change(second, |slot| slot.readings.entry(reading).or_default().remove(number));
    }

    /// Calls `visit` for the slots that make up a stretch, the coarsest that fit. Both ends must
    /// be whole seconds.
    fn visit(&self, from_ms: i64, to_ms: i64, mut visit: impl FnMut(&Slot)) {
        for (level, from, to) in slots(from_ms, to_ms) {
            self.slots.range((level, from)..(level, to)).for_each(|(_, slot)| visit(slot));
        }
    }

    /// The clients between two instants.
    #[must_use]
    pub fn clients(&self, from_ms: i64, to_ms: i64) -> Distinct {
        let mut clients = Distinct::default();
        self.visit(from_ms, to_ms, |slot| clients.merge(&slot.clients));
        clients
    }

    /// The numbers between two instants.
    #[must_use]
    pub fn readings(&self, from_ms: i64, to_ms: i64, reading: Reading) -> Quantiles {
        let mut all = Quantiles::default();
        self.visit(from_ms, to_ms, |slot| {
            if let Some(numbers) = slot.readings.get(&reading) {
                all.merge(numbers);
            }
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any range has what its seconds have, whatever levels it is put together from.
        #[test]
        fn ranges_are_their_seconds(
            events in prop::collection::vec((-4_000i64..4_000, 0u64..20, any::<bool>()), 0..60),
            from in -5_000i64..5_000, length in 0i64..8_000,
        ) {
            let (mut sketches, mut clients) = (Sketches::default(), Distinct::default());
            let (mut numbers, reading) = (Quantiles::default(), Reading::PaymentLatency);
            for (second, number, is_removed) in events {
                let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                sketches.add_client(second, hash);
                sketches.add_reading(second, reading, number);
                if hash % 3 == 0 {
                    sketches.settle();
                }
                let is_in = (from..from + length).contains(&second);
                if is_in {
                    clients.insert(hash);
                }
                if is_removed {
                    sketches.remove_reading(second, reading, number);
                } else if is_in {
                    numbers.insert(number);
                }
            }
            sketches.settle();
            let (from_ms, to_ms) = (from * 1_000, (from + length) * 1_000);
            prop_assert_eq!(sketches.clients(from_ms, to_ms), clients);
            prop_assert_eq!(sketches.readings(from_ms, to_ms, reading), numbers);
        }
    }
}
