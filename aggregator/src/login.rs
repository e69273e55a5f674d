//! Who is logged in, and who guessed wrongly too often. Both are bounded and live in memory: after
//! a restart everybody logs in again.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use edgetally_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// How long a login holds.
pub const LOGIN_MS: i64 = 12 * HOUR_MS;
/// Logins at a time; the one that ends first makes room for another.
const LOGINS_MAX: usize = 1_000;
/// Wrong passwords from an address before it has to wait.
const FREE_FAILURES: u32 = 5;
/// The longest wait.
const WAIT_MS_MAX: i64 = HOUR_MS;
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 4_096;
/// Failures that are noted in an hour; of the others only the number is.
const NOTED_MAX: u32 = 100;

#[derive(Debug, Clone)]
struct Login {
    /// Names it without opening anything.
    id: String,
    ends_ms: i64,
}

/// Logins by the hash of what the cookie holds.
#[derive(Debug, Default)]
pub struct Logins {
    by_hash: BTreeMap<String, Login>,
}

impl Logins {
    /// Adds one.
    pub fn add(&mut self, hash: String, id: String, now_ms: i64) {
        self.by_hash.retain(|_, login| login.ends_ms > now_ms);
        if self.by_hash.len() >= LOGINS_MAX {
            let first = self.by_hash.iter().min_by_key(|(_, login)| login.ends_ms);
            if let Some(hash) = first.map(|(hash, _)| hash.clone()) {
                self.by_hash.remove(&hash);
            }
        }
        self.by_hash.insert(hash, Login { id, ends_ms: now_ms + LOGIN_MS });
    }

    /// The id of a login that still holds. Hashes are looked up, not what they are of, so the time
    /// that it takes tells nothing.
    #[must_use]
    pub fn find(&self, hash: &str, now_ms: i64) -> Option<&str> {
        let login = self.by_hash.get(hash).filter(|login| login.ends_ms > now_ms);
        login.map(|login| login.id.as_str())
    }

    /// Whether the login of that id still holds.
    #[must_use]
    pub fn holds(&self, id: &str, now_ms: i64) -> bool {
        self.by_hash.values().any(|login| login.id == id && login.ends_ms > now_ms)
    }

    /// Ends one; gives its id.
    pub fn remove(&mut self, hash: &str) -> Option<String> {
        self.by_hash.remove(hash).map(|login| login.id)
    }
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    times: u32,
    last_ms: i64,
}

impl Failed {
    /// Epoch ms at which the address may try again.
    fn until_ms(self) -> i64 {
        let Some(over) = self.times.checked_sub(FREE_FAILURES) else { return 0 };
        let wait_ms = MINUTE_MS.checked_shl(over.min(16)).unwrap_or(WAIT_MS_MAX);
        self.last_ms + wait_ms.min(WAIT_MS_MAX)
    }
}

/// Wrong passwords by address.
#[derive(Debug, Default)]
pub struct Failures {
    by_address: BTreeMap<IpAddr, Failed>,
    hour: i64,
    noted: u32,
    unnoted: u64,
}

/// An address as it is counted: whoever has one of IPv6 has 2^64 of them.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

impl Failures {
    /// How long an address has to wait before it may try, in ms; none if it may now.
    #[must_use]
    pub fn wait_ms(&self, address: IpAddr, now_ms: i64) -> Option<u64> {
        let failed = self.by_address.get(&counted(address))?;
        u64::try_from(failed.until_ms() - now_ms).ok().filter(|wait_ms| *wait_ms > 0)
    }

    /// Takes a failure down. Gives how many before it were not noted, if this one is to be noted.
    pub fn fail(&mut self, address: IpAddr, now_ms: i64) -> Option<u64> {
        self.by_address.retain(|_, failed| now_ms - failed.last_ms < DAY_MS);
        let address = counted(address);
        if self.by_address.len() >= ADDRESSES_MAX && !self.by_address.contains_key(&address) {
            let oldest = self.by_address.iter().min_by_key(|(_, failed)| failed.last_ms);
            if let Some(address) = oldest.map(|(address, _)| *address) {
                self.by_address.remove(&address);
            }
        }
        let failed = self.by_address.entry(address).or_insert(Failed { times: 0, last_ms: 0 });
        failed.times = failed.times.saturating_add(1);
        failed.last_ms = now_ms;
        let hour = now_ms.div_euclid(HOUR_MS);
        if hour != self.hour {
            (self.hour, self.noted) = (hour, 0);
        }
        if self.noted >= NOTED_MAX {
            self.unnoted += 1;
            return None;
        }
        self.noted += 1;
        Some(std::mem::take(&mut self.unnoted))
    }

    /// Forgets what an address did before: it knows the password.
    pub fn succeed(&mut self, address: IpAddr) {
        self.by_address.remove(&counted(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_420_400_000;

    #[test]
    fn a_login_holds_for_half_a_day_and_there_are_so_many() {
        let mut logins = Logins::default();
        logins.add("a".into(), "1".into(), NOW);
        assert_eq!(logins.find("a", NOW + LOGIN_MS - 1), Some("1"));
        assert_eq!(logins.find("a", NOW + LOGIN_MS), None);
        let held = [LOGIN_MS - 1, LOGIN_MS].map(|after_ms| logins.holds("1", NOW + after_ms));
        assert_eq!((held, logins.holds("2", NOW)), ([true, false], false));
        (0..LOGINS_MAX).for_each(|n| logins.add(format!("h{n}"), n.to_string(), NOW + 1));
        assert_eq!((logins.find("a", NOW + 2), logins.by_hash.len()), (None, LOGINS_MAX));
        assert_eq!(logins.remove("h0").as_deref(), Some("0"));
        assert_eq!(logins.find("h0", NOW + 2), None);
    }

    #[test]
    fn the_fifth_failure_makes_wait_and_each_further_one_twice_as_long() {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let mut failures = Failures::default();
        for _ in 0..4 {
            failures.fail(address, NOW);
            assert_eq!(failures.wait_ms(address, NOW), None);
        }
        let mut now_ms = NOW;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            failures.fail(address, now_ms);
            assert_eq!(failures.wait_ms(address, now_ms), Some(wait * MINUTE_MS as u64));
            assert_eq!(failures.wait_ms("192.0.2.2".parse().unwrap(), now_ms), None);
            now_ms += wait as i64 * MINUTE_MS;
            assert_eq!(failures.wait_ms(address, now_ms), None);
        }
        failures.succeed(address);
        failures.fail(address, now_ms);
        assert_eq!(failures.wait_ms(address, now_ms), None);
    }

    #[test]
    fn neighbours_of_ipv6_are_one_and_memory_is_bounded() {
        let mut failures = Failures::default();
        for host in 0..5u16 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host).into();
            failures.fail(address, NOW);
        }
        let neighbour = "2001:db8:0:1::ffff".parse().unwrap();
        assert!(failures.wait_ms(neighbour, NOW).is_some());
        let mut noted = 0u64;
        for n in 0..6_000u32 {
            let before = failures.fail(IpAddr::from(n.to_be_bytes()), NOW);
            noted += u64::from(before.is_some());
        }
        assert_eq!((failures.by_address.len(), noted), (ADDRESSES_MAX, 95));
        let after = failures.fail("192.0.2.1".parse().unwrap(), NOW + HOUR_MS);
        assert_eq!(after, Some(6_000 - 95));
    }
}
