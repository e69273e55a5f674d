//! Daily statistics as they are shown: cells of days brought together by period and dimension.

use std::collections::BTreeMap;
use std::sync::Arc;

use edgetally_proto::money::{Currency, format_minor};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::daily::{Cell, Day, Sums};
use crate::presence::Days;
use crate::query::report::hundredths;
use crate::query::run::half_even;
use crate::view::SiteView;

/// What rows are told apart by, beside date and currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Order platform.
    Platform,
    /// Category.
    Category,
    /// Region.
    Region,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Platform, Self::Category, Self::Region];

    /// Its name, which is that of the member.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Category => "category",
            Self::Region => "region",
        }
    }

    fn of(self, cell: &Cell) -> Arc<str> {
        let none = || Arc::from("(none)");
        match self {
            Self::Platform => cell.platform.clone(),
            Self::Category => cell.category.clone().unwrap_or_else(none),
            Self::Region => cell.region.clone().unwrap_or_else(none),
        }
    }
}

/// How many days a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// One.
    Day,
    /// Those of a week, from Monday.
    Week,
    /// Those of a month.
    Month,
}

/// A local date of a day's number.
#[must_use]
pub fn date_of(day: Day) -> Date {
    let span = jiff::Span::new().try_days(day);
    let date = span.and_then(|span| jiff::civil::date(1970, 1, 1).checked_add(span));
    date.unwrap_or(if day < 0 { Date::MIN } else { Date::MAX })
}

/// The number of a local date.
#[must_use]
pub fn day_of(date: Date) -> Day {
    let since = date.since(jiff::civil::date(1970, 1, 1));
    since.map_or(0, |span| i64::from(span.get_days()))
}

impl Period {
    /// The period with a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [("day", Self::Day), ("week", Self::Week), ("month", Self::Month)];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, period)| period)
    }

    /// The first and the last day of the period that holds a day.
    fn ends(self, day: Day) -> (Day, Day) {
        let date = date_of(day);
        match self {
            Self::Day => (day, day),
            Self::Week => {
                let first = day - i64::from(date.weekday().to_monday_zero_offset());
                (first, first + 6)
            }
            Self::Month => (day_of(date.first_of_month()), day_of(date.last_of_month())),
        }
    }
}

/// Which statistics.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The first day.
    pub first: Day,
    /// The last day, in.
    pub last: Day,
    /// Of one order platform only.
    pub platform: Option<String>,
    /// What rows are told apart by.
    pub by: Vec<By>,
    /// How many days a row has.
    pub period: Period,
}

type Place = (Day, Vec<Arc<str>>, Currency);

/// The rows in the order of dates, dimensions and currencies.
#[must_use]
pub fn rows(site: &SiteView, ask: &Ask, now_ms: i64) -> Vec<Value> {
    let mut sums: BTreeMap<Place, Sums> = BTreeMap::new();
    for (cell, sum) in site.daily.between(ask.first, ask.last) {
        if ask.platform.as_deref().is_some_and(|name| name != cell.platform.as_ref()) {
            continue;
        }
        let (first, _) = ask.period.ends(cell.day);
        let by = ask.by.iter().map(|by| by.of(cell)).collect();
        sums.entry((first, by, cell.currency)).or_default().merge(sum, 1);
    }
    let mut finals: BTreeMap<Day, bool> = BTreeMap::new();
    let row = |((day, by, currency), sums): (Place, Sums)| {
        let (first, last) = ask.period.ends(day);
        let (first, last) = (first.max(ask.first), last.min(ask.last));
        let is_final = *finals.entry(day).or_insert_with(|| is_final(site, (first, last), now_ms));
        let mut row = row_of(&sums, currency, is_final);
        row["stat_date"] = date_of(day).to_string().into();
        row["platform"] = ask.platform.as_deref().into();
        for (by, value) in ask.by.iter().zip(&by) {
            row[by.name()] = value.as_ref().into();
        }
        row
    };
    sums.into_iter().map(row).collect()
}

/// Whether the days are over and none of them waits for being worked out again.
#[must_use]
pub fn is_final(site: &SiteView, (first, last): (Day, Day), now_ms: i64) -> bool {
    let is_over = now_ms >= site.zone.start_of(last.saturating_add(1));
    is_over && site.daily.dirty().range(first..=last).next().is_none()
}

fn row_of(sums: &Sums, currency: Currency, is_final: bool) -> Value {
    let amount = |minor: i128| format_minor(minor, currency);
    let rate = || {
        let hundred = half_even(10_000 * i128::from(sums.cancelled), i128::from(sums.orders));
        hundredths(hundred)
    };
    let mean = || amount(half_even(sums.revenue, i128::from(sums.completed)));
    json!({
        "stat_date": null,
        "platform": null,
        "currency": currency.code(),
        "total_orders": sums.orders,
        "completed_orders": sums.completed,
        "cancelled_orders": sums.cancelled,
        "pending_orders": sums.pending(),
        "gross_merchandise_value": amount(sums.total),
        "total_revenue": amount(sums.revenue),
        "total_discount": amount(sums.discount),
        "cancellation_rate": if sums.orders > 0 { rate() } else { Value::Null },
        "avg_order_value": (sums.completed > 0).then(mean),
        "is_final": is_final,
    })
}
