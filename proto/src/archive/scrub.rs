//! What of an event may not be kept: nobody's address, and of visitors without consent nothing
//! that would tell who they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Context;
use crate::settings::ChannelRule;

type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Parameters of links by which advertisers know a single click, and so a person.
const CLICK_IDS: [&str; 25] = [
    "gclid",
    "gclsrc",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "epik",
    "sccid",
    "rdt_cid",
    "obclid",
    "tblci",
    "yclid",
    "irclickid",
    "_kx",
    "mc_eid",
    "srsltid",
    "awc",
    "cjevent",
    "irgwc",
    "ranmid",
    "click_id",
];
/// Members that name the visitor, wherever they stand.
const IDS: [&str; 4] = ["client_id", "user_id", "anonymous_id", "device_id"];
/// Members of `context` that tell who the visitor is; the first of them whoever he is.
const TRACES: [&str; 3] = ["ip", "user_agent", "userAgent"];
/// Members of `context` that the rules for events know.
const KNOWN: [&str; 10] = [
    "page_url",
    "page_title",
    "referrer",
    "language",
    "screen",
    "campaign",
    "user_agent",
    "country",
    "region",
    "city",
];
/// Endings of members that hold links.
const LINKS: [&str; 4] = ["url", "referrer", "location", "href"];

/// The event's JSON without what may not be kept. Numbers stay as they were written. `own` are the
/// site's rules, which name click ids of networks of its own.
pub(super) fn scrub<'a>(
    event: &'a str,
    cookieless: bool,
    kept: Context,
    own: &[ChannelRule],
) -> Cow<'a, str> {
    let names = Names(own);
    // The member may be written with an escape; both letters of it lie below 0x80.
    let may_have_ip = event.contains("\"ip\"") || event.contains("\\u00");
    if !cookieless && !may_have_ip && kept == Context::Whole {
        return Cow::Borrowed(event);
    }
    let Ok(members) = serde_json::from_str::<Members<'_>>(event) else {
        return Cow::Borrowed(event);
    };
    let written = members.iter().filter(|(name, _)| !(cookieless && names.are_personal(name)));
    let written = written.map(|(name, value)| {
        let value = match name.as_ref() {
            "context" => names.context(value, cookieless, kept),
            "params" if cookieless => names.anonymous(value.get(), false),
            _ => value.get().to_owned(),
        };
        member(name, &value)
    });
    Cow::Owned(object(written))
}

/// Whether a parameter may be kept of a visitor without consent: it is no id of a visitor or click,
/// and no link with one in it. `own` are the site's rules.
pub(crate) fn is_anonymous(name: &str, text: &str, own: &[ChannelRule]) -> bool {
    let names = Names(own);
    let is_link = text.contains("://") || LINKS.iter().any(|ending| name.ends_with(ending));
    !names.are_personal(name) && (!is_link || names.without_clicks(text) == text)
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", serde_json::to_string(name).unwrap_or_default())
}

fn object(members: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Names of what may not be kept, with those of the site's own networks.
struct Names<'a>(&'a [ChannelRule]);

impl Names<'_> {
    fn is_click(&self, name: &str) -> bool {
        let own = self.0.iter().map(|rule| rule.click_id.as_str()).filter(|id| !id.is_empty());
        CLICK_IDS.into_iter().chain(own).any(|id| name.eq_ignore_ascii_case(id))
    }

    fn are_personal(&self, name: &str) -> bool {
        IDS.contains(&name) || self.is_click(name)
    }

    fn context(&self, value: &RawValue, cookieless: bool, kept: Context) -> String {
        let Ok(members) = serde_json::from_str::<Members<'_>>(value.get()) else {
            return value.get().to_owned();
        };
        let traces = if cookieless { &TRACES[..] } else { &TRACES[..1] };
        let known = |name: &str| kept == Context::Whole || KNOWN.contains(&name);
        let kept = members.iter().filter(|(name, _)| known(name)).filter(|(name, _)| {
            !(traces.contains(&name.as_ref()) || cookieless && self.are_personal(name))
        });
        object(kept.map(|(name, value)| match cookieless {
            true => member(name, &self.anonymous(value.get(), true)),
            false => member(name, value.get()),
        }))
    }

    /// A value without ids of visitors and clicks, at any depth. A text is looked through if it is
    /// a link, by its looks or because of where it stands.
    fn anonymous(&self, json: &str, is_link: bool) -> String {
        match json.as_bytes().first() {
            Some(b'{') => {
                let members = serde_json::from_str::<Members<'_>>(json).unwrap_or_default();
                let kept = members.iter().filter(|(name, _)| !self.are_personal(name));
                object(kept.map(|(name, value)| {
                    let is_link = is_link || LINKS.iter().any(|ending| name.ends_with(ending));
                    member(name, &self.anonymous(value.get(), is_link))
                }))
            }
            Some(b'[') => {
                let values = serde_json::from_str::<Vec<&RawValue>>(json).unwrap_or_default();
                let kept = values.iter().map(|value| self.anonymous(value.get(), is_link));
                format!("[{}]", kept.collect::<Vec<_>>().join(","))
            }
            Some(b'"') => {
                let text: String = serde_json::from_str(json).unwrap_or_default();
                if !is_link && !text.contains("://") {
                    return json.to_owned();
                }
                serde_json::to_string(&self.without_clicks(&text)).unwrap_or_default()
            }
            _ => json.to_owned(),
        }
    }

    /// A link without its click ids. Nothing before its query changes.
    fn without_clicks(&self, link: &str) -> String {
        let is_click = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default();
            self.is_click(name)
        };
        let mut kept = String::with_capacity(link.len());
        let (mut mark, mut rest) = ("", link);
        // The mark of a pair that was dropped goes to the pair behind it.
        let mut inherited = None;
        loop {
            let ends: &[char] = if mark.is_empty() { &['?', '#'] } else { &['&', '#'] };
            let (part, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            if mark.is_empty() || !is_click(part) {
                kept.push_str(inherited.take().filter(|_| mark == "&").unwrap_or(mark));
                kept.push_str(part);
            } else if mark != "&" {
                inherited = Some(mark);
            }
            if after.is_empty() {
                return kept;
            }
            (mark, rest) = after.split_at(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lose_their_click_ids() {
        for (link, kept) in [
            ("https://s.vn/p?gclid=1", "https://s.vn/p"),
            ("https://s.vn/p?gclid=1&utm_source=x#top", "https://s.vn/p?utm_source=x#top"),
            ("/p?a=1&GCLID=2&fbclid=3&b=4", "/p?a=1&b=4"),
            ("/p?fbclid=3#gclid=1&x=2", "/p#x=2"),
            ("/a&gclid=1/b?utm_source=a?gclid=2", "/a&gclid=1/b?utm_source=a?gclid=2"),
            ("no link", "no link"),
            ("/p?", "/p?"),
        ] {
            assert_eq!(Names(&[]).without_clicks(link), kept);
        }
    }

    #[test]
    fn of_visitors_without_consent_nothing_tells_who_they_are() {
        let event = r#"{"id":"e","client_id":"c","user_id":"u","name":"identify","ts":1.50,
            "context":{"ip":"192.0.2.1","user_agent":"Firefox","language":"vi",
              "page_url":"/p?gclid=1&a=2"},
            "params":{"user_id":"u","gclid":"x","value":12345678901234567890.10,
              "transaction_id":"a?gclid=1","items":[{"href":"h?fbclid=1"},7]}}"#;
        let kept = concat!(
            r#"{"context":{"language":"vi","page_url":"/p?a=2"},"id":"e","name":"identify","#,
            r#""params":{"items":[{"href":"h"},7],"transaction_id":"a?gclid=1","#,
            r#""value":12345678901234567890.10},"ts":1.50}"#
        );
        assert_eq!(scrub(event, true, Context::Whole, &[]), kept);
    }

    #[test]
    fn click_ids_of_the_sites_own_networks_go_too() {
        let rule = ChannelRule { click_id: "aff_sid".to_owned(), ..ChannelRule::default() };
        let event = r#"{"context":{"page_url":"/p?aff_sid=1&a=2"},"params":{"aff_sid":"1"}}"#;
        let kept = r#"{"context":{"page_url":"/p?a=2"},"params":{}}"#;
        assert_eq!(scrub(event, true, Context::Whole, &[rule]), kept);
    }

    #[test]
    fn a_context_can_be_kept_in_what_is_known_of_it() {
        let event = r#"{"context":{"page_url":"/p?gclid=1","extra":[1,2]},"params":{"x":1}}"#;
        let kept = r#"{"context":{"page_url":"/p?gclid=1"},"params":{"x":1}}"#;
        assert_eq!(scrub(event, false, Context::Known, &[]), kept);
    }

    #[test]
    fn nobodys_address_is_kept() {
        let event = r#"{"client_id":"c","context":{"\u0069p":"192.0.2.1","user_agent":"Firefox"}}"#;
        let kept = r#"{"client_id":"c","context":{"user_agent":"Firefox"}}"#;
        assert_eq!(scrub(event, false, Context::Whole, &[]), kept);
        assert!(matches!(scrub(kept, false, Context::Whole, &[]), Cow::Borrowed(_)));
    }
}
