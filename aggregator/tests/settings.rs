//! Settings that cut days and sessions act forwards only, from the next local midnight on.

use aggregator::eras::Eras;
use aggregator::sessionize::Rules;
use aggregator::site::{Site, Terms};
use aggregator::zone::Zone;
use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::support::events::{Event, batch, share};
use crate::support::server::{ADMIN, Server};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// 2026-03-03T00:00:00+07:00
const MIDNIGHT: i64 = 1_772_470_800_000;

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn rules(gap_minutes: i64, window_hours: i64) -> Rules {
    let (gap_ms, window_ms) = (gap_minutes * MINUTE, window_hours * HOUR);
    Rules { gap_ms, window_ms, ..Rules::default() }
}

fn terms(zones: Eras<Zone>, rules: Eras<Rules>) -> Terms {
    Terms { zone: zones.into(), rules, ..Terms::default() }
}

/// Starts of the sessions, in minutes from the midnight.
fn starts(site: &Site) -> Vec<i64> {
    site.people.rows().keys().map(|(start_ms, _)| (start_ms - MIDNIGHT) / MINUTE).collect()
}

fn views(minutes: &[i64]) -> Vec<Event> {
    let event = |minute: &i64| {
        Event::new(&format!("e{minute}"), "c", "page_view", MIDNIGHT + minute * MINUTE)
    };
    minutes.iter().map(event).collect()
}

/// Whatever comes first, the events or the settings, and in whatever order the events come.
#[test]
fn a_gap_cuts_from_its_midnight_on() {
    let events = views(&[-60, -40, -20, 0, 20, 25]);
    let vietnam = || Eras::from(zone("Asia/Ho_Chi_Minh"));
    let before = terms(vietnam(), rules(30, 72).into());
    let after = terms(vietnam(), Eras::from(rules(30, 72)).then(MIDNIGHT, rules(15, 72)));
    let mut early = Site::new(after.clone());
    early.apply(&share(&events));
    assert_eq!(starts(&early), [-60, 0, 20]);
    let mut late = Site::new(before.clone());
    for event in events.iter().rev() {
        late.apply(&share(std::slice::from_ref(event)));
    }
    assert_eq!(starts(&late), [-60, 0]);
    late.set_terms(after.clone());
    assert_eq!(starts(&late), [-60, 0, 20]);
    late.set_terms(before.clone());
    assert_eq!(starts(&late), [-60, 0]);
    // Nothing that is over changes, and no session is told again.
    let mut yesterday = Site::new(before);
    yesterday.apply(&share(&events[..3]));
    let told = yesterday.people.rows().clone();
    yesterday.set_terms(after);
    assert_eq!(yesterday.people.rows(), &told);
    yesterday.apply(&share(&events[3..]));
    assert_eq!(starts(&yesterday), [-60, 0, 20]);
}

/// A link without tags is an entry after a pause as long as it is asked for at its time, and a
/// touch is in force as long as at the time of what follows it.
#[test]
fn touches_follow_the_gap_and_the_window_of_their_time() {
    let linked = |minute: i64, host: &str| {
        let event = views(&[minute]).remove(0);
        Event { referrer: Some(host.to_owned()), ..event }
    };
    let events = [
        linked(-200, "a.example"),
        linked(-180, "b.example"),
        linked(20, "c.example"),
        linked(40, "d.example"),
        views(&[120]).remove(0),
    ];
    let attributed = |rules: Eras<Rules>| -> Vec<Option<i64>> {
        let mut site = Site::new(terms(zone("Asia/Ho_Chi_Minh").into(), rules));
        site.apply(&share(&events));
        let touch = |row: &aggregator::people::SessionRow| {
            row.attributed.map(|touch| (touch.occurred_at_ms - MIDNIGHT) / MINUTE)
        };
        site.people.rows().values().map(|row| touch(row)).collect()
    };
    assert_eq!(attributed(rules(30, 72).into()), [Some(-200), Some(20), Some(20)]);
    let changed = Eras::from(rules(30, 72)).then(MIDNIGHT, rules(15, 1));
    assert_eq!(attributed(changed), [Some(-200), Some(20), Some(40), None]);
}

#[test]
fn a_zone_cuts_from_its_midnight_on() {
    let events = views(&[-5, 5, 22 * 60 - 5, 22 * 60 + 5, 24 * 60 - 5, 24 * 60 + 5]);
    let moved = Eras::from(zone("Asia/Ho_Chi_Minh")).then(MIDNIGHT, zone("Asia/Tokyo"));
    let mut site = Site::new(terms(moved.clone(), rules(30, 72).into()));
    site.apply(&share(&events));
    let (evening, morning) = (22 * 60, 24 * 60);
    assert_eq!(starts(&site), [-5, 5, evening - 5, evening + 5, morning - 5]);
    let mut other = Site::new(terms(zone("Asia/Ho_Chi_Minh").into(), rules(30, 72).into()));
    other.apply(&share(&events));
    assert_eq!(starts(&other), [-5, 5, evening - 5, morning - 5, morning + 5]);
    other.set_terms(terms(moved, rules(30, 72).into()));
    assert_eq!(starts(&other), starts(&site));
}

fn visitors(server: &Server, day: &str) -> Value {
    let query = json!({"site_id": "demo", "metrics": ["visitors", "sessions"],
        "date_range": [day, day]});
    server.call("POST", "/v1/query", ADMIN, Some(query)).1["results"][0]["metrics"].clone()
}

/// Over HTTP: before there are events settings act at once, then from the next midnight on.
#[test]
fn a_site_with_events_keeps_its_past() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.make_site();
    let put = |server: &Server, zone: &str, gap: &str| {
        let settings = json!({"timezone": zone, "currency": "VND", "session": {"gap": gap}});
        assert_eq!(server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings)).0, 200);
    };
    put(&server, "Asia/Tokyo", "10m");
    // 2026-03-02T23:30:00+07:00 is the third of March in Tokyo.
    let frame = frame::encode(&batch(&views(&[-30]), MIDNIGHT));
    assert_eq!(server.frames(1, &[frame]).0, 200);
    let check = |server: &Server| {
        assert_eq!(visitors(server, "2026-03-02"), json!([0, 0]));
        assert_eq!(visitors(server, "2026-03-03"), json!([1, 1]));
        let (_, answer) = server.call("GET", "/v1/sessions?site=demo", ADMIN, None);
        let session = &answer["results"][0];
        assert_eq!(session["start"], "2026-03-03T01:30:00.000+09:00");
        let rules = json!({"timezone": "Asia/Tokyo", "gap": "10m", "window": "3d"});
        assert_eq!(session["rules"], rules);
    };
    check(&server);
    put(&server, "UTC", "20m");
    check(&server);
    server.kill();
    let server = Server::start(dir.path());
    check(&server);
    server.stop();
    let server = Server::start(dir.path());
    check(&server);
    // What happens after the midnight to come follows the new settings.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let later = i64::try_from(now.as_millis()).unwrap() + 48 * HOUR;
    let later = Event::new("later", "d", "page_view", later);
    assert_eq!(server.frames(2, &[frame::encode(&batch(&[later], MIDNIGHT))]).0, 200);
    let (_, answer) = server.call("GET", "/v1/sessions?site=demo", ADMIN, None);
    let rules = json!({"timezone": "UTC", "gap": "20m", "window": "3d"});
    assert_eq!(answer["results"][1]["rules"], rules);
    check(&server);
}
