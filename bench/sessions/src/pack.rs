//! The stream as files: frames, made by the same code as the edge's, and a table of events.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::Hash;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use edgetally_proto::batch::{Batch, SiteBatch};
use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::Grade;
use edgetally_proto::event::{self, Platform};
use edgetally_proto::frame;
use edgetally_proto::ids::{ClientId, EventId, EventName, SiteId, TransactionId, UserId};
use edgetally_proto::money::{Currency, Money};
use edgetally_proto::record::{Fact, Flags, Record, Ref, Tables};
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::visitor::{Device, Kind, Place};
use serde_json::{Value, json};

use crate::args::Options;
use crate::stream::{self, Event, NAMES, PURCHASE, Plan};

/// The site of the stream.
pub const SITE: &str = "shop";
/// Shards that send it.
pub const SHARDS: u32 = 16;
/// Events of a frame.
const FRAME_EVENTS: usize = 1_000;

/// A frame and where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    /// Number of its shard.
    pub shard: u32,
    /// Its events, repeats included.
    pub events: u32,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The frames of a file, in the order of their last receipt.
pub fn frames(file: &[u8]) -> Vec<Packed<'_>> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap_or_default());
    let (mut all, mut rest) = (Vec::new(), file);
    while let Some((head, after)) = rest.split_at_checked(12) {
        let (shard, head) = head.split_at(4);
        let (events, length) = head.split_at(4);
        let Some((bytes, after)) = after.split_at_checked(number(length) as usize) else { break };
        all.push(Packed { shard: number(shard), events: number(events), bytes });
        rest = after;
    }
    all
}

/// Writes both files, unless they are there.
pub fn make(options: &Options) -> Result<Value> {
    let about = options.frames().with_extension("json");
    if let Ok(kept) = fs::read(&about) {
        return Ok(serde_json::from_slice(&kept)?);
    }
    let plan = Plan::of(options.events, options.seed);
    let events = stream::events(&plan);
    let mut file = BufWriter::new(File::create(options.frames())?);
    let mut found = pack(&events, &mut file)?;
    file.flush()?;
    write_table(&events, &options.table())?;
    found["persons"] = json!(plan.persons);
    fs::write(about, found.to_string())?;
    Ok(found)
}

/// Writes the frames of some events, and says how many and how long they are.
pub fn pack(events: &[Event], file: &mut impl Write) -> Result<Value> {
    let mut open: Vec<Vec<Event>> = vec![Vec::new(); SHARDS as usize];
    let (mut frames, mut bytes, pool) = (0u64, 0u64, Pool::new(SITE)?);
    let mut write = |shard: u32, events: &mut Vec<Event>| -> Result<()> {
        let packed = frame_of(events, &pool)?;
        let head = [shard, u32::try_from(events.len())?, u32::try_from(packed.len())?];
        head.into_iter().try_for_each(|number| file.write_all(&number.to_le_bytes()))?;
        file.write_all(&packed)?;
        (frames, bytes) = (frames + 1, bytes + packed.len() as u64);
        events.clear();
        Ok(())
    };
    for event in events {
        let shard = shard_of(event.client);
        let window = open.get_mut(shard as usize).context("a shard is missing")?;
        window.push(*event);
        if window.len() == FRAME_EVENTS {
            write(shard, window)?;
        }
    }
    for (shard, window) in (0..).zip(&mut open).filter(|(_, window)| !window.is_empty()) {
        write(shard, window)?;
    }
    Ok(json!({"events": events.len(), "frames": frames, "bytes": bytes}))
}

/// The frames of a few events, in memory.
pub fn pack_all(events: &[Event]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    pack(events, &mut file)?;
    Ok(file)
}

/// A frame of another site.
pub fn frame_of_site(events: &[Event], site: &str) -> Result<Vec<u8>> {
    frame_of(events, &Pool::new(site)?)
}

fn shard_of(client: u32) -> u32 {
    client.wrapping_mul(0x9E37_79B9) >> 28
}

fn client_id(client: u32) -> [u8; 16] {
    let mixed = u64::from(client).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = u128::from(mixed) << 64 | u128::from(mixed.rotate_left(29) ^ u64::from(client));
    let mut id = number.to_be_bytes();
    id[6] = id[6] & 0x0F | 0x40;
    id[8] = id[8] & 0x3F | 0x80;
    id
}

fn user_id(user: u32) -> String {
    format!("user-{user}")
}

/// What events refer to.
struct Pool {
    site: SiteId,
    names: Vec<EventName>,
    campaigns: Vec<(Campaign, Grade)>,
    referrers: Vec<(String, Grade)>,
    places: Vec<Place>,
    devices: Vec<Device>,
}

fn host(referrer: usize) -> String {
    match referrer {
        0..4 => "www.google.com".to_owned(),
        4..8 => "www.google.com.vn".to_owned(),
        8..12 => "m.facebook.com".to_owned(),
        _ => format!("blog-{referrer}.example"),
    }
}

fn campaign(number: u16) -> Campaign {
    let (source, medium) = match number % 6 {
        0 => ("google", "cpc"),
        1 => ("facebook", "paid"),
        2 => ("newsletter", "email"),
        3 => ("accesstrade", "affiliate"),
        4 => ("zalo", "push"),
        _ => ("tiktok", "cpc"),
    };
    let [source, medium] = [source, medium].map(str::to_owned);
    Campaign { source, medium, name: format!("sale-{number}"), ..Campaign::default() }
}

impl Pool {
    fn new(site: &str) -> Result<Self> {
        let settings = SiteSettings::default();
        let campaigns = (0..stream::CAMPAIGNS).map(campaign);
        let hosts = (0..usize::from(stream::REFERRERS)).map(host);
        let graded = |host: String| {
            Grade::of_referrer(&host, Some("shop.example"), &settings).map(|grade| (host, grade))
        };
        let places = (0..60).map(|n| {
            Place::of(Some("VN"), Some(&format!("R{}", n / 6)), Some(&format!("City {n}")))
        });
        Ok(Self {
            site: SiteId::parse(site)?,
            names: NAMES.iter().filter_map(|name| EventName::parse(name).ok()).collect(),
            campaigns: campaigns
                .map(|campaign| {
                    let grade = Grade::of_campaign(&campaign, None, &settings);
                    (campaign, grade)
                })
                .collect(),
            referrers: hosts.filter_map(graded).collect(),
            places: places.flatten().collect(),
            devices: ["Chrome", "Safari", "Firefox"]
                .map(|browser| Device::of(Kind::Mobile, browser, "Android"))
                .to_vec(),
        })
    }

    fn channel(&self, event: &Event) -> Option<&str> {
        let grade = match (event.campaign, event.referrer) {
            (Some(campaign), _) => &self.campaigns.get(usize::from(campaign))?.1,
            (None, Some(referrer)) => &self.referrers.get(usize::from(referrer))?.1,
            (None, None) => return None,
        };
        Some(&grade.channel)
    }
}

/// Gives the entries of a frame's table their numbers, in the order of their first appearance.
struct Numbered<K, T> {
    numbers: HashMap<K, Ref>,
    table: Vec<T>,
}

impl<K: Hash + Eq, T> Numbered<K, T> {
    fn new() -> Self {
        Self { numbers: HashMap::new(), table: Vec::new() }
    }

    fn number(&mut self, key: K, entry: impl FnOnce() -> Option<T>) -> Option<Ref> {
        if let Some(number) = self.numbers.get(&key) {
            return Some(*number);
        }
        let number = Ref::try_from(self.table.len()).ok()?;
        self.table.push(entry()?);
        self.numbers.insert(key, number);
        Some(number)
    }
}

fn frame_of(events: &[Event], pool: &Pool) -> Result<Vec<u8>> {
    let mut share = SiteBatch::new(pool.site.clone());
    let (mut names, mut clients, mut users) = (Numbered::new(), Numbered::new(), Numbered::new());
    let (mut pages, mut campaigns, mut referrers) =
        (Numbered::new(), Numbered::new(), Numbered::new());
    let (mut grades, mut places, mut devices) = (Numbered::new(), Numbered::new(), Numbered::new());
    for event in events {
        let client = event.client as usize;
        let of_campaign = event.campaign.and_then(|at| pool.campaigns.get(usize::from(at)));
        let of_referrer = event.referrer.and_then(|at| pool.referrers.get(usize::from(at)));
        let grade = of_campaign.map(|c| &c.1).or(of_referrer.map(|r| &r.1));
        let (place, device) = (client % pool.places.len(), client % pool.devices.len());
        let name = names.number(event.name, || pool.names.get(usize::from(event.name)).cloned());
        share.records.push(Record {
            id: EventId::Uuid(event.id),
            client: clients.number(event.client, || {
                ClientId::parse(&EventId::Uuid(client_id(event.client)).to_string()).ok()
            }),
            user: event
                .user
                .and_then(|user| users.number(user, || UserId::parse(&user_id(user)).ok())),
            name: name.context("a name is none")?,
            platform: if event.client % 2 == 0 { Platform::Web } else { Platform::Android },
            occurred_at_ms: event.occurred_ms,
            received_at_ms: event.received_ms,
            flags: Flags::default(),
            page: pages.number(event.page, || Some(format!("/product/{}", event.page))),
            referrer: event
                .referrer
                .and_then(|at| referrers.number(at, || of_referrer.map(|(host, _)| host.clone()))),
            campaign: event.campaign.and_then(|at| {
                campaigns.number(at, || of_campaign.map(|(campaign, _)| campaign.clone()))
            }),
            grade: grade.and_then(|grade| grades.number(grade.clone(), || Some(grade.clone()))),
            place: places.number(place, || pool.places.get(place).cloned()),
            device: devices.number(device, || pool.devices.get(device).copied()),
        });
        if let Some(order) = event.order.filter(|_| event.name == PURCHASE) {
            share.facts.push(fact(order, u32::try_from(share.records.len() - 1)?)?);
        }
    }
    share.tables = Tables {
        names: names.table,
        clients: clients.table,
        users: users.table,
        pages: pages.table,
        referrers: referrers.table,
        campaigns: campaigns.table,
        grades: grades.table,
        places: places.table,
        devices: devices.table,
    };
    let committed_at_ms = events.last().map_or(0, |event| event.received_ms);
    Ok(frame::encode(&Batch { committed_at_ms, sites: vec![share] }))
}

fn fact(order: u64, record: Ref) -> Result<Fact> {
    let currency = Currency::parse("VND").context("a currency is none")?;
    let minor = i64::try_from(order % 1_000)? * 10_000 + 10_000;
    let transaction = TransactionId::parse(&order.to_string()).ok();
    Ok(Fact { record, transaction, value: Some(Money { minor, currency }), ..Fact::default() })
}

fn write_table(events: &[Event], path: &Path) -> Result<()> {
    let (mut file, pool, mut line) =
        (BufWriter::new(File::create(path)?), Pool::new(SITE)?, String::new());
    file.write_all(b"event,client,user,occurred,received,rank,campaign,referrer,channel,order\n")?;
    for event in events {
        line.clear();
        let name = pool.names.get(usize::from(event.name)).context("a name is none")?;
        let [id, client] = [event.id, client_id(event.client)].map(u128::from_be_bytes);
        write!(line, "{id:032x},{client:032x},")?;
        if let Some(user) = event.user {
            line.push_str(&user_id(user));
        }
        write!(line, ",{},{},{},", event.occurred_ms, event.received_ms, event::rank(name))?;
        for number in [event.campaign, event.referrer.map(u16::from)] {
            if let Some(number) = number {
                write!(line, "{number}")?;
            }
            line.push(',');
        }
        line.push_str(pool.channel(event).unwrap_or_default());
        line.push(',');
        if let Some(order) = event.order {
            write!(line, "{order}")?;
        }
        line.push('\n');
        file.write_all(line.as_bytes())?;
    }
    Ok(file.flush()?)
}
