//! What a session, an order or an event says under a dimension.

use std::cell::RefCell;

use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::untagged;
use edgetally_proto::event::Platform;
use edgetally_proto::record::Item as Line;
use edgetally_proto::visitor::{Kind, Place};
use rustc_hash::FxHashMap;

use super::dimension::Item;
use super::metric::{Dimension, Visit};
use super::shop::Shop;
use super::symbols::{Symbol, Symbols};
use crate::facts::campaign::{DIRECT, grade_of};
use crate::facts::order::status;
use crate::people::SessionRow;
use crate::records::{Clues, Origin, Stored};
use crate::sessionize::Touch;
use crate::site::credits::OrderRow;
use crate::texts::{TextId, text_of};
use crate::view::SiteView;

/// Reads values of dimensions, each text only once.
#[derive(Debug)]
pub struct Reader<'a> {
    site: &'a SiteView,
    shop: Shop,
    /// What the values stand for.
    pub symbols: Symbols,
    known: RefCell<FxHashMap<(Source, TextId), Symbol>>,
    campaigns: RefCell<FxHashMap<TextId, Campaign>>,
    places: RefCell<FxHashMap<TextId, Place>>,
}

/// What a text is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Text,
    Channel,
    Of(u8),
}

impl<'a> Reader<'a> {
    /// A reader of a snapshot.
    #[must_use]
    pub fn new(site: &'a SiteView, shop: &Shop) -> Self {
        Self {
            site,
            shop: shop.clone(),
            symbols: Symbols::default(),
            known: RefCell::default(),
            campaigns: RefCell::default(),
            places: RefCell::default(),
        }
    }

    /// The value of a text, worked out at its first appearance.
    fn known(&self, of: Source, id: TextId, read: impl FnOnce() -> Symbol) -> Symbol {
        if let Some(symbol) = self.known.borrow().get(&(of, id)) {
            return *symbol;
        }
        let symbol = read();
        self.known.borrow_mut().insert((of, id), symbol);
        symbol
    }

    /// The value of a text, such as a page.
    #[must_use]
    pub fn text(&self, id: Option<TextId>) -> Symbol {
        let Some(id) = id else { return Symbols::NONE };
        self.known(Source::Text, id, || self.symbols.of(text_of(&self.site.texts, id)))
    }

    /// The value of an event, and of one of its products if it is about those. What tells of a
    /// visit is that of its session; without one it is what the event itself says.
    #[must_use]
    pub fn of_event(
        &self,
        record: &Stored,
        session: Option<&SessionRow>,
        line: Option<&Line>,
        by: Dimension,
    ) -> Symbol {
        let fact = record.fact.as_deref();
        match by {
            Dimension::EventName => self.text(Some(record.name)),
            Dimension::EventPage => self.text(record.page),
            Dimension::SearchTerm => {
                let term = fact.and_then(|fact| fact.search_term.as_deref());
                self.symbols.of(term.unwrap_or_default())
            }
            Dimension::Param(name) => {
                let mut params = fact.into_iter().flat_map(|fact| &fact.params);
                let value = params.find(|(known, _)| known == name.as_str());
                value.map_or(Symbols::NONE, |(_, value)| self.symbols.of(value))
            }
            Dimension::Item(by) => self.of_line(line, by),
            Dimension::Visit(visit) => match session {
                Some(row) => self.of_session(row, by),
                None if visit.is_of_touch() => Symbols::NONE,
                None => self.of_origin(Some(record.origin()), visit),
            },
            _ => Symbols::NONE,
        }
    }

    /// The value of a line of an order, or of a product that somebody looked at.
    #[must_use]
    pub fn of_line(&self, line: Option<&Line>, by: Item) -> Symbol {
        let Some(line) = line else { return Symbols::NONE };
        let id = line.id.as_deref().unwrap_or_default();
        let product = || self.shop.product(id);
        let own = match by {
            Item::Id => line.id.as_deref(),
            Item::Brand => line.brand.as_deref(),
            Item::Name => line.name.as_deref().or_else(|| Some(product()?.name.as_str())),
            Item::Category => {
                line.category.as_deref().or_else(|| Some(product()?.category.as_str()))
            }
        };
        self.symbols.of(own.unwrap_or_default())
    }

    /// The value of a session: of its attributed touch, of its first event, or of its pages.
    #[must_use]
    pub fn of_session(&self, row: &SessionRow, by: Dimension) -> Symbol {
        let Dimension::Visit(by) = by else { return Symbols::NONE };
        match by {
            Visit::EntryPage => self.text(row.entry_page),
            Visit::ExitPage => self.text(row.exit_page),
            _ if by.is_of_touch() => self.of_touch(row.attributed, by),
            _ => self.of_origin(self.site.records.origin(row.record), by),
        }
    }

    /// The value of an order: of its credited touch, of the event that gives its time, or of the
    /// session it was ordered in.
    #[must_use]
    pub fn of_order(&self, row: &OrderRow, by: Dimension) -> Symbol {
        match by {
            Dimension::OrderPlatform => self.symbols.of(row.key.platform.as_ref()),
            Dimension::OrderStatus => self.symbols.of(status(row)),
            Dimension::Visit(by) if by.is_of_touch() => self.of_touch(row.credit.touch, by),
            Dimension::Visit(Visit::EntryPage | Visit::ExitPage) => {
                let session = row.credit.session.and_then(|record| {
                    let start_ms = self.site.record(record)?.occurred_at_ms;
                    self.site.sessions.get(&(start_ms, record))
                });
                session.map_or(Symbols::NONE, |session| self.of_session(session, by))
            }
            Dimension::Visit(by) => {
                let record = self.site.record(row.order.record);
                let record = record.as_deref();
                let city = || record?.fact.as_ref()?.shipping_city.clone();
                match city() {
                    Some(city) if by == Visit::City => self.symbols.of(&city),
                    _ => self.of_origin(record.map(Stored::origin), by),
                }
            }
            _ => Symbols::NONE,
        }
    }

    fn of_touch(&self, touch: Option<Touch>, by: Visit) -> Symbol {
        self.of_clues(touch.and_then(|touch| self.site.records.clues(touch.record)), by)
    }

    /// The value of a touch that says something, or of none.
    #[must_use]
    pub fn of_clues(&self, clues: Option<Clues>, by: Visit) -> Symbol {
        let Some(clues) = clues else {
            return if by == Visit::Channel { self.symbols.of(DIRECT) } else { Symbols::NONE };
        };
        match by {
            Visit::Channel => self.channel(clues.grade),
            Visit::Referrer => self.text(clues.referrer),
            _ => self.tag(clues, by),
        }
    }

    fn channel(&self, grade: TextId) -> Symbol {
        self.known(Source::Channel, grade, || {
            let grade = grade_of(text_of(&self.site.texts, grade));
            self.symbols.of(grade.as_ref().map_or(DIRECT, |grade| grade.channel.as_str()))
        })
    }

    /// A member of the campaign; of a link without tags, of the one that stands for its host.
    fn tag(&self, clues: Clues, by: Visit) -> Symbol {
        let Some(id) = clues.campaign.or(clues.referrer) else { return Symbols::NONE };
        let read = || {
            let mut campaigns = self.campaigns.borrow_mut();
            let campaign = campaigns.entry(id).or_insert_with(|| {
                let text = text_of(&self.site.texts, id);
                match clues.campaign {
                    Some(_) => serde_json::from_str(text).unwrap_or_default(),
                    None => untagged(text),
                }
            });
            self.symbols.of(match by {
                Visit::Source => &campaign.source,
                Visit::Medium => &campaign.medium,
                Visit::Campaign => &campaign.name,
                Visit::Term => &campaign.term,
                _ => &campaign.content,
            })
        };
        self.known(Source::Of(by as u8), id, read)
    }

    /// The value of where an event came from.
    #[must_use]
    pub fn of_origin(&self, origin: Option<Origin>, by: Visit) -> Symbol {
        let Some(Origin { place: at, device, platform }) = origin else { return Symbols::NONE };
        let place = |of: fn(&Place) -> &String| {
            self.known(Source::Of(by as u8), at, || {
                let mut places = self.places.borrow_mut();
                let place = places.entry(at).or_insert_with(|| {
                    let text = text_of(&self.site.texts, at);
                    serde_json::from_str(text).unwrap_or_default()
                });
                self.symbols.of(of(place))
            })
        };
        match by {
            Visit::Platform => self.symbols.of(Platform::as_str(platform)),
            Visit::Device if device.kind == Kind::Other => Symbols::NONE,
            Visit::Device => self.symbols.of(device.kind.as_str()),
            Visit::Browser => self.symbols.of(device.browser()),
            Visit::Os => self.symbols.of(device.system()),
            Visit::Country => place(|place| &place.country),
            Visit::Region => place(|place| &place.region),
            Visit::City => place(|place| &place.city),
            _ => Symbols::NONE,
        }
    }
}
