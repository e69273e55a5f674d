//! The share of a site in a frame: a small CBOR map, whose bulk is byte strings of parts.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{counters, facts, records, tables};
use crate::batch::SiteBatch;
use crate::columns::parts;
use crate::error::DecodeError;
use crate::ids::SiteId;
use crate::record::Letter;
use crate::time::second_of;

/// Members of one letter, because small frames have little else in them; empty ones are left out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WireSite<'a> {
    #[serde(rename = "s")]
    site: Cow<'a, str>,
    #[serde(rename = "n", skip_serializing_if = "is_zero")]
    count: u32,
    #[serde(rename = "p", with = "serde_bytes", skip_serializing_if = "<[u8]>::is_empty")]
    parts: Vec<u8>,
    #[serde(rename = "l", skip_serializing_if = "is_none_there")]
    letters: Cow<'a, [Letter]>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::ptr_arg, reason = "serde passes the member as it is")]
fn is_none_there(letters: &Cow<'_, [Letter]>) -> bool {
    letters.is_empty()
}

const OTHERS: [&str; 5] = ["facts", "rejects", "duplicates", "dropped", "later facts"];
const PARTS: usize = tables::PARTS.len() + records::PARTS.len() + OTHERS.len();

/// Tables, columns and the rest: their places stay for ever, new ones go to the end.
fn parts_of(site: &SiteBatch, at_ms: i64) -> Vec<Vec<u8>> {
    let second = second_of(at_ms);
    let mut parts = tables::encode(&site.tables);
    parts.extend(records::encode(site, at_ms));
    parts.extend([
        facts::encode(&site.facts, facts::FIRST),
        counters::encode_rejects(&site.rejects, second),
        counters::encode_seconds(&site.duplicates, second),
        counters::encode_seconds(&site.dropped, second),
        facts::encode(&site.facts, facts::LATER),
    ]);
    parts
}

/// The wire form of a site's share; times go from `at_ms`.
pub fn encode(site: &SiteBatch, at_ms: i64) -> WireSite<'_> {
    WireSite {
        site: site.site.as_str().into(),
        count: u32::try_from(site.records.len()).unwrap_or(u32::MAX),
        parts: parts::join(&parts_of(site, at_ms)),
        letters: site.letters.as_slice().into(),
    }
}

/// Reads a site's share.
///
/// # Errors
/// If it is none.
pub fn decode(wire: WireSite<'_>, at_ms: i64) -> Result<SiteBatch, DecodeError> {
    const LOST: DecodeError = DecodeError::Malformed("a part is missing");
    let site = SiteId::parse(&wire.site).map_err(|_| DecodeError::Malformed("no site id"))?;
    let all = parts::split::<PARTS>(&wire.parts)?;
    let (of_tables, rest) = all.split_first_chunk().ok_or(LOST)?;
    let (of_records, rest) = rest.split_first_chunk().ok_or(LOST)?;
    let [facts, rejects, duplicates, dropped, later] = rest else { return Err(LOST) };
    let tables = tables::decode(*of_tables)?;
    let count = usize::try_from(wire.count).map_err(|_| DecodeError::Truncated)?;
    let records = records::decode(*of_records, count, at_ms, &tables)?;
    let second = second_of(at_ms);
    let facts = facts::decode(facts, records.len(), facts::FIRST)?;
    let later = facts::decode(later, records.len(), facts::LATER)?;
    Ok(SiteBatch {
        site,
        facts: facts::with_later(facts, later),
        records,
        rejects: counters::decode_rejects(rejects, second)?,
        letters: wire.letters.into_owned(),
        duplicates: counters::decode_seconds(duplicates, second)?,
        dropped: counters::decode_seconds(dropped, second)?,
        tables,
    })
}

/// Bytes of a site's share by section, without the envelope.
pub fn sections(site: &SiteBatch, at_ms: i64) -> Vec<(&'static str, usize)> {
    let names = tables::PARTS.into_iter().chain(records::PARTS).chain(OTHERS);
    let mut all: Vec<_> = names.zip(parts_of(site, at_ms).iter().map(Vec::len)).collect();
    let mut letters = Vec::new();
    let is_written =
        site.letters.is_empty() || ciborium::into_writer(&site.letters, &mut letters).is_ok();
    debug_assert!(is_written, "a vector takes every byte");
    all.push(("letters", letters.len()));
    all
}
