//! Settings reach the worker in time, and only from who may give them.

use std::time::Duration;

use edgetally_proto::settings::{Rate, SiteSettings};
use edgetally_tests::dev::within;
use edgetally_tests::http;
use edgetally_tests::peer::ConfigFault;
use serde_json::json;

use super::place::{Place, SITE, batch};

/// The contract's limit.
const KNOWN_LIMIT: Duration = Duration::from_secs(2);

/// Sends one event of a browser on a page of this origin; gives the status.
fn from_origin(place: &Place, site: &str, origin: &str) -> u16 {
    let mut body = batch(site, "c-1", &["e-1".to_owned()]);
    body["key"] = json!(format!("wk_{site}"));
    let headers = [("content-type", "text/plain"), ("origin", origin)];
    let url = place.edge.as_ref().expect("it runs").url("/v1/events");
    http::send("POST", &url, &headers, body.to_string().as_bytes()).expect("an answer").status
}

fn with_origin(origin: &str) -> SiteSettings {
    SiteSettings { origins: vec![origin.to_owned()], ..SiteSettings::default() }
}

/// A change is in force two seconds after it was made, while events keep coming.
#[test]
fn a_change_is_in_force_within_two_seconds() {
    let place = Place::new();
    for round in 0..3 {
        let origin = format!("https://shop-{round}.example");
        place.peer.put_site(SITE, with_origin(&origin)).expect("a change");
        within("the new origin to pass", KNOWN_LIMIT, || {
            Ok((from_origin(&place, SITE, &origin) == 202).then_some(()))
        })
        .expect("in force in time");
        let old = format!("https://shop-{}.example", round - 1);
        assert_eq!(from_origin(&place, SITE, &old), 403);
    }
}

/// A site that nobody here knows is asked for before it is refused.
#[test]
fn a_new_site_is_known_to_its_first_request() {
    let place = Place::new();
    assert_eq!(from_origin(&place, "new", "https://new.example"), 404);
    place.peer.put_site("new", with_origin("https://new.example")).expect("a site");
    // An unknown site is asked for ten times a second at most.
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(from_origin(&place, "new", "https://new.example"), 202);
}

/// With the aggregator away, refusing, hanging or impersonated, the last copy serves; also after
/// a restart, which finds nothing but what was written down.
#[test]
fn the_last_copy_serves_while_the_aggregator_is_away() {
    let mut place = Place::new();
    place.peer.put_site(SITE, with_origin("https://old.example")).expect("a change");
    within("the first settings", KNOWN_LIMIT, || {
        Ok((from_origin(&place, SITE, "https://old.example") == 202).then_some(()))
    })
    .expect("in force in time");
    for fault in [ConfigFault::Away, ConfigFault::Forged, ConfigFault::NoSettings] {
        place.peer.set_config(fault);
        place.peer.put_site(SITE, with_origin("https://new.example")).expect("a change");
        std::thread::sleep(KNOWN_LIMIT);
        assert_eq!(from_origin(&place, SITE, "https://old.example"), 202, "{fault:?}");
        assert_eq!(from_origin(&place, SITE, "https://new.example"), 403, "{fault:?}");
    }
    place.edge.take().expect("it runs").kill().expect("killed");
    place.peer.set_config(ConfigFault::Hang);
    place.start();
    assert_eq!(from_origin(&place, SITE, "https://old.example"), 202, "after a restart");
    place.peer.set_config(ConfigFault::None);
    within("the new settings", KNOWN_LIMIT, || {
        Ok((from_origin(&place, SITE, "https://new.example") == 202).then_some(()))
    })
    .expect("in force in time");
    place.assert_no_panic();
}

/// Settings of one site say nothing about another.
#[test]
fn a_site_is_limited_by_its_own_settings() {
    let place = Place::new();
    let mut tight = with_origin("*");
    tight.rate_limit.per_site = Some(Rate { rate: 1, burst: 2 });
    place.peer.put_site("tight", tight).expect("a site");
    place.peer.put_site(SITE, with_origin("*")).expect("a change");
    within("the new settings", KNOWN_LIMIT, || {
        Ok((from_origin(&place, SITE, "https://a.example") == 202).then_some(()))
    })
    .expect("in force in time");
    let statuses = |site: &str| -> Vec<u16> {
        (0..10).map(|_| from_origin(&place, site, "https://a.example")).collect()
    };
    assert!(statuses("tight").contains(&429));
    assert_eq!(statuses(SITE), [202; 10]);
}
