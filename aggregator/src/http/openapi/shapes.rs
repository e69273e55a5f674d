//! The shapes of answers, as they are described. Handlers write them by hand, so that a number
//! has exactly the digits it should; the tests hold every answer against its shape.

#![expect(dead_code, reason = "shapes are described, never made")]

mod found;
mod orders;

pub use orders::*;

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

pub use found::*;

/// An error (RFC 9457).
#[derive(ToSchema)]
pub struct Problem {
    /// `urn:edgetally:problem:<code>`
    r#type: String,
    title: String,
    status: u16,
    /// For people.
    detail: String,
    /// For programs; a closed list, docs/http-api.md.
    code: String,
    /// The member or parameter that is wrong.
    #[schema(required = false, nullable = false)]
    field: Option<String>,
    /// When to come back.
    #[schema(required = false, nullable = false)]
    retry_after_ms: Option<u64>,
}

/// An amount in one currency.
#[derive(ToSchema)]
pub struct Money {
    /// ISO 4217.
    currency: String,
    /// A decimal with exactly the digits of the currency.
    amount: String,
}

/// A page of a list.
#[derive(ToSchema)]
pub struct Page<T> {
    results: Vec<T>,
    /// What goes into `after` for the next page; null at the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// A page of sessions, or of what changed of them.
#[derive(ToSchema)]
pub struct Sessions {
    /// Sessions; with `changes_since` also retractions.
    results: Vec<Value>,
    #[schema(required = true)]
    next: Option<String>,
    /// With `changes_since`: whether what changed is not known whole any more.
    #[schema(required = false, nullable = false)]
    reset: Option<bool>,
    /// With `changes_since`: what the next call gives as `changes_since`.
    #[schema(required = false, nullable = false)]
    rev: Option<u64>,
}

/// An order.
#[derive(ToSchema)]
pub struct Order {
    transaction_id: String,
    /// The order's platform, `web` for the shop's own.
    platform: String,
    #[schema(required = true)]
    person: Option<String>,
    #[schema(required = true)]
    session_id: Option<String>,
    status: String,
    booked: bool,
    created_at: String,
    #[schema(required = true)]
    completed_at: Option<String>,
    #[schema(required = true)]
    cancelled_at: Option<String>,
    value: Money,
    gmv: Money,
    nmv: Money,
    refunded: Money,
    refunds: Vec<Value>,
    units: i64,
    /// What the back office says, null where it has not spoken.
    #[schema(required = true, value_type = Option<Object>)]
    back_office: Option<Value>,
    /// How often it was told of.
    copies: u32,
    #[schema(required = true)]
    shipping_city: Option<String>,
    /// The touch it is credited to; null is direct.
    #[schema(required = true, value_type = Option<Object>)]
    credited: Option<Value>,
    channel: String,
    reason: String,
    touches: Vec<Value>,
    aged_out: bool,
    frozen: bool,
}

/// A person.
#[derive(ToSchema)]
pub struct Person {
    site: String,
    person: String,
    #[schema(required = true)]
    merged_into: Option<String>,
    merged: Vec<String>,
    #[schema(required = true)]
    first_seen: Option<String>,
    #[schema(required = true)]
    last_seen: Option<String>,
    events: u64,
    clients: Vec<String>,
    client_count: u64,
    sessions: Vec<Value>,
    session_count: u64,
    all_sessions: String,
    orders: Vec<Order>,
    order_count: u64,
    all_orders: String,
    reassignments: Vec<Value>,
    reassignment_count: u64,
}

/// What was erased.
#[derive(ToSchema)]
pub struct Erased {
    site: String,
    person: String,
    persons: Vec<String>,
    erased_at: String,
    events: u64,
    orders_kept: u64,
    clients: u64,
    fell_back: u64,
    rejected_events: u64,
}

/// What a merge moved.
#[derive(ToSchema)]
pub struct Merged {
    site: String,
    from: String,
    into: String,
    merged: bool,
    changed: bool,
    at: String,
    events: u64,
    clients: u64,
}

/// A merge, or an undone one.
#[derive(ToSchema)]
pub struct MergeRow {
    from: String,
    into: String,
    /// `merge` or `undo`.
    op: String,
    at: String,
}

/// A page of rejected events.
#[derive(ToSchema)]
pub struct Rejects {
    results: Vec<Reject>,
    #[schema(required = true)]
    next: Option<String>,
    hours: Vec<Value>,
}

/// A rejected event.
#[derive(ToSchema)]
pub struct Reject {
    received_at: String,
    code: String,
    #[schema(required = true)]
    field: Option<String>,
    message: String,
    /// As it was sent.
    event: Value,
    not_kept: u64,
    #[schema(required = true)]
    now: Option<String>,
}

/// What became of rejected events.
#[derive(ToSchema)]
pub struct Replayed {
    replayed: u64,
    accepted: u64,
    duplicates: u64,
    rejected: Vec<Value>,
    #[schema(required = true)]
    next: Option<String>,
}

/// A report.
#[derive(ToSchema)]
pub struct Report {
    results: Vec<ReportRow>,
    meta: Meta,
    /// The query with everything that it left out.
    query: BTreeMap<String, Value>,
}

/// A row of a report.
#[derive(ToSchema)]
pub struct ReportRow {
    /// In the order of the query's `dimensions`.
    dimensions: Vec<String>,
    /// In the order of the query's `metrics`: numbers, null, or lists of amounts.
    metrics: Vec<Value>,
    /// With `include.bounds`: `[lower, upper]` of 95 %, null where the number is exact.
    #[schema(required = false, nullable = false)]
    bounds: Option<Vec<Value>>,
    /// With `include.comparison`: the same of the earlier stretch.
    #[schema(required = false, value_type = Object)]
    comparison: Option<Value>,
}

/// How fresh an answer is.
#[derive(ToSchema)]
pub struct Meta {
    snapshot: u64,
    #[schema(required = true)]
    watermark: Option<String>,
    lagging: Vec<String>,
}

/// A funnel.
#[derive(ToSchema)]
pub struct Funnel {
    steps: Vec<Value>,
    /// With `dimensions`: rows `{dimensions, steps}`.
    #[schema(required = false, nullable = false)]
    results: Option<Vec<Value>>,
    query: BTreeMap<String, Value>,
    meta: Meta,
}

/// How far every shard has come.
#[derive(ToSchema)]
pub struct Edges {
    shards: Vec<Value>,
    totals: EdgeTotals,
}

/// accepted = applied + late_duplicates + dead + in_flight. To a key of one site among several:
/// what the shards brought of it; in_flight is null while a shard holds events that it has not
/// sent, since whose they are is known only then.
#[derive(ToSchema)]
pub struct EdgeTotals {
    accepted: u64,
    applied: u64,
    late_duplicates: u64,
    dead: u64,
    in_flight: Option<u64>,
}

/// A site.
#[derive(ToSchema)]
pub struct Site {
    site: String,
    /// Grows with every write of any site or key.
    version: u64,
    settings: BTreeMap<String, Value>,
}

/// A key, which is told by its id alone.
#[derive(ToSchema)]
pub struct Key {
    id: String,
    site: String,
    kind: String,
}

/// The file of a backup.
#[derive(ToSchema)]
pub struct Backup {
    name: String,
    /// Where it lies on the aggregator's machine.
    path: String,
    bytes: u64,
    /// RFC 3339, UTC.
    taken_at: String,
}

/// A key that was just made.
#[derive(ToSchema)]
pub struct MadeKey {
    id: String,
    /// Shown here and never again.
    key: String,
    site: String,
    kind: String,
}

/// A public link, which is told by its id alone.
#[derive(ToSchema)]
pub struct Link {
    id: String,
    site: String,
    created_at: String,
}

/// A public link that was just made.
#[derive(ToSchema)]
pub struct MadeLink {
    id: String,
    site: String,
    created_at: String,
    /// The live page of the site.
    url: String,
    /// What opens it; shown here and never again.
    token: String,
}

/// A line of the audit log.
#[derive(ToSchema)]
pub struct Note {
    at: String,
    /// The id of a key or login, or `environment`, or `nobody`.
    who: String,
    act: String,
    #[schema(required = true)]
    site: Option<String>,
    #[schema(required = true)]
    about: Option<String>,
}

/// A login that was just made.
#[derive(ToSchema)]
pub struct Login {
    id: String,
    expires_at: String,
}

/// How far frames are durable.
#[derive(ToSchema)]
pub struct Acked {
    acked: u64,
    /// No restorable state needs frames before this one.
    keep_from: u64,
    limits: BTreeMap<String, u64>,
    config_version: u64,
}

/// A report in the form of Plausible's Stats API v2.
#[derive(ToSchema)]
pub struct PlausibleReport {
    results: Vec<PlausibleRow>,
    meta: BTreeMap<String, Value>,
    /// The query with everything that it left out.
    query: BTreeMap<String, Value>,
}

/// A row of it.
#[derive(ToSchema)]
pub struct PlausibleRow {
    dimensions: Vec<Value>,
    metrics: Vec<Value>,
}

/// The course's numbers, in the currency of the site.
#[derive(ToSchema)]
#[expect(non_snake_case, reason = "the names are the course's")]
pub struct CourseTotals {
    totalRevenue: f64,
    totalOrders: u64,
    avgOrderValue: f64,
}

/// Revenue of a city, in the currency of the site.
#[derive(ToSchema)]
pub struct CourseCity {
    city: String,
    revenue: f64,
}

/// What is left of a product.
#[derive(ToSchema)]
pub struct Stock {
    item_id: String,
    #[schema(required = true)]
    item_name: Option<String>,
    stock: u64,
    updated_at: String,
}

/// What became of costs.
#[derive(ToSchema)]
pub struct Costs {
    created: u64,
    updated: u64,
    unchanged: u64,
    warnings: Vec<Value>,
}
