//! The report of a day, as a mail.

use edgetally_proto::ids::SiteId;
use serde_json::{Value, json};

use super::notice::{Mail, escape, one_line, page};
use crate::query::request::Request;
use crate::query::{self, QueryError};
use crate::view::View;

/// What the report tells of the whole day: the name of a metric, and what people call it.
const FIGURES: [(&str, &str); 9] = [
    ("revenue", "Revenue"),
    ("refunds", "Refunds"),
    ("net_revenue", "Net revenue"),
    ("orders", "Orders"),
    ("aov", "Average order"),
    ("sessions", "Sessions"),
    ("visitors", "Visitors"),
    ("conversion_rate", "Conversion rate, %"),
    ("payment_success_rate", "Payments that succeeded, %"),
];
/// By what the day is broken down, and what people call that.
const TABLES: [(&str, &str); 3] =
    [("visit:channel", "By channel"), ("visit:city", "By city"), ("item:name", "By product")];
/// Rows of each table.
const ROWS: usize = 10;

/// The report of a local date, such as `2026-03-02`.
///
/// # Errors
/// If there is no such site any more.
pub fn mail(view: &View, site: &SiteId, date: &str, now_ms: i64) -> Result<Mail, QueryError> {
    let metrics: Vec<&str> = FIGURES.iter().map(|(metric, _)| *metric).collect();
    let asked = json!({"site_id": site, "metrics": metrics, "date_range": [date, date],
        "include": {"comparison": "previous_period"}});
    let day = answer(view, asked, now_ms)?;
    let row = day["results"][0].clone();
    let figures = FIGURES.iter().enumerate().map(|(at, (_, name))| {
        let (value, change) = (&row["metrics"][at], &row["comparison"]["change"][at]);
        vec![(*name).to_owned(), shown(value), change_shown(change)]
    });
    let title = format!("{site}: revenue of {date}");
    let mut report = Report::new(&title);
    report.table(&["", date, "since the day before"], figures.collect());
    for (dimension, name) in TABLES {
        let asked = json!({"site_id": site, "metrics": ["revenue", "orders"],
            "date_range": [date, date], "dimensions": [dimension],
            "order_by": [["revenue", "desc"]], "pagination": {"limit": ROWS}});
        let answer = answer(view, asked, now_ms)?;
        let rows = answer["results"].as_array().into_iter().flatten();
        let sold = rows.filter(|row| row["metrics"][1] != 0).map(|row| {
            let metrics = &row["metrics"];
            let name = row["dimensions"][0].as_str().unwrap_or_default().to_owned();
            vec![name, shown(&metrics[0]), shown(&metrics[1])]
        });
        report.table(&[name, "Revenue", "Orders"], sold.collect());
    }
    Ok(report.mail())
}

fn answer(view: &View, asked: Value, now_ms: i64) -> Result<Value, QueryError> {
    let request: Result<Request, _> = serde_json::from_value(asked);
    let request = request.map_err(|error| QueryError::invalid("query", error.to_string()))?;
    query::answer(view, &request, now_ms)
}

/// A number or amounts of money for people.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Array(all) => {
            let one = |money: &Value| {
                let text = |member: &str| money[member].as_str().unwrap_or_default().to_owned();
                format!("{} {}", grouped(&text("amount")), text("currency"))
            };
            all.iter().map(one).collect::<Vec<_>>().join(" + ")
        }
        other => grouped(&other.to_string()),
    }
}

/// A decimal number with its digits in groups of three.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_once('.').map_or((number, ""), |(whole, rest)| (whole, rest));
    let digits = whole.trim_start_matches('-');
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    let rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
    format!("{sign}{text}{rest}")
}

fn change_shown(change: &Value) -> String {
    match change {
        Value::Null => "-".to_owned(),
        Value::Array(all) => {
            let one = |change: &Value| change_shown(&change["change"]);
            all.iter().map(one).collect::<Vec<_>>().join(" + ")
        }
        number if number.to_string().starts_with('-') => format!("{number} %"),
        number => format!("+{number} %"),
    }
}

/// A mail that grows by tables.
struct Report {
    title: String,
    text: String,
    html: String,
}

impl Report {
    fn new(title: &str) -> Self {
        let html = format!("<h2>{}</h2>", escape(title));
        Self { title: title.to_owned(), text: format!("{title}\n"), html }
    }

    fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        self.text.push('\n');
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        let all: Vec<&Vec<String>> = [&head].into_iter().chain(&rows).collect();
        let width = |at: usize| {
            let cells = all.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        self.html.push_str("<table cellpadding=\"4\">");
        for (at, row) in all.iter().enumerate() {
            let tag = if at == 0 { "th" } else { "td" };
            self.html.push_str("<tr>");
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let align = if column == 0 { "left" } else { "right" };
                let cell_html = format!("<{tag} align=\"{align}\">{}</{tag}>", escape(cell));
                self.html.push_str(&cell_html);
                let width = widths.get(column).copied().unwrap_or(0);
                let padded = if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("  {cell:>width$}")
                };
                line.push_str(&padded);
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
            self.html.push_str("</tr>");
        }
        self.html.push_str("</table>");
    }

    fn mail(self) -> Mail {
        Mail { subject: one_line(&self.title), text: self.text, html: page(&self.html) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_groups() {
        let money = json!([{"currency": "VND", "amount": "25000000"},
            {"currency": "USD", "amount": "1234.50"}]);
        for (value, expected) in [
            (json!(0), "0"),
            (json!(999), "999"),
            (json!(1_234_567), "1,234,567"),
            (Value::Null, "-"),
            (money, "25,000,000 VND + 1,234.50 USD"),
        ] {
            assert_eq!(shown(&value), expected);
        }
        assert_eq!(grouped("-1000"), "-1,000");
    }
}
