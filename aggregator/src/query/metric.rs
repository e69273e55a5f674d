//! Metrics and dimensions, and which go together.

use edgetally_proto::vital;

use super::QueryError;
use super::costs;
use crate::merge::sketches::Reading;

/// Where a metric comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Accepted events without bots, of one name or of all.
    Events(Option<&'static str>),
    /// Accepted events of bots.
    BotEvents,
    /// Accepted events without bots that were over an hour old when they came.
    LateEvents,
    /// Distinct clients, as a sketch tells.
    Clients,
    /// The number that so many of a hundred do not exceed, of what `measure` says.
    Percentile(u8),
    /// Succeeded payments in percent of all.
    PaymentSuccessRate,
    /// Distinct persons with activity.
    Visitors,
    /// Of them, those whose first activity of all lies in the range.
    NewVisitors,
    /// The rest.
    ReturningVisitors,
    /// Distinct persons of the five minutes up to the end of a row.
    ConcurrentVisitors,
    /// Sessions by their start.
    Sessions,
    /// Of them, those of one activity, in percent.
    BounceRate,
    /// Their mean duration in seconds.
    SessionDuration,
    /// Their mean of page views.
    ViewsPerSession,
    /// Of them, those in which something was ordered, in percent.
    ConversionRate,
    /// Booked orders.
    Orders,
    /// Orders that are not booked yet.
    OrdersPending,
    /// The money of booked ones.
    Revenue,
    /// What came back of it.
    Refunds,
    /// What is left.
    NetRevenue,
    /// Unit prices times quantities.
    Gmv,
    /// Of that, less discounts and what came back.
    Nmv,
    /// Their units.
    Units,
    /// Their mean value.
    Aov,
    /// What campaigns cost.
    Cost,
    /// Revenue by what campaigns cost.
    Roas,
    /// Rejected events, by time of receipt.
    Rejected,
    /// Repeats, by time of receipt.
    Duplicates,
}

/// Names and what they stand for.
const METRICS: [(&str, Metric); 41] = [
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
    ("new_visitors", Metric::NewVisitors),
    ("returning_visitors", Metric::ReturningVisitors),
    ("concurrent_visitors", Metric::ConcurrentVisitors),
    ("sessions", Metric::Sessions),
    ("visits", Metric::Sessions),
    ("bounce_rate", Metric::BounceRate),
    ("session_duration", Metric::SessionDuration),
    ("visit_duration", Metric::SessionDuration),
    ("views_per_session", Metric::ViewsPerSession),
    ("views_per_visit", Metric::ViewsPerSession),
    ("conversion_rate", Metric::ConversionRate),
    ("orders", Metric::Orders),
    ("orders_pending", Metric::OrdersPending),
    ("revenue", Metric::Revenue),
    ("refunds", Metric::Refunds),
    ("net_revenue", Metric::NetRevenue),
    ("gmv", Metric::Gmv),
    ("nmv", Metric::Nmv),
    ("units", Metric::Units),
    ("aov", Metric::Aov),
    ("cost", Metric::Cost),
    ("roas", Metric::Roas),
    ("rejected", Metric::Rejected),
    ("duplicates", Metric::Duplicates),
    ("bot_events", Metric::BotEvents),
    ("late_events", Metric::LateEvents),
    ("clients", Metric::Clients),
    ("p50", Metric::Percentile(50)),
    ("p75", Metric::Percentile(75)),
    ("p95", Metric::Percentile(95)),
    ("p99", Metric::Percentile(99)),
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
    /// Of a session, or of the credit and the event of an order.
    Visit(Visit),
    /// Where an order was placed.
    OrderPlatform,
    /// What became of an order.
    OrderStatus,
}

/// What a visit can be broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// Channel of the touch.
    Channel,
    /// Source of its campaign.
    Source,
    /// Medium of its campaign.
    Medium,
    /// Name of its campaign.
    Campaign,
    /// Term of its campaign.
    Term,
    /// Content of its campaign.
    Content,
    /// The host that linked to the shop.
    Referrer,
    /// Platform of the event.
    Platform,
    /// Kind of device.
    Device,
    /// Browser.
    Browser,
    /// Operating system.
    Os,
    /// Country.
    Country,
    /// Region.
    Region,
    /// City; of an order the one it goes to, if that is known.
    City,
    /// Path of the first page.
    EntryPage,
    /// Path of the last page.
    ExitPage,
}

impl Visit {
    /// Whether it is told by the touch in force.
    #[must_use]
    pub fn is_of_touch(self) -> bool {
        use Visit::{Campaign, Channel, Content, Medium, Referrer, Source, Term};
        matches!(self, Channel | Source | Medium | Campaign | Term | Content | Referrer)
    }
}

const DIMENSIONS: [(&str, Dimension); 26] = [
    ("time:second", Dimension::Time(Unit::Second)),
    ("time:minute", Dimension::Time(Unit::Minute)),
    ("time:hour", Dimension::Time(Unit::Hour)),
    ("time:day", Dimension::Time(Unit::Day)),
    ("time:week", Dimension::Time(Unit::Week)),
    ("time:month", Dimension::Time(Unit::Month)),
    ("event:name", Dimension::EventName),
    ("reject:code", Dimension::RejectCode),
    ("visit:channel", Dimension::Visit(Visit::Channel)),
    ("visit:source", Dimension::Visit(Visit::Source)),
    ("visit:medium", Dimension::Visit(Visit::Medium)),
    ("visit:campaign", Dimension::Visit(Visit::Campaign)),
    ("visit:term", Dimension::Visit(Visit::Term)),
    ("visit:content", Dimension::Visit(Visit::Content)),
    ("visit:referrer", Dimension::Visit(Visit::Referrer)),
    ("visit:platform", Dimension::Visit(Visit::Platform)),
    ("visit:device", Dimension::Visit(Visit::Device)),
    ("visit:browser", Dimension::Visit(Visit::Browser)),
    ("visit:os", Dimension::Visit(Visit::Os)),
    ("visit:country", Dimension::Visit(Visit::Country)),
    ("visit:region", Dimension::Visit(Visit::Region)),
    ("visit:city", Dimension::Visit(Visit::City)),
    ("visit:entry_page", Dimension::Visit(Visit::EntryPage)),
    ("visit:exit_page", Dimension::Visit(Visit::ExitPage)),
    ("order:platform", Dimension::OrderPlatform),
    ("order:status", Dimension::OrderStatus),
];

/// Dimensions of the contract that this version does not keep.
const LATER_DIMENSIONS: [&str; 8] = [
    "event:page",
    "event:search_term",
    "item:id",
    "item:name",
    "item:category",
    "item:brand",
    "experiment:id",
    "experiment:variant",
];

fn unsupported(detail: String) -> QueryError {
    QueryError::Unsupported { detail }
}

/// Names of all metrics, aliases included.
pub fn names() -> impl Iterator<Item = &'static str> {
    METRICS.iter().map(|(name, _)| *name)
}

/// Names of all dimensions but those of kept parameters.
pub fn dimension_names() -> impl Iterator<Item = &'static str> {
    DIMENSIONS.iter().map(|(name, _)| *name)
}

/// Reads the name of a metric.
///
/// # Errors
/// If there is no such metric, or it is not computed.
pub fn metric(name: &str, field: &str) -> Result<Metric, QueryError> {
    if let Some((_, metric)) = METRICS.iter().find(|(known, _)| *known == name) {
        return Ok(*metric);
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

/// The name of a dimension.
#[must_use]
pub fn name_of(dimension: Dimension) -> &'static str {
    DIMENSIONS.iter().find(|(_, known)| *known == dimension).map_or("", |(name, _)| name)
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
        if self.is_of_costs() {
            return costs::goes_with(dimension);
        }
        match dimension {
            Dimension::Time(_) => true,
            Dimension::EventName => self.takes_names(),
            Dimension::RejectCode => self == Self::Rejected,
            Dimension::Visit(_) => {
                self.is_of_sessions() || self.is_of_visitors() || self.is_of_orders()
            }
            Dimension::OrderPlatform | Dimension::OrderStatus => self.is_of_orders(),
        }
    }

    /// How it is estimated, if it is.
    #[must_use]
    pub fn method(self) -> Option<&'static str> {
        match self {
            Self::Clients => Some(
                "HyperLogLog++ with 2^14 registers, 1.8 % either way; up to 4,096 clients one by \
                 one, but for equal hashes",
            ),
            Self::Percentile(_) => Some(
                "DDSketch with bins of at most 1/128 of their numbers: the number at the nearest \
                 rank lies within the bounds; null where they meet",
            ),
            Self::Visitors | Self::ReturningVisitors => Some(
                "one by one; HyperLogLog++ with 2^14 registers, 1.8 % either way, where more than \
                 2^20 activity events of sealed days are in",
            ),
            _ => None,
        }
    }

    /// Whether it is a sum over sessions.
    #[must_use]
    pub fn is_of_sessions(self) -> bool {
        use Metric::{BounceRate, ConversionRate, SessionDuration, Sessions, ViewsPerSession};
        matches!(self, Sessions | BounceRate | SessionDuration | ViewsPerSession | ConversionRate)
    }

    /// Whether it follows from what campaigns cost.
    #[must_use]
    pub fn is_of_costs(self) -> bool {
        matches!(self, Self::Cost | Self::Roas)
    }

    /// Whether it is money.
    #[must_use]
    pub fn is_money(self) -> bool {
        use Metric::{Aov, Cost, Gmv, NetRevenue, Nmv, Refunds, Revenue};
        matches!(self, Revenue | Refunds | NetRevenue | Gmv | Nmv | Aov | Cost)
    }

    /// Whether it counts persons with activity.
    #[must_use]
    pub fn is_of_visitors(self) -> bool {
        matches!(self, Self::Visitors | Self::NewVisitors | Self::ReturningVisitors)
    }

    /// Whether it is a sum over orders.
    #[must_use]
    pub fn is_of_orders(self) -> bool {
        use Metric::{Aov, Gmv, NetRevenue, Nmv, Orders, OrdersPending, Refunds, Revenue, Units};
        let amount = matches!(self, Revenue | Refunds | NetRevenue | Gmv | Nmv | Aov);
        amount || matches!(self, Orders | OrdersPending | Units)
    }

    /// Whether it is a share of a whole, in percent.
    #[must_use]
    pub fn is_share(self) -> bool {
        matches!(self, Self::BounceRate | Self::ConversionRate | Self::PaymentSuccessRate)
    }

    /// Whether it follows from events that each have a name.
    #[must_use]
    pub fn takes_names(self) -> bool {
        matches!(self, Self::Events(_) | Self::BotEvents | Self::LateEvents | Self::Visitors)
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
        assert!(matches!(dimension("item:id", ""), Err(QueryError::Unsupported { .. })));
        assert!(matches!(dimension("event:nam", ""), Err(QueryError::Invalid { .. })));
    }
}
