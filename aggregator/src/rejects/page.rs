//! A page of rejected events, the newest first.

use std::fmt;
use std::sync::Arc;

use edgetally_proto::error::RejectCode;
use edgetally_proto::record::Letter;
use serde_json::{Value, json};

use super::{Bucket, BucketKey, Buckets, hour_of, start_of};
use crate::calendar::Calendar;

/// The place of a letter among all of its site; a page goes on below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// When the edge refused it, epoch ms.
    pub received_at_ms: i64,
    /// Why.
    pub code: RejectCode,
    /// Its number within code and hour, by arrival.
    pub number: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received_at_ms, code, number } = self;
        write!(formatter, "{received_at_ms}.{}.{number}", code.as_str())
    }
}

impl Place {
    /// Reads a place as it is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (received_at_ms, rest) = text.split_once('.')?;
        let (code, number) = rest.split_once('.')?;
        let received_at_ms = received_at_ms.parse().ok()?;
        Some(Self { received_at_ms, code: code_of(code)?, number: number.parse().ok()? })
    }
}

/// The code with a name.
#[must_use]
pub fn code_of(name: &str) -> Option<RejectCode> {
    RejectCode::ALL.iter().copied().find(|code| code.as_str() == name)
}

/// Which letters.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Of this code; of all without.
    pub code: Option<RejectCode>,
    /// Received from here on, epoch ms.
    pub from_ms: i64,
    /// Received before, epoch ms.
    pub to_ms: i64,
    /// Older than this one.
    pub after: Option<Place>,
    /// So many at most.
    pub limit: usize,
}

/// One letter.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its place.
    pub place: Place,
    /// What it says.
    pub letter: Arc<Letter>,
    /// Events of the same code and hour that were counted only.
    pub not_kept: u64,
}

impl Row {
    /// As lists show it.
    #[must_use]
    pub fn json(&self, zone: &Calendar) -> Value {
        let letter = &self.letter;
        // What is no JSON is shown as it is: a letter is for people to find out what was wrong.
        let event = serde_json::from_str(&letter.event);
        json!({
            "received_at": zone.rfc3339(letter.received_at_ms),
            "code": self.place.code,
            "field": letter.field,
            "message": letter.message,
            "event": event.unwrap_or_else(|_| Value::String(letter.event.clone())),
            "not_kept": self.not_kept,
            "now": (letter.code != self.place.code).then_some(letter.code),
        })
    }
}

/// How many events of one code were rejected in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The hour and the code.
    pub key: BucketKey,
    /// All of them.
    pub rejected: u64,
    /// Those kept in full.
    pub kept: u64,
    /// Those that were taken in after all.
    pub replayed: u64,
}

impl Tally {
    fn of(key: BucketKey, bucket: &Bucket) -> Self {
        let kept = u64::try_from(bucket.letters.len()).unwrap_or(u64::MAX);
        Self { key, rejected: bucket.counted, kept, replayed: bucket.replayed }
    }

    /// Those counted only.
    #[must_use]
    pub fn not_kept(&self) -> u64 {
        self.rejected.saturating_sub(self.kept).saturating_sub(self.replayed)
    }
}

/// A page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The newest first.
    pub rows: Vec<Row>,
    /// Whole hours, the newest first. Over all pages each hour and code comes once: with the page
    /// that comes to the hour first.
    pub hours: Vec<Tally>,
    /// Where the next page goes on, if there is one.
    pub next: Option<Place>,
}

/// Reads a page.
#[must_use]
pub fn page(buckets: &Buckets, ask: &Ask) -> Page {
    let end_ms =
        ask.after.map_or(ask.to_ms, |after| ask.to_ms.min(after.received_at_ms.saturating_add(1)));
    let mut page = Page::default();
    if ask.from_ms >= end_ms {
        return page;
    }
    let first = start_of(hour_of(ask.from_ms));
    let mut upper = start_of(hour_of(end_ms - 1) + 1);
    // Hour by hour, so that a page touches no more than it shows.
    while page.rows.len() <= ask.limit {
        let Some(hour) = buckets.range(first..upper).next_back().map(|(key, _)| key.hour) else {
            break;
        };
        let before = page.rows.len();
        for (key, bucket) in buckets.range(start_of(hour)..upper) {
            if ask.code.is_none_or(|code| code == key.code) {
                let tally = Tally::of(*key, bucket);
                page.hours.push(tally);
                page.rows.extend(letters(bucket, &tally, ask, end_ms));
            }
        }
        if let Some(of_hour) = page.rows.get_mut(before..) {
            of_hour.sort_unstable_by_key(|row| std::cmp::Reverse(row.place));
        }
        upper = start_of(hour);
    }
    cut(&mut page, ask);
    page
}

fn letters(bucket: &Bucket, tally: &Tally, ask: &Ask, end_ms: i64) -> Vec<Row> {
    let (code, not_kept) = (tally.key.code, tally.not_kept());
    let newest = bucket.letters.range((ask.from_ms, 0)..(end_ms, 0)).rev();
    let row = |(place, held): (&(i64, u64), &super::Held)| Row {
        place: Place { received_at_ms: place.0, code, number: place.1 },
        letter: held.letter.clone(),
        not_kept,
    };
    let is_below = |row: &Row| ask.after.is_none_or(|after| row.place < after);
    newest.map(row).filter(is_below).take(ask.limit + 1).collect()
}

/// Cuts a page to its limit, and its hours to those that no page before or after it shows.
fn cut(page: &mut Page, ask: &Ask) {
    if page.rows.len() > ask.limit {
        page.rows.truncate(ask.limit);
        page.next = page.rows.last().map(|row| row.place);
    }
    let last = page.next.map_or(i64::MIN, |next| hour_of(next.received_at_ms));
    let before = ask.after.map_or(i64::MAX, |after| hour_of(after.received_at_ms));
    page.hours.retain(|tally| (last..before).contains(&tally.key.hour));
}
