//! Metrics and dimensions, and which go together.

use edgetally_proto::vital;

use super::QueryError;
use super::costs;
use super::dimension::DIMENSIONS;
pub use super::dimension::{Dimension, Unit, Visit, dimension, name_of};
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
pub const METRICS: [(&str, Metric); 41] = [
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

pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    format!("{name:?} is no {what}; the nearest is {:?}", nearest.unwrap_or_default())
}

impl Metric {
    /// Whether rows of this metric can be had by a dimension, and whether it can be filtered by it.
    #[must_use]
    pub fn goes_with(self, dimension: Dimension) -> bool {
        if self.is_of_costs() {
            return costs::goes_with(dimension);
        }
        let of_activity = self == Self::Visitors || self.is_of_sessions();
        match dimension {
            Dimension::Time(_) => true,
            Dimension::EventName => self.is_of_events() || of_activity,
            Dimension::EventPage | Dimension::SearchTerm | Dimension::Param(_) => {
                self.is_of_events() || of_activity
            }
            Dimension::Item(_) => of_activity || self.is_of_items() || self.names_items(),
            Dimension::Experiment | Dimension::Variant => of_activity || self.is_of_orders(),
            Dimension::Visit(_) => !matches!(self, Self::Rejected | Self::Duplicates),
            Dimension::OrderPlatform | Dimension::OrderStatus => self.is_of_orders(),
            Dimension::RejectCode => self == Self::Rejected,
        }
    }

    /// How it is estimated where it is not counted row by row.
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

    /// Whether it follows from events one by one, whoever sent them.
    #[must_use]
    pub fn is_of_events(self) -> bool {
        let counted = matches!(self, Self::Events(_) | Self::BotEvents | Self::LateEvents);
        let of_payments = self == Self::PaymentSuccessRate;
        counted || of_payments || matches!(self, Self::Clients | Self::Percentile(_))
    }

    /// Whether sums by name of event give it.
    #[must_use]
    pub fn takes_names(self) -> bool {
        matches!(self, Self::Events(_) | Self::BotEvents | Self::LateEvents | Self::Visitors)
    }

    /// Whether it counts events of a name that carry their products.
    #[must_use]
    pub fn names_items(self) -> bool {
        let names = ["view_item", "add_to_cart", "begin_checkout"];
        matches!(self, Self::Events(Some(name)) if names.contains(&name))
    }

    /// Whether it is a sum over the lines of orders.
    #[must_use]
    pub fn is_of_items(self) -> bool {
        matches!(self, Self::Orders | Self::Units | Self::Revenue | Self::Gmv)
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
        assert!(matches!(dimension("event:nam", ""), Err(QueryError::Invalid { .. })));
    }
}
