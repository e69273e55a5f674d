//! Who gets in, what he may do then, and what is written down of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::events::{Event, batch};
use crate::support::server::{ADMIN, SECRET, Server};

const PASSWORD: &str = "correct horse battery staple";

/// What argon2 makes of the password, with as little work as it allows: tests try many.
fn password_hash() -> String {
    use argon2::password_hash::PasswordHasher;
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon2.hash_password(PASSWORD.as_bytes()).unwrap().to_string()
}

fn server() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let hash = password_hash();
    let server = Server::start_with(dir.path(), &[("EDGETALLY_PASSWORD_HASH", &hash)]);
    server.make_site();
    (dir, server)
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Logs in; the cookie as a browser sends it back, and what else was said with it.
fn log_in(server: &Server) -> (String, String) {
    let body = json!({"password": PASSWORD}).to_string();
    let (status, headers, text) = server.request("POST", "/v1/login", &[], Some(&body));
    assert_eq!(status, 200, "{text}");
    let cookie = headers["set-cookie"].to_str().unwrap();
    let (pair, rest) = cookie.split_once(';').unwrap();
    (pair.to_owned(), rest.trim().to_owned())
}

/// Acts and who did them, in their order.
fn acts(server: &Server) -> Vec<(String, String)> {
    let (_, list) = server.call("GET", "/v1/audit?limit=1000", ADMIN, None);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = list["results"].as_array().unwrap().iter().rev();
    rows.map(|row| (text(&row["act"]), text(&row["who"]))).collect()
}

#[test]
fn a_login_opens_what_an_admin_key_does_until_it_is_ended() {
    let (_dir, server) = server();
    let (cookie, rest) = log_in(&server);
    assert_eq!(rest, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    let query = json!({"site_id": "demo", "metrics": ["events"], "date_range": "day"}).to_string();
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>| {
        let mut all = vec![("cookie", cookie.as_str())];
        all.extend(headers);
        server.request(method, path, &all, body).0
    };
    let host = server.base.strip_prefix("http://").unwrap();
    let ours = [("origin", server.base.as_str())];
    for (method, path, body) in [
        ("GET", "/v1/edges", None),
        ("GET", "/v1/sessions?site=demo", None),
        ("GET", "/v1/audit", None),
        ("POST", "/v1/query", Some(query.as_str())),
        ("PUT", "/v1/sites/demo", Some("{}")),
        ("POST", "/v1/links?site=demo", Some("{}")),
    ] {
        assert_eq!(ask(method, path, &ours, body), 200, "{method} {path}");
        assert_eq!(ask(method, path, &[("sec-fetch-site", "same-origin")], body), 200, "{path}");
        // What a page of somewhere else sends, and what says nothing of where it comes from.
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(ask(method, path, &[foreign], body), 403, "{method} {path} {foreign:?}");
        }
        let silent = if method == "GET" { 200 } else { 403 };
        assert_eq!(ask(method, path, &[], body), silent, "{method} {path}");
        assert_eq!(ask(method, path, &[("sec-fetch-site", "none")], body), silent, "{path}");
    }
    let other_port = format!("http://{}", host.replace(':', ":1"));
    assert_eq!(ask("PUT", "/v1/sites/demo", &[("origin", &other_port)], Some("{}")), 403);
    // A key in the header goes before the cookie, and a wrong one is not made up for by it.
    assert_eq!(ask("GET", "/v1/edges", &[("authorization", "Bearer rk_unknown")], None), 401);
    assert_eq!(ask("POST", "/v1/logout", &[("origin", "https://evil.example")], None), 403);
    assert_eq!(ask("GET", "/v1/edges", &[], None), 200);
    assert_eq!(ask("POST", "/v1/logout", &ours, None), 204);
    assert_eq!(ask("GET", "/v1/edges", &[], None), 401);
    assert_eq!(ask("POST", "/v1/logout", &ours, None), 204, "twice is the same as once");
    let secure = [("x-forwarded-proto", "https")];
    let body = json!({"password": PASSWORD}).to_string();
    let (_, headers, _) = server.request("POST", "/v1/login", &secure, Some(&body));
    assert!(headers["set-cookie"].to_str().unwrap().ends_with("; Secure"));
}

/// Opens the live stream with a header that says who asks, and waits for its first message.
fn listen(server: &Server, who: &str) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(socket, "GET /v1/live?site=demo HTTP/1.0\r\nHost: x\r\n{who}\r\n\r\n").unwrap();
    let mut stream = BufReader::new(socket);
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "{who}: nothing is said");
    }
    stream
}

#[test]
fn a_stream_ends_with_what_opened_it() {
    let (_dir, server) = server();
    let (cookie, _) = log_in(&server);
    let body = || Some(json!({"site": "demo", "kind": "read"}));
    let (_, key) = server.call("POST", "/v1/keys", ADMIN, body());
    let (_, link) = server.call("POST", "/v1/links", ADMIN, Some(json!({"site": "demo"})));
    let secret = |value: &Value| value.as_str().unwrap().to_owned();
    let mut streams = [
        format!("Cookie: {cookie}"),
        format!("Authorization: Bearer {}", secret(&key["key"])),
        format!("Authorization: Bearer {}", secret(&link["token"])),
    ]
    .map(|who| listen(&server, &who));
    let mut kept = listen(&server, &format!("Authorization: Bearer {ADMIN}"));
    let ours = [("cookie", cookie.as_str()), ("origin", server.base.as_str())];
    assert_eq!(server.request("POST", "/v1/logout", &ours, None).0, 204);
    for path in ["keys", "links"] {
        let id = secret(&if path == "keys" { &key } else { &link }["id"]);
        assert_eq!(server.call("DELETE", &format!("/v1/{path}/{id}"), ADMIN, None).0, 204);
    }
    for stream in &mut streams {
        // What was said before stands there still; then it ends.
        stream.read_to_string(&mut String::new()).expect("it ends");
    }
    let mut line = String::new();
    assert!(kept.read_line(&mut line).unwrap() > 0, "the others go on");
}

#[test]
fn wrong_passwords_are_counted_noted_and_made_to_wait() {
    let (_dir, server) = server();
    let wrong = json!({"password": "a wrong guess"}).to_string();
    for _ in 0..5 {
        let (status, headers, text) = server.request("POST", "/v1/login", &[], Some(&wrong));
        assert_eq!((status, &read(&text)["code"]), (401, &json!("password_invalid")));
        assert!(!headers.contains_key("set-cookie"));
    }
    for body in [wrong, json!({"password": PASSWORD}).to_string()] {
        let (status, headers, text) = server.request("POST", "/v1/login", &[], Some(&body));
        assert_eq!((status, &read(&text)["code"]), (429, &json!("rate_limited")), "{text}");
        let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
        let told = read(&text)["retry_after_ms"].as_u64().unwrap();
        assert!((55..=60).contains(&wait) && told.div_ceil(1_000) == wait, "{wait} {told}");
    }
    let failed = acts(&server).into_iter().filter(|(act, _)| act == "login.failed");
    assert_eq!(failed.count(), 5);
    for body in ["", "{}", r#"{"password": 5}"#, r#"{"password": "x", "user": "y"}"#] {
        let (status, _, text) = server.request("POST", "/v1/login", &[], Some(body));
        assert_eq!((status, &read(&text)["code"]), (400, &json!("invalid_query")), "{text}");
    }
    assert!(!server.log().contains("a wrong guess"));
}

#[test]
fn without_a_password_nobody_logs_in() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let body = json!({"password": ""}).to_string();
    let (status, _, text) = server.request("POST", "/v1/login", &[], Some(&body));
    assert_eq!((status, &read(&text)["code"]), (403, &json!("login_off")));
}

#[test]
fn a_link_opens_the_reports_of_its_site_until_it_is_revoked() {
    let (_dir, server) = server();
    server.call("PUT", "/v1/sites/other", ADMIN, Some(json!({})));
    let (status, link) = server.call("POST", "/v1/links", ADMIN, Some(json!({"site": "demo"})));
    assert_eq!(status, 200, "{link}");
    let token = link["token"].as_str().unwrap();
    let url = format!("{}/#site=demo&key={token}", server.base);
    assert_eq!((link["url"].as_str(), token.len()), (Some(url.as_str()), 3 + 64));
    let query = |site: &str| json!({"site_id": site, "metrics": ["events"], "date_range": "day"});
    let said =
        |method: &str, path: &str, body: Option<Value>| server.call(method, path, token, body).0;
    assert_eq!(said("POST", "/v1/query", Some(query("demo"))), 200);
    assert_eq!(said("POST", "/v1/query", Some(query("other"))), 403);
    assert_eq!(said("GET", "/v1/orders?site=demo", None), 200);
    assert_eq!(said("GET", "/v1/orders?site=other", None), 403);
    for path in ["/v1/sites", "/v1/keys", "/v1/links", "/v1/audit"] {
        assert_eq!(said("GET", path, None), 403, "{path}");
    }
    assert_eq!(said("PUT", "/v1/sites/demo", Some(json!({}))), 403);
    let (_, list) = server.call("GET", "/v1/links", ADMIN, None);
    let row = &list["results"][0];
    assert_eq!((&row["id"], &row["site"]), (&link["id"], &json!("demo")));
    assert!(!list.to_string().contains(token) && row["created_at"].is_string());
    let path = format!("/v1/links/{}", link["id"].as_str().unwrap());
    assert_eq!(server.call("DELETE", &path, ADMIN, None).0, 204);
    assert_eq!(server.call("DELETE", &path, ADMIN, None).0, 404);
    assert_eq!(said("GET", "/v1/orders?site=demo", None), 401);
    let unknown = server.call("POST", "/v1/links", ADMIN, Some(json!({"site": "nowhere"})));
    assert_eq!((unknown.0, &unknown.1["code"]), (404, &json!("unknown_site")));
}

/// Every change has its note, in the order of the changes, after a kill as well.
#[test]
fn the_audit_log_says_who_changed_what_and_survives_a_kill() {
    let (dir, server) = server();
    let (_, key) =
        server.call("POST", "/v1/keys", ADMIN, Some(json!({"site": "demo", "kind": "admin"})));
    let (id, own) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap().to_owned());
    let event = Event::new("e1", "c", "page_view", 1_772_420_400_000);
    let frame = edgetally_proto::frame::encode(&batch(&[event], 1_772_420_400_000));
    assert_eq!(server.frames(1, &[frame]).0, 200);
    let merge = json!({"site": "demo", "from": "c:c", "into": "u:somebody"});
    let done = [
        ("PUT", "/v1/sites/demo", Some(json!({"currency": "USD"})), 200, "site.put"),
        ("POST", "/v1/links", Some(json!({"site": "demo"})), 200, "link.create"),
        ("POST", "/v1/people/merge", Some(merge.clone()), 200, "person.merge"),
        ("GET", "/v1/people/u%3Asomebody/export?site=demo", None, 200, "person.export"),
        ("DELETE", "/v1/people/merge", Some(merge.clone()), 200, "person.unmerge"),
        ("DELETE", "/v1/people/c%3Ac?site=demo", None, 200, "person.erase"),
        ("PUT", "/v1/sites/other", Some(json!({})), 200, "site.put"),
        ("DELETE", "/v1/sites/other", None, 204, "site.delete"),
        // Neither what is refused nor what changes nothing is a change.
        ("PUT", "/v1/sites/demo", Some(json!({"currency": "XXQ"})), 400, ""),
        ("DELETE", "/v1/sites/other", None, 404, ""),
        ("DELETE", "/v1/people/merge", Some(merge), 404, ""),
        ("POST", "/v1/rejects/replay", Some(json!({"site": "demo"})), 200, ""),
        ("GET", "/v1/sessions?site=demo", None, 200, ""),
    ];
    let mut expected = vec![("site.put", "environment"), ("key.create", "environment")];
    for (method, path, body, status, act) in done {
        let (said, answer) = server.call(method, path, &own, body);
        assert_eq!(said, status, "{method} {path}: {answer}");
        if !act.is_empty() {
            expected.push((act, id));
        }
    }
    let own_text: Vec<(String, String)> =
        expected.iter().map(|(act, who)| ((*act).to_owned(), (*who).to_owned())).collect();
    assert_eq!(acts(&server), own_text);
    server.kill();
    let server = Server::start(dir.path());
    assert_eq!(acts(&server), own_text);
    assert!(server.stop().success());
    let server = Server::start(dir.path());
    assert_eq!(acts(&server), own_text, "from the checkpoint");

    let (_, all) = server.call("GET", "/v1/audit", ADMIN, None);
    let about = |act: &str| {
        let rows = all["results"].as_array().unwrap();
        rows.iter().find(|row| row["act"] == act).unwrap()["about"].clone()
    };
    assert_eq!(about("key.create"), json!(format!("{id} (admin)")));
    let changed = all["results"].as_array().unwrap().iter().filter(|row| row["who"] == id);
    let changed: Vec<&Value> = changed.filter(|row| row["act"] == "site.put").collect();
    assert_eq!(
        (&changed[1]["site"], &changed[1]["about"]),
        (&json!("demo"), &json!("currency, timezone"))
    );
    let text = all.to_string();
    // Persons may be erased, the log stays; and what opens something is never in it.
    assert!(!text.contains("somebody") && !text.contains("c:c") && !text.contains(&own), "{text}");

    let (_, part) = server.call("GET", "/v1/audit?limit=4", ADMIN, None);
    let next = part["next"].as_str().unwrap();
    let path = format!("/v1/audit?limit=1000&after={next}");
    let (_, rest) = server.call("GET", &path, ADMIN, None);
    let rows = |list: &Value| list["results"].as_array().unwrap().clone();
    assert_eq!([rows(&part), rows(&rest)].concat(), rows(&all));
    assert_eq!(rest["next"], Value::Null);
    let (_, of) = server.call("GET", "/v1/audit?site=other", ADMIN, None);
    let of: Vec<Value> = rows(&of).iter().map(|row| row["act"].clone()).collect();
    assert_eq!(of, [json!("site.delete"), json!("site.put")]);
}

#[test]
fn every_answer_bears_the_headers_that_keep_a_browser_from_harm() {
    let (_dir, server) = server();
    for (path, policy) in [
        ("/", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
        (
            "/orders",
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ),
        ("/healthz", "default-src 'none'; frame-ancestors 'none'"),
        ("/v1/sites", "default-src 'none'; frame-ancestors 'none'"),
        ("/nowhere", "default-src 'none'; frame-ancestors 'none'"),
    ] {
        let (_, headers, _) = server.request("GET", path, &[], None);
        assert_eq!(headers["content-security-policy"], policy, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}");
    }
}

/// Where secrets are sent, rightly and wrongly.
const ASKED: &[&str] = &[
    "/",
    "/metrics",
    "/healthz",
    "/v1/edges",
    "/v1/sites",
    "/v1/keys",
    "/v1/links",
    "/v1/audit",
    "/v1/query",
    "/v1/login",
    "/v1/logout",
    "/v1/sessions?site=demo",
    "/v1/orders?site=demo",
    "/v1/rejects?site=demo",
    "/v1/people/u%3Ax?site=demo",
    "/v1/edge/config",
    "/v1/frames",
    "/v1/nowhere",
];

/// Sends a secret everywhere, as a key, a cookie and in bodies; everything that is answered.
fn answers_to(server: &Server, secret: &str) -> String {
    let mut told = String::new();
    let bearer = format!("Bearer {secret}");
    let basic = format!("Basic {secret}");
    let cookie = format!("edgetally_login={secret}");
    for path in ASKED {
        for (name, value) in
            [("authorization", &bearer), ("authorization", &basic), ("cookie", &cookie)]
        {
            let headers = [(name, value.as_str()), ("origin", server.base.as_str())];
            told.push_str(&server.request("GET", path, &headers, None).2);
            for body in [json!({"site": "demo", "key": secret}), json!({"password": secret})] {
                // The right password gets an answer of its own: it is not tried.
                if body["password"] != PASSWORD {
                    let body = body.to_string();
                    let (_, headers, text) = server.request("POST", path, &headers, Some(&body));
                    told.push_str(&format!("{headers:?}{text}"));
                }
            }
        }
    }
    told
}

/// Secrets go in everywhere, right and wrong ones, and come out nowhere but where they are made.
#[test]
fn no_secret_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let hash = password_hash();
    let variables = [("EDGETALLY_PASSWORD_HASH", hash.as_str()), ("EDGETALLY_LOG", "trace")];
    let server = Server::start_with(dir.path(), &variables);
    server.make_site();
    let key = |kind: &str| {
        let body = json!({"site": "demo", "kind": kind});
        server.call("POST", "/v1/keys", ADMIN, Some(body)).1["key"].as_str().unwrap().to_owned()
    };
    let mut secrets: Vec<String> = ["read", "write", "server", "admin"].map(key).into();
    let (_, link) = server.call("POST", "/v1/links", ADMIN, Some(json!({"site": "demo"})));
    secrets.push(link["token"].as_str().unwrap().to_owned());
    let (cookie, _) = log_in(&server);
    secrets.push(cookie.split_once('=').unwrap().1.to_owned());
    let wrong = ["rk_nobody_has_made_this_key", "a_password_that_is_wrong"].map(str::to_owned);
    secrets.extend(wrong);
    secrets.extend([ADMIN, SECRET, PASSWORD, hash.as_str()].map(str::to_owned));
    let told: String = secrets.iter().map(|secret| answers_to(&server, secret)).collect();
    assert!(told.contains("edgetally_log_bytes") && told.contains("login.failed"), "{told}");
    let log = server.log();
    assert!(log.contains("listening"), "{log}");
    for secret in &secrets {
        assert!(!told.contains(secret.as_str()), "an answer tells {secret}");
        assert!(!log.contains(secret.as_str()), "the log tells {secret}");
    }
}
