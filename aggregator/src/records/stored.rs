//! One accepted event as it is kept.

use std::sync::Arc;

use edgetally_proto::copies::Said;
use edgetally_proto::event::Platform;
use edgetally_proto::ids::EventId;
use edgetally_proto::record::{Fact, Flags};
use edgetally_proto::visitor::Device;
use serde::{Deserialize, Serialize};

use crate::texts::{TextId, Texts};

/// One accepted event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Stored {
    /// Its id.
    pub id: EventId,
    /// Its client; the empty text for events of the shop's server without one.
    pub client: TextId,
    /// The valid user id it carries.
    pub user: Option<TextId>,
    /// Its name.
    pub name: TextId,
    /// Where it came from.
    pub platform: Platform,
    /// Event time, epoch ms.
    pub occurred_at_ms: i64,
    /// When the edge took it, epoch ms.
    pub received_at_ms: i64,
    /// Marks.
    pub flags: Flags,
    /// Path of its page.
    pub page: Option<TextId>,
    /// Host of its referrer.
    pub referrer: Option<TextId>,
    /// Its campaign, as JSON.
    pub campaign: Option<TextId>,
    /// Its channel, as JSON; the empty text if nothing came from outside.
    pub grade: TextId,
    /// Its place, as JSON: country, region, city; the empty text if it is not known.
    pub place: TextId,
    /// What its visitor used.
    pub device: Device,
    /// What it says about an order.
    pub fact: Option<Arc<Fact>>,
    /// Whether an earlier copy turned up, which stands in its place.
    pub is_superseded: bool,
}

/// What a record says of its touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Clues {
    /// Its channel, as in [`Stored`].
    pub grade: TextId,
    /// Host of its referrer.
    pub referrer: Option<TextId>,
    /// Its campaign, as in [`Stored`].
    pub campaign: Option<TextId>,
}

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Its place, as in [`Stored`].
    pub place: TextId,
    /// What its visitor used.
    pub device: Device,
    /// Which of the shop's doors.
    pub platform: Platform,
}

/// The form in which checkpoints of before hold it, without names.
type Row = (
    (EventId, TextId, Option<TextId>, TextId),
    (u8, i64, i64, u8),
    (Option<TextId>, Option<TextId>, Option<TextId>, TextId, TextId, Device),
    (Option<Fact>, bool),
);

impl From<Row> for Stored {
    fn from(row: Row) -> Self {
        let ((id, client, user, name), times, refs, (fact, is_superseded)) = row;
        let (platform, occurred_at_ms, received_at_ms, flags) = times;
        let (page, referrer, campaign, grade, place, device) = refs;
        Self {
            id,
            client,
            user,
            name,
            platform: Platform::from_wire(platform).unwrap_or(Platform::Web),
            occurred_at_ms,
            received_at_ms,
            flags: Flags(flags),
            page,
            referrer,
            campaign,
            grade,
            place,
            device,
            fact: fact.map(Arc::new),
            is_superseded,
        }
    }
}

impl From<Stored> for Row {
    fn from(record: Stored) -> Self {
        let fact = record.fact.map(Arc::unwrap_or_clone);
        let Stored { page, referrer, campaign, grade, place, device, .. } = record;
        (
            (record.id, record.client, record.user, record.name),
            (record.platform as u8, record.occurred_at_ms, record.received_at_ms, record.flags.0),
            (page, referrer, campaign, grade, place, device),
            (fact, record.is_superseded),
        )
    }
}

impl Stored {
    /// What it says of its touch.
    #[must_use]
    pub fn clues(&self) -> Clues {
        Clues { grade: self.grade, referrer: self.referrer, campaign: self.campaign }
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin { place: self.place, device: self.device, platform: self.platform }
    }

    /// What it says, with its texts.
    pub(super) fn said<'a>(&'a self, texts: &'a Texts) -> Said<'a> {
        let text = |id: Option<TextId>| id.map(|id| texts.text(id));
        Said {
            name: texts.text(self.name),
            client: texts.text(self.client),
            user: text(self.user),
            platform: self.platform,
            occurred_at_ms: self.occurred_at_ms,
            flags: self.flags,
            page: text(self.page),
            referrer: text(self.referrer),
            campaign: text(self.campaign),
            grade: texts.text(self.grade),
            place: texts.text(self.place),
            device: self.device,
            fact: self.fact.as_deref(),
        }
    }
}

impl Stored {
    /// What is left of a record that was erased: its number.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            id: EventId::Uuid([0; 16]),
            client: 0,
            user: None,
            name: 0,
            platform: Platform::Web,
            occurred_at_ms: 0,
            received_at_ms: 0,
            flags: Flags(0),
            page: None,
            referrer: None,
            campaign: None,
            grade: 0,
            place: 0,
            device: Device::default(),
            fact: None,
            is_superseded: true,
        }
    }

    /// Whether it is what the back office says of an order, and so no event.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.fact.as_ref().is_some_and(|fact| fact.told.is_some())
    }

    /// Whether nothing is left of it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.is_superseded && self.received_at_ms == 0
    }

    /// The texts that may tell who somebody is; names of events do not.
    pub fn personal_texts(&self) -> impl Iterator<Item = TextId> + use<> {
        let own = [self.user, self.page, self.referrer, self.campaign];
        let of_table = [self.client, self.grade, self.place];
        own.into_iter().flatten().chain(of_table).filter(|text| *text != 0)
    }
}
