//! What goes with what, as docs/http-api.md shows it: worked out from the planner, never by hand.

use std::fmt::Write;

use super::dimension::{DIMENSIONS, Dimension, Name, PARAM};
use super::metric::{METRICS, Metric, name_of};

/// A column: what heads it, and the beginnings of its dimensions' names.
const COLUMNS: [(&str, &[&str]); 8] = [
    ("none or `time:*`", &["time:"]),
    ("`event:name`", &["event:name"]),
    ("`event:page`, `event:search_term`, `event:param:*`", &["event:page", "event:search", PARAM]),
    ("`item:*`", &["item:"]),
    ("`experiment:*`", &["experiment:"]),
    ("`visit:*`", &["visit:"]),
    ("`order:*`", &["order:"]),
    ("`reject:code`", &["reject:"]),
];

/// The dimensions of a column.
fn members(beginnings: &[&str]) -> Vec<Dimension> {
    let any = beginnings.contains(&PARAM).then(|| Name::of("any")).flatten().map(Dimension::Param);
    let begins = |name: &str| beginnings.iter().any(|beginning| name.starts_with(beginning));
    let named = DIMENSIONS.iter().filter(|(name, _)| begins(name)).map(|(_, by)| *by);
    named.chain(any).collect()
}

/// What a metric is under the dimensions of a column. Where they do not agree, those are named that
/// it goes with.
fn entry(metric: Metric, beginnings: &[&str]) -> String {
    let of_time = beginnings.contains(&"time:");
    let all = members(beginnings);
    let some: Vec<Dimension> = all.iter().copied().filter(|by| metric.goes_with(*by)).collect();
    if !some.is_empty() && some.len() < all.len() {
        let names = some.iter().map(|by| name_of(*by).split(':').skip(1).collect::<String>());
        let names = names.collect::<Vec<_>>().join(", ");
        return if of_time { format!("none, {names}") } else { names };
    }
    let entry = match metric {
        _ if some.is_empty() => "422",
        Metric::Percentile(_) => "within bounds",
        Metric::Clients if of_time => "estimated",
        _ => "yes",
    };
    entry.to_owned()
}

/// The table of docs/http-api.md, without a line break at its end. Metrics that are the same in
/// every column share a row.
#[must_use]
pub fn table() -> String {
    let mut rows: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (name, metric) in METRICS {
        let entries: Vec<String> = COLUMNS.iter().map(|(_, of)| entry(metric, of)).collect();
        match rows.iter_mut().find(|(_, known)| *known == entries) {
            Some((names, _)) => names.push(name),
            None => rows.push((vec![name], entries)),
        }
    }
    let heads = COLUMNS.map(|(head, _)| head).join(" | ");
    let mut table = format!("| metrics | {heads} |\n|---|{}", "---|".repeat(COLUMNS.len()));
    for (names, entries) in rows {
        // Writing to a text cannot fail.
        let _written = write!(table, "\n| `{}` | {} |", names.join(", "), entries.join(" | "));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dimension_has_one_column() {
        let all: Vec<Dimension> = COLUMNS.iter().flat_map(|(_, of)| members(of)).collect();
        assert_eq!(all.len(), DIMENSIONS.len() + 1);
        assert!(DIMENSIONS.iter().all(|(_, by)| all.contains(by)));
        let costs = "| `cost, roas` | none, day, week, month | 422 |";
        assert!(table().contains(costs), "{}", table());
    }
}
