//! What came of comparing one hour with payments, as it is kept.

use edgetally_proto::money::{Currency, format_minor};
use edgetally_proto::time::HOUR_MS;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Report};
use crate::alerts::rule::DECIMALS;
use crate::calendar::Calendar;
use crate::query::report::hundredths;
use crate::query::run::half_even;

/// Hours that are kept, with their files: the newest, about six weeks.
pub const RUNS_MAX: usize = 1_000;

/// Sums of one currency over an hour, in its minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The currency.
    pub currency: Currency,
    /// Orders of the hour.
    pub orders: u64,
    /// Orders that were paid in the hour.
    pub payments: u64,
    /// What the orders came to.
    pub here: i128,
    /// What was paid.
    pub there: i128,
    /// What does not match: of each such order by how much, never against each other.
    pub apart: i128,
}

impl Total {
    /// Nothing of a currency.
    #[must_use]
    pub fn of(currency: Currency) -> Self {
        Self { currency, orders: 0, payments: 0, here: 0, there: 0, apart: 0 }
    }

    /// What `apart` is a share of: what was paid, or what was ordered where nothing was paid.
    fn whole(&self) -> i128 {
        if self.there > 0 { self.there } else { self.here }
    }

    /// The share that does not match, in hundredths of a percent, half to even; none of nothing.
    #[must_use]
    pub fn apart_hundredths(&self) -> Option<i128> {
        (self.whole() > 0).then(|| half_even(10_000 * self.apart, self.whole()))
    }

    /// Whether more than `limit` does not match: percent with [`DECIMALS`] decimals.
    #[must_use]
    pub fn is_beyond(&self, limit: i128) -> bool {
        100 * 10i128.pow(DECIMALS) * self.apart > limit * self.whole()
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let amount = |minor: i128| format_minor(minor, self.currency);
        json!({
            "currency": self.currency.code(),
            "orders": self.orders,
            "payments": self.payments,
            "here": amount(self.here),
            "there": amount(self.there),
            "difference": amount(self.here - self.there),
            "apart": amount(self.apart),
            "apart_percent": self.apart_hundredths().map(hundredths),
        })
    }
}

/// One hour that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// When the hour began, epoch ms.
    pub from_ms: i64,
    /// When it was over.
    pub to_ms: i64,
    /// When it was compared.
    pub compared_at_ms: i64,
    /// How often that was tried.
    pub tries: u32,
    /// Orders that are in both for the same amount.
    pub matched: u64,
    /// Paid there, and no booked order here.
    pub missing_here: u64,
    /// Booked here, and no payment there.
    pub missing_there: u64,
    /// In both, for another amount.
    pub different: u64,
    /// Payments whose amount is none.
    pub unreadable: u64,
    /// Payments that did not come in.
    pub unpaid: u64,
    /// Sums by currency.
    pub totals: Vec<Total>,
    /// How much may be apart: percent with [`DECIMALS`] decimals.
    pub limit: i128,
}

impl Run {
    /// The run of an hour.
    #[must_use]
    pub fn of(report: &Report, (from_ms, to_ms): (i64, i64), limit: i128) -> Self {
        let count = |kind| report.count(kind) as u64;
        Self {
            from_ms,
            to_ms,
            compared_at_ms: 0,
            tries: 1,
            matched: report.matched as u64,
            missing_here: count(Kind::MissingHere),
            missing_there: count(Kind::MissingThere),
            different: count(Kind::Different),
            unreadable: report.unreadable.len() as u64,
            unpaid: report.unpaid as u64,
            totals: report.totals(),
            limit,
        }
    }

    /// The number of its hour since 1970, under which it is kept.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        number_of(self.from_ms)
    }

    /// Names it among those of its site, and its file: when the hour began, in UTC.
    #[must_use]
    pub fn id(&self) -> String {
        let at = jiff::Timestamp::from_millisecond(self.from_ms).unwrap_or_default();
        at.strftime("%Y%m%dT%H%MZ").to_string()
    }

    /// Whether more is apart than may be.
    #[must_use]
    pub fn is_beyond(&self) -> bool {
        self.totals.iter().any(|total| total.is_beyond(self.limit))
    }

    /// As JSON, with times of the site's zone.
    #[must_use]
    pub fn json(&self, zone: &Calendar) -> Value {
        json!({
            "id": self.id(),
            "from": zone.rfc3339(self.from_ms),
            "to": zone.rfc3339(self.to_ms),
            "compared_at": zone.rfc3339(self.compared_at_ms),
            "tries": self.tries,
            "matched": self.matched,
            "missing_here": self.missing_here,
            "missing_there": self.missing_there,
            "different": self.different,
            "unreadable": self.unreadable,
            "unpaid": self.unpaid,
            "totals": self.totals.iter().map(Total::json).collect::<Vec<_>>(),
            "limit_percent": self.limit_text(),
            "is_beyond": self.is_beyond(),
        })
    }

    /// How much may be apart, in percent.
    #[must_use]
    pub fn limit_text(&self) -> String {
        crate::alerts::measure::text(self.limit)
    }
}

/// The number of the hour that begins at an instant, since 1970.
#[must_use]
pub fn number_of(from_ms: i64) -> Option<u64> {
    u64::try_from(from_ms.div_euclid(HOUR_MS)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(here: i128, there: i128, apart: i128) -> Total {
        let currency = Currency::USD;
        Total { currency, orders: 1, payments: 1, here, there, apart }
    }

    #[test]
    fn the_share_is_of_what_was_paid_and_exactly_the_limit_is_not_beyond_it() {
        for (here, there, apart, hundredths, is_beyond) in [
            (0, 0, 0, None, false),
            (10_000, 10_000, 0, Some(0), false),
            (10_000, 10_000, 100, Some(100), false),
            (10_000, 10_000, 101, Some(101), true),
            // Two that are off in opposite ways do not make each other good.
            (10_000, 10_000, 4_000, Some(4_000), true),
            (5_000, 0, 5_000, Some(10_000), true),
            (1, 20_000, 1, Some(0), false),
            (3, 20_000, 3, Some(2), false),
        ] {
            let total = total(here, there, apart);
            let said = (total.apart_hundredths(), total.is_beyond(10_000));
            assert_eq!(said, (hundredths, is_beyond), "{here} {there} {apart}");
        }
        // A quarter of a percent.
        assert!(
            total(0, 100_000, 251).is_beyond(2_500) && !total(0, 100_000, 250).is_beyond(2_500)
        );
    }
}
