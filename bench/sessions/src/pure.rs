//! The engine alone on one core: what it takes of time and memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use aggregator::apply::{Changed, World};
use aggregator::checkpoint::{self, Position, Restore};
use aggregator::dedup::Source;
use aggregator::directory::AdminWrite;
use aggregator::intake::{self, Incoming};
use anyhow::{Context, Result, ensure};
use edgetally_proto::frame;
use edgetally_proto::ids::{Epoch, ShardName, SiteId};
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::time::{DAY_MS, HOUR_MS, SECOND_MS};
use serde_json::{Value, json};

use crate::args::Options;
use crate::pack::{self, Packed, SITE};
use crate::stream::{self, Event, LOGIN, Plan, START_MS};
use edgetally_bench_process::{resident_bytes, seconds_of_processor};

/// How often what readers see is brought up to date: about as often as the program does it when
/// frames come as fast as it takes them.
const FRAMES_PER_VIEW: usize = 64;
/// Heavy users whose logins are measured, and what each did in seven days before.
const HEAVY_USERS: u32 = 20;
const HEAVY_EVENTS: u32 = 3_500;

struct Engine {
    world: World,
    frames: u64,
    at: Vec<u64>,
}

impl Engine {
    fn new() -> Result<Self> {
        let mut world = World::default();
        let settings =
            SiteSettings { timezone: "Asia/Ho_Chi_Minh".to_owned(), ..SiteSettings::default() };
        let write = AdminWrite::PutSite {
            site: SiteId::parse(SITE)?,
            settings: Box::new(settings),
            at_ms: 0,
        };
        world.write(&write, &mut Changed::default());
        Ok(Self { world, frames: 0, at: vec![0; pack::SHARDS as usize] })
    }

    /// From bytes to all that follows, as the program does it.
    fn take(&mut self, packed: &Packed<'_>, changed: &mut Changed) -> Result<()> {
        let shard = ShardName::parse(&format!("v1|apac|{}", packed.shard))?;
        let source = Source { shard, epoch: Epoch([1; 16]) };
        let last = self.at.get_mut(packed.shard as usize).context("a shard is missing")?;
        *last += 1;
        let batch = intake::decode(packed.bytes)?;
        let checksum = Some(frame::peek(packed.bytes)?.checksum);
        let (bytes, batch) = (Vec::new(), Some(batch));
        let incoming = Incoming { sequence: *last, checksum, bytes, batch };
        let decision = self.world.decide(&source, vec![incoming], START_MS);
        ensure!(decision.acked == *last, "a frame was not taken");
        for frame in decision.fresh {
            self.world.apply(&source, frame.batch.as_ref(), START_MS, changed);
        }
        self.frames += 1;
        Ok(())
    }

    fn take_all(&mut self, frames: &[Packed<'_>]) -> Result<()> {
        for frames in frames.chunks(FRAMES_PER_VIEW) {
            let mut changed = Changed::default();
            for packed in frames {
                self.take(packed, &mut changed)?;
            }
            // Held by readers until the next one.
            let _view = self.world.view(&changed);
        }
        Ok(())
    }
}

/// Time and memory of the whole stream, then logins on top of it.
pub fn measure(options: &Options) -> Result<Value> {
    let file = fs::read(options.frames())?;
    let frames = pack::frames(&file);
    let events: u64 = frames.iter().map(|packed| u64::from(packed.events)).sum();
    let mut decoded = 0;
    let begun = seconds_of_processor()?;
    for packed in &frames {
        decoded += intake::decode(packed.bytes)?.sites.len();
    }
    let decoding = seconds_of_processor()? - begun;
    ensure!(decoded == frames.len(), "a frame has more than one site");
    let mut engine = Engine::new()?;
    let (before, begun) = (resident_bytes("self")?, seconds_of_processor()?);
    engine.take_all(&frames)?;
    let seconds = seconds_of_processor()? - begun;
    let bytes = resident_bytes("self")?.saturating_sub(before);
    let restore_seconds = restore(&mut engine.world)?;
    let logins = logins(&mut engine)?;
    Ok(json!({
        "events": events,
        "seconds": seconds,
        "events_per_second": events as f64 / seconds,
        "decode_events_per_second": events as f64 / decoding,
        "bytes": bytes,
        "bytes_per_event": bytes as f64 / events as f64,
        "restore_events_per_second": events as f64 / restore_seconds,
        "logins": logins,
    }))
}

/// Processor seconds from the bytes of a checkpoint of everything to the state.
fn restore(world: &mut World) -> Result<f64> {
    let mut stored = BTreeMap::new();
    for (key, piece) in checkpoint::take_dirty(world, Position::default()) {
        if let Some(bytes) = piece.encode().map_err(anyhow::Error::msg)? {
            stored.insert(key, bytes);
        }
    }
    let begun = seconds_of_processor()?;
    let mut restore = Restore::default();
    for (key, value) in &stored {
        restore.take(key, value).map_err(anyhow::Error::msg)?;
    }
    let restored = restore.finish(START_MS).map_err(anyhow::Error::msg)?;
    let seconds = seconds_of_processor()? - begun;
    let (restored, _) = restored.context("the checkpoint holds nothing")?;
    ensure!(restored.sites.len() == world.sites.len(), "a site is missing");
    Ok(seconds)
}

/// Memory of persons with five events each.
pub fn memory(options: &Options) -> Result<Value> {
    let persons = u32::try_from(options.events / 10)?;
    let events = stream::events(&Plan::of_five(persons, options.seed));
    let file = pack::pack_all(&events)?;
    drop(events);
    let frames = pack::frames(&file);
    let mut engine = Engine::new()?;
    let before = resident_bytes("self")?;
    engine.take_all(&frames)?;
    let bytes = resident_bytes("self")?.saturating_sub(before);
    let of_one = bytes as f64 / f64::from(persons);
    Ok(json!({"persons": persons, "bytes": bytes, "bytes_per_person": of_one}))
}

/// Milliseconds of a login that claims a week of a heavy user's activity on one client.
fn logins(engine: &mut Engine) -> Result<Value> {
    let (mut times, mut seconds) = (Vec::new(), 0.0);
    for user in 0..HEAVY_USERS {
        let client = u32::MAX - user;
        let week: Vec<Event> = (0..HEAVY_EVENTS).map(|turn| heavy(user, client, turn)).collect();
        engine.take_all(&pack::frames(&pack::pack_all(&week)?))?;
        let login = Event {
            name: LOGIN,
            user: Some(user),
            order: None,
            ..heavy(user, client, HEAVY_EVENTS)
        };
        let packed = pack::pack_all(&[login])?;
        let frames = pack::frames(&packed);
        let (begun, before) = (Instant::now(), seconds_of_processor()?);
        engine.take_all(&frames)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        seconds += seconds_of_processor()? - before;
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied();
    let processor_ms = seconds * 1e3 / f64::from(HEAVY_USERS);
    Ok(json!({
        "events": HEAVY_EVENTS, "median_ms": median, "longest_ms": times.last(),
        "processor_ms": processor_ms,
    }))
}

/// An event of somebody who is there for half an hour, seventy times a week.
fn heavy(user: u32, client: u32, turn: u32) -> Event {
    let (visit, turn_of_visit) = (i64::from(turn / 50), i64::from(turn % 50));
    let visit_ms = 7 * DAY_MS / 70;
    let occurred_ms =
        START_MS - 4 * DAY_MS + HOUR_MS + visit * visit_ms + turn_of_visit * 36 * SECOND_MS;
    let number = u128::from(user) << 64 | u128::from(turn) << 8 | 0x4000 << 64;
    let is_order = turn % 100 == 99;
    Event {
        received_ms: occurred_ms,
        occurred_ms,
        id: number.to_be_bytes(),
        client,
        user: None,
        order: is_order.then_some(u64::from(user) << 32 | u64::from(turn) << 8 | 7),
        campaign: (turn_of_visit == 0).then_some((turn % 7) as u16),
        referrer: None,
        page: (turn % 100) as u16,
        name: if is_order { stream::PURCHASE } else { 0 },
    }
}
