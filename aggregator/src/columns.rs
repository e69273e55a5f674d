//! Sessions as columns, a quarter of an hour in each chunk, for questions about very many of them.
//!
//! A chunk is made when somebody first asks for it, and again after a session of it changed: every
//! quarter has a stamp that grows with any change. It holds numbers and no text, so nothing has to
//! be forgotten here when somebody is erased. The newest chunks are kept, as many as there is room
//! for; whoever gets none reads the rows.

mod chunk;
mod codes;
mod events;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imbl::{OrdMap, Vector};

use chunk::Raw;
pub use chunk::{Chunk, Row};
pub use codes::Codes;
use codes::Dictionary;
pub use events::Events;

use crate::merge::Level;
use crate::records::{Clues, Origin};
use crate::texts::TextId;
use crate::view::SiteView;

/// Bytes of chunks for which there is room, if nothing else is said.
pub const ROOM: usize = 256 << 20;

/// The quarter of an hour of an instant.
#[must_use]
pub fn quarter_of(ms: i64) -> i64 {
    ms.div_euclid(Level::Quarter.slot_ms())
}

/// When the sessions that begin in each quarter of an hour were last changed. Numbers grow, and
/// none comes twice.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    last: u64,
    shown: OrdMap<i64, u64>,
    changed: Vec<i64>,
}

impl Stamps {
    /// A session that begins at an instant is told, told otherwise or taken back, or something else
    /// that a chunk says of it changed.
    pub fn note(&mut self, start_ms: i64) {
        let quarter = quarter_of(start_ms);
        // Nearly always it is the same one again.
        if self.changed.last() != Some(&quarter) {
            self.changed.push(quarter);
        }
    }

    /// Those that go on after everything is worked out anew.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { last: self.last, ..Self::default() }
    }

    /// The stamps by quarter of an hour, as they are now.
    pub fn show(&mut self) -> OrdMap<i64, u64> {
        self.changed.sort_unstable();
        self.changed.dedup();
        for quarter in self.changed.drain(..) {
            self.last += 1;
            self.shown.insert(quarter, self.last);
        }
        self.shown.clone()
    }
}

#[derive(Debug, Default)]
struct Dictionaries {
    touches: Dictionary<Option<Clues>>,
    origins: Dictionary<Option<Origin>>,
    pages: Dictionary<Option<TextId>>,
    names: Dictionary<Option<TextId>>,
}

/// What the codes of chunks stand for.
#[derive(Debug)]
pub struct Values {
    /// Attributed touches; none is direct.
    pub touches: Vector<Option<Clues>>,
    /// Where first events came from.
    pub origins: Vector<Option<Origin>>,
    /// Pages of events, and of sessions the first and the last.
    pub pages: Vector<Option<TextId>>,
    /// Names of events.
    pub names: Vector<Option<TextId>>,
}

impl Values {
    fn of(known: &Dictionaries) -> Self {
        Self {
            touches: known.touches.values(),
            origins: known.origins.values(),
            pages: known.pages.values(),
            names: known.names.values(),
        }
    }
}

#[derive(Debug, Default)]
struct Kept {
    /// With the bytes that each takes.
    chunks: BTreeMap<i64, (Arc<Chunk>, usize)>,
    dictionaries: Dictionaries,
    bytes: usize,
}

impl Kept {
    fn remove(&mut self, quarter: i64) {
        if let Some((_, bytes)) = self.chunks.remove(&quarter) {
            self.bytes -= bytes;
        }
    }

    /// Whether a chunk of a quarter could stay.
    fn has_room_for(&self, quarter: i64, room: usize) -> bool {
        let oldest = self.chunks.keys().next();
        room > 0 && (self.bytes < room || oldest.is_none_or(|oldest| *oldest <= quarter))
    }

    /// Keeps a chunk unless a newer one is there, and lets the oldest go while there is no room.
    fn insert(&mut self, quarter: i64, chunk: &Arc<Chunk>, room: usize) {
        if self.chunks.get(&quarter).is_some_and(|(held, _)| held.stamp > chunk.stamp) {
            return;
        }
        self.remove(quarter);
        self.bytes += chunk.bytes();
        self.chunks.insert(quarter, (chunk.clone(), chunk.bytes()));
        self.shrink(room);
    }

    /// A chunk takes more now, if it is still kept.
    fn grow(&mut self, quarter: i64, chunk: &Arc<Chunk>, more: usize, room: usize) {
        let held = self.chunks.get_mut(&quarter);
        if let Some((_, bytes)) = held.filter(|(held, _)| Arc::ptr_eq(held, chunk)) {
            *bytes += more;
            self.bytes += more;
            self.shrink(room);
        }
    }

    /// Lets the oldest chunks go while there is no room.
    fn shrink(&mut self, room: usize) {
        while self.bytes > room {
            let Some(oldest) = self.chunks.keys().next().copied() else { break };
            self.remove(oldest);
        }
    }
}

/// The chunks of a site, shared by all of its snapshots.
#[derive(Debug)]
pub struct Store {
    kept: Mutex<Kept>,
    room: AtomicUsize,
}

impl Default for Store {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl Store {
    /// A store that keeps so many bytes of chunks; of none nothing is made at all.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        Self { kept: Mutex::default(), room: room.into() }
    }

    /// Says for how many bytes there is room from now on.
    pub fn set_room(&self, room: usize) {
        self.room.store(room, Ordering::Relaxed);
        self.kept().shrink(room);
    }

    /// Nothing is done under the lock that could leave it half done, so a panic elsewhere does not
    /// matter.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of the chunks that are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.kept().bytes
    }
}

/// The store of a site that may change: a copy of the site begins with an empty one, because its
/// stamps will stand for other rows.
#[derive(Debug, Default)]
pub struct Owned(Arc<Store>);

impl Owned {
    /// The store, for snapshots.
    #[must_use]
    pub fn share(&self) -> Arc<Store> {
        self.0.clone()
    }
}

impl Clone for Owned {
    fn clone(&self) -> Self {
        Self(Arc::new(Store::with_room(self.0.room.load(Ordering::Relaxed))))
    }
}

/// A quarter of an hour with sessions, and the chunk of it.
pub type Found = (i64, Option<Arc<Chunk>>);

/// The chunks of sessions that begin from one quarter of an hour to another (both in), in order,
/// with their activity if it is asked for, and what their codes stand for. None stands for a
/// quarter whose sessions have to be read as rows.
#[must_use]
pub fn chunks(site: &SiteView, quarters: [i64; 2], with_events: bool) -> (Vec<Found>, Values) {
    let [from, to] = quarters;
    let store = &site.columns;
    let room = store.room.load(Ordering::Relaxed);
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let kept = store.kept();
    for (quarter, stamp) in site.session_stamps.range(from..=to) {
        let chunk = kept.chunks.get(quarter).filter(|(chunk, _)| chunk.stamp == *stamp);
        if chunk.is_none_or(|(chunk, _)| with_events && chunk.events().is_none()) {
            missing.push((found.len(), *quarter, *stamp));
        }
        found.push((*quarter, chunk.map(|(chunk, _)| chunk.clone())));
    }
    drop(kept);
    // The newest first, because those are kept if there is no room for all.
    for (at, quarter, stamp) in missing.into_iter().rev() {
        let Some((_, place)) = found.get_mut(at) else { continue };
        let chunk = place.take().or_else(|| made(site, quarter, stamp, room));
        *place = chunk.filter(|chunk| !with_events || fill(site, quarter, chunk, room));
    }
    let values = Values::of(&store.kept().dictionaries);
    (found, values)
}

/// Makes a chunk, unless there is no room for it.
fn made(site: &SiteView, quarter: i64, stamp: u64, room: usize) -> Option<Arc<Chunk>> {
    if !site.columns.kept().has_room_for(quarter, room) {
        return None;
    }
    let raw = Raw::of(site, quarter)?;
    let mut kept = site.columns.kept();
    let chunk = Arc::new(raw.coded(stamp, &mut kept.dictionaries));
    kept.insert(quarter, &chunk, room);
    Some(chunk)
}

/// Adds the activity to a chunk; says whether it is there.
fn fill(site: &SiteView, quarter: i64, chunk: &Arc<Chunk>, room: usize) -> bool {
    let mut more = 0;
    let events = chunk.events.get_or_init(|| {
        let raw = events::Raw::of(site, chunk)?;
        let events = raw.coded(&mut site.columns.kept().dictionaries);
        more = events.bytes();
        Some(events)
    });
    let is_there = events.is_some();
    site.columns.kept().grow(quarter, chunk, more, room);
    is_there
}
