//! Shapes of what is found: alerts, trends, experiments.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// Something that was found.
#[derive(ToSchema)]
pub struct Alert {
    id: String,
    /// `rule`, `fraud`, `check` or `test`.
    kind: String,
    rule: String,
    severity: String,
    /// `firing` or `resolved`.
    state: String,
    message: String,
    at: String,
    #[schema(required = true)]
    resolved_at: Option<String>,
    #[schema(required = true)]
    acknowledged_at: Option<String>,
    /// What it was found by.
    evidence: BTreeMap<String, Value>,
}

/// What is on its way.
#[derive(ToSchema)]
pub struct Sent {
    /// The alert, if it is one.
    #[schema(required = true)]
    id: Option<String>,
    /// Ids of the deliveries.
    deliveries: Vec<String>,
}

/// Something that somebody was told, or is still to be told.
#[derive(ToSchema)]
pub struct Delivery {
    id: String,
    /// The name of a webhook, or a mail address.
    to: String,
    /// `waiting`, `delivered` or `given_up`.
    state: String,
    /// When it was made, or will be tried next.
    at: String,
    since: String,
    tries: u32,
    /// What the last try came to.
    #[schema(required = true)]
    said: Option<String>,
}

/// A rule of alerts.
#[derive(ToSchema)]
pub struct Rule {
    name: String,
    metric: String,
    #[schema(required = false)]
    is_firing: bool,
}

/// What rises.
#[derive(ToSchema)]
pub struct Trends {
    results: Vec<Trend>,
    #[schema(required = true)]
    next: Option<String>,
    /// Method, chance of a false alarm, and what was looked at.
    meta: BTreeMap<String, Value>,
}

/// Something that rises.
#[derive(ToSchema)]
pub struct Trend {
    value: String,
    sessions: u64,
    sessions_before: u64,
    /// Sessions that it would have now with the share of before.
    expected: f64,
    lift: f64,
    p_value: f64,
}

/// What came of an experiment.
#[derive(ToSchema)]
pub struct Experiment {
    experiment: String,
    control: String,
    variants: Vec<BTreeMap<String, Value>>,
    /// Persons who saw more than one, and count in none.
    several_variants: u64,
    /// Views by clients without any session in the range, which count in none.
    views_of_absent: u64,
    sample_ratio: BTreeMap<String, Value>,
    meta: BTreeMap<String, Value>,
}
