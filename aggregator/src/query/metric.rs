//! Metrics and dimensions, and which go together.

use edgetally_proto::vital;

use super::QueryError;
use crate::merge::sketches::Reading;

/// Where a metric comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Accepted events without bots, of one name or of all.
    Events(Option<&'static str>),
    /// Accepted events of bots.
    BotEvents,
    /// Distinct clients, as a sketch tells.
    Clients,
    /// The number that so many of a hundred do not exceed, of what `measure` says.
    Percentile(u8),
    /// Succeeded payments in percent of all.
    PaymentSuccessRate,
    /// Distinct persons with activity.
    Visitors,
    /// Distinct persons of the five minutes up to the end of a row.
    ConcurrentVisitors,
    /// Booked orders.
    Orders,
    /// Their money.
    Revenue,
    /// Their units.
    Units,
    /// Their mean value.
    Aov,
    /// Rejected events, by time of receipt.
    Rejected,
    /// Repeats, by time of receipt.
    Duplicates,
}

/// Names and what they stand for.
const METRICS: [(&str, Metric); 23] = [
    ("events", Metric::Events(None)),
    ("pageviews", Metric::Events(Some("page_view"))),
    ("item_views", Metric::Events(Some("view_item"))),
    ("add_to_carts", Metric::Events(Some("add_to_cart"))),
    ("checkouts", Metric::Events(Some("begin_checkout"))),
    ("searches", Metric::Events(Some("search"))),
    ("payments_succeeded", Metric::Events(Some("payment_success"))),
    ("payments_failed", Metric::Events(Some("payment_failed"))),
    ("payment_success_rate", Metric::PaymentSuccessRate),
    ("visitors", Metric::Visitors),
    ("concurrent_visitors", Metric::ConcurrentVisitors),
    ("orders", Metric::Orders),
    ("revenue", Metric::Revenue),
    ("units", Metric::Units),
    ("aov", Metric::Aov),
    ("rejected", Metric::Rejected),
    ("duplicates", Metric::Duplicates),
    ("bot_events", Metric::BotEvents),
    ("clients", Metric::Clients),
    ("p50", Metric::Percentile(50)),
    ("p75", Metric::Percentile(75)),
    ("p95", Metric::Percentile(95)),
    ("p99", Metric::Percentile(99)),
];

/// Names of the contract that this version does not compute.
const LATER: [&str; 18] = [
    "new_visitors",
    "returning_visitors",
    "sessions",
    "visits",
    "bounce_rate",
    "session_duration",
    "visit_duration",
    "views_per_session",
    "views_per_visit",
    "conversion_rate",
    "orders_pending",
    "refunds",
    "net_revenue",
    "gmv",
    "nmv",
    "late_events",
    "cost",
    "roas",
];

/// Widths of time rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One local hour.
    Hour,
    /// One local day.
    Day,
    /// Monday to Sunday.
    Week,
    /// One local month.
    Month,
}

/// What rows are broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Time.
    Time(Unit),
    /// Name of the event.
    EventName,
    /// Why events were rejected.
    RejectCode,
}

const DIMENSIONS: [(&str, Dimension); 8] = [
    ("time:second", Dimension::Time(Unit::Second)),
    ("time:minute", Dimension::Time(Unit::Minute)),
    ("time:hour", Dimension::Time(Unit::Hour)),
    ("time:day", Dimension::Time(Unit::Day)),
    ("time:week", Dimension::Time(Unit::Week)),
    ("time:month", Dimension::Time(Unit::Month)),
    ("event:name", Dimension::EventName),
    ("reject:code", Dimension::RejectCode),
];

/// Dimensions of the contract that this version does not keep.
const LATER_DIMENSIONS: [&str; 26] = [
    "event:page",
    "event:search_term",
    "item:id",
    "item:name",
    "item:category",
    "item:brand",
    "visit:channel",
    "visit:source",
    "visit:medium",
    "visit:campaign",
    "visit:term",
    "visit:content",
    "visit:referrer",
    "visit:platform",
    "visit:device",
    "visit:browser",
    "visit:os",
    "visit:country",
    "visit:region",
    "visit:city",
    "visit:entry_page",
    "visit:exit_page",
    "order:platform",
    "order:status",
    "experiment:id",
    "experiment:variant",
];

fn unsupported(detail: String) -> QueryError {
    QueryError::Unsupported { detail }
}

/// Reads the name of a metric.
///
/// # Errors
/// If there is no such metric, or it is not computed.
pub fn metric(name: &str, field: &str) -> Result<Metric, QueryError> {
    if let Some((_, metric)) = METRICS.iter().find(|(known, _)| *known == name) {
        return Ok(*metric);
    }
    if LATER.contains(&name) {
        return Err(unsupported(format!("the metric {name} is not computed by this version")));
    }
    let known = METRICS.iter().map(|(known, _)| *known);
    Err(QueryError::invalid(field, unknown("metric", name, known)))
}

/// Reads what quantiles are of.
///
/// # Errors
/// If nothing of that name is measured.
pub fn measure(name: &str) -> Result<Reading, QueryError> {
    let vitals = vital::Metric::ALL
        .map(|metric| (format!("web_vital:{}", metric.as_str()), Reading::WebVital(metric)));
    let payments = ("payment_latency_ms".to_owned(), Reading::PaymentLatency);
    let all: Vec<_> = std::iter::once(payments).chain(vitals).collect();
    if let Some((_, reading)) = all.iter().find(|(known, _)| known == name) {
        return Ok(*reading);
    }
    let known = all.iter().map(|(known, _)| known.as_str());
    Err(QueryError::invalid("measure", unknown("measure", name, known)))
}

/// Reads the name of a dimension.
///
/// # Errors
/// If there is no such dimension, or it is not kept.
pub fn dimension(name: &str, field: &str) -> Result<Dimension, QueryError> {
    if let Some((_, dimension)) = DIMENSIONS.iter().find(|(known, _)| *known == name) {
        return Ok(*dimension);
    }
    if LATER_DIMENSIONS.contains(&name) || name.starts_with("event:param:") {
        return Err(unsupported(format!("no metric can be had by {name} in this version")));
    }
    let known = DIMENSIONS.iter().map(|(known, _)| *known);
    Err(QueryError::invalid(field, unknown("dimension", name, known)))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    format!("{name:?} is no {what}; the nearest is {:?}", nearest.unwrap_or_default())
}

impl Metric {
    /// Whether rows of this metric can be had by a dimension.
    #[must_use]
    pub fn goes_with(self, dimension: Dimension) -> bool {
        match dimension {
            Dimension::Time(_) => true,
            Dimension::EventName => self.takes_names(),
            Dimension::RejectCode => self == Self::Rejected,
        }
    }

    /// How it is estimated, if it is.
    #[must_use]
    pub fn method(self) -> Option<&'static str> {
        match self {
            Self::Clients => Some(
                "HyperLogLog++ with 2^14 registers, 1.6 % either way; up to 4,096 clients one by \
                 one, but for equal hashes",
            ),
            Self::Percentile(_) => Some(
                "DDSketch with bins of at most 1/128 of their numbers: the number at the nearest \
                 rank lies within the bounds; null where they meet",
            ),
            _ => None,
        }
    }

    /// Whether it follows from events that each have a name.
    #[must_use]
    pub fn takes_names(self) -> bool {
        matches!(self, Self::Events(_) | Self::BotEvents | Self::Visitors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_say_which_is_near() {
        let error = metric("revenu", "metrics[0]").unwrap_err();
        let QueryError::Invalid { field, detail } = error else { panic!("{error:?}") };
        assert_eq!(field, "metrics[0]");
        assert!(detail.contains("\"revenue\""), "{detail}");
        assert!(matches!(metric("sessions", ""), Err(QueryError::Unsupported { .. })));
        assert!(matches!(dimension("visit:channel", ""), Err(QueryError::Unsupported { .. })));
        assert!(matches!(dimension("event:nam", ""), Err(QueryError::Invalid { .. })));
        assert!(METRICS.iter().all(|(name, _)| !LATER.contains(name)));
    }
}
