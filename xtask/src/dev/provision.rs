//! Makes the demo site and its keys, once per data folder.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use crate::dev::SITE;
use crate::dev::http::send_json;
use crate::dev::state::Secrets;

/// Makes what the folder does not have yet; a folder that has all of it is left as it is.
pub fn provision(aggregator: &str, data: &Path, secrets: &mut Secrets) -> Result<()> {
    let admin = secrets.admin_key.clone();
    let make_key = |kind: &str| -> Result<String> {
        let body = json!({ "site": SITE, "kind": kind });
        let answer = send_json("POST", &format!("{aggregator}/v1/keys"), &admin, &body)?;
        let key = answer["key"].as_str().context("POST /v1/keys answered without a key")?;
        Ok(key.to_owned())
    };
    if secrets.write_key.is_none() {
        let settings = json!({
            "timezone": "Asia/Ho_Chi_Minh",
            "currency": "VND",
            "events": { "allow": ["*"] },
            "origins": ["*"],
            "bots": "off",
            "retention": { "facts": "unlimited" },
        });
        send_json("PUT", &format!("{aggregator}/v1/sites/{SITE}"), &admin, &settings)?;
    }
    for (kind, key) in [
        ("write", &mut secrets.write_key),
        ("server", &mut secrets.server_key),
        ("read", &mut secrets.read_key),
    ] {
        if key.is_none() {
            *key = Some(make_key(kind)?);
        }
    }
    secrets.save(data)
}
