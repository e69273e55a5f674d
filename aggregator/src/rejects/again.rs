//! Rejected events judged again, under the settings of today.

use edgetally_proto::channel::Grade;
use edgetally_proto::error::RejectCode;
use edgetally_proto::event::Event;
use edgetally_proto::ids::SiteId;
use edgetally_proto::json::Doc;
use edgetally_proto::limits::MAPPED_DEPTH_MAX;
use edgetally_proto::raw::RawEvent;
use edgetally_proto::record::{Flags, Letter};
use edgetally_proto::settings::{Bots, SiteSettings};
use edgetally_proto::validate::{Ids, Reject, Rules, Visitor, validate};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::page::Place;
use super::{BlockKey, BucketKey, Rejects, day_of, hour_of, weight};

/// What becomes of one letter, as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it was received, epoch ms.
    pub received_at_ms: i64,
    /// The code under which it was counted.
    pub code: RejectCode,
    /// Its number within code and hour.
    pub number: u64,
    /// Why it stays; none if its event was taken in and it leaves.
    pub reason: Option<Reason>,
}

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The code.
    pub code: RejectCode,
    /// Path of the member at fault.
    pub field: String,
    /// For people.
    pub message: String,
}

/// Judges a letter's event as if it had come with a server key when it was received.
///
/// What the letter does not say cannot count: `sent_at`, and for events that were not refused as
/// a bot's whether one sent them. An event without id and time gets its id from its place, so that
/// it is the same event each time.
///
/// # Errors
/// The reason for which it would be refused.
pub fn judge(
    site: &SiteId,
    settings: &SiteSettings,
    place: Place,
    letter: &Letter,
) -> Result<Event, Reject> {
    let refuse = |code, field: &str, message: &str| {
        Err(Reject { code, field: field.to_owned(), message: message.to_owned() })
    };
    let Ok(doc) = Doc::parse(letter.event.as_bytes(), MAPPED_DEPTH_MAX) else {
        return refuse(RejectCode::ValueInvalid, "event", "is no JSON");
    };
    let raw = RawEvent::alone(&doc, doc.root());
    let is_bot = place.code == RejectCode::Bot;
    if is_bot && settings.bots == Bots::Reject {
        return refuse(RejectCode::Bot, &letter.field, &letter.message);
    }
    let rules = Rules {
        site,
        settings,
        // Whoever replays is an administrator, who may tell of any age.
        server_key: true,
        received_at_ms: letter.received_at_ms,
        sent_at_ms: None,
        ids: Ids::Used,
        visitor: Visitor { address: "", user_agent: "", salt: b"" },
        nonce: place.number << 8 | place.code as u64,
    };
    let (mut event, _) = validate(&raw, 0, &rules)?;
    // It is taken in as what it was when it came: nobody knows that a server key vouched for it.
    event.flags = Flags(event.flags.0 & !Flags::SERVER_KEY.0);
    event.flags = event.flags.with(Flags::BOT, is_bot && settings.bots == Bots::Separate);
    // For the same reason what it says of its visitor's place is not believed.
    event.place = None;
    event.grade = Grade::of_event(&event, settings).map(Arc::new);
    Ok(event)
}

impl Rejects {
    /// The letter at a place, if it is still there.
    #[must_use]
    pub fn letter(&self, place: Place) -> Option<&Arc<Letter>> {
        let key = BucketKey { hour: hour_of(place.received_at_ms), code: place.code };
        let bucket = self.buckets.get(&key)?;
        bucket.letters.get(&(place.received_at_ms, place.number)).map(|held| &held.letter)
    }

    /// Lets go of a letter whose event was taken in, or notes why it stays.
    pub fn change(&mut self, change: &Change) {
        let place = Place {
            received_at_ms: change.received_at_ms,
            code: change.code,
            number: change.number,
        };
        match &change.reason {
            None => {
                if let (true, Some(bucket)) = (self.remove(place), self.bucket_of(place)) {
                    bucket.replayed += 1;
                }
            }
            Some(reason) => self.put_reason(place, reason),
        }
    }

    fn bucket_of(&mut self, place: Place) -> Option<&mut super::Bucket> {
        let key = BucketKey { hour: hour_of(place.received_at_ms), code: place.code };
        let bucket = self.buckets.get_mut(&key)?;
        self.dirty_days.insert(day_of(key.hour));
        Some(Arc::make_mut(bucket))
    }

    /// Lets go of a letter; says whether it was there.
    pub fn remove(&mut self, place: Place) -> bool {
        let at = (place.received_at_ms, place.number);
        let Some((block, weight)) = self.bucket_of(place).and_then(|b| b.drop_letter(at)) else {
            return false;
        };
        self.bytes -= weight;
        let bucket = BucketKey { hour: hour_of(place.received_at_ms), code: place.code };
        self.dirty_blocks.insert(BlockKey { bucket, block });
        true
    }

    /// Lets go of every letter for which `is_to_go` holds; gives how many there were.
    pub fn remove_all(&mut self, is_to_go: impl Fn(&Letter) -> bool) -> usize {
        let mut places = Vec::new();
        for (key, bucket) in &self.buckets {
            let to_go = bucket.letters.iter().filter(|(_, held)| is_to_go(&held.letter));
            places.extend(to_go.map(|((received_at_ms, number), _)| Place {
                received_at_ms: *received_at_ms,
                code: key.code,
                number: *number,
            }));
        }
        places.into_iter().filter(|place| self.remove(*place)).count()
    }

    /// Every letter for which `is_meant` holds.
    #[must_use]
    pub fn matching(&self, is_meant: impl Fn(&Letter) -> bool) -> Vec<Arc<Letter>> {
        let letters = self.buckets.values().flat_map(|bucket| bucket.letters.values());
        letters.map(|held| &held.letter).filter(|letter| is_meant(letter)).cloned().collect()
    }

    fn put_reason(&mut self, place: Place, reason: &Reason) {
        let at = (place.received_at_ms, place.number);
        let Some(bucket) = self.bucket_of(place) else { return };
        let Some(held) = bucket.letters.get_mut(&at) else { return };
        let (block, before) = (held.block, weight(&held.letter));
        let letter = Arc::make_mut(&mut held.letter);
        letter.code = reason.code;
        letter.field.clone_from(&reason.field);
        letter.message.clone_from(&reason.message);
        let after = weight(&held.letter);
        let of_block = bucket.weights.entry(block).or_default();
        *of_block = of_block.saturating_sub(before) + after;
        self.bytes = self.bytes.saturating_sub(before) + after;
        let bucket = BucketKey { hour: hour_of(place.received_at_ms), code: place.code };
        self.dirty_blocks.insert(BlockKey { bucket, block });
    }
}
