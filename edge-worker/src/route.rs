//! Which shard an event belongs to: a function of (site, client) alone, so that all copies of an
//! event meet in one shard.

use edgetally_proto::ids::SiteId;
use edgetally_proto::limits::SHARDS_PER_REGION;
use edgetally_proto::settings::HOME_REGIONS;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Shards over which the clients of one site are spread.
pub const SPREAD: u64 = 2;
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

/// The name of the shard of a client. Events without a client share one.
#[must_use]
pub fn shard_of(site: &SiteId, home_region: &str, client: Option<&str>) -> String {
    let site_hash = hash(site.as_str());
    let client_hash = client.map_or(0, |client| hash(&format!("{site}\u{0}{client}")));
    let bucket = site_hash.wrapping_add(client_hash % SPREAD) % SHARDS_PER_REGION;
    name_of(region(home_region), bucket)
}

fn name_of(region: &str, bucket: u64) -> String {
    format!("{MAP}|{region}|{bucket}")
}

/// All names of the map in a region: whatever of them holds a backlog must be woken after a start.
pub fn shards_of_region(home_region: &str) -> impl Iterator<Item = String> {
    let region = region(home_region);
    (0..SHARDS_PER_REGION).map(move |bucket| name_of(region, bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_shard_and_a_site_at_most_its_spread() {
        let site = SiteId::parse("demo").unwrap();
        let shards: std::collections::BTreeSet<String> =
            (0..1_000).map(|n| shard_of(&site, "apac", Some(&format!("client-{n}")))).collect();
        assert_eq!(shards.len() as u64, SPREAD);
        let all: Vec<String> = shards_of_region("apac").collect();
        assert!(shards.iter().all(|shard| all.contains(shard)));
    }

    /// The map decides where repeats meet: changing it silently would let them through.
    #[test]
    fn the_map_is_fixed() {
        let site = SiteId::parse("demo").unwrap();
        let shards = ["a", "b", "e", "f", "g"].map(|client| shard_of(&site, "apac", Some(client)));
        assert_eq!(shards, GOLDEN);
        assert_eq!(shard_of(&site, "nowhere", None), shard_of(&site, "apac", None));
    }

    const GOLDEN: [&str; 5] = ["v1|apac|2", "v1|apac|2", "v1|apac|2", "v1|apac|3", "v1|apac|2"];
}
