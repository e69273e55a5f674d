//! What the worker serves beside collecting: the scripts of the SDK and its own health.

use edgetally_tests::http;
use serde_json::json;

use super::system::shared;

/// Pages get the built scripts: readable from any origin, for ever under their version.
#[test]
fn scripts_are_served_plain_and_by_version() {
    let dev = shared();
    let health = http::get(&dev.edge("/healthz")).expect("an answer").json().expect("a body");
    let version = health["version"].as_str().expect("a version");
    for name in ["e.js", "e.full.js", "e.vitals.js", "e.debug.js", "e.datalayer.js"] {
        let built = edgetally_tests::root().join("sdk-js/dist").join(name);
        let built = std::fs::read(built).expect("the SDK is built");
        for (path, caching) in
            [(format!("/{name}"), "max-age"), (format!("/e/{version}/{name}"), "immutable")]
        {
            let answer = http::get(&dev.edge(&path)).expect("an answer");
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.body == built, "{path} is not the built {name}");
            let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
            assert!(header("content-type").starts_with("text/javascript"), "{path}");
            assert!(header("cache-control").contains(caching), "{path}");
            assert_eq!(header("access-control-allow-origin"), "*", "{path}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        }
        let other = http::get(&dev.edge(&format!("/e/0.0.0-other/{name}"))).expect("an answer");
        assert_eq!(other.status, 404, "another version is not passed off as this one");
    }
}

/// The worker says how it is, whether the archive is on, and what it does not have.
#[test]
fn health_is_told_and_unknown_routes_are_not_found() {
    let dev = shared();
    let health = http::get(&dev.edge("/healthz")).expect("an answer");
    assert_eq!(health.status, 200);
    let archive = health.json().expect("a body")["archive"].clone();
    assert!(archive == json!("on") || archive == json!("off"), "{archive}");
    let missing = http::get(&dev.edge("/v1/nothing")).expect("an answer");
    assert_eq!(missing.status, 404);
    let problem = missing.json().expect("a problem");
    assert_eq!((&problem["status"], &problem["code"]), (&json!(404), &json!("not_found")));
}
