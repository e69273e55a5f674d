//! The running program against its own description: schemathesis sends what the description
//! allows, and what it does not, and holds every answer against it.

use std::path::{Path, PathBuf};
use std::process::Command;

use edgetally_proto::frame;
use serde_json::{Value, json};

use crate::api::morning;
use crate::support::events::batch;
use crate::support::server::{ADMIN, Server};

/// Requests of each operation that are made up, beside those that go through every limit.
const EXAMPLES: &str = "15";
/// What is held against the description.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,\
    allow_header_conformance";

/// Where `cargo xtask build` and `test` put it.
fn schemathesis() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = root.join(".tools/schemathesis/bin/schemathesis");
    assert!(program.exists(), "cargo xtask build installs schemathesis");
    program
}

/// Names that there are, so that requests get further than to a 404; and what is deleted is not
/// what the others ask for.
fn narrow(api: &mut Value) {
    for (path, item) in api["paths"].as_object_mut().unwrap() {
        for (method, operation) in item.as_object_mut().unwrap() {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                let names = match parameter["name"].as_str().unwrap() {
                    "site" if method == "delete" && path == "/v1/sites/{site}" => json!(["gone"]),
                    "site" => json!(["demo", "demo", "gone"]),
                    "person" if method == "delete" => json!(["u:nobody", "c:b1"]),
                    "person" => json!(["u:u1", "c:A", "c:nobody", "nobody"]),
                    "transaction" => json!(["T1", "T2", "none"]),
                    "from" | "to" => json!(["2026-03-01", "2026-03-03", "2026-03-02T10:00:00Z"]),
                    "code" => json!(["value_invalid", "nothing"]),
                    _ => continue,
                };
                parameter["schema"] = json!({"type": "string", "enum": names});
            }
        }
    }
    let known =
        api["components"]["schemas"]["Query"]["properties"]["dimensions"]["items"]["examples"]
            .clone();
    for name in ["Query", "FunnelQuery", "PlausibleQuery", "NewLink", "NewKey", "Again", "Merge"] {
        let members = api["components"]["schemas"][name]["properties"].as_object_mut();
        for (member, schema) in members.unwrap_or_else(|| panic!("{name} is not described")) {
            let values = match member.as_str() {
                "site" | "site_id" => json!(["demo"]),
                "date_range" => json!(["all", "day", "7d", ["2026-03-02", "2026-03-02"]]),
                "dimensions" if name != "PlausibleQuery" => {
                    schema["items"]["enum"] = known.clone();
                    schema["maxItems"] = json!(2);
                    continue;
                }
                "metrics" => {
                    schema["maxItems"] = json!(3);
                    continue;
                }
                "from" if name == "Merge" => json!(["c:A", "c:b1", "u:u1"]),
                "into" => json!(["u:u1", "u:u2", "c:A"]),
                "order" if name == "FunnelQuery" => json!(["sequential", "strict"]),
                "scope" => json!(["session", "person"]),
                _ => continue,
            };
            *schema = json!({"enum": values});
        }
    }
}

#[test]
fn no_answer_is_a_fault_or_undescribed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    server.make_site();
    let frame = frame::encode(&batch(&morning(), 1_772_420_400_000));
    assert_eq!(server.frames(1, &[frame]).0, 200);
    let (_, mut api) = server.call("GET", "/openapi.json", "", None);
    narrow(&mut api);
    let file = dir.path().join("openapi.json");
    std::fs::write(&file, api.to_string()).unwrap();
    let run = Command::new(schemathesis())
        .arg("run")
        .arg(&file)
        .args(["--url", &server.base])
        .args(["--header", &format!("Authorization: Bearer {ADMIN}")])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", EXAMPLES, "--no-shrink", "--continue-on-failure"])
        .args(["--seed", "20260302", "--warnings", "off"])
        // A stream has no end, and frames are no JSON: they have tests of their own.
        .args(["--exclude-path", "/v1/live", "--exclude-path", "/v1/frames"])
        .current_dir(dir.path())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}{}", String::from_utf8_lossy(&run.stderr));
    let tested = told.lines().find(|line| line.contains("Tested:")).unwrap_or_default();
    let tested: usize = tested.trim().trim_start_matches("Tested:").trim().parse().unwrap_or(0);
    assert!(tested > 30, "too little was tested: {told}");
}
