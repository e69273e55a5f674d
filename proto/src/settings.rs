//! Settings of a site: the body of `PUT /v1/sites/{site}`, every member with its default.
//!
//! Members that are not known here are skipped, so that a worker reads the settings of an
//! aggregator that was upgraded before it. Whoever writes settings is told of them, by the route.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::Currency;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// A length of time in whole milliseconds, written as `30m`, `72h`, `7d`, `60s` or `250ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    /// Milliseconds, at least 0.
    pub ms: i64,
}

const UNITS: [(&str, i64); 5] =
    [("ms", 1), ("s", SECOND_MS), ("m", MINUTE_MS), ("h", HOUR_MS), ("d", DAY_MS)];

impl Span {
    const fn minutes(count: i64) -> Self {
        Self { ms: count * MINUTE_MS }
    }
    const fn days(count: i64) -> Self {
        Self { ms: count * DAY_MS }
    }
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(end);
        let unit_ms = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, ms)| *ms);
        let ms = count.parse::<i64>().ok().zip(unit_ms).and_then(|(n, ms)| n.checked_mul(ms));
        ms.map(|ms| Self { ms })
            .ok_or_else(|| format!("{text:?} is no length of time such as \"30m\" or \"7d\""))
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The largest unit that divides it; hours before days would read oddly only above 72 h.
        let unit = UNITS.iter().rev().find(|(_, ms)| self.ms % ms == 0 && self.ms != 0);
        let (name, ms) = unit.copied().unwrap_or(("ms", 1));
        write!(f, "{}{name}", self.ms / ms)
    }
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Retention {
    /// For ever: `"unlimited"`.
    Unlimited,
    /// For this long.
    For(Span),
}

impl TryFrom<String> for Retention {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "unlimited" { Ok(Self::Unlimited) } else { Span::try_from(text).map(Self::For) }
    }
}

impl From<Retention> for String {
    fn from(retention: Retention) -> String {
        match retention {
            Retention::Unlimited => "unlimited".to_owned(),
            Retention::For(span) => span.to_string(),
        }
    }
}

macro_rules! settings {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

/// Regions that a site's shards may live in: the location hints of the platform.
pub const HOME_REGIONS: [&str; 9] =
    ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"];

/// What is done with events of bots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bots {
    /// Counted in a series of their own.
    Separate,
    /// Refused with code `bot`.
    Reject,
    /// Nobody looks.
    Off,
}

/// Consent where a batch says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// Ids are used.
    Granted,
    /// What [`Privacy::denied`] says.
    Denied,
}

/// What is done with events without consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDenied {
    /// Counted under a client that lives for one day.
    Cookieless,
    /// Refused with code `consent_denied`.
    Reject,
    /// Treated as granted.
    Ignore,
}

/// Where a session or alert lies in money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Decimal string in major units.
    pub amount: String,
    /// Its currency.
    pub currency: Currency,
}

settings! {
    /// `events`
    Events {
        /// Custom names that pass; `"*"` lets all pass.
        allow: Vec<String> = Vec::new(),
    }
}
settings! {
    /// `params`
    Params {
        /// Custom parameters that can be queried, at most 20.
        keep: Vec<String> = Vec::new(),
    }
}
settings! {
    /// `privacy`
    Privacy {
        /// Consent where a batch says nothing.
        default: Consent = Consent::Granted,
        /// What is done without consent.
        denied: OnDenied = OnDenied::Cookieless,
        /// What is done with `Sec-GPC: 1`.
        gpc: OnDenied = OnDenied::Cookieless,
    }
}
settings! {
    /// `session`
    Session {
        /// A pause longer than this ends a session.
        gap: Span = Span::minutes(30),
        /// Whether local midnight ends a session.
        daily_cut: bool = true,
        /// Whether another campaign ends a session.
        campaign_cut: bool = true,
    }
}
settings! {
    /// `attribution`
    Attribution {
        /// A touch older than this gets no credit.
        window: Span = Span { ms: 72 * HOUR_MS },
        /// Credit no longer follows what browsers report after this.
        freeze: Span = Span::days(7),
    }
}
settings! {
    /// `rate_limit.per_address` and `rate_limit.per_site`: a token bucket.
    Rate {
        /// Tokens a second.
        rate: u32 = 200,
        /// Capacity.
        burst: u32 = 50,
    }
}
settings! {
    /// `rate_limit`
    RateLimit {
        /// A bucket for each address.
        per_address: Rate = Rate::default(),
        /// A bucket for the site, if any.
        per_site: Option<Rate> = None,
    }
}
settings! {
    /// One of `channel_rules`.
    ChannelRule {
        /// The source it fits; empty fits any.
        source: String = String::new(),
        /// The medium it fits; empty fits any.
        medium: String = String::new(),
        /// The channel it gives.
        channel: String = String::new(),
        /// Parameter of a link by which the network is known: a link without tags that has it
        /// gets this source and medium as its campaign.
        #[serde(skip_serializing_if = "String::is_empty")]
        click_id: String = String::new(),
    }
}
settings! {
    /// One entry of `catalog`.
    CatalogItem {
        /// The product's name.
        name: String = String::new(),
        /// Its category.
        category: String = String::new(),
        /// Who sells it.
        seller: String = String::new(),
    }
}
settings! {
    /// `fraud.velocity`
    Velocity {
        /// More orders than this by one user are suspicious; 0 is off.
        orders: u32 = 10,
        /// Within this time.
        window: Span = Span::minutes(1),
    }
}
settings! {
    /// `fraud.card_testing`
    CardTesting {
        /// More failed payments than this are suspicious; 0 is off.
        failures: u32 = 10,
        /// Within this time.
        window: Span = Span::minutes(1),
    }
}
settings! {
    /// `fraud.coupon_abuse`
    CouponAbuse {
        /// More accounts than this that use one coupon on one device are suspicious; 0 is off.
        accounts: u32 = 3,
        /// Within this time.
        window: Span = Span::days(1),
    }
}
settings! {
    /// `fraud`
    Fraud {
        /// Orders above this amount are suspicious; the course project's 50,000,000 VND if absent.
        high_value: Option<Amount> = None,
        /// Many orders of one user.
        velocity: Velocity = Velocity::default(),
        /// Many failed payments.
        card_testing: CardTesting = CardTesting::default(),
        /// Many accounts with one coupon on one device.
        coupon_abuse: CouponAbuse = CouponAbuse::default(),
        /// Who is told: names of webhooks and mail addresses.
        to: Vec<String> = Vec::new(),
    }
}
settings! {
    /// `mail`
    Mail {
        /// Addresses of the daily report.
        daily_report_to: Vec<String> = Vec::new(),
    }
}
settings! {
    /// `retention`
    RetentionSettings {
        /// Rollups by second.
        seconds: Retention = Retention::For(Span { ms: 48 * HOUR_MS }),
        /// Rollups by minute.
        minutes: Retention = Retention::For(Span::days(30)),
        /// Records and order events.
        facts: Retention = Retention::For(Span::days(35)),
        /// The raw archive.
        raw: Retention = Retention::For(Span::days(90)),
    }
}
settings! {
    /// Settings of a site, in full.
    SiteSettings {
        /// IANA zone of the site's days.
        timezone: String = "UTC".to_owned(),
        /// Currency of amounts that name none.
        currency: Currency = Currency::USD,
        /// Origins that browsers may send from; `"*"` is all.
        origins: Vec<String> = Vec::new(),
        /// Where the site's shards live: a location hint of the platform.
        home_region: String = "apac".to_owned(),
        /// Shards over which the site's clients are spread: a power of two, 1 to
        /// [`crate::limits::SPREAD_MAX`].
        spread: u8 = 2,
        /// Which names pass.
        events: Events = Events::default(),
        /// Which parameters are kept.
        params: Params = Params::default(),
        /// What is done with bots.
        bots: Bots = Bots::Separate,
        /// Consent.
        privacy: Privacy = Privacy::default(),
        /// How sessions are cut.
        session: Session = Session::default(),
        /// How orders are credited.
        attribution: Attribution = Attribution::default(),
        /// How far back browsers may report.
        lateness: Span = Span::days(7),
        /// The shop's own hosts.
        own_hosts: Vec<String> = Vec::new(),
        /// Hosts whose links count as inside; the default list if empty.
        excluded_referrers: Vec<String> = Vec::new(),
        /// The site's own channels.
        channel_rules: Vec<ChannelRule> = Vec::new(),
        /// Products by item id.
        catalog: BTreeMap<String, CatalogItem> = BTreeMap::new(),
        /// Exchange rates, as written.
        rates: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new(),
        /// How many requests pass.
        rate_limit: RateLimit = RateLimit::default(),
        /// What is suspicious.
        fraud: Fraud = Fraud::default(),
        /// Alert rules, as written; read where alerts are made.
        alerts: Vec<serde_json::Value> = Vec::new(),
        /// Where alerts go, as written.
        webhooks: Vec<serde_json::Value> = Vec::new(),
        /// The comparison of each hour with payments, as written; read where it is made.
        reconcile: Option<serde_json::Value> = None,
        /// Mail.
        mail: Mail = Mail::default(),
        /// How long things are kept.
        retention: RetentionSettings = RetentionSettings::default(),
    }
}

impl SiteSettings {
    /// Whether an origin may send events from a browser.
    #[must_use]
    pub fn admits_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == "*" || allowed == origin)
    }

    /// Whether a name outside the standard ones passes.
    #[must_use]
    pub fn allows_name(&self, name: &str) -> bool {
        self.events.allow.iter().any(|allowed| allowed == "*" || allowed == name)
    }

    /// Whether events need no client id: every client is a daily hash.
    #[must_use]
    pub fn is_cookieless(&self) -> bool {
        self.privacy.default == Consent::Denied && self.privacy.denied == OnDenied::Cookieless
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_settings_are_read_and_written_again() {
        let text = r#"{"timezone": "Asia/Ho_Chi_Minh", "currency": "VND",
          "origins": ["https://shop.vn"],
          "events": {"allow": []}, "bots": "separate", "session": {"gap": "30m"}, "lateness": "7d",
          "attribution": {"window": "72h", "freeze": "7d"},
          "rates": {"USD": {"VND": "25400", "date": "2026-11-20", "source": "bank"}},
          "rate_limit": {"per_address": {"rate": 200, "burst": 50}, "per_site": null},
          "fraud": {"high_value": {"amount": "50000000", "currency": "VND"}},
          "retention": {"seconds": "48h", "minutes": "30d", "facts": "unlimited", "raw": "90d"}}"#;
        let settings: SiteSettings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.session.gap.ms, 1_800_000);
        assert_eq!(settings.retention.facts, Retention::Unlimited);
        assert_eq!(settings.attribution.window.ms, 259_200_000);
        let written = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<SiteSettings>(&written).unwrap(), settings);
    }

    /// An aggregator is upgraded before its workers.
    #[test]
    fn members_of_a_later_version_are_skipped() {
        let text = r#"{"timezone": "Asia/Tokyo", "later": {"a": 1}, "session": {"later": 2}}"#;
        let settings: SiteSettings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.timezone, "Asia/Tokyo");
        assert_eq!(settings.session, Session::default());
    }

    #[test]
    fn bad_lengths_and_currencies_are_refused() {
        for (text, said) in [
            (r#"{"lateness": "7 days"}"#, "no length of time"),
            (r#"{"currency": "XXQ"}"#, "XXQ is not an ISO 4217 currency"),
        ] {
            let error = serde_json::from_str::<SiteSettings>(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
