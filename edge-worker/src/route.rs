//! Which shard an event belongs to: a function of (site, client) alone, so that all copies of an
//! event meet in one shard.

use edgetally_proto::ids::SiteId;
use edgetally_proto::limits::{SHARDS_PER_REGION, SPREAD_MAX};
use edgetally_proto::settings::{HOME_REGIONS, SiteSettings};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Version of the map from clients to shards; part of every name.
const MAP: &str = "v1";
/// Fixes the hash of this map.
const SEED: u64 = 0x4544_4745;

fn hash(text: &str) -> u64 {
    xxh3_64_with_seed(text.as_bytes(), SEED)
}

/// The home region of a site's shards. The aggregator takes no other; one that is not known here
/// is read as `apac`, so that a client keeps one shard whatever happens.
#[must_use]
pub fn region(home: &str) -> &'static str {
    HOME_REGIONS.into_iter().find(|region| *region == home).unwrap_or("apac")
}

/// The aggregator takes no other spread; one that it would refuse is read as the nearest.
fn spread(settings: &SiteSettings) -> u64 {
    u64::from(settings.spread.clamp(1, SPREAD_MAX))
}

/// The name of the shard of a client. Events without a client share one.
#[must_use]
pub fn shard_of(site: &SiteId, settings: &SiteSettings, client: Option<&str>) -> String {
    let client_hash = client.map_or(0, |client| hash(&format!("{site}\u{0}{client}")));
    name_of(site, settings, client_hash % spread(settings))
}

/// The name of one of a site's shards.
fn name_of(site: &SiteId, settings: &SiteSettings, share: u64) -> String {
    let bucket = hash(site.as_str()).wrapping_add(share) % SHARDS_PER_REGION;
    format!("{MAP}|{}|{bucket}", region(&settings.home_region))
}

/// The names of all shards that a site's events may go to.
pub fn shards_of_site(site: &SiteId, settings: &SiteSettings) -> impl Iterator<Item = String> {
    (0..spread(settings)).map(move |share| name_of(site, settings, share))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn site() -> SiteId {
        SiteId::parse("demo").unwrap()
    }

    fn settings(home_region: &str, spread: u8) -> SiteSettings {
        SiteSettings { home_region: home_region.to_owned(), spread, ..SiteSettings::default() }
    }

    fn shards_of_clients(settings: &SiteSettings) -> BTreeSet<String> {
        let client = |n: u32| format!("client-{n}");
        (0..2_000).map(|n| shard_of(&site(), settings, Some(&client(n)))).collect()
    }

    #[test]
    fn clients_are_spread_over_just_the_shards_of_their_site() {
        for spread in [1, 2, 4, 8, 16, 32, 64] {
            let settings = settings("apac", spread);
            let all: BTreeSet<String> = shards_of_site(&site(), &settings).collect();
            assert_eq!(all.len(), usize::from(spread));
            assert_eq!(shards_of_clients(&settings), all);
            assert!(all.contains(&shard_of(&site(), &settings, None)));
        }
    }

    #[test]
    fn settings_that_nobody_can_have_written_still_give_one_shard() {
        let of = |home_region, spread| shards_of_clients(&settings(home_region, spread));
        assert_eq!(of("apac", 0), of("apac", 1));
        assert_eq!(of("apac", 200), of("apac", 64));
        assert_eq!(of("nowhere", 2), of("apac", 2));
    }

    /// A spread that doubles leaves every other client where its ids are known.
    #[test]
    fn a_doubled_spread_moves_half_of_the_clients() {
        let moved = (0..2_000).map(|n| format!("client-{n}")).filter(|client| {
            let of = |spread| shard_of(&site(), &settings("apac", spread), Some(client));
            of(4) != of(8)
        });
        assert!((900..1_100).contains(&moved.count()));
    }

    /// The map decides where repeats meet: changing it silently would let them through.
    #[test]
    fn the_map_is_fixed() {
        let settings = settings("apac", 8);
        let shard = |client| shard_of(&site(), &settings, Some(client));
        assert_eq!(["a", "b", "e", "f", "g"].map(shard), GOLDEN);
    }

    const GOLDEN: [&str; 5] =
        ["v1|apac|34", "v1|apac|34", "v1|apac|32", "v1|apac|33", "v1|apac|32"];
}
