//! What is kept of a visitor beside the ids: the place and the device of an event.
//!
//! Both are families, not fingerprints: no address, no user agent, no version.

use serde::{Deserialize, Serialize};

use crate::limits::PLACE_CHARS_MAX;

/// Where a visitor was; missing members are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(String, String, String)", into = "(String, String, String)")]
pub struct Place {
    /// Two capital letters of ISO 3166.
    pub country: String,
    /// Name of the region, at most 128 characters.
    pub region: String,
    /// Name of the city, at most 128 characters.
    pub city: String,
}

impl From<(String, String, String)> for Place {
    fn from((country, region, city): (String, String, String)) -> Self {
        Self { country, region, city }
    }
}

impl From<Place> for (String, String, String) {
    fn from(place: Place) -> Self {
        (place.country, place.region, place.city)
    }
}

impl Place {
    /// A place put in order: what is no country is left out, names are trimmed, freed of controls
    /// and cut to their length. None where nothing is left.
    #[must_use]
    pub fn of(country: Option<&str>, region: Option<&str>, city: Option<&str>) -> Option<Self> {
        let name = |name: Option<&str>| name.map(clean).unwrap_or_default();
        let country = country.and_then(country_code).unwrap_or_default();
        let place = Self { country, region: name(region), city: name(city) };
        (place != Self::default()).then_some(place)
    }
}

/// The code of a country in capitals; `XX`, which stands for an unknown one, is none.
#[must_use]
pub fn country_code(text: &str) -> Option<String> {
    let code = text.trim().to_ascii_uppercase();
    let is_code = code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase());
    (is_code && code != "XX").then_some(code)
}

fn clean(name: &str) -> String {
    let printable = name.trim().chars().filter(|letter| !letter.is_control());
    printable.take(PLACE_CHARS_MAX).collect()
}

/// What kind of device somebody used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Not known.
    #[default]
    Other = 0,
    /// A computer.
    Desktop = 1,
    /// A telephone.
    Mobile = 2,
    /// A tablet.
    Tablet = 3,
    /// A television or what stands under one.
    Tv = 4,
    /// A games console.
    Console = 5,
}

impl Kind {
    /// All of them, in the order of their numbers on the wire.
    pub const ALL: [Self; 6] =
        [Self::Other, Self::Desktop, Self::Mobile, Self::Tablet, Self::Tv, Self::Console];

    /// The name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Tv => "tv",
            Self::Console => "console",
        }
    }
}

/// Names of browsers in the order of their numbers on the wire; number 0 is one that is not known.
/// New ones go to the end.
pub const BROWSERS: [&str; 36] = [
    "",
    "Chrome",
    "Safari",
    "Firefox",
    "Edge",
    "Opera",
    "Samsung Internet",
    "Coc Coc",
    "UC Browser",
    "Yandex Browser",
    "Brave",
    "Vivaldi",
    "DuckDuckGo",
    "Internet Explorer",
    "Android WebView",
    "Android Browser",
    "Opera Mini",
    "Huawei Browser",
    "MIUI Browser",
    "QQ Browser",
    "Whale",
    "Silk",
    "Google App",
    "Facebook",
    "Messenger",
    "Instagram",
    "TikTok",
    "Zalo",
    "WeChat",
    "Line",
    "Snapchat",
    "Pinterest",
    "X",
    "LinkedIn",
    "Safari WebView",
    "Ecosia",
];

/// Names of operating systems in the order of their numbers on the wire; number 0 is one that is
/// not known. New ones go to the end.
pub const SYSTEMS: [&str; 18] = [
    "",
    "Windows",
    "macOS",
    "iOS",
    "Android",
    "Linux",
    "Chrome OS",
    "Fire OS",
    "HarmonyOS",
    "Tizen",
    "webOS",
    "tvOS",
    "KaiOS",
    "PlayStation",
    "Xbox",
    "Nintendo",
    "Windows Phone",
    "BSD",
];

/// What somebody used: the kind of device, and the families of browser and system.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "(u8, u8, u8)", into = "(u8, u8, u8)")]
pub struct Device {
    /// Its kind.
    pub kind: Kind,
    browser: u8,
    system: u8,
}

impl From<(u8, u8, u8)> for Device {
    /// A kind that a later writer knows is read as none; its browser or system keeps the number.
    fn from((kind, browser, system): (u8, u8, u8)) -> Self {
        let kind = Kind::ALL.get(usize::from(kind)).copied().unwrap_or_default();
        Self { kind, browser, system }
    }
}

impl From<Device> for (u8, u8, u8) {
    fn from(device: Device) -> Self {
        (device.kind as u8, device.browser, device.system)
    }
}

impl Device {
    /// A device by the names of its families. A name outside the lists is not known.
    #[must_use]
    pub fn of(kind: Kind, browser: &str, system: &str) -> Self {
        let number = |names: &[&str], name: &str| {
            let at = names.iter().position(|known| *known == name);
            at.and_then(|at| u8::try_from(at).ok()).unwrap_or_default()
        };
        Self { kind, browser: number(&BROWSERS, browser), system: number(&SYSTEMS, system) }
    }

    /// The family of its browser; empty if that is not known.
    #[must_use]
    pub fn browser(self) -> &'static str {
        BROWSERS.get(usize::from(self.browser)).copied().unwrap_or_default()
    }

    /// The family of its operating system; empty if that is not known.
    #[must_use]
    pub fn system(self) -> &'static str {
        SYSTEMS.get(usize::from(self.system)).copied().unwrap_or_default()
    }

    /// Whether anything is known of it.
    #[must_use]
    pub fn is_known(self) -> bool {
        self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_put_in_order() {
        let place = Place::of(Some(" vn "), Some("Hà Nội\u{7}"), Some(&"x".repeat(200))).unwrap();
        assert_eq!((place.country.as_str(), place.region.as_str()), ("VN", "Hà Nội"));
        assert_eq!(place.city.chars().count(), PLACE_CHARS_MAX);
        for nowhere in ["", "XX", "T1", "VNM", "Việt"] {
            assert_eq!(Place::of(Some(nowhere), Some(" "), None), None, "{nowhere}");
        }
    }

    #[test]
    fn families_keep_their_numbers() {
        for (at, name) in BROWSERS.iter().enumerate() {
            let device = Device::of(Kind::Tv, name, "");
            assert_eq!(<(u8, u8, u8)>::from(device), (4, u8::try_from(at).unwrap(), 0));
            assert_eq!(device.browser(), *name);
        }
        for name in SYSTEMS {
            assert_eq!(Device::of(Kind::Other, "", name).system(), name);
        }
        let later = Device::from((9, 250, 250));
        assert_eq!((later.kind, later.browser(), later.system()), (Kind::Other, "", ""));
    }
}
