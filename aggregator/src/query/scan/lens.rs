//! Which group each session of a chunk belongs to.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Key;
use crate::columns::{Chunk, Events, Values};
use crate::query::filter::Filter;
use crate::query::metric::{Dimension, Visit};
use crate::query::symbols::{Symbol, Symbols};
use crate::query::visit::Reader;

/// Columns of a chunk: four of its sessions, then two of their events.
const COLUMNS: usize = 6;
/// The first of those of events.
const OF_EVENTS: usize = 4;
/// Most combinations of values that have a place each.
const PLACES_MAX: usize = 1 << 22;
/// No group.
const NOTHING: u32 = u32::MAX;

/// Which column of a chunk tells a dimension, if one does.
fn column_of(by: Dimension) -> Option<usize> {
    Some(match by {
        Dimension::Visit(Visit::EntryPage) => 2,
        Dimension::Visit(Visit::ExitPage) => 3,
        Dimension::Visit(by) if by.is_of_touch() => 0,
        Dimension::Visit(_) => 1,
        Dimension::EventName => 4,
        Dimension::EventPage => 5,
        _ => return None,
    })
}

/// Whether columns tell a dimension of sessions, and one of events if those are looked at.
pub fn is_told(by: Dimension, with_events: bool) -> bool {
    let is_time = matches!(by, Dimension::Time(_));
    is_time || column_of(by).is_some_and(|column| with_events || column < OF_EVENTS)
}

/// What the codes of a column say: the value of a dimension for each.
struct Codebook<'a> {
    reader: &'a Reader<'a>,
    values: &'a Values,
}

impl Codebook<'_> {
    /// The value of a dimension by code of its column.
    fn symbols(&self, by: Dimension) -> Vec<Symbol> {
        let (reader, values) = (self.reader, self.values);
        match (column_of(by), by) {
            (Some(0), Dimension::Visit(by)) => {
                values.touches.iter().map(|clues| reader.of_clues(*clues, by)).collect()
            }
            (Some(1), Dimension::Visit(by)) => {
                values.origins.iter().map(|origin| reader.of_origin(*origin, by)).collect()
            }
            (Some(4), _) => values.names.iter().map(|name| reader.text(*name)).collect(),
            _ => values.pages.iter().map(|page| reader.text(*page)).collect(),
        }
    }
}

/// A filter whose conditions are judged for every code.
enum Mask {
    Codes(usize, Vec<bool>),
    Not(Box<Mask>),
    All(Vec<Mask>),
    Any(Vec<Mask>),
}

impl Mask {
    fn of(filter: &Filter, book: &Codebook<'_>) -> Option<Self> {
        let all = |filters: &[Filter]| {
            filters.iter().map(|filter| Self::of(filter, book)).collect::<Option<Vec<_>>>()
        };
        Some(match filter {
            Filter::Is(by, _) | Filter::Contains(by, _) | Filter::Matches(by, _) => {
                let column = column_of(*by)?;
                let mut judged: FxHashMap<Symbol, bool> = FxHashMap::default();
                let judge = |symbol: Symbol| {
                    let text = || book.reader.symbols.text(symbol);
                    *judged.entry(symbol).or_insert_with(|| filter.holds(&text()))
                };
                Self::Codes(column, book.symbols(*by).into_iter().map(judge).collect())
            }
            Filter::Not(inner) => Self::Not(Box::new(Self::of(inner, book)?)),
            Filter::And(filters) => Self::All(all(filters)?),
            Filter::Or(filters) => Self::Any(all(filters)?),
        })
    }

    fn passes(&self, code: &impl Fn(usize) -> u32) -> bool {
        match self {
            Self::Codes(column, judged) => {
                let code = usize::try_from(code(*column)).unwrap_or(usize::MAX);
                judged.get(code).copied().unwrap_or_default()
            }
            Self::Not(inner) => !inner.passes(code),
            Self::All(all) => all.iter().all(|mask| mask.passes(code)),
            Self::Any(any) => any.iter().any(|mask| mask.passes(code)),
        }
    }
}

/// The values that codes of one column stand for under the dimensions asked.
struct Part {
    column: usize,
    /// Each combination of values that occurs.
    tuples: Vec<SmallVec<[Symbol; 3]>>,
    /// Which of them a code stands for.
    by_code: Vec<u32>,
    /// Where each value stands in a key.
    places: SmallVec<[usize; 3]>,
}

impl Part {
    fn of(column: usize, keys: &[Dimension], book: &Codebook<'_>) -> Option<Self> {
        let asked = keys.iter().copied().enumerate();
        let asked: Vec<(usize, Dimension)> =
            asked.filter(|(_, by)| column_of(*by) == Some(column)).collect();
        let values: Vec<Vec<Symbol>> = asked.iter().map(|(_, by)| book.symbols(*by)).collect();
        let (mut known, mut tuples) = (FxHashMap::default(), Vec::new());
        let by_code = (0..values.first()?.len()).map(|code| {
            let tuple = values.iter().filter_map(|symbols| symbols.get(code).copied());
            let tuple: SmallVec<[Symbol; 3]> = tuple.collect();
            *known.entry(tuple).or_insert_with_key(|tuple| {
                tuples.push(tuple.clone());
                u32::try_from(tuples.len() - 1).unwrap_or(NOTHING)
            })
        });
        let by_code = by_code.collect();
        let places = asked.into_iter().map(|(place, _)| place).collect();
        Some(Self { column, tuples, by_code, places })
    }
}

/// Gives each session of a chunk its group: the values of the dimensions beside time.
pub struct Lens {
    mask: Option<Mask>,
    parts: Vec<Part>,
    /// Dimensions beside time.
    keys: usize,
    /// The group of each combination of the parts' values that occurred.
    groups: Vec<u32>,
    /// The combination of each group.
    places: Vec<usize>,
    columns: [Vec<u32>; COLUMNS],
}

impl Lens {
    /// A lens for a plan, over what codes stand for now; none if there are too many combinations of
    /// values.
    pub fn new(
        filter: Option<&Filter>,
        keys: &[Dimension],
        reader: &Reader<'_>,
        values: &Values,
    ) -> Option<Self> {
        let book = Codebook { reader, values };
        let mask = match filter {
            Some(filter) => Some(Mask::of(filter, &book)?),
            None => None,
        };
        let parts = (0..COLUMNS).filter_map(|column| Part::of(column, keys, &book));
        let parts: Vec<Part> = parts.collect();
        let sizes = parts.iter().map(|part| part.tuples.len());
        let places = sizes.fold(1, usize::saturating_mul);
        (places <= PLACES_MAX).then(|| Self {
            mask,
            parts,
            keys: keys.len(),
            groups: vec![NOTHING; places],
            places: Vec::new(),
            columns: Default::default(),
        })
    }

    /// Reads the columns of a chunk, and of its events if there are any.
    pub fn look_at(&mut self, chunk: &Chunk, events: Option<&Events>) {
        let of_sessions = [&chunk.touches, &chunk.origins, &chunk.entries, &chunk.exits];
        let of_events = events.map(|events| [&events.names, &events.pages]);
        let all = of_sessions.into_iter().chain(of_events.into_iter().flatten());
        for (at, (codes, out)) in all.zip(&mut self.columns).enumerate() {
            out.clear();
            if self.mask.is_some() || self.parts.iter().any(|part| part.column == at) {
                codes.read_into(out);
            }
        }
    }

    fn code(&self, column: usize, of: (usize, usize)) -> u32 {
        let (session, event) = of;
        let at = if column < OF_EVENTS { session } else { event };
        self.columns.get(column).and_then(|codes| codes.get(at)).copied().unwrap_or_default()
    }

    /// The group of a session of the chunk that is looked at, or of an event of it, by their
    /// places; none if the filter holds it back.
    pub fn group(&mut self, of: (usize, usize)) -> Option<u32> {
        if let Some(mask) = &self.mask
            && !mask.passes(&|column| self.code(column, of))
        {
            return None;
        }
        let place = self.parts.iter().fold(0, |place, part| {
            let code = usize::try_from(self.code(part.column, of)).unwrap_or_default();
            let value = part.by_code.get(code).copied().unwrap_or_default();
            place * part.tuples.len() + usize::try_from(value).unwrap_or_default()
        });
        let next = u32::try_from(self.places.len()).unwrap_or(NOTHING);
        let group = self.groups.get_mut(place)?;
        if *group == NOTHING {
            *group = next;
            self.places.push(place);
        }
        Some(*group)
    }

    /// The values of a group.
    pub fn key(&self, group: u32) -> Key {
        let mut key = Key::from_elem(Symbols::NONE, self.keys);
        let place = usize::try_from(group).ok().and_then(|group| self.places.get(group));
        let mut rest = place.copied().unwrap_or_default();
        for part in self.parts.iter().rev() {
            let tuple = part.tuples.get(rest % part.tuples.len().max(1));
            rest /= part.tuples.len().max(1);
            for (at, symbol) in part.places.iter().zip(tuple.into_iter().flatten()) {
                if let Some(held) = key.get_mut(*at) {
                    *held = *symbol;
                }
            }
        }
        key
    }
}
