//! Daily statistics as they are shown: cells of days brought together by period and dimension.

use edgetally_proto::money::{Currency, format_minor};
use jiff::civil::Date;
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::Value;

use super::cells::{Cells, Grain, Name, Place};
use super::daily::{Day, Sums};
use crate::presence::Days;
use crate::query::report::hundredths;
use crate::query::run::half_even;
use crate::view::SiteView;

/// How a dimension is told that an order does not have.
const NONE: &str = "(none)";

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

    fn of(self, place: &Place) -> Name {
        match self {
            Self::Platform => place.platform,
            Self::Category => place.category,
            Self::Region => place.region,
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

/// The first day of the month of a day.
#[must_use]
pub fn first_of_month(day: Day) -> Day {
    day_of(date_of(day).first_of_month())
}

fn next_month(day: Day) -> Day {
    day_of(date_of(day).last_of_month()) + 1
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

/// A row of statistics; amounts as decimals of its currency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The first day of its period.
    pub stat_date: String,
    /// Order platform, if rows are told apart by it or are of one alone.
    pub platform: Option<String>,
    /// Category, if rows are told apart by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Region, if rows are told apart by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    currency: &'static str,
    total_orders: i64,
    completed_orders: i64,
    cancelled_orders: i64,
    pending_orders: i64,
    gross_merchandise_value: String,
    total_revenue: String,
    total_discount: String,
    cancellation_rate: Value,
    avg_order_value: Option<String>,
    is_final: bool,
}

/// Which rows of all.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// How many come before.
    pub skip: usize,
    /// How many there are at most.
    pub limit: usize,
}

impl Page {
    /// All of them.
    pub const ALL: Self = Self { skip: 0, limit: usize::MAX };
}

/// Platform, category and region of a row, as far as rows are told apart by them, and currency.
type Group = ([Name; 3], Currency);

/// Rows on their way.
struct Rows<'a> {
    site: &'a SiteView,
    ask: &'a Ask,
    page: Page,
    now_ms: i64,
    seen: usize,
    rows: Vec<Row>,
}

/// The rows in the order of dates, dimensions and currencies; and whether there are more.
#[must_use]
pub fn rows(site: &SiteView, ask: &Ask, page: Page, now_ms: i64) -> (Vec<Row>, bool) {
    let cells = site.daily.cells();
    let platform = ask.platform.as_deref().map(|name| cells.number_of(name));
    let none = cells.number_of(NONE);
    let mut rows = Rows { site, ask, page, now_ms, seen: 0, rows: Vec::new() };
    let mut of_period: Option<(Day, FxHashMap<Group, Sums>)> = None;
    for (place, sums) in read(cells, ask) {
        if platform.is_some_and(|number| number != Some(place.platform)) {
            continue;
        }
        let (first, _) = ask.period.ends(place.day());
        if let Some((of, groups)) = of_period.take_if(|(of, _)| *of != first) {
            rows.push(of, groups);
            if rows.is_full() {
                break;
            }
        }
        // What is called so is told together with what has no name.
        let named = |by: By| Some(by.of(place)).filter(|number| Some(*number) != none);
        let number = |by: By| named(by).filter(|_| ask.by.contains(&by)).unwrap_or_default();
        let group = (By::ALL.map(number), place.currency);
        let (_, groups) = of_period.get_or_insert_with(|| (first, FxHashMap::default()));
        groups.entry(group).or_default().merge(sums, 1);
    }
    if let Some((of, groups)) = of_period {
        rows.push(of, groups);
    }
    (rows.rows, rows.seen > page.skip.saturating_add(page.limit))
}

/// The sums that a question needs, in the order of days: of whole months one a month.
fn read<'a>(cells: &'a Cells, ask: &Ask) -> impl Iterator<Item = (&'a Place, &'a Sums)> {
    let grain =
        Grain { category: ask.by.contains(&By::Category), region: ask.by.contains(&By::Region) };
    let (first, last) = (ask.first, ask.last);
    let (begin, end) = match ask.period {
        Period::Month if first_of_month(first) == first => (first, first_of_month(last + 1)),
        Period::Month => (next_month(first), first_of_month(last + 1)),
        Period::Day | Period::Week => (last + 1, last + 1),
    };
    // Without a whole month all of it is read by day.
    let (begin, end) = if begin < end { (begin, end) } else { (last + 1, last + 1) };
    let before = cells.days(grain, first, begin - 1);
    before.chain(cells.months(grain, begin, end - 1)).chain(cells.days(grain, end, last))
}

impl Rows<'_> {
    /// Whether the page and a row after it were seen.
    fn is_full(&self) -> bool {
        self.seen > self.page.skip.saturating_add(self.page.limit)
    }

    /// Adds the rows of a period.
    fn push(&mut self, day: Day, groups: FxHashMap<Group, Sums>) {
        let cells = self.site.daily.cells();
        let named = |((numbers, currency), sums): (Group, Sums)| {
            (numbers.map(|number| cells.name(number)), currency, sums)
        };
        let mut groups: Vec<_> = groups.into_iter().map(named).collect();
        let text = |name: &Option<&str>| name.unwrap_or(NONE).to_owned();
        groups.sort_by(|(a, a_currency, _), (b, b_currency, _)| {
            a.map(|name| name.unwrap_or(NONE))
                .cmp(&b.map(|name| name.unwrap_or(NONE)))
                .then(a_currency.cmp(b_currency))
        });
        let (first, last) = self.ask.period.ends(day);
        let (first, last) = (first.max(self.ask.first), last.min(self.ask.last));
        let is_final = is_final(self.site, (first, last), self.now_ms);
        let date = date_of(day).to_string();
        for ([platform, category, region], currency, sums) in groups {
            self.seen += 1;
            let before = self.seen <= self.page.skip;
            if before || self.rows.len() >= self.page.limit {
                continue;
            }
            let has = |by: By, name: &Option<&str>| self.ask.by.contains(&by).then(|| text(name));
            let own = has(By::Platform, &platform).or_else(|| self.ask.platform.clone());
            let names = (own, has(By::Category, &category), has(By::Region, &region));
            self.rows.push(row_of(date.clone(), names, currency, &sums, is_final));
        }
    }
}

/// Whether the days are over and none of them waits for being worked out again.
#[must_use]
pub fn is_final(site: &SiteView, (first, last): (Day, Day), now_ms: i64) -> bool {
    let is_over = now_ms >= site.zone.start_of(last.saturating_add(1));
    is_over && site.daily.dirty().range(first..=last).next().is_none()
}

fn row_of(
    stat_date: String,
    (platform, category, region): (Option<String>, Option<String>, Option<String>),
    currency: Currency,
    sums: &Sums,
    is_final: bool,
) -> Row {
    let amount = |minor: i128| format_minor(minor, currency);
    let rate = || {
        let hundred = half_even(10_000 * i128::from(sums.cancelled), i128::from(sums.orders));
        hundredths(hundred)
    };
    let mean = || amount(half_even(sums.revenue, i128::from(sums.completed)));
    Row {
        stat_date,
        platform,
        category,
        region,
        currency: currency.code(),
        total_orders: sums.orders,
        completed_orders: sums.completed,
        cancelled_orders: sums.cancelled,
        pending_orders: sums.pending(),
        gross_merchandise_value: amount(sums.total),
        total_revenue: amount(sums.revenue),
        total_discount: amount(sums.discount),
        cancellation_rate: if sums.orders > 0 { rate() } else { Value::Null },
        avg_order_value: (sums.completed > 0).then(mean),
        is_final,
    }
}
