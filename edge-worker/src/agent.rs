//! User agents: what somebody used, as families, and whether it owns to being no person's browser.
//!
//! Parts of the text are looked up in tables, from the particular to the general: every browser
//! names those that it resembles.

mod crawlers;

use std::cell::RefCell;
use std::collections::HashMap;

use edgetally_proto::visitor::{Device, Kind};

pub use crawlers::{Claim, WORDS, claim};

/// Bytes of a user agent that are looked at.
const BYTES_MAX: usize = 512;
/// User agents that an isolate remembers: most requests come with one of a few hundred.
const REMEMBERED: usize = 1_024;

/// What a user agent says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Agent {
    /// The device, as far as it is known.
    pub device: Device,
    /// Whether it is a crawler or a tool.
    pub claim: Claim,
    /// Whether it is a browser of the last years, which sends certain headers with every request
    /// of a page.
    pub is_modern: bool,
}

thread_local! {
    /// What was worked out before: a cache of a pure function, and nothing else.
    static KNOWN: RefCell<HashMap<Box<str>, Agent>> = RefCell::default();
}

impl Agent {
    /// Reads a user agent.
    #[must_use]
    pub fn of(user_agent: &str) -> Self {
        let text = user_agent.get(..user_agent.floor_char_boundary(BYTES_MAX)).unwrap_or_default();
        KNOWN.with_borrow_mut(|known| {
            if let Some(agent) = known.get(text) {
                return *agent;
            }
            if known.len() >= REMEMBERED {
                known.clear();
            }
            let agent = Self::read(text);
            known.insert(text.into(), agent);
            agent
        })
    }

    fn read(text: &str) -> Self {
        let (browser, system) = (first(&BROWSERS, text), system_of(text));
        let device = Device::of(kind_of(text, system), browser, system);
        Self { device, claim: claim(text), is_modern: is_modern(text, browser) }
    }
}

/// The name of the first row one of whose parts is in the text.
fn first(rows: &[(&'static str, &[&str])], text: &str) -> &'static str {
    let row = rows.iter().find(|(_, parts)| parts.iter().any(|part| text.contains(part)));
    row.map_or("", |(name, _)| name)
}

const BROWSERS: [(&str, &[&str]); 36] = [
    ("Messenger", &["MessengerForiOS", "MessengerLiteForiOS", "Orca-Android", "FBAN/Messenger"]),
    ("Facebook", &["FBAN/", "FBAV/", "FB_IAB/"]),
    ("Instagram", &["Instagram"]),
    ("TikTok", &["musical_ly", "BytedanceWebview", "TikTok", "trill_", "ByteLocale"]),
    ("Zalo", &["Zalo"]),
    ("WeChat", &["MicroMessenger/"]),
    ("Line", &[" Line/"]),
    ("Snapchat", &["Snapchat"]),
    ("Pinterest", &["Pinterest/", "[Pinterest"]),
    ("X", &["Twitter for ", "TwitterAndroid"]),
    ("LinkedIn", &["LinkedInApp"]),
    ("Google App", &["GSA/"]),
    ("Coc Coc", &["coc_coc_browser", "CocCoc", "Coc_Coc"]),
    ("Edge", &["Edg/", "EdgA/", "EdgiOS/", "Edge/"]),
    ("Opera Mini", &["Opera Mini", "OPiOS/"]),
    ("Opera", &["OPR/", "OPT/", "OPX/", "Opera"]),
    ("Samsung Internet", &["SamsungBrowser/"]),
    ("Yandex Browser", &["YaBrowser/"]),
    ("Vivaldi", &["Vivaldi/"]),
    ("UC Browser", &["UCBrowser/", "UCWEB"]),
    ("DuckDuckGo", &["DuckDuckGo/", "Ddg/"]),
    ("Huawei Browser", &["HuaweiBrowser/"]),
    ("MIUI Browser", &["MiuiBrowser/"]),
    ("QQ Browser", &["QQBrowser/"]),
    ("Whale", &["Whale/"]),
    ("Silk", &["Silk/"]),
    ("Ecosia", &["Ecosia"]),
    ("Brave", &["Brave/"]),
    ("Firefox", &["FxiOS/", "Focus/", "Klar/", "Firefox/"]),
    ("Internet Explorer", &["Trident/", "MSIE "]),
    ("Chrome", &["CriOS/"]),
    ("Android WebView", &["; wv)"]),
    ("Chrome", &["Chrome/", "Chromium/"]),
    ("Android Browser", &["Android Browser"]),
    ("Safari", &["Safari/"]),
    ("Safari WebView", &["Mobile/"]),
];

const SYSTEMS: [(&str, &[&str]); 17] = [
    ("Windows Phone", &["Windows Phone", "IEMobile"]),
    ("Xbox", &["Xbox"]),
    ("PlayStation", &["PlayStation", "PLAYSTATION"]),
    ("Nintendo", &["Nintendo"]),
    ("tvOS", &["AppleTV", "Apple TV", "tvOS"]),
    ("iOS", &["iPhone", "iPad", "iPod", "(iOS", "; iOS ", " iOS/"]),
    ("KaiOS", &["KAIOS", "KaiOS"]),
    ("HarmonyOS", &["HarmonyOS", "OpenHarmony"]),
    ("Tizen", &["Tizen"]),
    ("webOS", &["Web0S", "webOS", "hpwOS"]),
    ("Fire OS", &["Silk/", "; AFT", "; KF"]),
    ("Android", &["Android", "Adr "]),
    ("Chrome OS", &["CrOS "]),
    ("Windows", &["Windows", "Win64", "Win32"]),
    ("macOS", &["Macintosh", "Mac OS X", "macOS", "Darwin/"]),
    ("BSD", &["FreeBSD", "OpenBSD", "NetBSD"]),
    ("Linux", &["Linux", "X11", "Ubuntu"]),
];

const TELEVISIONS: [&str; 18] = [
    "SmartTV",
    "SMART-TV",
    "Smart TV",
    "SmartHub",
    "GoogleTV",
    "Google TV",
    "Android TV",
    "AndroidTV",
    "BRAVIA",
    "HbbTV",
    "Roku",
    "; AFT",
    "NetCast",
    "CrKey",
    "Viera",
    "VIDAA",
    "MiTV",
    "TV Safari",
];

const TABLETS: [&str; 10] = [
    "iPad", "Tablet;", "; Tablet", "PlayBook", "Kindle", "; KF", "SM-T", "SM-X", "MediaPad",
    "Nexus 7",
];

fn system_of(text: &str) -> &'static str {
    // Web views of an iPad that asks for desktop pages call themselves a Macintosh.
    let is_ipad = text.contains("Macintosh") && text.contains("Mobile/");
    if is_ipad { "iOS" } else { first(&SYSTEMS, text) }
}

fn kind_of(text: &str, system: &str) -> Kind {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let says_mobile = text.contains("Mobi") || text.contains("Opera Mini");
    match system {
        "Xbox" | "PlayStation" | "Nintendo" => Kind::Console,
        "tvOS" | "webOS" => Kind::Tv,
        _ if has(&TELEVISIONS) || (system == "Tizen" && text.contains("TV")) => Kind::Tv,
        "iOS" if text.contains("iPad") || text.contains("Macintosh") => Kind::Tablet,
        "iOS" | "Windows Phone" | "KaiOS" => Kind::Mobile,
        "Android" | "HarmonyOS" | "Fire OS" | "Tizen" => {
            // Browsers on telephones say so; apps say nothing of the kind.
            let is_browser = text.starts_with("Mozilla/");
            let is_tablet = has(&TABLETS) || (is_browser && !says_mobile);
            if is_tablet { Kind::Tablet } else { Kind::Mobile }
        }
        _ if says_mobile || text.contains("BlackBerry") => Kind::Mobile,
        "" => Kind::Other,
        _ => Kind::Desktop,
    }
}

/// The number that stands behind a part of the text.
fn version(text: &str, part: &str) -> u32 {
    let digits = text.split_once(part).map_or("", |(_, rest)| rest);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether it is a browser that sends `Accept-Language` and `Sec-Fetch-*` with all that pages ask
/// of secure addresses. Web views inside apps are not judged: apps change what they send.
fn is_modern(text: &str, browser: &str) -> bool {
    match browser {
        "Chrome" | "Edge" | "Opera" | "Brave" | "Vivaldi" | "Samsung Internet" | "Coc Coc" => {
            version(text, "Chrome/") >= 90
        }
        "Firefox" => version(text, "Firefox/") >= 91,
        "Safari" => version(text, "Version/") >= 17,
        _ => false,
    }
}

/// What the browser says of itself beside the user agent: `Sec-CH-UA` and its like.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// `Sec-CH-UA`: names of the browser.
    pub brands: Option<String>,
    /// `Sec-CH-UA-Mobile`
    pub mobile: Option<String>,
    /// `Sec-CH-UA-Platform`
    pub platform: Option<String>,
}

impl Hints {
    /// The device, put right: desktop pages on a telephone have the user agent of a computer, and
    /// Brave that of Chrome.
    #[must_use]
    pub fn refine(&self, device: Device) -> Device {
        let brands = self.brands.as_deref().unwrap_or_default();
        let own = [("\"Brave\"", "Brave"), ("\"DuckDuckGo\"", "DuckDuckGo"), ("CocCoc", "Coc Coc")];
        let brand = own.into_iter().find(|(part, _)| brands.contains(part));
        let browser = match brand {
            Some((_, browser)) if device.browser() == "Chrome" => browser,
            _ => device.browser(),
        };
        let is_mobile = self.mobile.as_deref() == Some("?1");
        let hinted = self.platform.as_deref().unwrap_or_default().trim_matches('"');
        let hinted = if hinted == "Chromium OS" { "Chrome OS" } else { hinted };
        let is_hidden =
            hinted == "Android" && matches!(device.system(), "Linux" | "Chrome OS" | "");
        match (device.kind, is_hidden, is_mobile) {
            (Kind::Desktop | Kind::Other, true, true) => Device::of(Kind::Mobile, browser, hinted),
            (Kind::Desktop | Kind::Other, true, false) => Device::of(Kind::Tablet, browser, hinted),
            (Kind::Other, _, _) if !hinted.is_empty() => {
                Device::of(if is_mobile { Kind::Mobile } else { Kind::Desktop }, browser, hinted)
            }
            (kind, ..) => Device::of(kind, browser, device.system()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of kind, browser, system and user agent.
    pub(super) const PERSONS: &str = include_str!("../data/persons.tsv");

    #[test]
    fn browsers_apps_and_devices_are_told_apart() {
        for line in PERSONS.lines() {
            let [kind, browser, system, agent] = *line.split('\t').collect::<Vec<_>>() else {
                panic!("{line}")
            };
            let device = Agent::of(agent).device;
            let read = (device.kind.as_str(), device.browser(), device.system());
            assert_eq!(read, (kind, browser, system), "{agent}");
        }
    }

    #[test]
    fn every_name_of_the_tables_has_a_number() {
        for (name, _) in BROWSERS {
            assert_eq!(Device::of(Kind::Other, name, "").browser(), name);
        }
        for (name, _) in SYSTEMS {
            assert_eq!(Device::of(Kind::Other, "", name).system(), name);
        }
    }

    #[test]
    fn hints_put_desktop_pages_on_telephones_right() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
            Chrome/141.0.0.0 Safari/537.36";
        let hints = |mobile: &str, platform: &str, brands: &str| Hints {
            brands: Some(brands.to_owned()),
            mobile: Some(mobile.to_owned()),
            platform: Some(platform.to_owned()),
        };
        let refine = |hints: Hints| {
            let device = hints.refine(Agent::of(agent).device);
            (device.kind, device.browser(), device.system())
        };
        assert_eq!(refine(Hints::default()), (Kind::Desktop, "Chrome", "Linux"));
        let tablet = refine(hints("?0", "\"Android\"", ""));
        assert_eq!(tablet, (Kind::Tablet, "Chrome", "Android"));
        let mobile = refine(hints("?1", "\"Android\"", "\"Brave\";v=\"141\""));
        assert_eq!(mobile, (Kind::Mobile, "Brave", "Android"));
    }

    #[test]
    fn long_and_many_user_agents_are_read_too() {
        for n in 0..3 * REMEMBERED {
            assert_eq!(Agent::of(&format!("curl/{n}")).claim, Claim::Tool);
        }
        let long = format!("curl/8 {}", "ế".repeat(5_000));
        assert_eq!(Agent::of(&long).claim, Claim::Tool);
        KNOWN.with_borrow(|known| assert!(known.len() <= REMEMBERED));
    }
}
