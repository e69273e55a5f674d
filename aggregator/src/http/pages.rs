//! The live page, embedded in the program.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::App;

/// No script, style or request from anywhere else, and no form to anywhere else.
const POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (headers, text)
}

/// The page and its files.
pub fn routes() -> Router<App> {
    let html =
        || async { file("text/html; charset=utf-8", include_str!("../../dashboard/live.html")) };
    let script = || async {
        file("text/javascript; charset=utf-8", include_str!("../../dashboard/live.js"))
    };
    let style =
        || async { file("text/css; charset=utf-8", include_str!("../../dashboard/live.css")) };
    Router::new()
        .route("/", get(html))
        .route("/live.js", get(script))
        .route("/live.css", get(style))
}
