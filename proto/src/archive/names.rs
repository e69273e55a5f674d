//! Names of the objects in the bucket.
//!
//! ```text
//! raw/<site>/<YYYY-MM-DDTHH>/<shard>/<mark>-<first>-<last>.ndjson.gz    events of a UTC hour
//! raw/<site>/<YYYY-MM-DDTHH>/<shard>/manifest.json                      what belongs there
//! frames/<shard>/<mark>/<first>-<last>                                  frames, back to back
//! ```
//!
//! Numbers are those of a shard's rows of events and of its frames. They come again when a shard's
//! storage was restored from a copy of before; the mark does not, so equal names hold equal bytes.

use std::fmt::Write;

use crate::ids::{Mark, ShardName, SiteId};
use crate::time::HOUR_MS;

/// What all names of the raw archive begin with.
pub const RAW: &str = "raw/";
/// What all names of frames begin with.
pub const FRAMES: &str = "frames/";
/// File name of a manifest.
pub const MANIFEST: &str = "manifest.json";
/// Ending of a part.
const PART: &str = ".ndjson.gz";

/// A shard's name as part of an object's name: `|` becomes `_`, whatever else is not a letter, a
/// digit, `.` or `-` becomes `~` and two hex digits.
#[must_use]
pub fn safe_shard(shard: &ShardName) -> String {
    shard.as_str().bytes().fold(String::new(), |mut safe, byte| {
        match byte {
            b'|' => safe.push('_'),
            b'.' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => safe.push(char::from(byte)),
            // A text takes every digit.
            _ => drop(write!(safe, "~{byte:02x}")),
        }
        safe
    })
}

/// The UTC hour that holds `ms`, counted from the epoch.
#[must_use]
pub fn hour_of(ms: i64) -> i64 {
    ms.div_euclid(HOUR_MS)
}

/// An hour as `YYYY-MM-DDTHH`.
#[must_use]
pub fn hour_text(hour: i64) -> String {
    let (year, month, day) = civil(hour.div_euclid(24));
    format!("{year:04}-{month:02}-{day:02}T{:02}", hour.rem_euclid(24))
}

/// Reads what [`hour_text`] wrote.
#[must_use]
pub fn parse_hour(text: &str) -> Option<i64> {
    let (date, hour) = text.split_once('T')?;
    let mut parts = date.split('-');
    let mut part = || parts.next()?.parse::<i64>().ok();
    let (year, month, day) = (part()?, part()?, part()?);
    let hours = days(year, month, day) * 24 + hour.parse::<i64>().ok()?;
    (hour_text(hours) == text).then_some(hours)
}

/// Year, month and day of a day counted from 1970-01-01; the year begins in March here, so that
/// the leap day is its last.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let calendar = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(calendar <= 2), calendar, day)
}

/// The day counted from 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The folder of one site, hour and shard, with a slash at its end.
#[must_use]
pub fn raw_folder(site: &SiteId, hour: i64, shard: &ShardName) -> String {
    format!("{RAW}{site}/{}/{}/", hour_text(hour), safe_shard(shard))
}

/// File name of a part with events of the rows `first` to `last` of its shard.
#[must_use]
pub fn part(mark: Mark, first: u64, last: u64) -> String {
    format!("{mark}-{first:012}-{last:012}{PART}")
}

/// Name of an object with the frames of the local sequences `first` to `last`.
#[must_use]
pub fn frames(shard: &ShardName, mark: Mark, first: u64, last: u64) -> String {
    format!("{FRAMES}{}/{mark}/{first:012}-{last:012}", safe_shard(shard))
}

/// The name of an object of the raw archive, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawName {
    /// The site.
    pub site: SiteId,
    /// The UTC hour of receipt, counted from the epoch.
    pub hour: i64,
    /// The shard, as [`safe_shard`] writes it.
    pub shard: String,
    /// The part; none for the manifest.
    pub part: Option<PartName>,
}

/// The file name of a part, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartName {
    /// What tells it apart from others with its numbers.
    pub mark: Mark,
    /// First row.
    pub first: u64,
    /// Last row.
    pub last: u64,
}

impl PartialOrd for PartName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PartName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.first, self.last, self.mark).cmp(&(other.first, other.last, other.mark))
    }
}

impl PartName {
    /// Reads a file name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(PART)?.split('-');
        let mut next = || parts.next();
        let mark = Mark::parse(next()?)?;
        let (first, last) = (next()?.parse().ok()?, next()?.parse().ok()?);
        (self::part(mark, first, last) == name).then_some(Self { mark, first, last })
    }
}

impl RawName {
    /// Reads an object's name; none if it is not of the raw archive.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(RAW)?.split('/');
        let mut next = || parts.next();
        let site = SiteId::parse(next()?).ok()?;
        let (hour, shard, file) = (parse_hour(next()?)?, next()?.to_owned(), next()?);
        let part = match file {
            MANIFEST => None,
            file => Some(PartName::parse(file)?),
        };
        next().is_none().then_some(Self { site, hour, shard, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_as_they_are_written() {
        for (ms, text) in [
            (0, "1970-01-01T00"),
            (951_825_599_999, "2000-02-29T11"),
            (1_772_420_400_000, "2026-03-02T03"),
            (4_102_444_799_999, "2099-12-31T23"),
        ] {
            assert_eq!(hour_text(hour_of(ms)), text);
        }
        for hour in (-1_000_000..4_000_000).step_by(997) {
            assert_eq!(parse_hour(&hour_text(hour)), Some(hour));
        }
        for text in ["", "2026-03-02", "2026-02-30T00", "2026-03-02T24", "2026-3-2T03"] {
            assert_eq!(parse_hour(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let (site, mark) = (SiteId::parse("demo").unwrap(), Mark([0xab; 16]));
        let shard = ShardName::parse("v1|apac|3").unwrap();
        let folder = raw_folder(&site, 492_339, &shard);
        assert_eq!(folder, "raw/demo/2026-03-02T03/v1_apac_3/");
        let name = format!("{folder}{}", part(mark, 7, 42));
        let read = RawName::parse(&name).unwrap();
        assert_eq!((read.site, read.hour, read.shard.as_str()), (site, 492_339, "v1_apac_3"));
        assert_eq!(read.part, Some(PartName { mark, first: 7, last: 42 }));
        assert_eq!(RawName::parse(&format!("{folder}{MANIFEST}")).unwrap().part, None);
        for name in [
            "raw/demo/2026-03-02T03/s/x.ndjson.gz",
            "raw/demo/2026-03-02T03/s",
            "raw/demo/2026-03-02T03/s/manifest.json/more",
            "frames/v1_apac_3/00/000000000001-000000000002",
        ] {
            assert_eq!(RawName::parse(name), None, "{name}");
        }
        let frames = frames(&shard, mark, 1, 2);
        let expected = format!("frames/v1_apac_3/{}/000000000001-000000000002", "ab".repeat(16));
        assert_eq!(frames, expected);
    }
}
