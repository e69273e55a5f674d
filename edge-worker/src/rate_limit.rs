//! Rate limits: token buckets in whole milli-tokens, so that no rounding ever admits too much.
//!
//! A bucket of capacity `burst` refilled at `rate` tokens a second admits at most
//! `burst + rate * T` requests in any interval of `T` seconds.

use std::collections::HashMap;
use std::net::IpAddr;

use edgetally_proto::settings::Rate;

/// Milli-tokens of one request.
const TOKEN: i64 = 1_000;
/// Buckets held at once; full ones are forgotten first, as a new bucket is full anyway.
pub const BUCKETS_MAX: usize = 100_000;

/// Tokens of a lease, at most; and never more than this share of what the bucket holds.
const LEASE_TOKENS: i64 = 4;
const LEASE_SHARE: i64 = 8;
/// How long leased tokens may be used.
pub const LEASE_MS: i64 = 10_000;

/// Whether a request passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It passes.
    Admitted,
    /// It does not, until this many milliseconds have gone by.
    Limited {
        /// Milliseconds, at least 1.
        retry_after_ms: i64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    milli_tokens: i64,
    at_ms: i64,
    flow: Flow,
    /// Milli-tokens that isolates hold, until then: the bucket holds that much less meanwhile.
    leased: i64,
    leased_until_ms: i64,
}

#[derive(Debug, Clone, Copy)]
struct Flow {
    per_ms: i64,
    capacity: i64,
}

impl Bucket {
    /// A rate of n tokens a second is n milli-tokens a millisecond.
    fn refilled(self, now_ms: i64) -> i64 {
        let elapsed_ms = now_ms.saturating_sub(self.at_ms).max(0);
        let refill = elapsed_ms.saturating_mul(self.flow.per_ms);
        self.milli_tokens.saturating_add(refill).min(self.flow.capacity - self.leased_at(now_ms))
    }

    fn leased_at(self, now_ms: i64) -> i64 {
        if now_ms < self.leased_until_ms { self.leased } else { 0 }
    }
}

/// Token buckets by key.
#[derive(Debug, Default)]
pub struct Buckets {
    buckets: HashMap<Box<str>, Bucket>,
}

impl Buckets {
    /// Takes one token from the bucket of `key`.
    pub fn admit(&mut self, key: &str, rate: &Rate, now_ms: i64) -> Admission {
        let flow = Flow {
            per_ms: i64::from(rate.rate),
            capacity: i64::from(rate.burst).saturating_mul(TOKEN),
        };
        let known = self.buckets.get(key).copied();
        if known.is_none() && !self.has_room(now_ms) {
            return Admission::Limited { retry_after_ms: 1_000 };
        }
        let full = Bucket {
            milli_tokens: flow.capacity,
            at_ms: now_ms,
            flow,
            leased: 0,
            leased_until_ms: 0,
        };
        let before = known.unwrap_or(full);
        let milli_tokens = Bucket { flow, ..before }.refilled(now_ms);
        // A clock that steps back refills nothing, and does not refill the same time twice.
        let at_ms = before.at_ms.max(now_ms);
        let left = milli_tokens - TOKEN;
        let admitted = left >= 0;
        let milli_tokens = if admitted { left } else { milli_tokens };
        self.buckets.insert(key.into(), Bucket { milli_tokens, at_ms, flow, ..before });
        if admitted {
            return Admission::Admitted;
        }
        let missing = TOKEN - milli_tokens;
        let wait_ms = match flow.per_ms {
            0 => 60_000,
            per_ms => missing.unsigned_abs().div_ceil(per_ms.unsigned_abs()).cast_signed(),
        };
        Admission::Limited { retry_after_ms: wait_ms.max(1) }
    }

    /// Hands out a few tokens of a bucket, to be used within [`LEASE_MS`] or lost; how many.
    ///
    /// While they are out the bucket holds that much less, so that tokens in the bucket and tokens
    /// that are out are never more than `burst`: the promise above holds for both together.
    pub fn lease(&mut self, key: &str, now_ms: i64) -> u32 {
        let Some(bucket) = self.buckets.get_mut(key) else { return 0 };
        let tokens = LEASE_TOKENS.min(bucket.milli_tokens / TOKEN / LEASE_SHARE);
        let out = bucket.leased_at(now_ms);
        // One at a time: what another isolate holds is enough of a bucket out of sight.
        if tokens <= 0 || out > 0 {
            return 0;
        }
        bucket.milli_tokens -= tokens * TOKEN;
        bucket.leased = tokens * TOKEN;
        bucket.leased_until_ms = now_ms.saturating_add(LEASE_MS);
        u32::try_from(tokens).unwrap_or(0)
    }

    fn has_room(&mut self, now_ms: i64) -> bool {
        if self.buckets.len() >= BUCKETS_MAX {
            self.buckets.retain(|_, bucket| bucket.refilled(now_ms) < bucket.flow.capacity);
        }
        self.buckets.len() < BUCKETS_MAX
    }
}

/// The part of an address that one visitor cannot vary: all of IPv4, the first 64 bits of IPv6.
#[must_use]
pub fn bucket_of_address(address: &str) -> String {
    match address.trim().parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        },
        Ok(IpAddr::V4(v4)) => v4.to_string(),
        Err(_) => address.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leases::Leases;

    const RATE: Rate = Rate { rate: 200, burst: 50 };

    fn admitted(buckets: &mut Buckets, key: &str, count: usize, now_ms: i64) -> usize {
        let passes = |_: &usize| buckets.admit(key, &RATE, now_ms) == Admission::Admitted;
        (0..count).filter(passes).count()
    }

    #[test]
    fn any_interval_admits_at_most_burst_and_refill() {
        let mut buckets = Buckets::default();
        assert_eq!(admitted(&mut buckets, "a", 1_000, 0), 50);
        let later: usize = (1..=1_000).map(|ms| admitted(&mut buckets, "a", 10, ms)).sum();
        assert_eq!(later, 200);
        assert_eq!(admitted(&mut buckets, "b", 1_000, 1_000), 50, "another address is not limited");
    }

    #[test]
    fn a_limited_request_is_told_when_to_come_again() {
        let mut buckets = Buckets::default();
        admitted(&mut buckets, "a", 50, 0);
        assert_eq!(buckets.admit("a", &RATE, 0), Admission::Limited { retry_after_ms: 5 });
        assert_eq!(buckets.admit("a", &RATE, 4), Admission::Limited { retry_after_ms: 1 });
        assert_eq!(buckets.admit("a", &RATE, 5), Admission::Admitted);
    }

    #[test]
    fn a_clock_that_steps_back_refills_nothing() {
        let mut buckets = Buckets::default();
        assert_eq!(admitted(&mut buckets, "a", 100, 10_000), 50);
        assert_eq!(admitted(&mut buckets, "a", 100, 5_000), 0);
        assert_eq!(admitted(&mut buckets, "a", 100, 10_000), 0);
    }

    /// Requests through an isolate that leases, and straight at the limiter, in any mixture.
    #[test]
    fn tokens_in_the_bucket_and_out_of_it_keep_the_promise_together() {
        for (quiet_ms, through_lease) in [(0, 1), (9_999, 1), (9_999, 5), (10_000, 3), (60_000, 5)]
        {
            let (mut buckets, mut leases) = (Buckets::default(), Leases::default());
            let mut ask = |buckets: &mut Buckets, now_ms: i64| {
                if let Some(known) = leases.take("a", now_ms) {
                    return known == Admission::Admitted;
                }
                let passes = buckets.admit("a", &RATE, now_ms) == Admission::Admitted;
                let more = if passes { buckets.lease("a", now_ms) } else { 0 };
                leases.keep("a".to_owned(), i64::from(!passes), more, now_ms);
                passes
            };
            assert!(ask(&mut buckets, 0));
            let burst = |buckets: &mut Buckets| admitted(buckets, "a", 1_000, quiet_ms);
            let leased = (0..through_lease).filter(|_| ask(&mut buckets, quiet_ms)).count();
            let all = leased + burst(&mut buckets);
            assert!((46..=50).contains(&all), "{all} after {quiet_ms} ms, {through_lease} leased");
        }
    }

    #[test]
    fn memory_is_bounded_and_full_buckets_go_first() {
        let mut buckets = Buckets::default();
        for n in 0..BUCKETS_MAX {
            buckets.admit(&n.to_string(), &RATE, 0);
        }
        assert!(matches!(buckets.admit("new", &RATE, 0), Admission::Limited { .. }));
        assert_eq!(buckets.admit("new", &RATE, 1_000), Admission::Admitted);
        assert_eq!(buckets.buckets.len(), 1);
    }

    #[test]
    fn ipv6_counts_by_its_network() {
        let bucket = bucket_of_address;
        assert_eq!(bucket("2001:db8:1:2:3:4:5:6"), bucket("2001:db8:1:2::1"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_eq!(bucket("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
