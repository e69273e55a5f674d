//! What the module offers to JavaScript.

use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::path;
use crate::traffic::SITE;

/// Runs the pure path over a body; the sum of the frames' bytes, so that none of it is left out.
#[wasm_bindgen]
#[must_use]
pub fn collect(body: &[u8], times: u32) -> f64 {
    let Ok(site) = SiteId::parse(SITE) else { return -1.0 };
    let settings = SiteSettings::default();
    let run = |_| path::collect(body, &site, &settings) as f64;
    (0..times).map(run).sum()
}

/// Runs serde_json's typed parse over a body; how often it succeeded.
#[wasm_bindgen]
#[must_use]
pub fn parse(body: &[u8], times: u32) -> u32 {
    (0..times).map(|_| u32::from(path::parse(body))).sum()
}
