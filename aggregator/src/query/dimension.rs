//! What rows are broken down by.

use std::borrow::Cow;

use super::QueryError;
use super::metric::unknown;

/// Widths of time rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One local hour.
    Hour,
    /// One local day.
    Day,
    /// Monday to Sunday.
    Week,
    /// One local month.
    Month,
}

/// What rows are broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Time.
    Time(Unit),
    /// Name of the event.
    EventName,
    /// Path of the event's page.
    EventPage,
    /// What was searched for.
    SearchTerm,
    /// A parameter that the site keeps.
    Param(Name),
    /// A product of the event, or a line of the order.
    Item(Item),
    /// The experiment that somebody saw.
    Experiment,
    /// The variant of it.
    Variant,
    /// Why events were rejected.
    RejectCode,
    /// Of a session, or of the credit and the event of an order.
    Visit(Visit),
    /// Where an order was placed.
    OrderPlatform,
    /// What became of an order.
    OrderStatus,
}

/// What a visit can be broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// Channel of the touch.
    Channel,
    /// Source of its campaign.
    Source,
    /// Medium of its campaign.
    Medium,
    /// Name of its campaign.
    Campaign,
    /// Term of its campaign.
    Term,
    /// Content of its campaign.
    Content,
    /// The host that linked to the shop.
    Referrer,
    /// Platform of the event.
    Platform,
    /// Kind of device.
    Device,
    /// Browser.
    Browser,
    /// Operating system.
    Os,
    /// Country.
    Country,
    /// Region.
    Region,
    /// City; of an order the one it goes to, if that is known.
    City,
    /// Path of the first page.
    EntryPage,
    /// Path of the last page.
    ExitPage,
}

impl Visit {
    /// Whether it is told by the touch in force.
    #[must_use]
    pub fn is_of_touch(self) -> bool {
        use Visit::{Campaign, Channel, Content, Medium, Referrer, Source, Term};
        matches!(self, Channel | Source | Medium | Campaign | Term | Content | Referrer)
    }
}

/// Names and what they stand for; beside them there is one for each kept parameter.
pub const DIMENSIONS: [(&str, Dimension); 34] = [
    ("time:second", Dimension::Time(Unit::Second)),
    ("time:minute", Dimension::Time(Unit::Minute)),
    ("time:hour", Dimension::Time(Unit::Hour)),
    ("time:day", Dimension::Time(Unit::Day)),
    ("time:week", Dimension::Time(Unit::Week)),
    ("time:month", Dimension::Time(Unit::Month)),
    ("event:name", Dimension::EventName),
    ("event:page", Dimension::EventPage),
    ("event:search_term", Dimension::SearchTerm),
    ("item:id", Dimension::Item(Item::Id)),
    ("item:name", Dimension::Item(Item::Name)),
    ("item:category", Dimension::Item(Item::Category)),
    ("item:brand", Dimension::Item(Item::Brand)),
    ("experiment:id", Dimension::Experiment),
    ("experiment:variant", Dimension::Variant),
    ("reject:code", Dimension::RejectCode),
    ("visit:channel", Dimension::Visit(Visit::Channel)),
    ("visit:source", Dimension::Visit(Visit::Source)),
    ("visit:medium", Dimension::Visit(Visit::Medium)),
    ("visit:campaign", Dimension::Visit(Visit::Campaign)),
    ("visit:term", Dimension::Visit(Visit::Term)),
    ("visit:content", Dimension::Visit(Visit::Content)),
    ("visit:referrer", Dimension::Visit(Visit::Referrer)),
    ("visit:platform", Dimension::Visit(Visit::Platform)),
    ("visit:device", Dimension::Visit(Visit::Device)),
    ("visit:browser", Dimension::Visit(Visit::Browser)),
    ("visit:os", Dimension::Visit(Visit::Os)),
    ("visit:country", Dimension::Visit(Visit::Country)),
    ("visit:region", Dimension::Visit(Visit::Region)),
    ("visit:city", Dimension::Visit(Visit::City)),
    ("visit:entry_page", Dimension::Visit(Visit::EntryPage)),
    ("visit:exit_page", Dimension::Visit(Visit::ExitPage)),
    ("order:platform", Dimension::OrderPlatform),
    ("order:status", Dimension::OrderStatus),
];

/// What stands before the name of a kept parameter.
pub const PARAM: &str = "event:param:";

/// The name of a parameter, so small that it is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    length: u8,
    bytes: [u8; Self::BYTES_MAX],
}

impl Name {
    /// Longest name.
    pub const BYTES_MAX: usize = 64;

    /// A name, if it is not too long.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { length: u8::try_from(text.len()).ok()?, bytes })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a product can be broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// The shop's number of it.
    Id,
    /// Its name; where the event names none, that of the catalog.
    Name,
    /// Its category, likewise.
    Category,
    /// Its brand.
    Brand,
}

impl Dimension {
    /// Whether it is told by single events or their products.
    #[must_use]
    pub fn is_of_event(self) -> bool {
        matches!(
            self,
            Self::EventName | Self::EventPage | Self::SearchTerm | Self::Param(_) | Self::Item(_)
        )
    }

    /// Whether it is told by the experiments that somebody saw.
    #[must_use]
    pub fn is_of_exposure(self) -> bool {
        matches!(self, Self::Experiment | Self::Variant)
    }
}

/// Reads the name of a dimension.
///
/// # Errors
/// If there is no such dimension.
pub fn dimension(name: &str, field: &str) -> Result<Dimension, QueryError> {
    if let Some((_, dimension)) = DIMENSIONS.iter().find(|(known, _)| *known == name) {
        return Ok(*dimension);
    }
    let param = name.strip_prefix(PARAM).filter(|name| !name.is_empty()).and_then(Name::of);
    if let Some(param) = param {
        return Ok(Dimension::Param(param));
    }
    let known = DIMENSIONS.iter().map(|(known, _)| *known);
    Err(QueryError::invalid(field, unknown("dimension", name, known)))
}

/// The name of a dimension.
#[must_use]
pub fn name_of(dimension: Dimension) -> Cow<'static, str> {
    if let Dimension::Param(name) = dimension {
        return format!("{PARAM}{}", name.as_str()).into();
    }
    let name =
        DIMENSIONS.iter().find(|(_, known)| *known == dimension).map_or("", |(name, _)| name);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_told_again() {
        let named = DIMENSIONS.iter().map(|(name, _)| (*name).to_owned());
        for name in named.chain(["event:param:màu".to_owned(), format!("{PARAM}{:064}", 0)]) {
            assert_eq!(name_of(dimension(&name, "").unwrap()), name);
        }
        for name in ["event:nam", "event:param:", &format!("{PARAM}{:065}", 0)] {
            assert!(matches!(dimension(name, ""), Err(QueryError::Invalid { .. })), "{name}");
        }
    }
}
