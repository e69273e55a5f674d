//! The thirty questions, as queries of ours and in SQL. A question's first number is what answers
//! are compared by, where it is exact.

use edgetally_proto::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use serde_json::{Value, json};

use crate::shop::START_MS;

/// What serves a question here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Sums by second, minute and quarter of an hour.
    Rollups,
    /// Sessions, events or orders one by one.
    Rows,
}

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    /// What it is about.
    pub name: &'static str,
    /// What serves it.
    pub by: By,
    /// Ours, but for the site.
    pub query: Value,
    /// For databases; its last column is the first number.
    pub sql: String,
    /// Whether the numbers are exact here; an estimate may be off by a twentieth.
    pub is_exact: bool,
}

/// The instant of the questions: six in the evening of the last day.
#[must_use]
pub fn now_ms(days: u32) -> i64 {
    START_MS + i64::from(days - 1) * DAY_MS + 18 * 60 * MINUTE_MS
}

struct List {
    all: Vec<Question>,
    days: Value,
    week: Value,
}

impl List {
    fn add(&mut self, name: &'static str, by: By, query: Value, sql: String) {
        self.all.push(Question { name, by, query, sql, is_exact: true });
    }

    /// A question about all days.
    fn of_days(&mut self, name: &'static str, by: By, ask: (&str, &str, u32), sql: &str) {
        let (metrics, dimensions, limit) = ask;
        let split = |text: &str| -> Vec<String> {
            text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let mut query = json!({"metrics": split(metrics), "dimensions": split(dimensions),
            "date_range": self.days});
        let mut sql = sql.to_owned();
        if limit > 0 {
            query["pagination"] = json!({"limit": limit, "offset": 0});
            sql.push_str(&format!(" order by n desc limit {limit}"));
        }
        self.add(name, by, query, sql);
    }
}

/// All of them.
#[must_use]
pub fn all(days: u32) -> Vec<Question> {
    let now = now_ms(days);
    let (today, last) = (START_MS + i64::from(days - 1) * DAY_MS, i64::from(days - 1));
    let mut list = List { all: Vec::new(), days: json!(format!("{days}d")), week: json!("7d") };
    recent(&mut list, now, today, last);
    by_day(&mut list);
    by_visit(&mut list);
    by_event(&mut list);
    filtered(&mut list, last);
    list.all
}

fn recent(list: &mut List, now: i64, today: i64, last: i64) {
    let begin = (now / SECOND_MS + 1) * SECOND_MS - 5 * MINUTE_MS;
    list.add(
        "last 5 minutes by second",
        By::Rollups,
        json!({"metrics": ["events", "pageviews"], "dimensions": ["time:second"],
            "date_range": "realtime"}),
        format!("select second, count(*) n from events where ms >= {begin} group by second"),
    );
    list.add(
        "persons of the last 5 minutes",
        By::Rollups,
        json!({"metrics": ["visitors"], "date_range": "realtime"}),
        format!("select count(distinct person) n from events where ms >= {begin}"),
    );
    list.add(
        "today by minute",
        By::Rollups,
        json!({"metrics": ["pageviews"], "dimensions": ["time:minute"], "date_range": "day"}),
        format!(
            "select minute, count(*) n from events where ms >= {today} and name = 'page_view' \
             group by minute"
        ),
    );
    list.add(
        "today by hour against yesterday",
        By::Rollups,
        json!({"metrics": ["events"], "dimensions": ["time:hour"], "date_range": "day",
            "include": {"comparison": "previous_period"}}),
        format!(
            "select hour, count(*) n from events where ms >= {today} group by hour \
             union all select hour, 0 from events where ms < {today} and ms >= {} group by hour",
            today - DAY_MS
        ),
    );
    list.add(
        "today in all",
        By::Rollups,
        json!({"metrics": ["sessions", "visitors", "pageviews", "orders", "revenue"],
            "date_range": "day"}),
        format!(
            "select (select count(distinct person) from events where day = {last}), \
             (select sum(value) from orders where day = {last}), count(*) n \
             from sessions where day = {last}"
        ),
    );
}

fn by_day(list: &mut List) {
    let by = By::Rollups;
    let ask = ("events pageviews", "time:day", 0);
    list.of_days("events by day", by, ask, "select day, count(*) n from events group by day");
    let ask = ("visitors", "time:day", 0);
    let sql = "select day, count(distinct person) n from events group by day";
    list.of_days("persons by day", by, ask, sql);
    let ask = ("visitors", "", 0);
    let sql = "select count(distinct person) n from events";
    list.of_days("persons of all days", by, ask, sql);
    let ask = ("orders revenue aov", "time:day", 0);
    let sql = "select day, sum(value), count(*) n from orders group by day";
    list.of_days("orders by day", by, ask, sql);
    let ask = ("sessions bounce_rate session_duration", "time:day", 0);
    let sql = "select day, avg(bounce), avg(duration), count(*) n from sessions group by day";
    list.of_days("sessions by day", By::Rows, ask, sql);
    let ask = ("new_visitors returning_visitors", "", 0);
    let sql = "select count(distinct person), sum(is_new) n from sessions";
    list.of_days("new persons", By::Rows, ask, sql);
    let query = json!({"metrics": ["p95", "p50", "p99"], "measure": "payment_latency_ms",
        "dimensions": ["time:day"], "date_range": list.days});
    list.add(
        "payments' latency by day",
        by,
        query,
        "select day, quantile(latency, 0.95) n from payments group by day".to_owned(),
    );
    let query = json!({"metrics": ["clients"], "date_range": list.days});
    let sql = "select count(distinct person) n from events".to_owned();
    list.add("clients", by, query, sql);
    let estimates = ["persons of all days", "payments' latency by day", "clients"];
    for question in list.all.iter_mut().filter(|question| estimates.contains(&question.name)) {
        question.is_exact = false;
    }
}

fn by_visit(list: &mut List) {
    let by = By::Rows;
    for (name, dimensions, column, limit) in [
        ("sessions by channel", "visit:channel", "channel", 0),
        ("sessions by source and medium", "visit:source visit:medium", "source, medium", 0),
        ("sessions by campaign", "visit:campaign", "campaign", 100),
        ("sessions by browser and system", "visit:browser visit:os", "browser, os", 0),
        ("sessions by entry page", "visit:entry_page", "entry_page", 100),
        ("sessions by channel and day", "visit:channel time:day", "channel, day", 0),
    ] {
        let sql =
            format!("select {column}, avg(converted), count(*) n from sessions group by {column}");
        list.of_days(name, by, ("sessions conversion_rate", dimensions, limit), &sql);
    }
    let ask = ("visitors", "visit:country", 0);
    let sql = "select country, count(distinct person) n from sessions group by country";
    list.of_days("persons by country", by, ask, sql);
    let ask = ("orders revenue", "visit:channel", 0);
    let sql = "select channel, sum(value), count(*) n from orders group by channel";
    list.of_days("orders by channel", by, ask, sql);
    let ask = ("orders revenue", "visit:city", 100);
    let sql = "select city, sum(value), count(*) n from orders group by city";
    list.of_days("orders by city", by, ask, sql);
}

fn by_event(list: &mut List) {
    let by = By::Rows;
    let ask = ("pageviews", "event:page", 100);
    let sql = "select page, count(*) n from events where name = 'page_view' group by page";
    list.of_days("top 100 pages", by, ask, sql);
    let ask = ("events visitors", "event:name", 0);
    let sql = "select name, count(distinct person), count(*) n from events group by name";
    list.of_days("events and persons by name", By::Rollups, ask, sql);
    let ask = ("searches", "event:search_term", 100);
    let sql = "select term, count(*) n from events where name = 'search' group by term";
    list.of_days("top 100 search terms", by, ask, sql);
    let ask = ("units revenue", "item:id", 100);
    let sql = "select item, sum(worth), sum(quantity) n from lines group by item";
    list.of_days("top 100 products", by, ask, sql);
    let ask = ("item_views", "item:category", 0);
    let sql = "select category, count(*) n from events where name = 'view_item' group by category";
    list.of_days("views by category", by, ask, sql);
}

fn filtered(list: &mut List, last: i64) {
    let by = By::Rows;
    let (days, week) = (list.days.clone(), list.week.clone());
    list.add(
        "one campaign by day",
        by,
        json!({"metrics": ["sessions", "orders"], "dimensions": ["time:day"], "date_range": days,
            "filters": [["is", "visit:campaign", ["sale-3"]]]}),
        "select day, count(*) n from sessions where campaign = 'sale-3' group by day".to_owned(),
    );
    list.add(
        "channels of one country's mobile visitors",
        by,
        json!({"metrics": ["sessions"], "dimensions": ["visit:channel"], "date_range": days,
            "filters": [["is", "visit:country", ["SG"]], ["is", "visit:device", ["mobile"]]]}),
        "select channel, count(*) n from sessions where country = 'SG' and device = 'mobile' \
         group by channel"
            .to_owned(),
    );
    list.add(
        "a week's funnel by device",
        by,
        json!({"funnel": true, "dimensions": ["visit:device"], "date_range": week}),
        format!(
            "with v as (select session, min(place) p from events where name = 'view_item' \
             and session_day > {day} group by session), \
             c as (select v.session s, min(place) p from events e join v on e.session = v.session \
             where name = 'add_to_cart' and place > v.p group by v.session), \
             b as (select c.s s, min(place) p from events e join c on e.session = c.s \
             where name = 'begin_checkout' and place > c.p group by c.s), \
             o as (select b.s s, min(place) p from events e join b on e.session = b.s \
             where name = 'purchase' and place > b.p group by b.s) \
             select device, count(o.s), count(distinct v.session) n from v \
             join sessions on sessions.id = v.session left join o on o.s = v.session \
             group by device",
            day = last - 7
        ),
    );
}
