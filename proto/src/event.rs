//! The event vocabulary: names, aliases, platforms, and what counts as activity.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::campaign::Campaign;
use crate::channel::Grade;
use crate::ids::{ClientId, EventId, EventName, UserId};
use crate::record::{Fact, Flags};
use crate::visitor::{Device, Place};

/// Where an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Platform {
    /// A desktop browser, and the default.
    Web = 0,
    /// A mobile browser.
    Mweb = 1,
    /// An Android app.
    Android = 2,
    /// An iOS app.
    Ios = 3,
    /// The shop's own server: never activity.
    Server = 4,
}

impl Platform {
    /// All of them, in the order of their numbers on the wire.
    pub const ALL: [Self; 5] = [Self::Web, Self::Mweb, Self::Android, Self::Ios, Self::Server];

    /// The name in requests and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Mweb => "mweb",
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Server => "server",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == text)
    }

    /// The platform with a number on the wire.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// A validated event: what comes after [`crate::validate`] cannot hold an unchecked one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, sent or made.
    pub id: EventId,
    /// Its client; none for events of the shop's server without one.
    pub client: Option<ClientId>,
    /// The valid user id it carries.
    pub user: Option<UserId>,
    /// Its name, aliases resolved.
    pub name: EventName,
    /// Where it came from.
    pub platform: Platform,
    /// Corrected event time, epoch ms.
    pub occurred_at_ms: i64,
    /// When the edge took it, epoch ms.
    pub received_at_ms: i64,
    /// Marks.
    pub flags: Flags,
    /// Path of its page.
    pub page: Option<String>,
    /// Host of its referrer, in lower case.
    pub referrer: Option<String>,
    /// Its folded campaign.
    pub campaign: Option<Campaign>,
    /// Its channel, worked out when it is enriched.
    pub grade: Option<Arc<Grade>>,
    /// Where its visitor was, as a server key says; else filled in when it is enriched.
    pub place: Option<Arc<Place>>,
    /// What its visitor used, worked out when it is enriched.
    pub device: Option<Device>,
    /// What a commerce event says beside.
    pub fact: Option<Box<Fact>>,
    /// The visitor's user agent, where a server key names it.
    pub user_agent: Option<String>,
    /// Host of its page, where it is asked for: beside a referrer.
    pub page_host: Option<String>,
}

/// Names that pass without being listed in `events.allow`: those of GA4, then ours.
pub const NAMES: [&str; 31] = [
    "page_view",
    "search",
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
    "refund",
    "view_promotion",
    "select_promotion",
    "login",
    "sign_up",
    "share",
    "select_content",
    "add_to_wishlist",
    "identify",
    "logout",
    "app_open",
    "order_created",
    "payment_success",
    "payment_failed",
    "order_cancelled",
    "stock_update",
    "experiment_view",
    "web_vital",
    "engagement",
];

/// Other systems' names for the same events: the e-commerce names of Segment V2, and short ones.
const ALIASES: [(&str, &str); 31] = [
    ("view", "view_item"),
    ("checkout", "begin_checkout"),
    ("checkout_fail", "payment_failed"),
    ("pageview", "page_view"),
    ("Page Viewed", "page_view"),
    ("Products Searched", "search"),
    ("Product List Viewed", "view_item_list"),
    ("Product List Filtered", "view_item_list"),
    ("Product Clicked", "select_item"),
    ("Product Viewed", "view_item"),
    ("Product Added", "add_to_cart"),
    ("Product Removed", "remove_from_cart"),
    ("Cart Viewed", "view_cart"),
    ("Checkout Started", "begin_checkout"),
    ("Checkout Step Viewed", "begin_checkout"),
    ("Checkout Step Completed", "add_shipping_info"),
    ("Payment Info Entered", "add_payment_info"),
    ("Order Completed", "purchase"),
    ("Order Placed", "order_created"),
    ("Order Refunded", "refund"),
    ("Order Cancelled", "order_cancelled"),
    ("Promotion Viewed", "view_promotion"),
    ("Promotion Clicked", "select_promotion"),
    ("Signed In", "login"),
    ("Signed Up", "sign_up"),
    ("Signed Out", "logout"),
    ("Product Shared", "share"),
    ("Cart Shared", "share"),
    ("Product Added to Wishlist", "add_to_wishlist"),
    ("Application Opened", "app_open"),
    ("Experiment Viewed", "experiment_view"),
];

/// Names whose events nobody's presence follows from (semantics, section 2).
const NO_ACTIVITY: [&str; 6] =
    ["refund", "order_cancelled", "stock_update", "web_vital", "engagement", "experiment_view"];

/// The name that an alias stands for.
#[must_use]
pub fn alias_of(name: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, of)| *of)
}

/// Whether an event shows somebody using the shop (semantics, section 2).
///
/// `background` is `params.background = true`, which only `identify` has.
#[must_use]
pub fn is_activity(name: &EventName, platform: Platform, bot: bool, background: bool) -> bool {
    is_activity_named(name.as_str(), platform, bot, background)
}

/// [`is_activity`] of a name that is known to be one.
#[must_use]
pub fn is_activity_named(name: &str, platform: Platform, bot: bool, background: bool) -> bool {
    let is_background = background && name == "identify";
    platform != Platform::Server && !bot && !is_background && !NO_ACTIVITY.contains(&name)
}

/// The rank of an event among those of the same millisecond: logout, then login, then the rest.
#[must_use]
pub fn rank(name: &EventName) -> u8 {
    rank_named(name.as_str())
}

/// [`rank`] of a name that is known to be one.
#[must_use]
pub fn rank_named(name: &str) -> u8 {
    match name {
        "logout" => 0,
        "login" | "sign_up" | "identify" => 1,
        _ => 2,
    }
}

/// A user id trimmed, or none where it is junk that pages send when nobody is signed in
/// (semantics, section 2).
///
/// # Errors
/// If it is no junk but too long or not printable.
pub fn user_id(text: &str) -> Result<Option<UserId>, crate::ids::IdError> {
    let trimmed = text.trim();
    let bare = trimmed.trim_matches(['"', '\'']).trim().to_lowercase();
    let junk =
        ["", "-1", "null", "undefined", "none", "nan", "anonymous", "guest", "[object object]"];
    if junk.contains(&bare.as_str()) || bare.chars().all(|c| c == '0' || c == '-') {
        return Ok(None);
    }
    UserId::parse(trimmed).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_lead_to_known_names() {
        for (alias, name) in ALIASES {
            assert!(NAMES.contains(&name), "{alias} leads to {name}");
            assert!(!NAMES.contains(&alias), "{alias} is a name itself");
        }
    }

    #[test]
    fn every_name_is_a_valid_name() {
        for name in NAMES {
            assert!(EventName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn junk_user_ids_are_no_users() {
        for junk in [
            "",
            "  ",
            "0",
            "-1",
            "000",
            "0-0",
            "--",
            "NULL",
            "'undefined'",
            "\"None\"",
            "NaN",
            "Anonymous",
            "guest",
            "[object Object]",
        ] {
            assert_eq!(user_id(junk), Ok(None), "{junk:?}");
        }
        assert_eq!(user_id(" u-42 ").unwrap().unwrap().as_str(), "u-42");
        assert!(user_id(&"x".repeat(129)).is_err());
    }

    #[test]
    fn server_events_and_bots_are_no_activity() {
        let name = |text| EventName::parse(text).unwrap();
        assert!(is_activity(&name("page_view"), Platform::Web, false, false));
        assert!(is_activity(&name("anything_else"), Platform::Ios, false, false));
        assert!(!is_activity(&name("page_view"), Platform::Server, false, false));
        assert!(!is_activity(&name("page_view"), Platform::Web, true, false));
        assert!(!is_activity(&name("web_vital"), Platform::Web, false, false));
        assert!(!is_activity(&name("identify"), Platform::Web, false, true));
        assert!(is_activity(&name("identify"), Platform::Web, false, false));
    }
}
