//! The tables of a site in a frame: one part each, in the order of their first appearance.

use super::NAMES;
use crate::campaign::Campaign;
use crate::channel::Grade;
use crate::columns::keys::{self, Key, KeyWriter};
use crate::columns::{Reader, Writer, texts};
use crate::error::DecodeError;
use crate::ids::{ClientId, EventName, UserId};
use crate::record::Tables;
use crate::visitor::{Device, Place};

/// What the parts are, in their order.
pub const PARTS: [&str; 9] = [
    "table names",
    "table clients",
    "table users",
    "table pages",
    "table referrers",
    "table campaigns",
    "table grades",
    "table places",
    "table devices",
];

/// The parts of the tables.
pub fn encode(tables: &Tables) -> Vec<Vec<u8>> {
    vec![
        encode_names(&tables.names),
        encode_keys(tables.clients.iter().map(ClientId::as_str)),
        encode_keys(tables.users.iter().map(UserId::as_str)),
        texts::encode(tables.pages.iter().map(String::as_str)),
        texts::encode(tables.referrers.iter().map(String::as_str)),
        encode_campaigns(&tables.campaigns),
        encode_grades(&tables.grades),
        encode_places(&tables.places),
        encode_devices(&tables.devices),
    ]
}

/// Reads the tables.
///
/// # Errors
/// If a part is no such table.
pub fn decode(parts: [&[u8]; 9]) -> Result<Tables, DecodeError> {
    const WRONG: DecodeError = DecodeError::Malformed("an id of a table is none");
    let [names, clients, users, pages, referrers, campaigns, grades, places, devices] = parts;
    Ok(Tables {
        names: decode_names(names)?,
        clients: decode_keys(clients, |text| ClientId::parse(text).map_err(|_| WRONG))?,
        users: decode_keys(users, |text| UserId::parse(text).map_err(|_| WRONG))?,
        pages: texts::decode(pages)?,
        referrers: texts::decode(referrers)?,
        campaigns: decode_campaigns(campaigns)?,
        grades: decode_grades(grades)?,
        places: decode_places(places)?,
        devices: decode_devices(devices)?,
    })
}

/// A standard name is its number in the list plus one, another one 0 and its text.
fn encode_names(names: &[EventName]) -> Vec<u8> {
    let mut out = Writer::default();
    for name in names {
        match NAMES.iter().position(|known| *known == name.as_str()) {
            Some(at) => out.unsigned(at as u64 + 1),
            None => {
                out.unsigned(0);
                out.text(name.as_str());
            }
        }
    }
    out.into_bytes()
}

fn decode_names(bytes: &[u8]) -> Result<Vec<EventName>, DecodeError> {
    const WRONG: DecodeError = DecodeError::Malformed("a name is none");
    let (mut reader, mut names) = (Reader::new(bytes), Vec::new());
    while !reader.is_at_end() {
        let text = match reader.unsigned()?.checked_sub(1) {
            None => reader.text()?,
            Some(at) => usize::try_from(at).ok().and_then(|at| NAMES.get(at)).ok_or(WRONG)?,
        };
        names.push(EventName::parse(text).map_err(|_| WRONG)?);
    }
    Ok(names)
}

/// How many there are, and their column.
fn encode_keys<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
    let (mut out, mut column) = (Writer::default(), KeyWriter::default());
    if texts.len() > 0 {
        out.unsigned(texts.len() as u64);
    }
    texts.for_each(|text| column.push(Key::of(text)));
    out.bytes(&column.into_bytes());
    out.into_bytes()
}

fn decode_keys<T>(
    bytes: &[u8],
    read: impl Fn(&str) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let count = if reader.is_at_end() { 0 } else { reader.unsigned()? };
    let count = usize::try_from(count).map_err(|_| DecodeError::Truncated)?;
    keys::decode(reader.rest(), count, |key| match key {
        Key::Text(text) => read(text),
        Key::Uuid(uuid) => read(&keys::text_of(uuid)),
    })
}

fn members(campaign: &Campaign) -> [&String; 6] {
    let Campaign { source, medium, name, term, content, id } = campaign;
    [source, medium, name, term, content, id]
}

/// A byte with a bit for each member that is there, then those, each like that of the one before.
fn encode_campaigns(campaigns: &[Campaign]) -> Vec<u8> {
    let (mut out, empty) = (Writer::default(), Campaign::default());
    let mut before = &empty;
    for campaign in campaigns {
        let there = members(campaign).map(|text| !text.is_empty());
        out.byte(there.iter().enumerate().map(|(at, is_there)| u8::from(*is_there) << at).sum());
        for (text, like) in members(campaign).into_iter().zip(members(before)) {
            if !text.is_empty() {
                texts::write(&mut out, like, text);
            }
        }
        before = campaign;
    }
    out.into_bytes()
}

fn decode_campaigns(bytes: &[u8]) -> Result<Vec<Campaign>, DecodeError> {
    let (mut reader, mut campaigns) = (Reader::new(bytes), Vec::<Campaign>::new());
    let empty = Campaign::default();
    while !reader.is_at_end() {
        let before = members(campaigns.last().unwrap_or(&empty));
        let (mask, mut campaign) = (reader.byte()?, Campaign::default());
        let Campaign { source, medium, name, term, content, id } = &mut campaign;
        let all = [source, medium, name, term, content, id].into_iter().zip(before);
        for (at, (member, like)) in all.enumerate() {
            if mask >> at & 1 == 1 {
                *member = texts::read(&mut reader, like)?;
            }
        }
        campaigns.push(campaign);
    }
    Ok(campaigns)
}

/// Version, rule and the texts of the wire form, each like that of the grade before.
fn encode_grades(grades: &[Grade]) -> Vec<u8> {
    let (mut out, mut before) = (Writer::default(), <[String; 3]>::default());
    for grade in grades {
        let (version, rule, channel, source, category) = grade.clone().into();
        out.unsigned(u64::from(version));
        out.byte(rule);
        let texts = [channel, source, category];
        before.iter().zip(&texts).for_each(|(like, text)| texts::write(&mut out, like, text));
        before = texts;
    }
    out.into_bytes()
}

fn decode_grades(bytes: &[u8]) -> Result<Vec<Grade>, DecodeError> {
    let (mut reader, mut grades) = (Reader::new(bytes), Vec::new());
    let mut texts = <[String; 3]>::default();
    while !reader.is_at_end() {
        let version = u16::try_from(reader.unsigned()?);
        let version = version.map_err(|_| DecodeError::Malformed("a version exceeds 16 bits"))?;
        let rule = reader.byte()?;
        for text in &mut texts {
            *text = texts::read(&mut reader, text)?;
        }
        let [channel, source, category] = texts.clone();
        grades.push(Grade::from((version, rule, channel, source, category)));
    }
    Ok(grades)
}

/// Country and region are like those of the place before, the city like its own region.
fn encode_places(places: &[Place]) -> Vec<u8> {
    let (mut out, empty) = (Writer::default(), Place::default());
    let mut before = &empty;
    for place in places {
        texts::write(&mut out, &before.country, &place.country);
        texts::write(&mut out, &before.region, &place.region);
        texts::write(&mut out, &place.region, &place.city);
        before = place;
    }
    out.into_bytes()
}

fn decode_places(bytes: &[u8]) -> Result<Vec<Place>, DecodeError> {
    let (mut reader, mut places) = (Reader::new(bytes), Vec::<Place>::new());
    let empty = Place::default();
    while !reader.is_at_end() {
        let before = places.last().unwrap_or(&empty);
        let country = texts::read(&mut reader, &before.country)?;
        let region = texts::read(&mut reader, &before.region)?;
        let city = texts::read(&mut reader, &region)?;
        places.push(Place { country, region, city });
    }
    Ok(places)
}

fn encode_devices(devices: &[Device]) -> Vec<u8> {
    let numbers = devices.iter().map(|device| <(u8, u8, u8)>::from(*device));
    numbers.flat_map(|(kind, browser, system)| [kind, browser, system]).collect()
}

fn decode_devices(bytes: &[u8]) -> Result<Vec<Device>, DecodeError> {
    let (mut reader, mut devices) = (Reader::new(bytes), Vec::new());
    while !reader.is_at_end() {
        devices.push(Device::from((reader.byte()?, reader.byte()?, reader.byte()?)));
    }
    Ok(devices)
}
