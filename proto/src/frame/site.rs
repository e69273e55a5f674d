//! The share of a site in a frame: a small CBOR map, whose bulk is byte strings of parts.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{counters, records, tables};
use crate::batch::SiteBatch;
use crate::columns::parts;
use crate::error::DecodeError;
use crate::ids::SiteId;
use crate::record::{Fact, Letter};
use crate::time::second_of;

/// Members of one letter, because small frames have little else in them; empty ones are left out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WireSite<'a> {
    #[serde(rename = "s")]
    site: Cow<'a, str>,
    #[serde(rename = "t", with = "serde_bytes", skip_serializing_if = "<[u8]>::is_empty")]
    tables: Vec<u8>,
    #[serde(rename = "n", skip_serializing_if = "is_zero")]
    count: u32,
    #[serde(rename = "c", with = "serde_bytes", skip_serializing_if = "<[u8]>::is_empty")]
    columns: Vec<u8>,
    #[serde(rename = "f", skip_serializing_if = "is_none_there")]
    facts: Cow<'a, [Fact]>,
    #[serde(rename = "k", with = "serde_bytes", skip_serializing_if = "<[u8]>::is_empty")]
    counters: Vec<u8>,
    #[serde(rename = "r", with = "serde_bytes", skip_serializing_if = "<[u8]>::is_empty")]
    rejects: Vec<u8>,
    #[serde(rename = "l", skip_serializing_if = "is_none_there")]
    letters: Cow<'a, [Letter]>,
    #[serde(rename = "d", with = "serde_bytes", skip_serializing_if = "<[u8]>::is_empty")]
    duplicates: Vec<u8>,
    #[serde(rename = "x", with = "serde_bytes", skip_serializing_if = "<[u8]>::is_empty")]
    dropped: Vec<u8>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::ptr_arg, reason = "serde passes the member as it is")]
fn is_none_there<T: Clone>(list: &Cow<'_, [T]>) -> bool {
    list.is_empty()
}

/// The wire form of a site's share; times go from `at_ms`.
pub fn encode(site: &SiteBatch, at_ms: i64) -> WireSite<'_> {
    let second = second_of(at_ms);
    WireSite {
        site: site.site.as_str().into(),
        tables: parts::join(&tables::encode(&site.tables)),
        count: u32::try_from(site.records.len()).unwrap_or(u32::MAX),
        columns: parts::join(&records::encode(site, at_ms)),
        facts: site.facts.as_slice().into(),
        counters: counters::encode(&site.counters, second),
        rejects: counters::encode_rejects(&site.rejects, second),
        letters: site.letters.as_slice().into(),
        duplicates: counters::encode_seconds(&site.duplicates, second),
        dropped: counters::encode_seconds(&site.dropped, second),
    }
}

/// Reads a site's share.
///
/// # Errors
/// If it is none.
pub fn decode(wire: WireSite<'_>, at_ms: i64) -> Result<SiteBatch, DecodeError> {
    let site = SiteId::parse(&wire.site).map_err(|_| DecodeError::Malformed("no site id"))?;
    let tables = tables::decode(&wire.tables)?;
    let count = usize::try_from(wire.count).map_err(|_| DecodeError::Truncated)?;
    let records = records::decode(&wire.columns, count, at_ms, &tables)?;
    if wire.facts.iter().any(|fact| fact.record >= wire.count) {
        return Err(DecodeError::Malformed("a fact has no record"));
    }
    let second = second_of(at_ms);
    Ok(SiteBatch {
        site,
        records,
        facts: wire.facts.into_owned(),
        counters: counters::decode(&wire.counters, second, tables.names.len())?,
        rejects: counters::decode_rejects(&wire.rejects, second)?,
        letters: wire.letters.into_owned(),
        duplicates: counters::decode_seconds(&wire.duplicates, second)?,
        dropped: counters::decode_seconds(&wire.dropped, second)?,
        tables,
    })
}

/// Bytes of a site's share by section, without the envelope.
pub fn sections(site: &SiteBatch, at_ms: i64) -> Vec<(&'static str, usize)> {
    let length = |bytes: &Vec<u8>| bytes.len();
    let of_tables = tables::encode(&site.tables);
    let of_records = records::encode(site, at_ms);
    let wire = encode(site, at_ms);
    let mut all: Vec<_> = tables::PARTS.into_iter().zip(of_tables.iter().map(length)).collect();
    all.extend(records::PARTS.into_iter().zip(of_records.iter().map(length)));
    all.extend([
        ("facts", cbor_bytes(&wire.facts)),
        ("counters", wire.counters.len()),
        ("rejects", wire.rejects.len()),
        ("letters", cbor_bytes(&wire.letters)),
        ("duplicates", wire.duplicates.len()),
        ("dropped", wire.dropped.len()),
    ]);
    all
}

fn cbor_bytes<T: Serialize + Clone>(list: &Cow<'_, [T]>) -> usize {
    let mut bytes = Vec::new();
    if list.is_empty() || ciborium::into_writer(list, &mut bytes).is_err() {
        return 0;
    }
    bytes.len()
}
