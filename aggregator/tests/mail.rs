//! Mails of alerts and reports, as a real mail server takes them.

use std::collections::HashMap;

use edgetally_proto::frame;
use edgetally_proto::time::{DAY_MS, HOUR_MS};
use serde_json::{Value, json};

use crate::support::events::{Event, batch, now_ms};
use crate::support::python::MailServer;
use crate::support::server::{ADMIN, Server};

/// A zone in which it is noon: the report of its yesterday is due.
fn zone_of_noon() -> String {
    let hour = now_ms().rem_euclid(DAY_MS) / HOUR_MS;
    // The signs of these names are those of POSIX: minus is east.
    if hour <= 12 { format!("Etc/GMT-{}", 12 - hour) } else { format!("Etc/GMT+{}", hour - 12) }
}

#[test]
fn alerts_and_the_report_of_a_day_arrive_as_text_and_html() {
    let mut mails = MailServer::start();
    let url = format!("smtp://shop:secret%20of%20mails@127.0.0.1:{}", mails.port);
    let dir = tempfile::tempdir().unwrap();
    let variables = [
        ("EDGETALLY_SMTP_URL", url.as_str()),
        ("EDGETALLY_MAIL_FROM", "Cửa hàng <alerts@shop.vn>"),
    ];
    let server = Server::start_with(dir.path(), &variables);
    let settings = json!({
        "timezone": zone_of_noon(), "currency": "VND",
        "mail": {"daily_report_to": ["chu@shop.vn"]},
        "alerts": [{"name": "Đơn hàng tăng vọt", "metric": "orders", "above": 0, "window": "1h",
            "to": ["chu@shop.vn"]}],
    });
    let (status, answer) = server.call("PUT", "/v1/sites/demo", ADMIN, Some(settings));
    assert_eq!(status, 200, "{answer}");
    let at = now_ms();
    let events = [Event::new("p1", "c", "purchase", at).order("T1", 12_345_678)];
    assert_eq!(server.frames(1, &[frame::encode(&batch(&events, at))]).0, 200);

    // That of yesterday comes by itself, before the alert or after it.
    let mut come: HashMap<String, Value> = (0..2)
        .map(|_| mails.next())
        .map(|mail| (mail["subject"].as_str().unwrap().to_owned(), mail))
        .collect();
    let alert = come.remove("[demo] Alert: Đơn hàng tăng vọt (warning)").expect("an alert");
    assert_eq!((&alert["from"], &alert["to"]), (&json!("alerts@shop.vn"), &json!(["chu@shop.vn"])));
    let has = |mail: &Value, part: &str, text: &str| {
        assert!(mail[part].as_str().unwrap().contains(text), "{part}: {mail}");
    };
    for part in ["text", "html"] {
        has(&alert, part, "Đơn hàng tăng vọt: orders is 1, above 0");
    }
    has(&alert, "id", "-firing-chu-shop-vn@shop.vn>");

    let today = server.call("GET", "/v1/orders?site=demo", ADMIN, None).1;
    let date = today["results"][0]["created_at"].as_str().unwrap()[..10].to_owned();
    assert_eq!(come.len(), 1);
    for (subject, yesterdays) in &come {
        assert!(subject.starts_with("demo: revenue of ") && !subject.ends_with(&date), "{subject}");
        assert!(!yesterdays["text"].as_str().unwrap().contains("12,345,678"), "{yesterdays}");
    }
    let asked = json!({"site": "demo", "date": date});
    let (status, sent) = server.call("POST", "/v1/alerts/report", ADMIN, Some(asked));
    assert_eq!((status, sent["deliveries"].as_array().unwrap().len()), (200, 1), "{sent}");
    let report = mails.next();
    assert_eq!(report["subject"], format!("demo: revenue of {date}"));
    for part in ["text", "html"] {
        has(&report, part, "12,345,678 VND");
        has(&report, part, "Huế");
    }
    has(&report, "html", "<table");
    let (status, answer) = server.call(
        "POST",
        "/v1/alerts/report",
        ADMIN,
        Some(json!({"site": "demo", "date": "yesterday"})),
    );
    assert_eq!((status, &answer["field"]), (400, &json!("date")));
    assert!(!server.log().contains("secret of mails") && !server.log().contains("secret%20of"));
}
