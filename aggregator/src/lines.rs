//! The lines of persons: those that were used lately as they are, the others packed.
//!
//! Packed a line is the numbers of its records and how each came to be; everything else follows
//! from the records. Neighbouring numbers of persons share one string of bytes, because they came
//! at the same time and mostly rest at the same time.

use std::sync::Arc;

use edgetally_proto::columns::{Reader, Writer};
use imbl::{OrdMap, Vector};

use crate::held::Held;
use crate::presence::PersonId;
use crate::sessionize::{Entry, Line};
use crate::touches::Class;
use crate::warm::Warm;

/// Persons of a packed block.
const BLOCK_PERSONS: usize = 64;
/// What a line weighs beside its entries, in entries.
const WEIGHT: usize = 8;

/// Works out lines again from the records that they are of.
pub trait Unpack {
    /// An activity of a class, by its record.
    fn entry(&self, record: u32, class: Class) -> Option<Entry>;
    /// The line of activities that stand in order.
    fn line(&self, entries: Vec<Entry>) -> Line;
}

#[derive(Debug, Clone)]
struct Awake {
    line: Arc<Line>,
    /// Whether it differs from what is packed.
    is_changed: bool,
}

fn weight(awake: &Awake) -> usize {
    WEIGHT + awake.line.entries().len()
}

type Packed = Arc<[u8]>;

/// Where a person's line is: the block, and the place in it.
fn place_of(person: PersonId) -> (usize, usize) {
    let at = usize::try_from(person).unwrap_or(usize::MAX);
    (at / BLOCK_PERSONS, at % BLOCK_PERSONS)
}

fn number_of(class: Class) -> u64 {
    match class {
        Class::Direct => 0,
        Class::Tagged => 1,
        Class::Untagged => 2,
    }
}

fn class_of(number: u64) -> Class {
    match number & 3 {
        1 => Class::Tagged,
        2 => Class::Untagged,
        _ => Class::Direct,
    }
}

fn pack(line: &Line) -> Vec<u8> {
    let (mut out, mut before) = (Writer::default(), 0);
    for entry in line.entries() {
        let record = i64::from(entry.record);
        let step = record - before;
        // Forwards or backwards in the lowest bit, as usual; the class below it.
        let step = ((step << 1) ^ (step >> 63)).cast_unsigned();
        out.unsigned(step << 2 | number_of(entry.class));
        before = record;
    }
    out.into_bytes()
}

fn unpack(bytes: &[u8], how: &impl Unpack) -> Line {
    let (mut reader, mut record, mut entries) = (Reader::new(bytes), 0i64, Vec::new());
    while let Ok(number) = reader.unsigned() {
        let step = number >> 2;
        record += (step >> 1).cast_signed() ^ -(step & 1).cast_signed();
        let number_of_record = u32::try_from(record).unwrap_or(u32::MAX);
        entries.extend(how.entry(number_of_record, class_of(number)));
    }
    how.line(entries)
}

/// The parts of a block, one for each person.
fn parts(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(block);
    std::iter::from_fn(move || {
        let length = reader.unsigned().ok().filter(|_| !block.is_empty())?;
        reader.take_u64(length).ok()
    })
}

fn part(blocks: Option<&Packed>, at: usize) -> &[u8] {
    blocks.and_then(|block| parts(block).nth(at)).unwrap_or_default()
}

/// The lines of a site's persons, by number.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    awake: Warm<PersonId, Awake>,
    packed: Vec<Packed>,
    shown: Shown,
    stale: Vec<PersonId>,
    stale_blocks: Vec<usize>,
}

/// The lines as readers see them.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    awake: OrdMap<PersonId, Arc<Line>>,
    packed: Vector<Packed>,
}

impl Shown {
    /// The line of a person; empty if he never had one.
    pub fn get(&self, person: PersonId, how: &impl Unpack) -> Held<'_, Line> {
        if let Some(line) = self.awake.get(&person) {
            return Held::Lent(line);
        }
        let (block, at) = place_of(person);
        Held::Made(unpack(part(self.packed.get(block), at), how))
    }
}

impl Lines {
    /// The line of a person; empty if he never had one.
    pub fn get(&self, person: PersonId, how: &impl Unpack) -> Held<'_, Line> {
        if let Some(awake) = self.awake.get(person) {
            return Held::Lent(&awake.line);
        }
        let (block, at) = place_of(person);
        Held::Made(unpack(part(self.packed.get(block), at), how))
    }

    /// The line of a person, to be changed.
    pub fn get_mut(&mut self, person: PersonId, how: &impl Unpack) -> &mut Line {
        if self.stale.last() != Some(&person) {
            self.stale.push(person);
        }
        self.awake.grow(1);
        let packed = &self.packed;
        let wake = || {
            let (block, at) = place_of(person);
            let line = Arc::new(unpack(part(packed.get(block), at), how));
            Awake { line, is_changed: false }
        };
        let awake = self.awake.get_or_insert(person, wake, weight);
        awake.is_changed = true;
        Arc::make_mut(&mut awake.line)
    }

    /// Packs the lines that were not used lately.
    pub fn cool(&mut self) {
        let Some(gone) = self.awake.cool() else { return };
        // Readers may see them awake, so they must be told.
        self.stale.extend(gone.keys());
        let mut gone: Vec<(PersonId, Awake)> =
            gone.into_iter().filter(|(_, awake)| awake.is_changed).collect();
        gone.sort_unstable_by_key(|(person, _)| *person);
        let block_of = |person: PersonId| place_of(person).0;
        for of_block in gone.chunk_by(|(a, _), (b, _)| block_of(*a) == block_of(*b)) {
            let Some(block) = of_block.first().map(|(person, _)| block_of(*person)) else {
                continue;
            };
            if self.packed.len() <= block {
                self.packed.resize(block + 1, Arc::default());
            }
            let Some(held) = self.packed.get_mut(block) else { continue };
            *held = with(held, of_block);
            self.stale_blocks.push(block);
        }
    }

    /// Says for how many entries there is room.
    pub fn set_room(&mut self, room: usize) {
        self.awake.set_room(room);
    }

    /// Entries of the lines that are not packed, and bytes of the packed ones.
    #[must_use]
    pub fn weight(&self) -> (usize, usize) {
        let entries = self.awake.iter().map(|(_, awake)| awake.line.entries().len()).sum();
        (entries, self.packed.iter().map(|block| block.len()).sum())
    }

    /// What readers see: the lines as they are now.
    pub fn show(&mut self) -> Shown {
        for person in self.stale.drain(..) {
            match self.awake.get(person) {
                Some(awake) => self.shown.awake.insert(person, awake.line.clone()),
                None => self.shown.awake.remove(&person),
            };
        }
        for block in self.packed.iter().skip(self.shown.packed.len()) {
            self.shown.packed.push_back(block.clone());
        }
        for number in self.stale_blocks.drain(..) {
            if let Some(block) = self.packed.get(number) {
                self.shown.packed.set(number, block.clone());
            }
        }
        self.shown.clone()
    }
}

/// A block with the lines of some persons in place of what it has of them.
fn with(block: &[u8], lines: &[(PersonId, Awake)]) -> Packed {
    let mut all: Vec<Vec<u8>> = parts(block).map(<[u8]>::to_vec).collect();
    for (person, awake) in lines {
        let (_, at) = place_of(*person);
        if all.len() <= at {
            all.resize(at + 1, Vec::new());
        }
        if let Some(held) = all.get_mut(at) {
            *held = pack(&awake.line);
        }
    }
    let mut out = Writer::default();
    for line in all {
        out.unsigned(line.len() as u64);
        out.bytes(&line);
    }
    out.into_bytes().into()
}
