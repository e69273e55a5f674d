//! Names of dimensions and their values: Plausible's, and what we call them.

use crate::query::QueryError;
use crate::query::symbols::NONE;

/// How the values of a dimension are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As they are.
    Plain,
    /// Time: a date, or local date and time.
    Time,
    /// What is missing is `Direct / None`.
    Source,
    /// What is missing is `(not set)`.
    Tag,
    /// With a capital letter.
    Device,
    /// Systems, of which Apple's has another name.
    System,
    /// Countries by their English name.
    CountryName,
}

/// Plausible's names of what we call otherwise, and how its values are told.
const NAMES: [(&str, &str, Kind); 24] = [
    ("event:goal", "event:name", Kind::Plain),
    ("visit:source", "visit:source", Kind::Source),
    ("visit:referrer", "visit:referrer", Kind::Source),
    ("visit:utm_source", "visit:source", Kind::Tag),
    ("visit:utm_medium", "visit:medium", Kind::Tag),
    ("visit:utm_campaign", "visit:campaign", Kind::Tag),
    ("visit:utm_term", "visit:term", Kind::Tag),
    ("visit:utm_content", "visit:content", Kind::Tag),
    ("visit:entry_page", "visit:entry_page", Kind::Tag),
    ("visit:exit_page", "visit:exit_page", Kind::Tag),
    ("visit:device", "visit:device", Kind::Device),
    ("visit:browser", "visit:browser", Kind::Tag),
    ("visit:os", "visit:os", Kind::System),
    ("visit:country", "visit:country", Kind::Tag),
    ("visit:region", "visit:region", Kind::Tag),
    ("visit:city", "visit:city", Kind::Tag),
    ("visit:country_name", "visit:country", Kind::CountryName),
    ("visit:region_name", "visit:region", Kind::Tag),
    ("visit:city_name", "visit:city", Kind::Tag),
    ("time:minute", "time:minute", Kind::Time),
    ("time:hour", "time:hour", Kind::Time),
    ("time:day", "time:day", Kind::Time),
    ("time:week", "time:week", Kind::Time),
    ("time:month", "time:month", Kind::Time),
];

/// What Plausible has and we do not keep.
const NOT_KEPT: [&str; 7] = [
    "event:hostname",
    "visit:entry_page_hostname",
    "visit:exit_page_hostname",
    "visit:browser_version",
    "visit:os_version",
    "visit:screen",
    "segment",
];

const DIRECT: &str = "Direct / None";
const NOT_SET: &str = "(not set)";

/// Our name of a dimension, and how its values are told.
///
/// # Errors
/// If it is one of Plausible's that we do not keep.
pub fn dimension(name: &str) -> Result<(String, Kind), QueryError> {
    if NOT_KEPT.contains(&name) {
        let detail = format!("no metric can be had by {name}: it is not kept");
        return Err(QueryError::Unsupported { detail });
    }
    if let Some(property) = name.strip_prefix("event:props:") {
        return Ok((format!("event:param:{property}"), Kind::Tag));
    }
    let known = NAMES.iter().find(|(theirs, _, _)| *theirs == name);
    let kind = if name == "time:second" { Kind::Time } else { Kind::Plain };
    Ok(known.map_or((name.to_owned(), kind), |(_, ours, kind)| ((*ours).to_owned(), *kind)))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl Kind {
    /// A value as Plausible tells it.
    #[must_use]
    pub fn shown(self, value: &str) -> String {
        match (self, value) {
            (Self::Time, _) => super::show::time(value),
            (Self::Source, NONE) => DIRECT.to_owned(),
            (Self::Plain, _) => value.to_owned(),
            (_, NONE) => NOT_SET.to_owned(),
            (Self::Device, _) => capital(value),
            (Self::System, "macOS") => "Mac".to_owned(),
            (Self::CountryName, code) => {
                country_emoji::code_to_name(code).unwrap_or(code).to_owned()
            }
            _ => value.to_owned(),
        }
    }

    /// The value that Plausible tells so, where that is one.
    #[must_use]
    pub fn ours(self, shown: &str) -> String {
        match (self, shown) {
            (Self::Plain | Self::Time, _) => shown.to_owned(),
            (Self::Source, DIRECT) => NONE.to_owned(),
            (Self::Source, _) => shown.to_owned(),
            (_, NOT_SET) => NONE.to_owned(),
            _ => shown.to_owned(),
        }
    }

    /// All values of a dimension that are told under other names, ours.
    #[must_use]
    pub fn renamed(self) -> Option<Vec<String>> {
        use edgetally_proto::visitor::{Kind as Form, SYSTEMS};
        let known = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut all = match self {
            Self::Device => {
                let kinds = [Form::Desktop, Form::Mobile, Form::Tablet, Form::Tv, Form::Console];
                known(&kinds.map(Form::as_str))
            }
            Self::System => known(SYSTEMS.get(1..).unwrap_or_default()),
            Self::CountryName => {
                let letters = || (b'A'..=b'Z').map(char::from);
                let codes = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
                codes.filter(|code| country_emoji::code_to_name(code).is_some()).collect()
            }
            _ => return None,
        };
        all.push(NONE.to_owned());
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_names_of_plausible() {
        for (name, ours, value, shown) in [
            ("visit:source", "visit:source", NONE, DIRECT),
            ("visit:utm_medium", "visit:medium", NONE, NOT_SET),
            ("visit:utm_medium", "visit:medium", "cpc", "cpc"),
            ("visit:medium", "visit:medium", NONE, NONE),
            ("visit:device", "visit:device", "desktop", "Desktop"),
            ("visit:os", "visit:os", "macOS", "Mac"),
            ("visit:country_name", "visit:country", "VN", "Vietnam"),
            ("visit:country_name", "visit:country", "US", "United States"),
            ("event:props:author", "event:param:author", "x", "x"),
            ("time:hour", "time:hour", "2026-03-02T10:00:00.000+07:00", "2026-03-02 10:00:00"),
            ("time:day", "time:day", "2026-03-02", "2026-03-02"),
        ] {
            let (said, kind) = dimension(name).unwrap();
            assert_eq!((said.as_str(), kind.shown(value).as_str()), (ours, shown), "{name}");
        }
        assert!(matches!(dimension("event:hostname"), Err(QueryError::Unsupported { .. })));
        let countries = Kind::CountryName.renamed().unwrap();
        assert!(countries.len() > 200 && countries.contains(&"JP".to_owned()));
    }
}
