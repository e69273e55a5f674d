//! Sessions by the chunk: whatever is asked of them by time and by what visits say.

use roaring::RoaringBitmap;

use super::lens::{self, Lens};
use super::{Key, Scan};
use crate::columns::{self, Chunk, quarter_of};
use crate::merge::Level;

/// Sums over sessions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// How many.
    pub sessions: i64,
    /// Of one activity.
    pub bounces: i64,
    /// From the first event of each to its last.
    pub duration_ms: i64,
    /// Page views.
    pub views: i64,
    /// In which something was ordered.
    pub converted: i64,
    /// That are the first of their person.
    pub firsts: i64,
}

impl Tally {
    fn add(&mut self, row: &columns::Row) {
        self.sessions += 1;
        self.bounces += i64::from(row.events == 1);
        self.duration_ms += i64::from(row.lasts_ms);
        self.views += i64::from(row.views());
        self.converted += i64::from(row.is_converted());
        self.firsts += i64::from(row.is_first());
    }
}

/// The groups of the bucket that is looked at: sessions come by their beginning, so buckets come
/// one after the other.
#[derive(Debug, Default)]
struct Open {
    bucket: usize,
    tallies: Vec<Tally>,
    visitors: Vec<RoaringBitmap>,
    touched: Vec<u32>,
}

impl Open {
    fn group(&mut self, group: u32) -> Option<(&mut Tally, &mut RoaringBitmap)> {
        let at = usize::try_from(group).ok()?;
        if self.tallies.len() <= at {
            self.tallies.resize(at + 1, Tally::default());
            self.visitors.resize(at + 1, RoaringBitmap::new());
        }
        let (tally, visitors) = (self.tallies.get_mut(at)?, self.visitors.get_mut(at)?);
        if tally.sessions == 0 {
            self.touched.push(group);
        }
        Some((tally, visitors))
    }
}

impl Scan<'_> {
    /// Adds the sessions of the range; false, with nothing done, if chunks do not tell all that is
    /// asked.
    pub(super) fn add_chunks(&mut self) -> bool {
        let (site, range) = (self.site, self.plan.range);
        let is_known = self.plan.asked().iter().all(|by| lens::is_told(*by, false));
        if range.from_ms >= range.to_ms || !is_known {
            return false;
        }
        let earliest = quarter_of(range.from_ms.saturating_sub(site.longest_session_ms));
        let quarters = [earliest, quarter_of(range.to_ms - 1)];
        let (chunks, values) = columns::chunks(site, quarters, false);
        let Some(mut lens) = Lens::new(self.plan.filter.as_ref(), &self.keys, self.reader, &values)
        else {
            return false;
        };
        let mut open = Open::default();
        for (quarter, chunk) in chunks {
            match chunk {
                Some(chunk) if chunk.ends_ms < range.from_ms => {}
                Some(chunk) => self.add_chunk(&chunk, &mut lens, &mut open),
                None => {
                    let from_ms = quarter * Level::Quarter.slot_ms();
                    let to_ms = (from_ms + Level::Quarter.slot_ms()).min(range.to_ms);
                    self.add_rows(None, from_ms, to_ms);
                }
            }
        }
        self.close(&mut open, &lens);
        true
    }

    fn add_chunk(&mut self, chunk: &Chunk, lens: &mut Lens, open: &mut Open) {
        let range = self.plan.range;
        let quarter_ms = Level::Quarter.slot_ms();
        let first = self.bucket_of(chunk.from_ms);
        let is_one = first.is_some() && first == self.bucket_of(chunk.from_ms + quarter_ms - 1);
        lens.look_at(chunk, None);
        let with_visitors = self.wants.visitors;
        for (at, row) in chunk.rows.iter().enumerate() {
            let Some(group) = lens.group((at, 0)) else { continue };
            let start_ms = chunk.from_ms + i64::from(row.begins_ms);
            let end_ms = start_ms + i64::from(row.lasts_ms);
            let begins = if is_one { first } else { self.bucket_of(start_ms) };
            if let Some(bucket) = begins {
                if bucket != open.bucket {
                    self.close(open, lens);
                    open.bucket = bucket;
                }
                if let Some((tally, visitors)) = open.group(group) {
                    tally.add(row);
                    if with_visitors && self.bucket_of(end_ms) == Some(bucket) {
                        visitors.insert(row.person);
                        continue;
                    }
                }
            }
            let is_beyond = start_ms >= range.to_ms || end_ms < range.from_ms;
            if with_visitors && !is_beyond {
                self.add_apart((start_ms, row.record), &lens.key(group));
            }
        }
    }

    /// Adds the person of a session that lies in several buckets, or in part beside the range.
    fn add_apart(&mut self, place: (i64, u32), key: &Key) {
        let site = self.site;
        if let Some(row) = site.sessions.get(&place) {
            self.add_presence(row, key);
        }
    }

    fn close(&mut self, open: &mut Open, lens: &Lens) {
        for group in std::mem::take(&mut open.touched) {
            let bucket = open.bucket;
            let Some((tally, visitors)) = open.group(group) else { continue };
            let (tally, visitors) = (std::mem::take(tally), std::mem::take(visitors));
            let cell = self.cell(bucket, &lens.key(group));
            cell.add_tally(&tally);
            cell.visitors |= visitors;
        }
        open.touched.clear();
    }
}
