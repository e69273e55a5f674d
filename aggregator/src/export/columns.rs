//! The columns of each list, in their order.

/// What a column holds, and how each format writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Whole,
    /// Yes or no.
    Truth,
    /// An instant: RFC 3339 in text, milliseconds of UTC in Parquet.
    Time,
    /// A local date.
    Date,
    /// An amount of one currency: two columns, the code in `<name>_currency`.
    Money,
    /// Amounts of several currencies: JSON in CSV, a list of `{currency, amount}` in Parquet.
    Moneys,
    /// Texts: JSON in CSV, a list in Parquet.
    Texts,
    /// What has members of its own, as JSON.
    Json,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name, which is the member's name in the list route.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// Columns of sessions.
pub const SESSIONS: &[Column] = &[
    column("session_id", Kind::Text),
    column("person", Kind::Text),
    column("start", Kind::Time),
    column("end", Kind::Time),
    column("local_date", Kind::Date),
    column("start_reason", Kind::Texts),
    column("clients", Kind::Texts),
    column("platforms", Kind::Texts),
    column("entry", Kind::Json),
    column("attributed", Kind::Json),
    column("attributed_event", Kind::Text),
    column("channel", Kind::Text),
    column("events", Kind::Whole),
    column("pageviews", Kind::Whole),
    column("orders", Kind::Texts),
    column("revenue", Kind::Moneys),
    column("entry_page", Kind::Text),
    column("exit_page", Kind::Text),
    column("country", Kind::Text),
    column("city", Kind::Text),
    column("device", Kind::Text),
    column("state", Kind::Text),
    column("generation", Kind::Whole),
    column("rules", Kind::Json),
    column("rev", Kind::Whole),
];

/// Columns of orders.
pub const ORDERS: &[Column] = &[
    column("transaction_id", Kind::Text),
    column("platform", Kind::Text),
    column("person", Kind::Text),
    column("session_id", Kind::Text),
    column("status", Kind::Text),
    column("booked", Kind::Truth),
    column("created_at", Kind::Time),
    column("completed_at", Kind::Time),
    column("cancelled_at", Kind::Time),
    column("value", Kind::Money),
    column("gmv", Kind::Money),
    column("nmv", Kind::Money),
    column("refunded", Kind::Money),
    column("refunds", Kind::Json),
    column("units", Kind::Whole),
    column("back_office", Kind::Json),
    column("copies", Kind::Whole),
    column("shipping_city", Kind::Text),
    column("credited", Kind::Json),
    column("channel", Kind::Text),
    column("reason", Kind::Text),
    column("touches", Kind::Json),
    column("aged_out", Kind::Truth),
    column("frozen", Kind::Truth),
];

/// Columns of daily statistics; amounts are in the row's currency.
pub const DAILY: &[Column] = &[
    column("stat_date", Kind::Date),
    column("platform", Kind::Text),
    column("currency", Kind::Text),
    column("total_orders", Kind::Whole),
    column("completed_orders", Kind::Whole),
    column("cancelled_orders", Kind::Whole),
    column("pending_orders", Kind::Whole),
    column("gross_merchandise_value", Kind::Text),
    column("total_revenue", Kind::Text),
    column("total_discount", Kind::Text),
    column("cancellation_rate", Kind::Text),
    column("avg_order_value", Kind::Text),
    column("is_final", Kind::Truth),
];

/// Columns of rejected events.
pub const REJECTS: &[Column] = &[
    column("received_at", Kind::Time),
    column("code", Kind::Text),
    column("field", Kind::Text),
    column("message", Kind::Text),
    column("event", Kind::Json),
    column("not_kept", Kind::Whole),
    column("now", Kind::Text),
];

/// Columns of time series by second, minute or hour.
pub const INSTANTS: &[Column] = &series(Kind::Time);

/// Columns of time series by day, week or month.
pub const DATES: &[Column] = &series(Kind::Date);

/// How many metrics a time series has.
const METRICS: usize = 20;

const fn series(time: Kind) -> [Column; METRICS + 1] {
    [
        column("time", time),
        column("events", Kind::Whole),
        column("pageviews", Kind::Whole),
        column("item_views", Kind::Whole),
        column("add_to_carts", Kind::Whole),
        column("checkouts", Kind::Whole),
        column("searches", Kind::Whole),
        column("visitors", Kind::Whole),
        column("sessions", Kind::Whole),
        column("orders", Kind::Whole),
        column("units", Kind::Whole),
        column("revenue", Kind::Moneys),
        column("refunds", Kind::Moneys),
        column("net_revenue", Kind::Moneys),
        column("gmv", Kind::Moneys),
        column("nmv", Kind::Moneys),
        column("payments_succeeded", Kind::Whole),
        column("payments_failed", Kind::Whole),
        column("rejected", Kind::Whole),
        column("duplicates", Kind::Whole),
        column("bot_events", Kind::Whole),
    ]
}
