//! The default rules, in their order (semantics, section 7).

use crate::campaign::{Campaign, fold};
use crate::channel::sources::{Category, Tag, source_of_tag};
use crate::channel::{Channel, ClickId, Group};

/// What rule 1 gives.
pub const DIRECT: Channel<'static> = Channel { name: "Direct", group: Group::Direct, rule: 1 };
/// The number under which a site's own table stands.
pub const SITE_RULE: u8 = 2;
const UNASSIGNED: Channel<'static> = Channel { name: "Unassigned", group: Group::Other, rule: 21 };

const EMAIL: [&str; 5] = ["email", "e-mail", "e_mail", "e mail", "newsletter"];
const DISPLAY: [&str; 5] = ["display", "banner", "expandable", "interstitial", "cpm"];
const SOCIAL: [&str; 6] =
    ["social", "social-network", "social-media", "sm", "social network", "social media"];

/// What the rules ask about: the folded campaign and what its source is.
pub struct Facts {
    /// `utm_source`
    pub source: String,
    /// `utm_medium`
    pub medium: String,
    name: String,
    tag: Option<Tag>,
    click_id: Option<ClickId>,
}

impl Facts {
    /// Folds a campaign, so that the rules compare plain text, and looks its source up.
    pub fn of(campaign: &Campaign, click_id: Option<ClickId>) -> Self {
        Self {
            source: fold(&campaign.source),
            medium: fold(&campaign.medium),
            name: fold(&campaign.name),
            tag: source_of_tag(&campaign.source),
            click_id,
        }
    }

    /// Rule 1: nothing is there, or the tags themselves say that nothing was.
    pub fn is_direct(&self) -> bool {
        let nothing = self.source.is_empty() && self.name.is_empty();
        let said = ["direct", "(direct)"].contains(&self.source.as_str());
        (nothing || said) && ["", "(none)", "(not set)"].contains(&self.medium.as_str())
    }

    fn is(&self, category: Category) -> bool {
        self.tag.is_some_and(|tag| tag.source.category == category)
    }

    fn is_source(&self, name: &str) -> bool {
        self.tag.is_some_and(|tag| tag.source.name == name)
    }

    fn is_ads(&self) -> bool {
        self.tag.is_some_and(|tag| tag.is_ads)
    }

    /// `^(.*cp.*|ppc|retargeting|paid.*)$`
    fn is_paid(&self) -> bool {
        self.medium.contains("cp")
            || ["ppc", "retargeting"].contains(&self.medium.as_str())
            || self.medium.starts_with("paid")
    }

    fn is_shop(&self) -> bool {
        self.is(Category::Shopping) || names_a_shop(&self.name)
    }

    fn is_paid_on(&self, category: Category) -> bool {
        self.is(category) && (self.is_paid() || self.is_ads())
    }

    fn is_clicked_ad(&self) -> bool {
        match self.click_id {
            Some(ClickId::Gclid) => self.is_source("google"),
            Some(ClickId::Msclkid) => self.is_source("bing"),
            _ => false,
        }
    }

    fn is_mail(&self) -> bool {
        let says = |text: &str| EMAIL.iter().any(|word| text.contains(word));
        self.is(Category::Email) || says(&self.source) || says(&self.medium)
    }

    fn is_push(&self) -> bool {
        self.medium.ends_with("push")
            || self.medium.contains("mobile")
            || self.medium.contains("notification")
            || self.source == "firebase"
    }

    fn is_referral(&self) -> bool {
        let is_link = ["referral", "app", "link"].contains(&self.medium.as_str());
        is_link || (self.medium.is_empty() && !self.source.is_empty())
    }
}

/// `^(.*(([^a-df-z]|^)shop|shopping).*)$`: "shop" at the start, after an e (as in "eshop") or after
/// what is no plain letter, so that "workshop" is none; and "shopping" anywhere.
fn names_a_shop(name: &str) -> bool {
    let stands_free = |(at, _): (usize, &str)| {
        let before = name.get(..at).and_then(|head| head.chars().next_back());
        before.is_none_or(|letter| letter == 'e' || !letter.is_ascii_lowercase())
    };
    name.contains("shopping") || name.match_indices("shop").any(stands_free)
}

type Rule = (u8, fn(&Facts) -> bool, &'static str, Group);

const RULES: [Rule; 18] = [
    (3, |f| f.name.contains("cross-network"), "Cross-network", Group::Paid),
    (4, |f| f.is_shop() && f.is_paid(), "Paid Shopping", Group::Paid),
    (5, |f| f.is_paid_on(Category::Search) || f.is_clicked_ad(), "Paid Search", Group::Paid),
    (6, |f| f.is_paid_on(Category::Social), "Paid Social", Group::Paid),
    (7, |f| f.is_paid_on(Category::Video), "Paid Video", Group::Paid),
    (8, |f| DISPLAY.contains(&f.medium.as_str()), "Display", Group::Paid),
    (9, Facts::is_paid, "Paid Other", Group::Paid),
    (10, Facts::is_shop, "Organic Shopping", Group::Referral),
    (
        11,
        |f| f.is(Category::Social) || SOCIAL.contains(&f.medium.as_str()),
        "Organic Social",
        Group::Social,
    ),
    (12, |f| f.is(Category::Video) || f.medium.contains("video"), "Organic Video", Group::Social),
    (13, |f| f.is(Category::Ai), "AI Assistants", Group::Referral),
    (14, |f| f.is(Category::Search) || f.medium == "organic", "Organic Search", Group::Search),
    (
        15,
        |f| ["affiliate", "affiliates"].contains(&f.medium.as_str()),
        "Affiliates",
        Group::Affiliate,
    ),
    (16, Facts::is_mail, "Email", Group::Owned),
    (17, |f| f.medium == "audio", "Audio", Group::Paid),
    (18, |f| f.source == "sms" || f.medium == "sms", "SMS", Group::Owned),
    (19, Facts::is_push, "Mobile Push Notifications", Group::Owned),
    (20, Facts::is_referral, "Referral", Group::Referral),
];

/// The channel by rules 3 to 21; rules 1 and 2 come before and are asked elsewhere.
pub fn default_channel(facts: &Facts) -> Channel<'static> {
    let rule = RULES.iter().find(|(_, fits, _, _)| fits(facts));
    rule.map_or(UNASSIGNED, |&(rule, _, name, group)| Channel { name, group, rule })
}

/// All default channels, in the order of their rules.
pub fn defaults() -> impl Iterator<Item = Channel<'static>> {
    let named = RULES.iter().map(|&(rule, _, name, group)| Channel { name, group, rule });
    std::iter::once(DIRECT).chain(named).chain(std::iter::once(UNASSIGNED))
}
