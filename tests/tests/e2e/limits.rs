//! The rate limit of write keys: per site and address, exact, with a time to come again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use edgetally_tests::dev::Dev;
use edgetally_tests::http::{self, Answer};
use serde_json::{Value, json};

use super::system::{Site, shared};

/// Sends one harmless request from an address; it costs a token and stores nothing.
fn ask(dev: &Dev, site: &Site, key: &str, address: &str) -> Answer {
    let body = json!({
        "site": site.id, "client_id": "c-1", "events": [{"id": "e-1", "name": "page_view"}],
    });
    let authorization = format!("Bearer {key}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", authorization.as_str()),
        ("cf-connecting-ip", address),
    ];
    let url = dev.edge("/v1/events?validate=1");
    http::send("POST", &url, &headers, body.to_string().as_bytes()).expect("an answer")
}

/// A site whose addresses may send `burst` requests at once and then `rate` a second.
fn tight_site(dev: &Dev, id: &str, rate: u32, burst: u32) -> Site {
    let limit = json!({"per_address": {"rate": rate, "burst": burst}});
    Site::create(dev, id, &json!({"origins": ["*"], "rate_limit": limit}))
}

fn assert_limited(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{}", answer.text());
    let problem = answer.json().expect("a problem");
    assert_eq!(problem["code"], json!("rate_limited"));
    let wait_ms = problem["retry_after_ms"].as_u64().expect("a wait");
    let header = answer.header("retry-after").expect("Retry-After");
    let wait_s: u64 = header.parse().expect("whole seconds");
    assert!(answer.header("access-control-allow-origin").is_some(), "a page may read it");
    assert!(wait_ms > 0 && wait_s >= 1 && wait_s * 1_000 >= wait_ms, "{wait_ms} ms, {wait_s} s");
    wait_ms
}

/// Beyond its burst an address is told to wait, and is let in again once it has.
#[test]
fn an_address_beyond_its_burst_waits() {
    let dev = shared();
    let site = tight_site(&dev, "limited", 1, 5);
    let started = Instant::now();
    let answers: Vec<Answer> =
        (0..20).map(|_| ask(&dev, &site, &site.write_key, "203.0.113.7")).collect();
    let elapsed = started.elapsed().as_secs_f64();
    let admitted = answers.iter().filter(|answer| answer.status == 202).count();
    assert!(admitted >= 5 && admitted as f64 <= 5.0 + elapsed, "{admitted} in {elapsed} s");
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        assert_limited(answer);
    }
    let wait_ms = assert_limited(&ask(&dev, &site, &site.write_key, "203.0.113.7"));
    assert_eq!(ask(&dev, &site, &site.write_key, "203.0.113.8").status, 202, "another address");
    thread::sleep(Duration::from_millis(wait_ms + 50));
    assert_eq!(ask(&dev, &site, &site.write_key, "203.0.113.7").status, 202, "after the wait");
}

/// An IPv6 visitor has a whole /64, and one bucket for it.
#[test]
fn ipv6_addresses_share_a_bucket_by_64() {
    let dev = shared();
    let site = tight_site(&dev, "limited-v6", 1, 3);
    for host in 1..=3 {
        let address = format!("2001:db8:1:2::{host}");
        assert_eq!(ask(&dev, &site, &site.write_key, &address).status, 202, "{address}");
    }
    let mut limited = (4..=9).map(|host| format!("2001:db8:1:2:aaaa::{host}"));
    assert!(limited.any(|address| ask(&dev, &site, &site.write_key, &address).status == 429));
    assert_eq!(ask(&dev, &site, &site.write_key, "2001:db8:1:3::1").status, 202, "another /64");
}

/// A shop's own server is never limited by its address.
#[test]
fn server_keys_are_exempt() {
    let dev = shared();
    let site = tight_site(&dev, "limited-server", 1, 2);
    for _ in 0..20 {
        assert_eq!(ask(&dev, &site, &site.server_key, "203.0.113.9").status, 202);
    }
}

/// With the default limit, any interval of T seconds admits at most 50 + 200·T requests.
#[test]
fn the_default_limit_holds_under_a_flood() {
    let dev = shared();
    let site = Site::create(&dev, "flooded", &json!({"origins": ["*"]}));
    let (left, admitted) = (AtomicUsize::new(900), AtomicUsize::new(0));
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| flood(&dev, &site, &left, &admitted));
        }
    });
    let elapsed = started.elapsed().as_secs_f64();
    let (admitted, most) = (admitted.into_inner(), 50.0 + 200.0 * elapsed);
    assert!(admitted >= 50 && admitted as f64 <= most, "{admitted} of 900 in {elapsed} s");
}

/// Takes requests off the heap until it is empty.
fn flood(dev: &Dev, site: &Site, left: &AtomicUsize, admitted: &AtomicUsize) {
    let take = |count: usize| count.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        let answer = ask(dev, site, &site.write_key, "203.0.113.20");
        if answer.status == 202 {
            admitted.fetch_add(1, Ordering::Relaxed);
        } else {
            assert_limited(&answer);
        }
    }
}

/// A site may also be limited as a whole, whatever the addresses.
#[test]
fn a_site_can_be_limited_as_a_whole() {
    let dev = shared();
    let limit: Value = json!({"per_site": {"rate": 1, "burst": 4}});
    let settings = json!({"origins": ["*"], "rate_limit": limit});
    let site = Site::create(&dev, "limited-site", &settings);
    let limited = (1..=20)
        .map(|host| ask(&dev, &site, &site.write_key, &format!("198.51.100.{host}")))
        .filter(|answer| answer.status == 429)
        .inspect(|answer| {
            assert_limited(answer);
        });
    assert!(limited.count() >= 10);
}
