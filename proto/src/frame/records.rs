//! The records of a site in a frame: one part for each column.

use super::follows::Follows;
use crate::batch::SiteBatch;
use crate::columns::bits;
use crate::columns::keys::{self, Key, KeyWriter};
use crate::columns::runs::{RefReader, RefWriter, RunReader, RunWriter, StepReader, StepWriter};
use crate::error::DecodeError;
use crate::event::Platform;
use crate::ids::EventId;
use crate::record::{Flags, Record, Tables};

/// What the parts are, in their order.
pub const PARTS: [&str; 14] = [
    "column id",
    "column client",
    "column user",
    "column name",
    "column platform",
    "column age",
    "column received",
    "column flags",
    "column page",
    "column referrer",
    "column campaign",
    "column grade",
    "column place",
    "column device",
];

/// An event's age when it was received, which is small where its time is not.
fn age_of(record: &Record) -> u64 {
    let age = record.received_at_ms.wrapping_sub(record.occurred_at_ms);
    ((age << 1) ^ (age >> 63)) as u64
}

fn occurred_at(received_at_ms: i64, age: u64) -> i64 {
    let age = ((age >> 1) as i64) ^ -((age & 1) as i64);
    received_at_ms.wrapping_sub(age)
}

/// The parts of the records; times of receipt go from `at_ms`.
pub fn encode(site: &SiteBatch, at_ms: i64) -> Vec<Vec<u8>> {
    let records = &site.records;
    let mut ids = KeyWriter::default();
    let [mut client, mut user, mut page, mut referrer, mut campaign]: [RefWriter; 5] =
        Default::default();
    let [mut platform, mut flags]: [RunWriter; 2] = Default::default();
    let mut received = StepWriter::new(at_ms);
    let (mut names, mut ages) =
        (Vec::with_capacity(records.len()), Vec::with_capacity(records.len()));
    for record in records {
        ids.push(match &record.id {
            EventId::Uuid(uuid) => Key::Uuid(*uuid),
            EventId::Text(text) => Key::Text(text),
        });
        client.push(record.client);
        user.push(record.user);
        page.push(record.page);
        referrer.push(record.referrer);
        campaign.push(record.campaign);
        platform.push(record.platform as u64);
        flags.push(u64::from(record.flags.0));
        received.push(record.received_at_ms);
        names.push(u64::from(record.name));
        ages.push(age_of(record));
    }
    let Follows { grade, place, device } = Follows::of(records, &site.tables);
    vec![
        ids.into_bytes(),
        client.into_bytes(),
        user.into_bytes(),
        bits::encode(&names),
        platform.into_bytes(),
        bits::encode(&ages),
        received.into_bytes(),
        flags.into_bytes(),
        page.into_bytes(),
        referrer.into_bytes(),
        campaign.into_bytes(),
        grade,
        place,
        device,
    ]
}

/// Reads `count` records.
///
/// # Errors
/// If a part is no such column, or a reference leads outside its table.
pub fn decode(
    parts: [&[u8]; 14],
    count: usize,
    at_ms: i64,
    tables: &Tables,
) -> Result<Vec<Record>, DecodeError> {
    let [
        id,
        client,
        user,
        name,
        platform,
        age,
        received,
        flags,
        page,
        referrer,
        campaign,
        grade,
        place,
        device,
    ] = parts;
    // Ids first: there is no record without the bytes of its id, so these bound all the others.
    let ids = keys::decode(id, count, |key| match key {
        Key::Uuid(uuid) => Ok(EventId::Uuid(uuid)),
        Key::Text(text) => {
            EventId::parse(text).map_err(|_| DecodeError::Malformed("an event id is none"))
        }
    })?;
    let (names, ages) = (bits::decode(name, count)?, bits::decode(age, count)?);
    let [mut client, mut user, mut page, mut referrer, mut campaign] =
        [client, user, page, referrer, campaign].map(RefReader::new);
    let [mut platform, mut flags] = [platform, flags].map(RunReader::new);
    let (mut received, mut records) = (StepReader::new(received, at_ms), Vec::with_capacity(count));
    for ((id, name), age) in ids.into_iter().zip(names).zip(ages) {
        let received_at_ms = received.next_number()?;
        records.push(Record {
            id,
            client: client.optional(tables.clients.len())?,
            user: user.optional(tables.users.len())?,
            name: name_of(name, tables)?,
            platform: platform_of(platform.next_number()?)?,
            occurred_at_ms: occurred_at(received_at_ms, age),
            received_at_ms,
            flags: flags_of(flags.next_number()?)?,
            page: page.optional(tables.pages.len())?,
            referrer: referrer.optional(tables.referrers.len())?,
            campaign: campaign.optional(tables.campaigns.len())?,
            grade: None,
            place: None,
            device: None,
        });
    }
    let references = [client, user, page, referrer, campaign];
    let are_read = references.iter().all(RefReader::is_at_end)
        && platform.is_at_end()
        && flags.is_at_end()
        && received.is_at_end();
    if !are_read {
        return Err(DecodeError::Malformed("a column is longer than the others"));
    }
    let [grade, place, device] = [grade, place, device].map(<[u8]>::to_vec);
    Follows { grade, place, device }.fill(&mut records, tables)?;
    Ok(records)
}

fn name_of(number: u64, tables: &Tables) -> Result<u32, DecodeError> {
    let is_there = |number: &u32| usize::try_from(*number).is_ok_and(|at| at < tables.names.len());
    let number = u32::try_from(number).ok().filter(is_there);
    number.ok_or(DecodeError::Malformed("a reference leads outside its table"))
}

fn platform_of(number: u64) -> Result<Platform, DecodeError> {
    let platform = u8::try_from(number).ok().and_then(Platform::from_wire);
    platform.ok_or(DecodeError::Malformed("an unknown platform"))
}

fn flags_of(number: u64) -> Result<Flags, DecodeError> {
    u8::try_from(number).map(Flags).map_err(|_| DecodeError::Malformed("flags exceed a byte"))
}
