//! What an event's arrival was graded as, the way it is kept: once, by the rules of its time.

use serde::{Deserialize, Serialize};

use super::rules::SITE_RULE;
use super::{
    Arrival, Category, Channel, ClickId, Group, RULES_VERSION, channel, default_channels,
    is_inside, source_of_host, source_of_tag, untagged,
};
use crate::campaign::Campaign;
use crate::event::Event;
use crate::settings::SiteSettings;

/// The channel of an event that has a campaign, or a referrer from outside.
///
/// As JSON it has every member, so that it can be read when the rules are others; a frame leaves
/// out what follows from the rule ([`of_wire`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grade {
    /// Version of the rules that gave it.
    pub version: u16,
    /// Number of the rule.
    pub rule: u8,
    /// Name of the channel.
    pub channel: String,
    /// Its kind.
    pub group: Group,
    /// Name of the source in the tables; empty where they do not have it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What the source is, where the tables have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
}

/// Version, rule, channel, source, category. A default channel goes by its rule, without a name.
pub(crate) type Wire = (u16, u8, String, String, String);

/// The grades of a frame.
pub mod of_wire {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Grade, Wire};

    /// Writes them.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(grades: &[Grade], to: S) -> Result<S::Ok, S::Error> {
        let wire: Vec<Wire> = grades.iter().cloned().map(Wire::from).collect();
        wire.serialize(to)
    }

    /// Reads them.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Grade>, D::Error> {
        let wire = Vec::<Wire>::deserialize(from)?;
        Ok(wire.into_iter().map(Grade::from).collect())
    }
}

impl From<Wire> for Grade {
    fn from((version, rule, name, source, category): Wire) -> Self {
        let same = |default: &Channel<'_>| match rule {
            SITE_RULE => default.name.eq_ignore_ascii_case(&name),
            _ => default.rule == rule,
        };
        let default = default_channels().find(same);
        let group = default.map_or(Group::Other, |default| default.group);
        let channel = match default {
            Some(default) if rule != SITE_RULE => default.name.to_owned(),
            _ => name,
        };
        let category = Category::parse(&category);
        Self { version, rule, channel, group, source, category }
    }
}

impl From<Grade> for Wire {
    fn from(grade: Grade) -> Self {
        let by_rule = default_channels().any(|default| {
            default.rule == grade.rule && default.rule != SITE_RULE && default.name == grade.channel
        });
        let channel = if by_rule { String::new() } else { grade.channel };
        let category = grade.category.map_or("", Category::as_str).to_owned();
        (grade.version, grade.rule, channel, grade.source, category)
    }
}

impl Grade {
    /// Of an event: by its campaign, else by its referrer.
    #[must_use]
    pub fn of_event(event: &Event, settings: &SiteSettings) -> Option<Self> {
        match (&event.campaign, &event.referrer) {
            (Some(campaign), _) => Some(Self::of_campaign(campaign, click_id_of(event), settings)),
            (None, Some(host)) => Self::of_referrer(host, event.page_host.as_deref(), settings),
            (None, None) => None,
        }
    }

    /// Of an event with a campaign.
    #[must_use]
    pub fn of_campaign(
        campaign: &Campaign,
        click_id: Option<ClickId>,
        settings: &SiteSettings,
    ) -> Self {
        let arrival = Arrival { campaign: Some(campaign), click_id };
        let source = source_of_tag(&campaign.source).map(|tag| tag.source);
        let given = channel(&arrival, &settings.channel_rules);
        Self {
            version: RULES_VERSION,
            rule: given.rule,
            channel: given.name.to_owned(),
            group: given.group,
            source: source.map_or("", |source| source.name).to_owned(),
            category: source.map(|source| source.category),
        }
    }

    /// Of an event without a campaign whose referrer is this host; none if that is inside.
    #[must_use]
    pub fn of_referrer(
        host: &str,
        page_host: Option<&str>,
        settings: &SiteSettings,
    ) -> Option<Self> {
        if is_inside(host, page_host, settings) {
            return None;
        }
        let source = source_of_host(host);
        let graded = Self::of_campaign(&untagged(host), None, settings);
        Some(Self {
            source: source.map_or("", |source| source.name).to_owned(),
            category: source.map(|source| source.category),
            ..graded
        })
    }
}

/// The click id beside an event's campaign, if it is one that the rules ask for.
#[must_use]
pub fn click_id_of(event: &Event) -> Option<ClickId> {
    ClickId::of_parameter(&event.fact.as_ref()?.click.as_ref()?.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ChannelRule;

    fn settings() -> SiteSettings {
        let rule = |source: &str, channel: &str| ChannelRule {
            source: source.to_owned(),
            channel: channel.to_owned(),
            ..ChannelRule::default()
        };
        SiteSettings {
            own_hosts: vec!["shop.vn".to_owned()],
            channel_rules: vec![rule("accesstrade", "affiliates"), rule("an.vn", "Live streams")],
            ..SiteSettings::default()
        }
    }

    fn tagged(source: &str, medium: &str) -> Campaign {
        let [source, medium] = [source, medium].map(str::to_owned);
        Campaign { source, medium, ..Campaign::default() }
    }

    #[test]
    fn grades_say_channel_source_and_category() {
        let check = |grade: Grade, channel: &str, group: Group, source: &str, category| {
            let got = (grade.channel.as_str(), grade.group, grade.source.as_str(), grade.category);
            assert_eq!(got, (channel, group, source, category));
            assert_eq!(Grade::from(Wire::from(grade.clone())), grade);
            let json = serde_json::to_string(&grade).unwrap();
            assert_eq!(serde_json::from_str::<Grade>(&json).unwrap(), grade);
        };
        let campaign =
            |source, medium, click| Grade::of_campaign(&tagged(source, medium), click, &settings());
        let search = Some(Category::Search);
        check(campaign("google", "x", None), "Organic Search", Group::Search, "google", search);
        let clicked = campaign("google", "x", Some(ClickId::Gclid));
        check(clicked, "Paid Search", Group::Paid, "google", search);
        check(campaign("accesstrade", "cpc", None), "affiliates", Group::Affiliate, "", None);
        check(campaign("an.vn", "", None), "Live streams", Group::Other, "", None);
        let referrer = |host| Grade::of_referrer(host, Some("m.shop.com"), &settings());
        let google = referrer("www.google.com.vn").unwrap();
        check(google, "Organic Search", Group::Search, "google", search);
        check(referrer("blog.example").unwrap(), "Referral", Group::Referral, "", None);
    }

    #[test]
    fn a_link_from_inside_has_no_grade() {
        for host in ["shop.vn", "pay.shop.vn", "m.shop.com", "sandbox.vnpayment.vn"] {
            assert_eq!(Grade::of_referrer(host, Some("m.shop.com"), &settings()), None, "{host}");
        }
    }
}
