//! Headers that every answer bears.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::App;

/// Of answers that are no page: nothing in them is to be run or shown within another page.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";
/// Once a browser has seen an encrypted answer it asks for no other kind, for a year.
const ENCRYPTED_ONLY: &str = "max-age=31536000";

/// Adds what an answer does not say itself. Answers are of this moment; only a page may say
/// otherwise of its files.
pub async fn headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut add = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert_with(|| HeaderValue::from_static(value));
    };
    add(header::CACHE_CONTROL, "no-store");
    add(header::CONTENT_SECURITY_POLICY, NO_PAGE);
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::REFERRER_POLICY, "no-referrer");
    if app.is_tls {
        add(header::STRICT_TRANSPORT_SECURITY, ENCRYPTED_ONLY);
    }
    response
}
