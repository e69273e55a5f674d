//! What a session or an order says under a dimension of visits.

use std::cell::RefCell;

use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::untagged;
use edgetally_proto::event::Platform;
use edgetally_proto::visitor::{Kind, Place};
use rustc_hash::FxHashMap;

use super::metric::{Dimension, Visit};
use crate::facts::campaign::{DIRECT, grade_of};
use crate::facts::order::status;
use crate::people::SessionRow;
use crate::records::Stored;
use crate::sessionize::Touch;
use crate::site::credits::OrderRow;
use crate::texts::{TextId, text_of};
use crate::view::SiteView;

/// A value that is missing.
pub const NONE: &str = "(none)";

/// Reads values of dimensions, each text only once.
#[derive(Debug)]
pub struct Reader<'a> {
    site: &'a SiteView,
    campaigns: RefCell<FxHashMap<TextId, Campaign>>,
    channels: RefCell<FxHashMap<TextId, String>>,
}

fn or_none(text: &str) -> String {
    if text.is_empty() { NONE.to_owned() } else { text.to_owned() }
}

impl<'a> Reader<'a> {
    /// A reader of a snapshot.
    #[must_use]
    pub fn new(site: &'a SiteView) -> Self {
        Self { site, campaigns: RefCell::default(), channels: RefCell::default() }
    }

    fn text(&self, id: Option<TextId>) -> String {
        id.map_or_else(|| NONE.to_owned(), |id| or_none(text_of(&self.site.texts, id)))
    }

    /// The value of a session: of its attributed touch, of its first event, or of its pages.
    #[must_use]
    pub fn of_session(&self, row: &SessionRow, by: Dimension) -> String {
        let Dimension::Visit(by) = by else { return NONE.to_owned() };
        match by {
            Visit::EntryPage => self.text(row.entry_page),
            Visit::ExitPage => self.text(row.exit_page),
            _ if by.is_of_touch() => self.of_touch(row.attributed, by),
            _ => self.of_record(self.site.record(row.record).as_deref(), by),
        }
    }

    /// The value of an order: of its credited touch, of the event that gives its time, or of the
    /// session it was ordered in.
    #[must_use]
    pub fn of_order(&self, row: &OrderRow, by: Dimension) -> String {
        match by {
            Dimension::OrderPlatform => row.key.platform.to_string(),
            Dimension::OrderStatus => status(row).to_owned(),
            Dimension::Visit(by) if by.is_of_touch() => self.of_touch(row.credit.touch, by),
            Dimension::Visit(Visit::EntryPage | Visit::ExitPage) => {
                let session = row.credit.session.and_then(|record| {
                    let start_ms = self.site.record(record)?.occurred_at_ms;
                    self.site.sessions.get(&(start_ms, record))
                });
                session.map_or_else(|| NONE.to_owned(), |session| self.of_session(session, by))
            }
            Dimension::Visit(by) => {
                let record = self.site.record(row.order.record);
                let record = record.as_deref();
                let city = || record?.fact.as_ref()?.shipping_city.clone();
                match city() {
                    Some(city) if by == Visit::City => or_none(&city),
                    _ => self.of_record(record, by),
                }
            }
            _ => NONE.to_owned(),
        }
    }

    fn of_touch(&self, touch: Option<Touch>, by: Visit) -> String {
        let record = touch.and_then(|touch| self.site.record(touch.record));
        let Some(record) = record else {
            return if by == Visit::Channel { DIRECT } else { NONE }.to_owned();
        };
        match by {
            Visit::Channel => self.channel(record.grade),
            Visit::Referrer => self.text(record.referrer),
            _ => self.tag(&record, by),
        }
    }

    fn channel(&self, grade: TextId) -> String {
        let mut channels = self.channels.borrow_mut();
        let read = || {
            grade_of(text_of(&self.site.texts, grade))
                .map_or_else(|| DIRECT.to_owned(), |grade| grade.channel)
        };
        channels.entry(grade).or_insert_with(read).clone()
    }

    /// A member of the campaign; of a link without tags, of the one that stands for its host.
    fn tag(&self, record: &Stored, by: Visit) -> String {
        let Some(id) = record.campaign.or(record.referrer) else { return NONE.to_owned() };
        let mut campaigns = self.campaigns.borrow_mut();
        let campaign = campaigns.entry(id).or_insert_with(|| {
            let text = text_of(&self.site.texts, id);
            match record.campaign {
                Some(_) => serde_json::from_str(text).unwrap_or_default(),
                None => untagged(text),
            }
        });
        or_none(match by {
            Visit::Source => &campaign.source,
            Visit::Medium => &campaign.medium,
            Visit::Campaign => &campaign.name,
            Visit::Term => &campaign.term,
            _ => &campaign.content,
        })
    }

    fn of_record(&self, record: Option<&Stored>, by: Visit) -> String {
        let Some(record) = record else { return NONE.to_owned() };
        let place = || -> Place {
            serde_json::from_str(text_of(&self.site.texts, record.place)).unwrap_or_default()
        };
        match by {
            Visit::Platform => Platform::as_str(record.platform).to_owned(),
            Visit::Device if record.device.kind == Kind::Other => NONE.to_owned(),
            Visit::Device => record.device.kind.as_str().to_owned(),
            Visit::Browser => or_none(record.device.browser()),
            Visit::Os => or_none(record.device.system()),
            Visit::Country => or_none(&place().country),
            Visit::Region => or_none(&place().region),
            Visit::City => or_none(&place().city),
            _ => NONE.to_owned(),
        }
    }
}
