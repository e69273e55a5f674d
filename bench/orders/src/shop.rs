//! Orders of three years, drawn from a seed: as the route takes them, and as PostgreSQL does.

use std::fmt::Write;

/// The site.
pub const SITE: &str = "bench";
/// Its zone, which has no summer time.
pub const ZONE: &str = "Asia/Ho_Chi_Minh";
/// 2023-11-01 00:00 there.
const BEGIN_MS: i64 = 1_698_771_600_000;
const DAY_MS: i64 = 86_400_000;
/// Days with orders, the last of them 2026-10-31.
const DAYS: i64 = 1_096;
/// Orders come out of a back office by date, but not quite.
const JITTER_MS: i64 = 2 * DAY_MS;
const PLATFORMS: [&str; 4] = ["tiktok", "shopee", "lazada", "web"];
const CATEGORIES: u64 = 24;
const REGIONS: u64 = 63;
const STATES: [(&str, u64); 6] = [
    ("completed", 70),
    ("cancelled", 82),
    ("shipped", 88),
    ("delivered", 92),
    ("pending", 97),
    ("unpaid", 100),
];

/// Orders drawn from a seed.
#[derive(Debug, Clone, Copy)]
pub struct Shop {
    /// How many there are to begin with; those after them are of the last week.
    pub orders: u64,
    /// What they are drawn from.
    pub seed: u64,
}

/// Numbers that look drawn (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

/// One order.
#[derive(Debug)]
pub struct Order {
    /// Its number.
    pub code: String,
    /// Where it was sold.
    pub platform: &'static str,
    status: &'static str,
    customer: u64,
    price: u64,
    quantity: u64,
    discount: u64,
    ordered_ms: i64,
    category: u64,
    region: u64,
    product: u64,
}

impl Shop {
    /// The order with a number.
    #[must_use]
    pub fn order(&self, number: u64) -> Order {
        let mut dice = Dice(self.seed.wrapping_mul(0x0123_4567_89AB_CDEF) ^ (number << 8));
        let mut below = |end| dice.below(end);
        let platform = PLATFORMS.get(below(4) as usize).copied().unwrap_or("web");
        let state = below(100);
        let status = STATES.iter().find(|(_, end)| state < *end).map_or("unknown", |(s, _)| s);
        let span = (DAYS - 2) * DAY_MS;
        let place = i128::from(number.min(self.orders)) * i128::from(span);
        let at_ms = (place / i128::from(self.orders.max(1))) as i64;
        let jitter = below(JITTER_MS as u64) as i64;
        // Many small ones and few large ones.
        let price = (10_000 + below(2_000) * below(2_000)) / 1_000 * 1_000;
        Order {
            code: format!("{}{number:09}", platform.get(..2).unwrap_or_default()),
            platform,
            status,
            customer: below(self.orders / 6 + 10),
            price,
            quantity: 1 + below(3),
            discount: below(4) * price / 20,
            ordered_ms: BEGIN_MS + at_ms + jitter,
            category: below(CATEGORIES),
            region: below(REGIONS),
            product: below(5_000),
        }
    }

    /// The body of a request with some orders.
    #[must_use]
    pub fn body(&self, numbers: std::ops::Range<u64>) -> String {
        let mut body = String::from("[");
        for number in numbers {
            if body.len() > 1 {
                body.push(',');
            }
            self.order(number).write_json(&mut body);
        }
        body.push(']');
        body
    }
}

impl Order {
    fn total(&self) -> u64 {
        self.price * self.quantity
    }

    fn write_json(&self, out: &mut String) {
        let Self { code, platform, status, customer, price, quantity, discount, .. } = self;
        let Self { ordered_ms, category, region, product, .. } = self;
        let (total, paid) = (self.total(), self.total() - discount);
        let end = match *status {
            "completed" => format!(",\"completed_at\":{}", ordered_ms + 3 * DAY_MS),
            "cancelled" => format!(",\"cancelled_at\":{}", ordered_ms + DAY_MS / 2),
            _ => String::new(),
        };
        let _infallible = write!(
            out,
            "{{\"order_code\":\"{code}\",\"platform\":\"{platform}\",\
             \"customer_id\":\"buyer-{customer}\",\"status\":\"{status}\",\
             \"total_amount\":{total},\"discount_amount\":{discount},\"final_amount\":\"{paid}\",\
             \"currency\":\"VND\",\"order_date\":{ordered_ms}{end},\
             \"updated_at\":{},\"category\":\"category {category:02}\",\
             \"region\":\"region {region:02}\",\"shipping_city\":\"city {region:02}\",\
             \"items\":[{{\"item_id\":\"sku-{product}\",\"item_name\":\"Product {product}\",\
             \"price\":{price},\"quantity\":{quantity}}}]}}",
            ordered_ms + 4 * DAY_MS,
        );
    }

    /// A line of CSV for PostgreSQL.
    pub fn write_csv(&self, out: &mut String) {
        let (total, paid) = (self.total(), self.total() - self.discount);
        let _infallible = writeln!(
            out,
            "{},{},{},{total},{},{paid},{},category {:02},region {:02}",
            self.code,
            self.platform,
            self.status,
            self.discount,
            self.ordered_ms,
            self.category,
            self.region,
        );
    }
}
