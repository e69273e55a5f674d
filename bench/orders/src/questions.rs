//! What is asked: as a path of the API, and as SQL over orders and over a table of days.

use std::fmt::Write;

use crate::shop::SITE;

/// How a table of PostgreSQL is asked: `{where}` and the rest are filled in.
const RAW: &str = "select date_trunc('{period}', '1970-01-01'::date + day)::date, {by}currency, \
    count(*), count(*) filter (where is_completed), count(*) filter (where status = 'cancelled'), \
    sum(total), coalesce(sum(paid) filter (where is_completed), 0), \
    coalesce(sum(discount) filter (where is_completed), 0) \
    from (select ((ordered + 25200000) / 86400000)::int as day, *, case platform when 'web' \
    then status not in ('unpaid', 'pending', 'cancelled') else status = 'completed' end \
    as is_completed from orders where ordered >= {from} and ordered < {to}{platform}) as o \
    group by {numbers} order by {numbers};";
const DAILY: &str = "select date_trunc('{period}', stat_date)::date, {by}currency, sum(orders), \
    sum(completed), sum(cancelled), sum(total), sum(revenue), sum(discount) from daily \
    where stat_date >= '{first}' and stat_date <= '{last}'{platform} \
    group by {numbers} order by {numbers};";

/// A question about daily statistics.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// What it is called.
    pub name: &'static str,
    /// The first local date and its instant.
    pub from: (&'static str, i64),
    /// The last local date, in, and the instant after it.
    pub to: (&'static str, i64),
    /// Of one platform only.
    pub platform: Option<&'static str>,
    /// What rows are told apart by.
    pub by: &'static [&'static str],
    /// Days of a row.
    pub period: &'static str,
}

const BEGIN: (&str, i64) = ("2023-11-01", 1_698_771_600_000);
const JULY: (&str, i64) = ("2026-07-01", 1_782_838_800_000);
const LAST_WEEK: (&str, i64) = ("2026-10-25", 1_792_861_200_000);
const OCTOBER: (&str, i64) = ("2026-10-01", 1_790_787_600_000);
const END: (&str, i64) = ("2026-10-31", 1_793_466_000_000);
const SEPTEMBER: (&str, i64) = ("2026-09-30", 1_790_787_600_000);

const PLATFORM: &[&str] = &["platform"];
const CATEGORY: &[&str] = &["category"];
const REGION: &[&str] = &["region"];
const BOTH: &[&str] = &["category", "region"];

const fn question(
    name: &'static str,
    from: (&'static str, i64),
    to: (&'static str, i64),
    by: &'static [&'static str],
    period: &'static str,
) -> Question {
    Question { name, from, to, platform: None, by, period }
}

/// All of them.
pub const QUESTIONS: [Question; 10] = [
    question("last 7 days by platform", LAST_WEEK, END, PLATFORM, "day"),
    question("a quarter by platform and day", JULY, SEPTEMBER, PLATFORM, "day"),
    question("three years by platform and month", BEGIN, END, PLATFORM, "month"),
    question("a quarter by category and week", JULY, SEPTEMBER, CATEGORY, "week"),
    question("three years by category and month", BEGIN, END, CATEGORY, "month"),
    question("a quarter by region and week", JULY, SEPTEMBER, REGION, "week"),
    question("three years by region and month", BEGIN, END, REGION, "month"),
    Question {
        platform: Some("shopee"),
        ..question("three years of a platform by category and month", BEGIN, END, CATEGORY, "month")
    },
    question("a month by category and region", OCTOBER, END, BOTH, "month"),
    question("a month by category, region and day", OCTOBER, END, BOTH, "day"),
];

impl Question {
    /// Its path, for the first page of a thousand rows.
    #[must_use]
    pub fn path(&self) -> String {
        let Self { from: (first, _), to: (last, _), platform, by, period, .. } = self;
        let by = by.join(",");
        let mut path = format!(
            "/v1/orders/daily?site={SITE}&from={first}&to={last}&group_by={by}&period={period}\
             &limit=1000"
        );
        if let Some(platform) = platform {
            let _infallible = write!(path, "&platform={platform}");
        }
        path
    }

    fn fill(&self, sql: &str) -> String {
        let by = self.by.iter().fold(String::new(), |all, by| format!("{all}{by}, "));
        let numbers: Vec<String> = (1..=self.by.len() + 2).map(|n| n.to_string()).collect();
        let platform = self.platform.map(|name| format!(" and platform = '{name}'"));
        [
            ("{period}", self.period.to_owned()),
            ("{by}", by),
            ("{numbers}", numbers.join(", ")),
            ("{platform}", platform.unwrap_or_default()),
            ("{from}", self.from.1.to_string()),
            ("{to}", self.to.1.to_string()),
            ("{first}", self.from.0.to_owned()),
            ("{last}", self.to.0.to_owned()),
        ]
        .iter()
        .fold(sql.to_owned(), |sql, (name, value)| sql.replace(name, value))
    }

    /// As a scan of the orders.
    #[must_use]
    pub fn raw_sql(&self) -> String {
        self.fill(RAW)
    }

    /// Of PostgreSQL's own daily table.
    #[must_use]
    pub fn daily_sql(&self) -> String {
        self.fill(DAILY)
    }
}
