//! What the built worker says of visitors: place, device, channel and bots, as the frames tell it.

use std::time::Duration;

use edgetally_proto::batch::SiteBatch;
use edgetally_proto::record::{Flags, Record, Ref};
use edgetally_proto::settings::ChannelRule;
use edgetally_tests::dev::within;
use edgetally_tests::http;
use serde_json::{Value, json};

use super::place::{Place, SITE};

const PIXEL: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/141.0.0.0 Mobile Safari/537.36";
const LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/141.0.0.0 Safari/537.36";
/// What Chrome sends with every request of a page.
const CHROME: [(&str, &str); 3] =
    [("accept", "*/*"), ("accept-language", "vi-VN"), ("sec-fetch-mode", "cors")];

/// One event of a client of its own, and what shall be known of it.
struct Case {
    /// `request.cf`, as the platform would fill it in.
    cf: Value,
    headers: Vec<(&'static str, &'static str)>,
    key: &'static str,
    event: Value,
    /// Country, region, city.
    place: Option<[&'static str; 3]>,
    /// Kind, browser, system.
    device: Option<[&'static str; 3]>,
    /// Channel and source.
    grade: Option<[&'static str; 2]>,
    /// Kind and value of a click id.
    click: Option<[&'static str; 2]>,
    is_bot: bool,
}

fn view(url: &str, referrer: &str) -> Value {
    json!({"name": "page_view", "context": {"page_url": url, "referrer": referrer}})
}

fn hanoi() -> Value {
    json!({"country": "VN", "region": "Hanoi", "city": "Hanoi", "asn": 7552})
}

fn browser(agent: &'static str) -> Vec<(&'static str, &'static str)> {
    CHROME.into_iter().chain([("user-agent", agent)]).collect()
}

/// A page view of somebody in Hanoi with a telephone, who came by nothing.
fn plain() -> Case {
    Case {
        cf: hanoi(),
        headers: browser(PIXEL),
        key: "wk_shop",
        event: view("https://shop.vn/", ""),
        place: Some(["VN", "Hanoi", "Hanoi"]),
        device: Some(["mobile", "Chrome", "Android"]),
        grade: None,
        click: None,
        is_bot: false,
    }
}

fn places_and_devices() -> Vec<Case> {
    let hinted = [("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-platform", "\"Android\"")];
    let lies = json!({"name": "page_view", "context": {"country": "US", "user_agent": "curl/8"}});
    let named = json!({"name": "page_view", "context": {"country": "us", "city": "Reno",
        "user_agent": LINUX}});
    let nowhere = json!({"country": "XX"});
    let desktop = Some(["desktop", "Chrome", "Linux"]);
    let app = json!({"name": "app_open", "platform": "ios"});
    vec![
        plain(),
        Case { event: lies, ..plain() },
        Case { cf: nowhere, headers: browser(LINUX), place: None, device: desktop, ..plain() },
        Case {
            headers: browser(LINUX).into_iter().chain(hinted).collect(),
            device: Some(["tablet", "Chrome", "Android"]),
            ..plain()
        },
        Case {
            event: app,
            headers: vec![("user-agent", "Shop/5 CFNetwork/1494 Darwin/23.4.0")],
            device: Some(["mobile", "", "iOS"]),
            ..plain()
        },
        Case {
            key: "sk_shop",
            event: named,
            place: Some(["US", "", "Reno"]),
            device: desktop,
            ..plain()
        },
        Case { key: "sk_shop", place: None, device: None, ..plain() },
    ]
}

fn channels() -> Vec<Case> {
    let search = "https://www.google.com.vn/search?q=laptop";
    let came = |url: &str, referrer: &str, grade, click| Case {
        event: view(url, referrer),
        grade,
        click,
        ..plain()
    };
    let private = browser(PIXEL).into_iter().chain([("sec-gpc", "1")]).collect();
    vec![
        came("https://shop.vn/", search, Some(["Organic Search", "google"]), None),
        came("https://shop.vn/", "https://m.shop.vn/cart", None, None),
        came(
            "https://shop.vn/?gclid=Ab1",
            search,
            Some(["Paid Search", "google"]),
            Some(["gclid", "Ab1"]),
        ),
        came("https://shop.vn/?aff_sid=77", "", Some(["Affiliates", ""]), Some(["aff_sid", "77"])),
        // Without cookies the click id is not there; place and device are.
        Case {
            headers: private,
            ..came("https://shop.vn/?gclid=Ab1", search, Some(["Organic Search", "google"]), None)
        },
    ]
}

fn bots() -> Vec<Case> {
    let hosted = json!({"country": "VN", "region": "Hanoi", "city": "Hanoi", "asn": 16_509});
    let bare = || vec![("user-agent", PIXEL)];
    let is = |headers, is_bot, device| Case { headers, is_bot, device, ..plain() };
    let mobile = Some(["mobile", "Chrome", "Android"]);
    vec![
        is(vec![("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")], true, None),
        is(vec![("user-agent", "curl/8.5.0")], true, None),
        is(vec![("user-agent", "node")], false, None),
        // Missing headers do not mark, and neither does a hosting network; both do.
        is(bare(), false, mobile),
        Case { cf: hosted.clone(), ..plain() },
        Case { cf: hosted, ..is(bare(), true, mobile) },
        Case { cf: json!({"botManagement": {"score": 1}}), place: None, is_bot: true, ..plain() },
        Case {
            cf: json!({"botManagement": {"score": 99, "verifiedBot": false}}),
            place: None,
            ..plain()
        },
    ]
}

fn at<T>(table: &[T], reference: Option<Ref>) -> Option<&T> {
    table.get(usize::try_from(reference?).ok()?)
}

fn check(case: &Case, site: &SiteBatch, record: &Record) {
    let tables = &site.tables;
    let place = at(&tables.places, record.place);
    let place = place.map(|place| [&place.country, &place.region, &place.city].map(String::as_str));
    assert_eq!(place, case.place, "{} {}", case.cf, case.event);
    let device = at(&tables.devices, record.device);
    let device = device.map(|device| [device.kind.as_str(), device.browser(), device.system()]);
    assert_eq!(device, case.device, "{:?} {}", case.headers, case.event);
    let grade = at(&tables.grades, record.grade);
    let grade = grade.map(|grade| [grade.channel.as_str(), grade.source.as_str()]);
    assert_eq!(grade, case.grade, "{}", case.event);
    let number = site.records.iter().position(|other| other == record).expect("it is there");
    let fact = site.facts.iter().find(|fact| usize::try_from(fact.record) == Ok(number));
    let click = fact.and_then(|fact| fact.click.as_ref());
    let click = click.map(|click| [click.kind.as_str(), click.value.as_str()]);
    assert_eq!(click, case.click, "{}", case.event);
    let is_bot = record.flags.has(Flags::BOT);
    assert_eq!(is_bot, case.is_bot, "{} {:?}", case.cf, case.headers);
}

/// Every case is sent in a request of its own, and the frames are asked what arrived.
#[test]
fn frames_say_what_is_known_of_visitors() {
    let rule = ChannelRule {
        source: "accesstrade".to_owned(),
        channel: "Affiliates".to_owned(),
        click_id: "aff_sid".to_owned(),
        ..ChannelRule::default()
    };
    let place = Place::with(|settings, _| {
        settings.channel_rules = vec![rule];
        settings.origins = vec!["*".to_owned()];
    });
    let cases: Vec<Case> =
        [places_and_devices(), channels(), bots()].into_iter().flatten().collect();
    let url = place.edge.as_ref().expect("it runs").url("/v1/events");
    for (number, case) in cases.iter().enumerate() {
        let mut event = case.event.clone();
        event["id"] = json!(format!("case-{number}"));
        let body = json!({"site": SITE, "client_id": format!("c-{number}"), "events": [event]});
        let (cf, key) = (case.cf.to_string(), format!("Bearer {}", case.key));
        let mut headers = vec![("mf-cf-blob", cf.as_str()), ("authorization", key.as_str())];
        headers.push(("content-type", "application/json"));
        headers.extend(&case.headers);
        let answer = http::send("POST", &url, &headers, body.to_string().as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json().expect("counts")["accepted"], 1, "{}", answer.text());
    }
    within("everything to arrive", Duration::from_secs(30), || {
        Ok((place.arrived() == cases.len()).then_some(()))
    })
    .expect("in time");
    let books = place.peer.books();
    let taken = books.numberings().flat_map(|(_, taken)| taken);
    for site in taken.flat_map(|taken| &taken.batch.sites) {
        for record in &site.records {
            let id = record.id.to_string();
            let number: usize = id.trim_start_matches("case-").parse().expect("a number");
            check(&cases[number], site, record);
        }
    }
    place.assert_no_panic();
}

/// What a site refuses is told with its code, and what a server says wrongly with its member.
#[test]
fn bots_and_places_are_refused_by_name() {
    let place = Place::with(|settings, _| {
        settings.bots = edgetally_proto::settings::Bots::Reject;
    });
    let url = place.edge.as_ref().expect("it runs").url("/v1/events");
    let refusal = |key: &str, agent: &str, context: Value| {
        let event = json!({"id": "e", "name": "page_view", "context": context});
        let body = json!({"site": SITE, "client_id": "c", "events": [event]}).to_string();
        let key = format!("Bearer {key}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", key.as_str()),
            ("user-agent", agent),
        ];
        let answer = http::send("POST", &url, &headers, body.as_bytes()).expect("an answer");
        let body = answer.json().expect("counts");
        let rejected = &body["rejected"][0];
        [&rejected["code"], &rejected["field"]].map(|text| text.as_str().unwrap_or("").to_owned())
    };
    let crawler = json!({"user_agent": "Googlebot/2.1"});
    assert_eq!(refusal("wk_shop", "Googlebot/2.1", json!({})), ["bot", "user_agent"]);
    assert_eq!(refusal("sk_shop", "curl/8.5", crawler), ["bot", "user_agent"]);
    assert_eq!(refusal("sk_shop", "curl/8.5", json!({})), ["", ""]);
    let country = json!({"country": "Vietnam"});
    assert_eq!(
        refusal("sk_shop", "curl/8.5", country.clone()),
        ["value_invalid", "context.country"]
    );
    assert_eq!(refusal("wk_shop", PIXEL, country), ["", ""]);
}
