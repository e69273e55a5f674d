//! Web vitals: what a page measured of itself, as whole numbers.

use serde::{Deserialize, Serialize};

use crate::money::parse_minor;

/// What was measured. Other names are accepted as events, but have no quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Metric {
    /// Largest contentful paint.
    Lcp = 0,
    /// Interaction to next paint.
    Inp = 1,
    /// Cumulative layout shift, which has no unit.
    Cls = 2,
    /// First contentful paint.
    Fcp = 3,
    /// Time to first byte.
    Ttfb = 4,
    /// First input delay.
    Fid = 5,
}

impl Metric {
    /// All of them, in the order of their numbers on the wire.
    pub const ALL: [Self; 6] = [Self::Lcp, Self::Inp, Self::Cls, Self::Fcp, Self::Ttfb, Self::Fid];

    /// The name that pages send.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lcp => "LCP",
            Self::Inp => "INP",
            Self::Cls => "CLS",
            Self::Fcp => "FCP",
            Self::Ttfb => "TTFB",
            Self::Fid => "FID",
        }
    }

    /// Decimals that are kept: tenths of a millisecond, but ten-thousandths of a shift.
    #[must_use]
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Cls => 4,
            _ => 1,
        }
    }

    /// By the name that pages send, in whatever case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str().eq_ignore_ascii_case(name.trim()))
    }

    /// By the number on the wire.
    #[must_use]
    pub fn from_wire(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| *metric as u64 == number)
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vital {
    /// What was measured.
    pub metric: Metric,
    /// The value times ten to the power of the metric's decimals.
    pub value: u64,
}

impl Vital {
    /// A measurement as it was sent; none where nobody knows the metric or the value is no number.
    #[must_use]
    pub fn read(metric: &str, value: &str) -> Option<Self> {
        let metric = Metric::parse(metric)?;
        let value = parse_minor(value, metric.decimals()).ok()?.minor;
        Some(Self { metric, value: u64::try_from(value).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_read_with_their_decimals() {
        let value = |metric, value| Vital::read(metric, value).map(|vital| vital.value);
        assert_eq!(value("LCP", "2500.34"), Some(25_003));
        assert_eq!(value("cls", "0.1234"), Some(1_234));
        assert_eq!(value("TTFB", "1e2"), Some(1_000));
        assert_eq!(value("LCP", "-1"), None);
        assert_eq!(value("LCP", "fast"), None);
        assert_eq!(value("TTI", "5"), None);
        let all = Metric::ALL.map(|metric| Metric::from_wire(metric as u64));
        assert_eq!(all, Metric::ALL.map(Some));
    }
}
