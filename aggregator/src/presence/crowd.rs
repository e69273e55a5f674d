//! The persons of a longer stretch, each with the count of its events by name: an exact multiset
//! that takes changes as they come and sorts them later, many at once.
//!
//! It is a few sorted runs, of which each is at least twice as long as the next: a change is
//! sorted a handful of times in all, a run is one piece of memory, and clones share the runs.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{PersonId, Visit};
use crate::texts::TextId;

/// A person with an event of a name, and how many of them came less those that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    person: PersonId,
    name: TextId,
    count: i32,
}

impl Cell {
    fn key(&self) -> (PersonId, TextId) {
        (self.person, self.name)
    }
}

/// The persons of a longer stretch.
#[derive(Debug, Clone, Default)]
pub struct Crowd {
    runs: Vec<Arc<Vec<Cell>>>,
}

/// Adds up neighbours with one key; what came to nothing goes.
fn add_up(cells: &mut Vec<Cell>) {
    cells.dedup_by(|next, cell| {
        let is_same = next.key() == cell.key();
        cell.count += if is_same { next.count } else { 0 };
        is_same
    });
    cells.retain(|cell| cell.count != 0);
}

fn merged(a: &[Cell], b: &[Cell]) -> Vec<Cell> {
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    loop {
        let is_a = match (a.peek(), b.peek()) {
            (Some(a), Some(b)) => a.key() <= b.key(),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        merged.extend(if is_a { a.next() } else { b.next() });
    }
    add_up(&mut merged);
    merged
}

impl Crowd {
    /// Lets events come and go.
    pub fn change(&mut self, changes: impl Iterator<Item = (Visit, bool)>) {
        let cell = |(Visit { person, name, .. }, is_added)| Cell {
            person,
            name,
            count: if is_added { 1 } else { -1 },
        };
        let mut cells: Vec<Cell> = changes.map(cell).collect();
        cells.sort_unstable_by_key(Cell::key);
        add_up(&mut cells);
        while let Some(last) =
            self.runs.pop_if(|last| last.len() < 2 * cells.len() || cells.is_empty())
        {
            cells = merged(&last, &cells);
        }
        if !cells.is_empty() {
            cells.shrink_to_fit();
            self.runs.push(Arc::new(cells));
        }
    }

    /// Calls `visit` with every person, name and count that is left, by person and name.
    fn visit(&self, mut visit: impl FnMut(Cell)) {
        let (first, rest) = self
            .runs
            .split_first()
            .map_or((&[][..], &[][..]), |(first, rest)| (first.as_slice(), rest));
        // Together at most as long as the first.
        let rest = rest.iter().rev().fold(Vec::new(), |rest, run| merged(run, &rest));
        let (mut a, mut b) = (first.iter().copied().peekable(), rest.into_iter().peekable());
        loop {
            let order = match (a.peek(), b.peek()) {
                (Some(a), Some(b)) => a.key().cmp(&b.key()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            let next = if order.is_gt() { b.next() } else { a.next() };
            let Some(mut cell) = next else { break };
            cell.count += if order.is_eq() { b.next().map_or(0, |same| same.count) } else { 0 };
            if cell.count > 0 {
                visit(cell);
            }
        }
    }

    /// Calls `visit` with every person and name.
    pub fn pairs(&self, mut visit: impl FnMut(PersonId, TextId)) {
        self.visit(|cell| visit(cell.person, cell.name));
    }

    /// Calls `visit` with every person once.
    pub fn persons(&self, mut visit: impl FnMut(PersonId)) {
        let mut before = None;
        self.visit(|cell| {
            if before.replace(cell.person) != Some(cell.person) {
                visit(cell.person);
            }
        });
    }

    /// How many persons there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut count = 0;
        self.persons(|_| count += 1);
        count
    }

    /// How many events there are.
    #[must_use]
    pub fn events(&self) -> u64 {
        let mut events = 0;
        self.visit(|cell| events += u64::from(cell.count.unsigned_abs()));
        events
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}
