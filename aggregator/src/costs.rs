//! What a site paid for its campaigns, by local day.
//!
//! A cost is what was told last of a day, source, medium and campaign, so that telling it twice
//! changes nothing. Its channel is that of the site's rules at the time it was told first, as a
//! touch keeps its channel.

use std::collections::BTreeSet;

use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::{Arrival, channel};
use edgetally_proto::money::Currency;
use edgetally_proto::settings::ChannelRule;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// Local days of one block of the store.
const BLOCK_DAYS: i64 = 32;

/// What a cost is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Of {
    /// The local date, in days since 1970.
    pub day: i64,
    /// Source of the campaign, folded; empty if there is none.
    pub source: String,
    /// Its medium, folded.
    pub medium: String,
    /// Its name, folded.
    pub campaign: String,
}

impl Of {
    /// The channel of such a campaign.
    #[must_use]
    pub fn channel(&self, rules: &[ChannelRule]) -> String {
        let (source, medium) = (self.source.clone(), self.medium.clone());
        let campaign =
            Campaign { source, medium, name: self.campaign.clone(), ..Campaign::default() };
        let arrival = Arrival { campaign: Some(&campaign), click_id: None };
        channel(&arrival, rules).name.to_owned()
    }
}

/// A cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// What it is of.
    pub of: Of,
    /// The channel of the campaign.
    pub channel: String,
    /// Minor units, from 0.
    pub minor: i64,
    /// Their currency.
    pub currency: Currency,
}

/// What became of costs that were told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Costs of which nothing was known.
    pub created: usize,
    /// Costs that took the place of others.
    pub updated: usize,
    /// Costs that were known so.
    pub unchanged: usize,
}

/// The costs of a site, in the order of their days.
pub type Rows = OrdMap<Of, Cost>;

/// The costs of a site. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    rows: Rows,
    dirty: BTreeSet<i64>,
}

fn block_of(day: i64) -> i64 {
    day.div_euclid(BLOCK_DAYS)
}

impl Costs {
    /// All of them.
    #[must_use]
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Those that would change something, as they would stand, and what would become of all.
    #[must_use]
    pub fn plan(&self, told: Vec<Cost>) -> (Vec<Cost>, Outcome) {
        let (mut fresh, mut outcome) = (Vec::new(), Outcome::default());
        for cost in told {
            match self.rows.get(&cost.of) {
                None => {
                    outcome.created += 1;
                    fresh.push(cost);
                }
                Some(known) if (known.minor, known.currency) == (cost.minor, cost.currency) => {
                    outcome.unchanged += 1;
                }
                Some(known) => {
                    outcome.updated += 1;
                    fresh.push(Cost { channel: known.channel.clone(), ..cost });
                }
            }
        }
        (fresh, outcome)
    }

    /// Puts costs in their places.
    pub fn put(&mut self, costs: Vec<Cost>) {
        for cost in costs {
            self.dirty.insert(block_of(cost.of.day));
            self.rows.insert(cost.of.clone(), cost);
        }
    }

    /// The blocks that the store holds, or will hold.
    #[must_use]
    pub fn blocks(&self) -> BTreeSet<i64> {
        self.rows.keys().map(|of| block_of(of.day)).collect()
    }

    /// The blocks that changed since the last call.
    pub fn take_dirty(&mut self) -> Vec<(i64, Vec<Cost>)> {
        let dirty = std::mem::take(&mut self.dirty);
        let block = |block: i64| {
            let days = block.saturating_mul(BLOCK_DAYS)..(block + 1).saturating_mul(BLOCK_DAYS);
            (block, between(&self.rows, days.start, days.end).cloned().collect())
        };
        dirty.into_iter().map(block).collect()
    }

    /// Puts a block back as it was stored.
    pub fn restore(&mut self, costs: Vec<Cost>) {
        self.rows.extend(costs.into_iter().map(|cost| (cost.of.clone(), cost)));
    }
}

/// The costs of some days, the last one not in.
pub fn between(rows: &Rows, from_day: i64, to_day: i64) -> impl Iterator<Item = &Cost> {
    let first = |day| Of { day, ..Of::first() };
    rows.range(first(from_day)..first(to_day.max(from_day))).map(|(_, cost)| cost)
}

impl Of {
    fn first() -> Self {
        let empty = String::new;
        Self { day: 0, source: empty(), medium: empty(), campaign: empty() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(day: i64, source: &str, minor: i64, currency: &str) -> Cost {
        let of = Of { day, source: source.to_owned(), medium: "cpc".to_owned(), ..Of::first() };
        let channel = of.channel(&[]);
        Cost { of, channel, minor, currency: Currency::parse(currency).unwrap() }
    }

    #[test]
    fn the_last_telling_stands() {
        let mut costs = Costs::default();
        let first = vec![cost(5, "google", 100, "USD"), cost(40, "facebook", 7, "USD")];
        let (fresh, outcome) = costs.plan(first.clone());
        assert_eq!(outcome, Outcome { created: 2, ..Outcome::default() });
        costs.put(fresh);
        let again = vec![cost(5, "google", 100, "USD"), cost(40, "facebook", 7, "VND")];
        let (fresh, outcome) = costs.plan(again);
        assert_eq!(outcome, Outcome { updated: 1, unchanged: 1, ..Outcome::default() });
        costs.put(fresh);
        let blocks: Vec<(i64, usize)> =
            costs.take_dirty().iter().map(|(block, costs)| (*block, costs.len())).collect();
        assert_eq!(blocks, [(0, 1), (1, 1)]);
        assert!(costs.take_dirty().is_empty());
        let days = |from, to| between(costs.rows(), from, to).count();
        assert_eq!([days(0, 5), days(5, 6), days(0, 41), days(6, 40)], [0, 1, 2, 0]);
        assert_eq!(
            costs.rows().values().map(|c| c.channel.as_str()).collect::<Vec<_>>(),
            ["Paid Search", "Paid Social"]
        );
    }
}
