//! The few calls that every request makes, each in one step of JavaScript (`glue.js`).

use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Promise, Uint8Array};
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::worker_sys::web_sys;
use worker::{Env, Request, Result};

#[wasm_bindgen(module = "/src/platform/glue.js")]
extern "C" {
    #[wasm_bindgen(js_name = facts)]
    fn js_facts(request: &web_sys::Request) -> String;
    #[wasm_bindgen(js_name = body)]
    fn js_body(request: &web_sys::Request) -> Promise;
    #[wasm_bindgen(js_name = ask)]
    fn js_ask(
        env: &Env,
        binding: &str,
        name: &str,
        region: Option<&str>,
        url: &str,
        body: &[u8],
    ) -> Promise;
    #[wasm_bindgen(js_name = askHead)]
    fn js_ask_head(
        env: &Env,
        binding: &str,
        name: &str,
        region: Option<&str>,
        url: &str,
        body: &[u8],
        header: &str,
    ) -> Promise;
    #[wasm_bindgen(js_name = json)]
    fn js_json(text: &str, status: u16) -> web_sys::Response;
}

/// URL, headers and what the platform knows of the visitor, by lines in the order of `glue.js`.
pub fn facts(request: &Request) -> String {
    js_facts(request.inner())
}

async fn bytes(promise: Promise) -> Result<Vec<u8>> {
    Ok(Uint8Array::new(&JsFuture::from(promise).await?).to_vec())
}

/// The whole body of a request.
pub async fn body(request: &Request) -> Result<Vec<u8>> {
    bytes(js_body(request.inner())).await
}

/// What the object of a binding answers to a body. What it refuses is an error with its text.
pub async fn ask(
    env: &Env,
    (binding, name, region): (&str, &str, Option<&str>),
    path: &str,
    body: &[u8],
) -> Result<Vec<u8>> {
    bytes(js_ask(env, binding, name, region, &format!("https://object{path}"), body)).await
}

/// What the object of a binding answers in a header; empty if it sets none.
pub async fn ask_head(
    env: &Env,
    (binding, name, region): (&str, &str, Option<&str>),
    path: &str,
    body: &[u8],
    header: &str,
) -> Result<String> {
    let url = format!("https://object{path}");
    let answer = js_ask_head(env, binding, name, region, &url, body, header);
    Ok(JsFuture::from(answer).await?.as_string().unwrap_or_default())
}

/// An answer of JSON that any page may read.
pub fn json(text: &str, status: u16) -> web_sys::Response {
    js_json(text, status)
}
