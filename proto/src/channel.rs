//! Channels: what kind of marketing brought a visit (semantics, sections 5 and 7).
//!
//! A referrer outside the shop becomes a campaign by [`untagged`]; a campaign gets its channel by
//! [`channel`], by the first rule that fits. docs/channels.md shows the rules with examples.

mod grade;
mod inside;
mod rules;
mod sources;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::campaign::{Campaign, fold};
use crate::settings::ChannelRule;

pub use grade::{Grade, click_id_of, of_wire};
pub use inside::{DEFAULT_EXCLUDED, is_inside};
pub use sources::{Category, Source, Tag, source_of_host, source_of_tag, spelling};

use rules::Facts;

/// Version of the rules and of the tables under them. It is stored with a touchpoint; those that
/// were graded by an older version keep their channel. Raise it when an answer changes.
pub const RULES_VERSION: u16 = 1;

/// The coarse kind of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Nothing brought the visit.
    Direct,
    /// Somebody was paid for the click or the view.
    Paid,
    /// A link on another site.
    Referral,
    /// Social networks and video, unpaid.
    Social,
    /// Search engines, unpaid.
    Search,
    /// Partners paid by the sale.
    Affiliate,
    /// The shop's own messages.
    Owned,
    /// What no rule knows, and channels of a site's own.
    Other,
}

impl Group {
    /// Its name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Paid => "paid",
            Self::Referral => "referral",
            Self::Social => "social",
            Self::Search => "search",
            Self::Affiliate => "affiliate",
            Self::Owned => "owned",
            Self::Other => "other",
        }
    }
}

/// A channel, and the rule that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel<'a> {
    /// Its name in reports; of the site's own rules as written there.
    pub name: &'a str,
    /// What kind it is.
    pub group: Group,
    /// Number of the rule, 1 to 21; 2 is the site's own table.
    pub rule: u8,
}

/// A click id that advertisers put on their links. Its value is never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClickId {
    /// Google Ads.
    Gclid,
    /// Microsoft Advertising.
    Msclkid,
    /// TikTok Ads.
    Ttclid,
    /// Facebook, which marks unpaid links too.
    Fbclid,
}

impl ClickId {
    /// The click id that a parameter of a link is, by its name.
    #[must_use]
    pub fn of_parameter(name: &str) -> Option<Self> {
        match name {
            "gclid" => Some(Self::Gclid),
            "msclkid" => Some(Self::Msclkid),
            "ttclid" => Some(Self::Ttclid),
            "fbclid" => Some(Self::Fbclid),
            _ => None,
        }
    }
}

/// What is known of how a visit came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Its tags, or its referrer by [`untagged`]; none is a direct visit.
    pub campaign: Option<&'a Campaign>,
    /// A click id that stood beside the tags.
    pub click_id: Option<ClickId>,
}

/// The campaign that stands for a link without tags from a host outside.
///
/// The source is the host's name in the table, else the host; the medium is `organic` from search,
/// `social` from social networks and `referral` from all others.
#[must_use]
pub fn untagged(host: &str) -> Campaign {
    let known = source_of_host(host);
    let medium = match known.map(|source| source.category) {
        Some(Category::Search) => "organic",
        Some(Category::Social) => "social",
        _ => "referral",
    };
    let source = known.map_or_else(|| fold(host), |source| source.name.to_owned());
    Campaign { source, medium: medium.to_owned(), ..Campaign::default() }
}

/// The channel of a visit: the first rule that fits, the site's own before the defaults.
///
/// Every input has a channel. Case and outer blanks make no difference.
#[must_use]
pub fn channel<'a>(arrival: &Arrival<'_>, site_rules: &'a [ChannelRule]) -> Channel<'a> {
    let nothing = Campaign::default();
    let facts = Facts::of(arrival.campaign.unwrap_or(&nothing), arrival.click_id);
    if facts.is_direct() {
        return rules::DIRECT;
    }
    site_rules
        .iter()
        .find(|rule| is_usable(rule) && fits(rule, &facts))
        .map(of_site)
        .unwrap_or_else(|| rules::default_channel(&facts))
}

/// The default channels in the order of their rules; the site's own table, rule 2, has none.
pub fn default_channels() -> impl Iterator<Item = Channel<'static>> {
    rules::defaults()
}

fn is_usable(rule: &ChannelRule) -> bool {
    !rule.channel.trim().is_empty()
}

fn fits(rule: &ChannelRule, facts: &Facts) -> bool {
    // A partner's site is one source, whether its links are sent with www or without.
    fn bare(source: &str) -> &str {
        source.strip_prefix("www.").unwrap_or(source)
    }
    let (source, medium) = (fold(&rule.source), fold(&rule.medium));
    (source.is_empty() || bare(&source) == bare(&facts.source))
        && (medium.is_empty() || medium == facts.medium)
}

/// A table names a channel and no group: the group is that of the default channel so called.
fn of_site(rule: &ChannelRule) -> Channel<'_> {
    let name = rule.channel.trim();
    let group = rules::defaults()
        .find(|default| default.name.eq_ignore_ascii_case(name))
        .map_or(Group::Other, |default| default.group);
    Channel { name, group, rule: rules::SITE_RULE }
}

/// What is wrong with one of a site's `channel_rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// Path of the member in the settings.
    pub field: String,
    /// What is wrong with it, for people.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for RuleError {}

/// Checks a site's own table before it is stored.
///
/// # Errors
/// The first rule that gives no channel. [`channel`] leaves such a rule out.
pub fn check_rules(site_rules: &[ChannelRule]) -> Result<(), RuleError> {
    match site_rules.iter().position(|rule| !is_usable(rule)) {
        None => Ok(()),
        Some(index) => Err(RuleError {
            field: format!("channel_rules[{index}].channel"),
            message: "a rule has to name the channel that it gives".to_owned(),
        }),
    }
}
