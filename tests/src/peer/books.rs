//! What the peer has been told, and whether it was told it as promised.

use std::collections::BTreeMap;

use edgetally_proto::batch::Batch;
use edgetally_proto::frame;

/// One numbering: a shard and its epoch.
pub type Source = (String, String);

/// An event as it is told apart from others: site, client, id.
pub type Key = (String, String, String);

/// A frame that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its checksum.
    pub checksum: u64,
    /// What it says.
    pub batch: Batch,
}

/// What follows from a request, by the rules of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything up to this number is kept.
    Acked(u64),
    /// This number comes first.
    Expected(u64),
    /// A known number came with other bytes.
    Fork,
}

/// All frames, by numbering, in the order of their numbers.
#[derive(Debug, Clone, Default)]
pub struct Books {
    frames: BTreeMap<Source, Vec<Taken>>,
    /// Numberings in the order in which they began.
    began: Vec<Source>,
    /// Frames that came again and were acknowledged without being applied.
    pub replays: usize,
    /// What no shard may ever do.
    pub findings: Vec<String>,
}

/// The frames of a body, from the back-to-back form.
fn frames_of(body: &[u8]) -> Result<Vec<Taken>, String> {
    let (mut rest, mut frames) = (body, Vec::new());
    while !rest.is_empty() {
        let head = frame::peek(rest).map_err(|error| error.to_string())?;
        let (bytes, after) = rest.split_at_checked(head.bytes).ok_or("a frame is cut short")?;
        let batch = frame::decode(bytes).map_err(|error| error.to_string())?;
        frames.push(Taken { checksum: head.checksum, batch });
        rest = after;
    }
    Ok(frames)
}

impl Books {
    /// Takes a request in, as far as it is in order.
    ///
    /// # Errors
    /// If it says something impossible; it is among the findings then, too.
    pub fn take(
        &mut self,
        source: &Source,
        first: u64,
        last: u64,
        body: &[u8],
    ) -> Result<Verdict, String> {
        let read = frames_of(body).and_then(|frames| {
            let count = last.checked_sub(first).map(|more| more + 1);
            let fits = first > 0 && count == Some(frames.len() as u64) && frames.len() <= 64;
            if fits { Ok(frames) } else { Err(format!("{} frames", frames.len())) }
        });
        let frames = read.inspect_err(|error| {
            self.findings.push(format!("{source:?} {first}..={last}: {error}"));
        })?;
        if !self.frames.contains_key(source) {
            self.began.push(source.clone());
        }
        let known = self.frames.entry(source.clone()).or_default();
        for (number, frame) in (first..).zip(frames) {
            let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
            match known.get(at) {
                Some(held) if held.checksum == frame.checksum => self.replays += 1,
                Some(_) => return Ok(Verdict::Fork),
                None if at == known.len() => known.push(frame),
                None => return Ok(Verdict::Expected(known.len() as u64 + 1)),
            }
        }
        Ok(Verdict::Acked(known.len() as u64))
    }

    /// Falls back to the first so many frames of every numbering, as after a restore.
    pub fn forget_after(&mut self, count: usize) {
        self.frames.values_mut().for_each(|frames| frames.truncate(count));
    }

    /// Frames of every numbering, in the order in which the numberings began.
    pub fn numberings(&self) -> impl Iterator<Item = (&Source, &[Taken])> {
        self.began
            .iter()
            .filter_map(|source| self.frames.get(source).map(|frames| (source, frames.as_slice())))
    }

    /// How often each event arrived.
    pub fn events(&self) -> BTreeMap<Key, usize> {
        let mut events = BTreeMap::new();
        for (_, frames) in self.numberings() {
            for key in frames.iter().flat_map(|frame| keys(&frame.batch)) {
                *events.entry(key).or_default() += 1;
            }
        }
        events
    }

    /// The shards that an event of a site came from, with the numbers of frames they sent.
    pub fn shards(&self) -> BTreeMap<String, usize> {
        let mut shards = BTreeMap::new();
        for ((shard, _), frames) in self.numberings() {
            *shards.entry(shard.clone()).or_default() += frames.len();
        }
        shards
    }

    /// Ids of a client's events in the order in which frames told them, repeats left out.
    pub fn order(&self, client: &str) -> Vec<String> {
        let mut order: Vec<String> = Vec::new();
        for (_, frames) in self.numberings() {
            for (_, of, id) in frames.iter().flat_map(|frame| keys(&frame.batch)) {
                if of == client && !order.contains(&id) {
                    order.push(id);
                }
            }
        }
        order
    }

    /// Epochs of a shard.
    pub fn epochs(&self, shard: &str) -> usize {
        self.frames.keys().filter(|(known, _)| known == shard).count()
    }
}

fn keys(batch: &Batch) -> Vec<Key> {
    let of_site = |site: &edgetally_proto::batch::SiteBatch| {
        let client = |at: usize| site.tables.clients.get(at).map(ToString::to_string);
        let key = |record: &edgetally_proto::record::Record| {
            let at = record.client.and_then(|at| usize::try_from(at).ok());
            let client = at.and_then(client).unwrap_or_default();
            (site.site.to_string(), client, record.id.to_string())
        };
        site.records.iter().map(key).collect::<Vec<_>>()
    };
    batch.sites.iter().flat_map(of_site).collect()
}
