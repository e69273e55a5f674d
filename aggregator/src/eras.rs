//! Something that was replaced at known instants and held in between.

/// Values, each from the instant at which it replaced the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Eras<T> {
    first: T,
    later: Vec<(i64, T)>,
}

impl<T> From<T> for Eras<T> {
    fn from(first: T) -> Self {
        Self { first, later: Vec::new() }
    }
}

impl<T: PartialEq> Eras<T> {
    /// Goes on with another value from an instant on, which is later than all others.
    #[must_use]
    pub fn then(mut self, from_ms: i64, value: T) -> Self {
        let last = self.later.last().map_or(&self.first, |(_, last)| last);
        if *last != value {
            self.later.push((from_ms, value));
        }
        self
    }

    /// What holds at an instant.
    #[must_use]
    pub fn at(&self, ms: i64) -> &T {
        let held = self.later.iter().rev().find(|(from_ms, _)| *from_ms <= ms);
        held.map_or(&self.first, |(_, value)| value)
    }

    /// Every value with the instants from which and up to which it holds, the latter not in.
    pub fn spans(&self) -> impl Iterator<Item = (i64, i64, &T)> {
        let starts = self.later.iter().map(|(from_ms, value)| (*from_ms, value));
        let ends = self.later.iter().map(|(from_ms, _)| *from_ms).chain([i64::MAX]);
        let all = std::iter::once((i64::MIN, &self.first)).chain(starts).zip(ends);
        all.map(|((from_ms, value), to_ms)| (from_ms, to_ms, value))
    }

    /// The first instant at which two are not the same, if there is one.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> Option<i64> {
        let starts = self.spans().chain(other.spans()).map(|(from_ms, _, _)| from_ms);
        starts.filter(|ms| self.at(*ms) != other.at(*ms)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_hold_from_the_instant_of_their_change() {
        let eras = Eras::from('a').then(10, 'b').then(20, 'b').then(30, 'a');
        let held: String =
            [i64::MIN, 9, 10, 29, 30, i64::MAX].map(|ms| *eras.at(ms)).iter().collect();
        assert_eq!(held, "aabbaa");
        let spans: Vec<_> = eras.spans().collect();
        assert_eq!(spans, [(i64::MIN, 10, &'a'), (10, 30, &'b'), (30, i64::MAX, &'a')]);
        assert_eq!(eras.differs_from(&eras), None);
        assert_eq!(eras.differs_from(&Eras::from('a')), Some(10));
        assert_eq!(eras.differs_from(&Eras::from('a').then(10, 'b')), Some(30));
        assert_eq!(eras.differs_from(&Eras::from('b')), Some(i64::MIN));
    }
}
