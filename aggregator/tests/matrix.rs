//! What goes with what: the table of docs/http-api.md, the planner and its answers say the same.

use aggregator::query::QueryError;
use aggregator::query::dimension::{DIMENSIONS, Dimension, dimension};
use aggregator::query::matrix::table;
use aggregator::query::metric::{METRICS, Metric};
use serde_json::{Value, json};

use crate::support::events::{Event, share};
use crate::support::snapshot::{START, Snapshot};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/http-api.md");
const PARAM: &str = "event:param:color";

/// The docs show the table that the planner gives; `EDGETALLY_WRITE_DOCS=1` puts it there.
#[test]
fn the_table_of_the_docs_is_that_of_the_planner() {
    let docs = std::fs::read_to_string(DOCS).unwrap();
    let head = docs.find("| metrics | none or").expect("the table's head");
    let rest = &docs[head..];
    let length = rest.find("\n\n").expect("the table's end");
    if std::env::var_os("EDGETALLY_WRITE_DOCS").is_some() {
        let new = [&docs[..head], &table(), &rest[length..]].concat();
        std::fs::write(DOCS, new).unwrap();
        return;
    }
    assert_eq!(&rest[..length], table(), "docs/http-api.md does not say what the planner does");
}

fn snapshot() -> Snapshot {
    let order = Event::new("p", "c", "purchase", START + 1_000).order("T", 100);
    let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND",
        "params": {"keep": ["color"]}});
    Snapshot::with(settings, vec![share(&[Event::new("v", "c", "page_view", START), order])])
}

fn query(metric: Metric, name: &str) -> Value {
    let mut query = json!({"metrics": [name], "date_range": ["2026-03-02", "2026-03-02"]});
    if matches!(metric, Metric::Percentile(_)) {
        query["measure"] = json!("payment_latency_ms");
    }
    query
}

/// Whether a query is answered; nothing but a pair that does not go together keeps it from that.
fn is_answered(snapshot: &Snapshot, query: Value) -> bool {
    match snapshot.ask("2026-03-02T10:30:00+07:00", query.clone()) {
        Ok(answer) => {
            assert!(answer["results"].is_array(), "{query}");
            true
        }
        Err(QueryError::Unsupported { detail }) => {
            let named = [&query["metrics"][0], &query["dimensions"][0], &query["filters"][0][1]];
            let said = named.iter().filter_map(|name| name.as_str());
            assert!(said.clone().all(|name| detail.contains(name)), "{detail}: {query}");
            false
        }
        other => panic!("{query}: {other:?}"),
    }
}

/// Each pair as a breakdown and as a filter, through the planner and the answer.
#[test]
fn every_cell_is_answered_or_refused_as_the_table_says() {
    let snapshot = snapshot();
    let mut counts = [0, 0];
    for (name, metric) in METRICS {
        for by in DIMENSIONS.iter().map(|(by, _)| *by).chain([PARAM]) {
            let goes = metric.goes_with(dimension(by, "").unwrap());
            let mut broken_down = query(metric, name);
            broken_down["dimensions"] = json!([by]);
            assert_eq!(is_answered(&snapshot, broken_down), goes, "{name} by {by}");
            let mut filtered = query(metric, name);
            filtered["filters"] = json!([["is", by, ["x"]]]);
            let is_time = matches!(dimension(by, ""), Ok(Dimension::Time(_)));
            if is_time {
                let refused = snapshot.ask("2026-03-02T10:30:00+07:00", filtered);
                assert!(matches!(refused, Err(QueryError::Unsupported { .. })), "{name} by {by}");
            } else {
                assert_eq!(is_answered(&snapshot, filtered), goes, "{name} with {by}");
            }
            counts[usize::from(goes)] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count > 100), "the table has two sides: {counts:?}");
}

#[test]
fn parameters_that_are_not_kept_are_refused() {
    for by in ["event:param:size", "event:param:"] {
        let asked = json!({"metrics": ["events"], "date_range": "all", "dimensions": [by]});
        let refused = snapshot().ask("2026-03-02T10:30:00+07:00", asked).unwrap_err();
        match (by, refused) {
            ("event:param:size", QueryError::Unsupported { detail }) => {
                assert!(detail.contains("params.keep"), "{detail}");
            }
            (_, QueryError::Invalid { field, .. }) => assert_eq!(field, "dimensions[0]"),
            other => panic!("{other:?}"),
        }
    }
}
