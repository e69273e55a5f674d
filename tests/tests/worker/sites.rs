//! Several sites in one shard: one object holds them, and each keeps to itself.

use std::collections::BTreeMap;

use edge_worker::route::shards_of_site;
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use edgetally_tests::dev::within;
use edgetally_tests::peer::Fault;
use serde_json::json;

use super::place::{Place, SITE, batch};

fn shard(site: &str, settings: &SiteSettings) -> String {
    let site = SiteId::parse(site).expect("an id");
    shards_of_site(&site, settings).next().expect("a shard")
}

/// Another site with the same only shard.
fn neighbour(settings: &SiteSettings) -> String {
    let ours = shard(SITE, settings);
    let mut names = (0..10_000).map(|n| format!("neighbour-{n}"));
    names.find(|name| shard(name, settings) == ours).expect("one of ten thousand")
}

/// The same client, ids and shard in two sites are four things, however the memory comes and
/// goes: nothing of one site is a repeat in the other.
#[test]
fn two_sites_of_one_shard_keep_apart() {
    let settings = SiteSettings { spread: 1, ..SiteSettings::default() };
    let mut place = Place::with_one_shard();
    let other = neighbour(&settings);
    place.peer.put_site(&other, settings).expect("a site");
    place.peer.set(Fault::Answer(500, json!({})));
    let ids: Vec<String> = (0..20).map(|n| format!("e-{n}")).collect();
    let mut send = |site: &str, ids: &[String]| {
        let key = format!("sk_{site}");
        let body = batch(site, "client", ids);
        let answer = place.edge().collect(&key, &body).expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text());
        let counts = answer.json().expect("counts");
        ["accepted", "duplicates"].map(|name| counts[name].as_u64().expect("a count"))
    };
    assert_eq!(send(SITE, &ids), [20, 0]);
    assert_eq!(send(&other, &ids[..10]), [10, 0]);
    place.edge().abort().expect("aborted");
    let mut send = |site: &str, ids: &[String]| {
        let body = batch(site, "client", ids);
        let answer = place.edge().collect(&format!("sk_{site}"), &body).expect("an answer");
        let counts = answer.json().expect("counts");
        ["accepted", "duplicates"].map(|name| counts[name].as_u64().expect("a count"))
    };
    assert_eq!(send(&other, &ids), [10, 10], "the neighbour's own ten are known");
    assert_eq!(send(SITE, &ids), [0, 20]);
    place.peer.set(Fault::None);
    within("everything to arrive", std::time::Duration::from_secs(30), || {
        place.edge().cron()?;
        Ok((place.arrived() == 40).then_some(()))
    })
    .expect("in time");
    let books = place.peer.books();
    let mut by_site = BTreeMap::<String, usize>::new();
    for ((site, _, _), count) in books.events() {
        assert_eq!(count, 1);
        *by_site.entry(site).or_default() += 1;
    }
    assert_eq!(by_site, BTreeMap::from([(SITE.to_owned(), 20), (other, 20)]));
    assert_eq!(books.shards().len(), 1, "{:?}", books.shards());
    assert_eq!(books.findings, Vec::<String>::new());
}
