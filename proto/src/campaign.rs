//! Campaigns: the tags of a link, folded so that one campaign has one key (semantics, section 5).

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::limits::CLICK_CHARS_MAX;
use crate::settings::ChannelRule;

/// A folded campaign; missing members are empty.
#[derive(Debug, Clone, Default, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Campaign {
    /// `utm_source`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// `utm_medium`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub medium: String,
    /// `utm_campaign`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `utm_term`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub term: String,
    /// `utm_content`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// `utm_id`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
}

/// Click ids that stand for a campaign where there are no tags, with its source and medium.
const CLICK_KEYS: [(&str, &str, &str); 4] = [
    ("gclid", "google", "cpc"),
    ("msclkid", "bing", "cpc"),
    ("ttclid", "tiktok", "paid"),
    ("fbclid", "facebook", "social"),
];

/// Click ids that are kept and stand for nothing: where they come alone, the referrer decides.
const CLICK_IDS: [&str; 10] = [
    "gbraid",
    "wbraid",
    "dclid",
    "twclid",
    "li_fat_id",
    "epik",
    "ScCid",
    "rdt_cid",
    "yclid",
    "irclickid",
];

/// The click id of a link: kept for those who settle accounts with the network, never compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Click {
    /// Name of its parameter, such as `gclid`.
    pub kind: String,
    /// Its value as sent, at most 512 characters.
    pub value: String,
}

impl Click {
    /// The click id of a link; of several that which stands for a campaign, those of the site's
    /// own table first.
    #[must_use]
    pub fn of_url(url: &str, rules: &[ChannelRule]) -> Option<Self> {
        if !url.contains('?') {
            return None;
        }
        let mut best: Option<(usize, &str, &str)> = None;
        for (name, value) in query_pairs(url).filter(|(_, value)| !value.is_empty()) {
            let Some(rank) = click_rank(name, rules) else { continue };
            if best.is_none_or(|(of_best, ..)| rank < of_best) {
                best = Some((rank, name, value));
            }
        }
        let (_, kind, value) = best?;
        let value = decode_form(value).chars().take(CLICK_CHARS_MAX).collect();
        Some(Self { kind: kind.to_owned(), value })
    }
}

/// Where a parameter stands among those that are click ids: the site's own first, then those that
/// stand for a campaign.
fn click_rank(name: &str, rules: &[ChannelRule]) -> Option<usize> {
    let own = rules.iter().position(|rule| !rule.click_id.is_empty() && rule.click_id == name);
    let key = || CLICK_KEYS.iter().position(|(key, ..)| *key == name);
    let other = || CLICK_IDS.iter().position(|id| *id == name);
    own.or_else(|| Some(rules.len() + key()?))
        .or_else(|| Some(rules.len() + CLICK_KEYS.len() + other()?))
}

/// NFC, trimmed, lower case.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.trim().to_ascii_lowercase();
    }
    text.nfc().collect::<String>().trim().to_lowercase()
}

/// Form-decoding, once: percent and plus; bytes that are no UTF-8 become the replacement sign.
#[must_use]
pub fn decode_form(text: &str) -> String {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let digits = match byte {
            b'%' => bytes.next_hex_pair(),
            _ => None,
        };
        match (byte, digits) {
            (_, Some(decoded)) => {
                out.push(decoded);
                bytes.next();
                bytes.next();
            }
            (b'+', None) => out.push(b' '),
            (other, None) => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The byte that the next two characters spell in hex, without consuming them.
trait HexPair {
    fn next_hex_pair(&self) -> Option<u8>;
}

impl HexPair for std::str::Bytes<'_> {
    fn next_hex_pair(&self) -> Option<u8> {
        let mut ahead = self.clone();
        let mut digit = || char::from(ahead.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        u8::try_from(high * 16 + low).ok()
    }
}

/// Splits a URL's query into names and undecoded values.
fn query_pairs(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let without_hash = url.split('#').next().unwrap_or_default();
    let query = without_hash.split_once('?').map_or("", |(_, query)| query);
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

impl PartialEq for Campaign {
    /// Most parts of most campaigns are empty, and to compare nothing is costly: some processors
    /// stumble over the address that it has.
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(a, b): (&str, &str)| a.len() == b.len() && (a.is_empty() || a == b);
        self.parts().into_iter().zip(other.parts()).all(is_same)
    }
}

impl Hash for Campaign {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Campaign {
    fn parts(&self) -> [&str; 6] {
        let Self { source, medium, name, term, content, id } = self;
        [source, medium, name, term, content, id]
    }

    /// Whether it is a key: one of source, medium and name is there, and the source is not direct.
    #[must_use]
    pub fn is_key(&self) -> bool {
        let tagged = [&self.source, &self.medium, &self.name].iter().any(|part| !part.is_empty());
        tagged && self.source != "direct" && self.source != "(direct)"
    }

    /// Folds its members; none where it is no key.
    #[must_use]
    pub fn folded(self) -> Option<Self> {
        let campaign = Self {
            source: fold(&self.source),
            medium: fold(&self.medium),
            name: fold(&self.name),
            term: fold(&self.term),
            content: fold(&self.content),
            id: fold(&self.id),
        };
        campaign.is_key().then_some(campaign)
    }

    /// The campaign of a link: its tags, else what its click id stands for, by the site's own table
    /// or the known networks. None of an id that may not be used.
    #[must_use]
    pub fn of_url(url: &str, click: Option<&Click>, rules: &[ChannelRule]) -> Option<Self> {
        if !url.contains('?') {
            return None;
        }
        let mut tags = Self::default();
        for (name, value) in query_pairs(url) {
            let member = match name {
                "utm_source" => &mut tags.source,
                "utm_medium" => &mut tags.medium,
                "utm_campaign" => &mut tags.name,
                "utm_term" => &mut tags.term,
                "utm_content" => &mut tags.content,
                "utm_id" => &mut tags.id,
                _ => continue,
            };
            if member.is_empty() {
                *member = decode_form(value);
            }
        }
        if [&tags.source, &tags.medium, &tags.name].iter().any(|part| !part.trim().is_empty()) {
            return tags.folded();
        }
        click.and_then(|click| Self::of_click(&click.kind, rules))
    }

    fn of_click(kind: &str, rules: &[ChannelRule]) -> Option<Self> {
        let own = rules.iter().find(|rule| rule.click_id == kind);
        let own = own.map(|rule| (rule.source.as_str(), rule.medium.as_str()));
        let known = || CLICK_KEYS.into_iter().find(|(name, ..)| *name == kind);
        let (source, medium) =
            own.or_else(|| known().map(|(_, source, medium)| (source, medium)))?;
        let [source, medium] = [source, medium].map(str::to_owned);
        Self { source, medium, ..Self::default() }.folded()
    }
}

/// What follows `://` in a URL.
fn behind_scheme(url: &str) -> Option<&str> {
    let at = url.as_bytes().windows(3).position(|three| three == b"://")?;
    url.get(at + 3..)
}

/// Splits before the first of these bytes.
fn split_before<'a>(text: &'a str, marks: &[u8]) -> (&'a str, &'a str) {
    let at = text.bytes().position(|byte| marks.contains(&byte)).unwrap_or(text.len());
    text.split_at(at)
}

/// The host of a URL in lower case, without port and user.
#[must_use]
pub fn host_of(url: &str) -> Option<String> {
    let (authority, _) = split_before(behind_scheme(url)?, b"/?#");
    let host = match authority.bytes().rposition(|byte| byte == b'@') {
        Some(at) => authority.get(at + 1..)?,
        None => authority,
    };
    let bare = match host.bytes().rposition(|byte| byte == b':') {
        Some(at) if host.bytes().skip(at + 1).all(|b| b.is_ascii_digit()) => host.get(..at)?,
        _ => host,
    };
    let lower = || if bare.is_ascii() { bare.to_ascii_lowercase() } else { bare.to_lowercase() };
    (!bare.is_empty()).then(lower)
}

/// The path of a URL, or of a text that is a path already; without query and fragment.
#[must_use]
pub fn path_of(url: &str) -> String {
    let rest = match behind_scheme(url) {
        None => url,
        Some(rest) => match split_before(rest, b"/?#").1 {
            "" => "/",
            rest => rest,
        },
    };
    let (path, _) = split_before(rest, b"?#");
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<[&str; 3]>) {
        let click = Click::of_url(url, &[]);
        let campaign = Campaign::of_url(url, click.as_ref(), &[]);
        let campaign = campaign.map(|c| [c.source, c.medium, c.name]);
        assert_eq!(campaign, expected.map(|parts| parts.map(str::to_owned)), "{url}");
    }

    #[test]
    fn tags_are_decoded_once_and_folded() {
        check(
            "https://shop.vn/p?utm_source=+Facebook&utm_medium=CPC&utm_campaign=T%E1%BA%BFt%202026",
            Some(["facebook", "cpc", "tết 2026"]),
        );
        check("https://shop.vn/?utm_source=a%2520b", Some(["a%20b", "", ""]));
        check("https://shop.vn/?utm_term=x", None);
        check("https://shop.vn/?utm_source=(direct)&utm_medium=none", None);
        check("https://shop.vn/#utm_source=x", None);
        check("https://shop.vn/?utm_source=100%", Some(["100%", "", ""]));
    }

    #[test]
    fn composed_and_decomposed_letters_are_one_campaign() {
        assert_eq!(fold("Te\u{302}\u{301}t"), fold("T\u{1ebf}t"));
    }

    #[test]
    fn click_ids_stand_in_for_tags() {
        check("https://shop.vn/?gclid=Ab1", Some(["google", "cpc", ""]));
        check("https://shop.vn/?gclid=Ab1&utm_source=mail", Some(["mail", "", ""]));
        check("https://shop.vn/?fbclid=", None);
        check("https://shop.vn/?yclid=1", None);
        check("https://shop.vn/?yclid=1&fbclid=2", Some(["facebook", "social", ""]));
    }

    #[test]
    fn click_ids_are_kept_as_sent_and_stand_for_what_the_site_says() {
        let rule = ChannelRule {
            source: "AccessTrade".to_owned(),
            medium: "affiliate".to_owned(),
            channel: "Affiliates".to_owned(),
            click_id: "aff_sid".to_owned(),
        };
        let rules = [rule];
        let url = "https://shop.vn/?gclid=X&aff_sid=Ab%2B1#gclid=no";
        let click = Click::of_url(url, &rules).unwrap();
        assert_eq!((click.kind.as_str(), click.value.as_str()), ("aff_sid", "Ab+1"));
        let campaign = Campaign::of_url(url, Some(&click), &rules).unwrap();
        assert_eq!(
            (campaign.source.as_str(), campaign.medium.as_str()),
            ("accesstrade", "affiliate")
        );
        assert_eq!(Click::of_url(url, &[]).unwrap().kind, "gclid");
        let long = format!("https://shop.vn/?gclid={}", "x".repeat(2_000));
        assert_eq!(Click::of_url(&long, &[]).unwrap().value.len(), CLICK_CHARS_MAX);
    }

    #[test]
    fn hosts_and_paths() {
        assert_eq!(
            host_of("https://WWW.Google.com:443/search?q=x").as_deref(),
            Some("www.google.com")
        );
        assert_eq!(host_of("https://user@shop.vn").as_deref(), Some("shop.vn"));
        assert_eq!(host_of("not a url"), None);
        assert_eq!(path_of("https://shop.vn/p/1?x#y"), "/p/1");
        assert_eq!(path_of("https://shop.vn"), "/");
        assert_eq!(path_of("https://shop.vn?x=1"), "/");
        assert_eq!(path_of("/p/1?x"), "/p/1");
    }
}
