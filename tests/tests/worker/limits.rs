//! The rate limit is exact within one place, whatever instance of the worker a request meets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use edgetally_proto::settings::Rate;
use edgetally_tests::http;
use serde_json::json;

use super::place::{Place, SITE, batch};

/// One request of a browser that stores nothing; gives the status.
fn ask(url: &str, address: &str) -> u16 {
    let mut body = batch(SITE, "c-1", &["e-1".to_owned()]);
    body["key"] = json!("wk_shop");
    let headers = [("content-type", "text/plain"), ("cf-connecting-ip", address)];
    let answer = http::send("POST", url, &headers, body.to_string().as_bytes());
    let answer = answer.expect("an answer");
    if answer.status == 429 {
        let seconds = answer.header("retry-after").and_then(|text| text.parse::<u64>().ok());
        assert!(seconds.is_some_and(|seconds| seconds >= 1), "no Retry-After");
    }
    assert!([202, 429].contains(&answer.status), "{}: {}", answer.status, answer.text());
    answer.status
}

/// Sends requests from one address to all instances at once; gives how many were let in and the
/// seconds from the first request to the last answer.
fn flood(urls: &[String], requests: usize, address: &str) -> (usize, f64) {
    let (left, admitted) = (AtomicUsize::new(requests), AtomicUsize::new(0));
    let take = |count: usize| count.checked_sub(1);
    let started = Instant::now();
    thread::scope(|scope| {
        for url in urls.iter().cycle().take(8) {
            scope.spawn(|| {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                    let passed = ask(url, address) == 202;
                    admitted.fetch_add(usize::from(passed), Ordering::Relaxed);
                }
            });
        }
    });
    (admitted.into_inner(), started.elapsed().as_secs_f64())
}

/// Two instances let in together what one may: a burst, and what was refilled since.
#[test]
fn two_instances_share_one_limit() {
    let mut place = Place::with(|settings, options| {
        options.twin = true;
        settings.origins = vec!["*".to_owned()];
        settings.rate_limit.per_address = Rate { rate: 10, burst: 30 };
    });
    let urls = [place.edge().url(""), place.edge().twin_url("")];
    let urls = urls.map(|url| format!("{url}/v1/events?validate=1"));
    assert_ne!(urls[0], urls[1]);
    for url in &urls {
        assert_eq!(ask(url, "198.51.100.1"), 202, "{url} is a worker of its own");
    }
    let (admitted, seconds) = flood(&urls, 400, "203.0.113.20");
    let most = 30.0 + 10.0 * seconds;
    assert!(admitted >= 30 && admitted as f64 <= most, "{admitted} of {most}, {seconds} s");
    // A machine that is too slow to pass the limit shows nothing here.
    assert!(admitted < 400 || seconds > 36.0, "nobody was limited in {seconds} s");
    assert_eq!(ask(&urls[1], "203.0.113.21"), 202, "another address is not affected");
    // All addresses of an IPv6 visitor's network share what one may.
    let started = Instant::now();
    let admitted = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2"].map(|own| flood(&urls, 100, own).0);
    let most = 30.0 + 10.0 * started.elapsed().as_secs_f64();
    assert!(admitted.iter().sum::<usize>() as f64 <= most, "{admitted:?} of {most}");
    assert_eq!(ask(&urls[0], "2001:db8:1:3::1"), 202);
}

/// A thousand requests from one address: 50 at once and 200 a second pass, no other address
/// notices.
#[test]
fn a_thousand_requests_of_one_address_meet_the_default_limit() {
    let mut place = Place::with(|settings, options| {
        options.twin = true;
        settings.origins = vec!["*".to_owned()];
    });
    let urls = [place.edge().url(""), place.edge().twin_url("")];
    let urls = urls.map(|url| format!("{url}/v1/events?validate=1"));
    let others = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&urls, 1_000, "203.0.113.20"));
        let mut others = Vec::new();
        while !flood.is_finished() {
            others.push(ask(&urls[others.len() % 2], "203.0.113.21"));
        }
        let (admitted, seconds) = flood.join().expect("no request failed");
        let most = 50.0 + 200.0 * seconds;
        assert!(admitted >= 50 && admitted as f64 <= most, "{admitted} of {most}, {seconds} s");
        // A machine that is too slow to pass the limit shows nothing here.
        assert!(admitted < 1_000 || seconds > 4.7, "nobody was limited in {seconds} s");
        others
    });
    assert!(others.len() > 5 && others.iter().all(|status| *status == 202), "{others:?}");
}
