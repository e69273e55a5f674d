//! Shapes of orders as they are told, and of their statistics.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// A version of an order. Times are epoch milliseconds, amounts numbers or decimal texts in major
/// units.
#[derive(ToSchema)]
pub struct OrderRow {
    /// Unique within its platform.
    order_code: String,
    /// `web` without it.
    #[schema(required = false)]
    platform: String,
    #[schema(required = false)]
    customer_id: String,
    #[schema(required = false)]
    client_id: String,
    /// `unpaid`, `pending`, `ready_to_ship`, `shipped`, `delivered`, `completed`, `cancelled`,
    /// `returned`, `failed`; anything else is kept as `unknown`.
    status: String,
    /// Before discounts; one of this and `final_amount` is required.
    #[schema(required = false, value_type = Object)]
    total_amount: Value,
    #[schema(required = false, value_type = Object)]
    discount_amount: Value,
    /// After discounts.
    #[schema(required = false, value_type = Object)]
    final_amount: Value,
    /// ISO 4217; the site's without it.
    #[schema(required = false)]
    currency: String,
    order_date: i64,
    /// An order that was paid counts, though it was cancelled since.
    #[schema(required = false)]
    paid_at: i64,
    #[schema(required = false)]
    completed_at: i64,
    #[schema(required = false)]
    cancelled_at: i64,
    /// The last of the other times without it.
    #[schema(required = false)]
    updated_at: i64,
    #[schema(required = false)]
    category: String,
    #[schema(required = false)]
    region: String,
    #[schema(required = false)]
    shipping_city: String,
    /// As `items` of events.
    #[schema(required = false)]
    items: Vec<Value>,
}

/// What became of one version.
#[derive(ToSchema)]
pub struct OrderTold {
    index: u64,
    #[schema(required = true)]
    order_code: Option<String>,
    /// `created`, `updated`, `unchanged`, `stale` or `rejected`.
    status: String,
    /// Why it is rejected.
    #[schema(required = false, nullable = false)]
    code: Option<String>,
    /// The sender's field.
    #[schema(required = false, nullable = false)]
    field: Option<String>,
    #[schema(required = false, nullable = false)]
    message: Option<String>,
}

/// What became of versions of orders; the five counts add up to `orders`.
#[derive(ToSchema)]
pub struct OrdersTold {
    orders: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    stale: u64,
    rejected: u64,
    results: Vec<OrderTold>,
    warnings: Vec<Value>,
}

/// Statistics of the orders of a period; amounts are decimals of the row's currency.
#[derive(ToSchema)]
pub struct Daily {
    /// The day, the week's Monday, or the first of the month.
    stat_date: String,
    /// The order platform; null where rows of several are added.
    #[schema(required = true)]
    platform: Option<String>,
    /// With `group_by=category`.
    #[schema(required = false, nullable = false)]
    category: Option<String>,
    /// With `group_by=region`.
    #[schema(required = false, nullable = false)]
    region: Option<String>,
    currency: String,
    total_orders: u64,
    completed_orders: u64,
    cancelled_orders: u64,
    /// Neither completed nor cancelled.
    pending_orders: u64,
    /// Of all orders, before discounts.
    gross_merchandise_value: String,
    /// Of completed orders, after discounts.
    total_revenue: String,
    /// Of completed orders.
    total_discount: String,
    /// Percent, two decimals.
    #[schema(required = true)]
    cancellation_rate: Option<f64>,
    #[schema(required = true)]
    avg_order_value: Option<String>,
    /// Whether the days are over and none of them waits for a rebuild.
    is_final: bool,
}

/// A page of statistics.
#[derive(ToSchema)]
pub struct DailyPage {
    results: Vec<Daily>,
    #[schema(required = true)]
    next: Option<String>,
    /// How many days of the site wait for a rebuild.
    dirty_days: u64,
}

/// A rebuild was queued.
#[derive(ToSchema)]
pub struct JobStarted {
    job: String,
}

/// A rebuild.
#[derive(ToSchema)]
pub struct Job {
    job: String,
    kind: String,
    site: String,
    /// `queued`, `running`, `done` or `failed`.
    state: String,
    /// Those to rebuild.
    days: Vec<String>,
    days_total: u64,
    days_done: u64,
    batches: u64,
    /// Orders that were read.
    orders: u64,
    /// Cells that were wrong, and were put right.
    differences: u64,
    created_at: String,
    #[schema(required = true)]
    finished_at: Option<String>,
    #[schema(required = true)]
    error: Option<String>,
}

/// Statistics against orders.
#[derive(ToSchema)]
pub struct Validation {
    valid: bool,
    days: u64,
    orders: u64,
    /// Every number that is different, the first 1,000: day, platform, currency, category, region,
    /// `field`, and what `statistics` and `orders` say, in minor units.
    differences: Vec<Value>,
}

/// Orders beside payments. Lists hold the first 1,000 rows.
#[derive(ToSchema)]
pub struct Reconciliation {
    matched: u64,
    missing_here: u64,
    missing_there: u64,
    different: u64,
    /// Payments whose amount is none: `{order_id, message}`.
    unreadable: Vec<Value>,
    /// Payments that did not come in.
    unpaid: u64,
    /// By currency: orders, payments, sums, and how far they are apart.
    totals: Vec<Value>,
    /// `{kind, order_id, currency, here, there, difference}`
    results: Vec<Value>,
    /// Sums of each hour.
    hours: Vec<Value>,
    /// Sums of each second in which they are apart.
    seconds: Vec<Value>,
    /// Which of these lists have more rows than are told.
    cut: Vec<String>,
    /// With `json+csv`: every row that does not match.
    #[schema(required = false)]
    csv: String,
    compared_at: String,
}

/// Hours that were compared with payments.
#[derive(ToSchema)]
pub struct Reconciliations {
    results: Vec<HourReconciled>,
    #[schema(required = true)]
    next: Option<String>,
    /// `{limit_percent, hours_waiting, waits}`; null if the settings ask for none.
    #[schema(required = true)]
    schedule: Option<BTreeMap<String, Value>>,
}

/// One hour that was compared with payments.
#[derive(ToSchema)]
pub struct HourReconciled {
    /// When it began, in UTC.
    id: String,
    from: String,
    to: String,
    compared_at: String,
    tries: u32,
    matched: u64,
    missing_here: u64,
    missing_there: u64,
    different: u64,
    unreadable: u64,
    unpaid: u64,
    /// By currency: orders, payments, sums, and what of them does not match.
    totals: Vec<Value>,
    limit_percent: String,
    /// Whether more is apart than may be.
    is_beyond: bool,
}
