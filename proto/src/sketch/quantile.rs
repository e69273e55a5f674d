//! Quantiles of whole numbers: a DDSketch whose bins are cut by integer arithmetic.
//!
//! Numbers below 128 have a bin each; from there on every doubling is cut into 128 bins of equal
//! width, so a bin is at most 1/128 of its numbers wide. A logarithm would cut them a little
//! finer, but may round differently from platform to platform, and then the same numbers would
//! not give the same bytes. Merging adds, so a number can also be taken out again.

use std::collections::BTreeMap;

use crate::columns::{Reader, Writer};
use crate::error::DecodeError;

/// Bits of a number that a bin tells apart, below the highest.
const STEPS: u32 = 7;
/// Most bins: 128 for the numbers below 128, and 128 for each of the 57 doublings.
const BINS: u32 = (64 - STEPS + 1) << STEPS;

fn bin_of(number: u64) -> u32 {
    let bits = 64 - number.leading_zeros();
    match bits.checked_sub(STEPS + 1) {
        None => number as u32,
        Some(shift) => (shift << STEPS) + (number >> shift) as u32,
    }
}

/// The smallest and the largest number of a bin.
fn ends_of(bin: u32) -> (u64, u64) {
    let Some(shift) = (bin >> STEPS).checked_sub(1) else {
        return (u64::from(bin), u64::from(bin));
    };
    let steps = u64::from(bin - (shift << STEPS));
    let low = steps << shift;
    (low, low + ((1 << shift) - 1))
}

/// The numbers of a stretch of time, as far as their quantiles go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantiles {
    bins: BTreeMap<u32, u64>,
}

/// Where a quantile lies: the number at its rank is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// The smallest that it can be.
    pub low: u64,
    /// The largest that it can be.
    pub high: u64,
}

impl Between {
    /// The number halfway.
    #[must_use]
    pub fn middle(self) -> u64 {
        self.low + self.high.saturating_sub(self.low) / 2
    }
}

impl Quantiles {
    /// Adds a number.
    pub fn insert(&mut self, number: u64) {
        let count = self.bins.entry(bin_of(number)).or_default();
        *count = count.saturating_add(1);
    }

    /// Takes a number out that was added.
    pub fn remove(&mut self, number: u64) {
        let bin = bin_of(number);
        if let Some(count) = self.bins.get_mut(&bin) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.bins.remove(&bin);
            }
        }
    }

    /// Adds the numbers of another one.
    pub fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.bins {
            let held = self.bins.entry(*bin).or_default();
            *held = held.saturating_add(*count);
        }
    }

    /// How many numbers there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// The smallest number that is not exceeded by this many of a hundred, or where it lies; none
    /// without numbers.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Between> {
        let rank = (u128::from(self.count()) * u128::from(percent)).div_ceil(100).max(1);
        let mut passed = 0u128;
        let reaches = |(bin, count): (&u32, &u64)| {
            passed += u128::from(*count);
            (passed >= rank).then(|| ends_of(*bin))
        };
        self.bins.iter().find_map(reaches).map(|(low, high)| Between { low, high })
    }

    /// Its bytes: the same numbers give the same.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mut out, mut before) = (Writer::default(), 0);
        for (bin, count) in &self.bins {
            out.unsigned(u64::from(bin - before));
            out.unsigned(*count);
            before = *bin;
        }
        out.into_bytes()
    }

    /// Reads the bytes of one.
    ///
    /// # Errors
    /// If they are not what [`Self::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WRONG: DecodeError = DecodeError::Malformed("a bin is none");
        let (mut reader, mut bins, mut before) = (Reader::new(bytes), BTreeMap::new(), 0u64);
        while !reader.is_at_end() {
            let step = reader.unsigned()?;
            let bin = before.checked_add(step).filter(|bin| *bin < u64::from(BINS)).ok_or(WRONG)?;
            let count = reader.unsigned()?;
            if count == 0 || (step == 0 && !bins.is_empty()) {
                return Err(WRONG);
            }
            bins.insert(u32::try_from(bin).map_err(|_| WRONG)?, count);
            before = bin;
        }
        Ok(Self { bins })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_its_bin_and_bins_are_narrow() {
        let near = (0..64).flat_map(|bit| {
            let power = 1u64 << bit;
            [power - 1, power, power + 1, power + power / 3]
        });
        for number in near.chain([u64::MAX, 1_000, 86_400_000]) {
            let bin = bin_of(number);
            let (low, high) = ends_of(bin);
            assert!(bin < BINS && low <= number && number <= high, "{number}: {low} to {high}");
            assert!(high - low <= low / 128, "{low} to {high}");
        }
        assert_eq!((bin_of(127), bin_of(128), bin_of(255), bin_of(256)), (127, 128, 255, 256));
        assert_eq!((bin_of(257), bin_of(258), bin_of(u64::MAX)), (256, 257, BINS - 1));
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut quantiles = Quantiles::default();
        assert_eq!(quantiles.percentile(50), None);
        (1..=100).for_each(|number| quantiles.insert(number));
        for percent in [1, 50, 75, 95, 99, 100] {
            let exact = Between { low: u64::from(percent), high: u64::from(percent) };
            assert_eq!(quantiles.percentile(percent), Some(exact));
        }
        // 1,000 lies in a bin from 1,000 to 1,003.
        quantiles.insert(1_000);
        assert_eq!(quantiles.percentile(100), Some(Between { low: 1_000, high: 1_003 }));
        quantiles.remove(1_000);
        assert_eq!(quantiles.count(), 100);
        assert_eq!(quantiles.percentile(100), Some(Between { low: 100, high: 100 }));
    }

    #[test]
    fn lies_are_refused() {
        for bytes in [&[1][..], &[5, 0], &[5, 1, 0, 1], &[255, 255, 1, 1]] {
            assert!(Quantiles::from_bytes(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(Quantiles::from_bytes(&[]), Ok(Quantiles::default()));
    }
}
