//! What an isolate may decide about rate limits by itself: tokens that a limiter handed out to it,
//! and refusals that it said would last.
//!
//! It never lets anything pass that no limiter took a token for. So all isolates together admit no
//! more than the limiter alone would, and most requests need not ask it.

use std::collections::HashMap;

use crate::rate_limit::{Admission, LEASE_MS};

/// Buckets held at once. What is too much is forgotten: the limiter is asked again.
const LEASES_MAX: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Lease {
    tokens: u32,
    /// Nothing passes before; 0 if nothing was refused.
    refused_until_ms: i64,
    until_ms: i64,
}

impl Lease {
    fn holds(&self, now_ms: i64) -> bool {
        self.tokens > 0 && now_ms < self.until_ms
    }
}

/// Leases and refusals by bucket.
#[derive(Debug, Default)]
pub struct Leases {
    leases: HashMap<String, Lease>,
}

impl Leases {
    /// What is known here about a request; none: ask the limiter.
    pub fn take(&mut self, key: &str, now_ms: i64) -> Option<Admission> {
        let lease = self.leases.get_mut(key)?;
        if now_ms < lease.refused_until_ms {
            return Some(Admission::Limited { retry_after_ms: lease.refused_until_ms - now_ms });
        }
        if !lease.holds(now_ms) {
            self.leases.remove(key);
            return None;
        }
        lease.tokens -= 1;
        Some(Admission::Admitted)
    }

    /// Keeps what a limiter answered to a question asked at a time: how long to wait, and how many
    /// more requests may pass.
    pub fn keep(&mut self, key: String, wait_ms: i64, tokens: u32, asked_at_ms: i64) {
        if wait_ms <= 0 && tokens == 0 {
            return;
        }
        // A refusal does not take away what is here already.
        if wait_ms > 0 && self.leases.get(&key).is_some_and(|lease| lease.holds(asked_at_ms)) {
            return;
        }
        if self.leases.len() >= LEASES_MAX {
            self.leases.retain(|_, lease| asked_at_ms < lease.until_ms);
            if self.leases.len() >= LEASES_MAX {
                self.leases.clear();
            }
        }
        let refused_until_ms = if wait_ms > 0 { asked_at_ms.saturating_add(wait_ms) } else { 0 };
        let until_ms = if wait_ms > 0 { refused_until_ms } else { asked_at_ms + LEASE_MS };
        self.leases.insert(key, Lease { tokens, refused_until_ms, until_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leased_tokens_pass_until_they_are_used_up_or_late() {
        let mut leases = Leases::default();
        leases.keep("a".to_owned(), 0, 2, 1_000);
        assert_eq!(leases.take("a", 1_000), Some(Admission::Admitted));
        assert_eq!(leases.take("b", 1_000), None);
        assert_eq!(leases.take("a", 10_999), Some(Admission::Admitted));
        assert_eq!(leases.take("a", 10_999), None, "used up");
        leases.keep("a".to_owned(), 0, 2, 1_000);
        assert_eq!(leases.take("a", 11_000), None, "late");
    }

    #[test]
    fn a_refusal_lasts_as_long_as_the_limiter_said() {
        let mut leases = Leases::default();
        leases.keep("a".to_owned(), 5, 0, 1_000);
        let refused = |retry_after_ms| Some(Admission::Limited { retry_after_ms });
        assert_eq!(leases.take("a", 1_000), refused(5));
        assert_eq!(leases.take("a", 1_004), refused(1));
        assert_eq!(leases.take("a", 1_005), None);
    }

    #[test]
    fn a_flood_of_addresses_is_forgotten() {
        let mut leases = Leases::default();
        for n in 0..=LEASES_MAX {
            leases.keep(n.to_string(), 0, 1, 0);
        }
        assert_eq!(leases.leases.len(), 1);
    }
}
