//! The dashboard: one page for all of its addresses, and the files that it names.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::App;
use super::problem::Problem;

/// No script, style or request from anywhere else, and no form to anywhere else.
const POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
/// Files have the hash of their contents in their names: what was fetched once is never another.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// The addresses that show the page; it reads from them what to show.
pub const PAGES: [&str; 9] = [
    "/",
    "/overview",
    "/acquisition",
    "/products",
    "/funnel",
    "/orders",
    "/people",
    "/quality",
    "/settings",
];

/// A file of the dashboard, as it is and as gzip made it.
struct File {
    path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    packed: &'static [u8],
}

const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

const UNBUILT: &str = "<!doctype html><title>Edgetally</title><p>This program was built without \
    its dashboard. Build both with <code>cargo xtask build</code>; the API works as it is.";

fn takes_gzip(headers: &HeaderMap) -> bool {
    let told = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let is_gzip = |word: &str| {
        let mut parts = word.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_named && parts.next().is_none_or(|weight| weight != "q=0")
    };
    told.unwrap_or_default().split(',').any(is_gzip)
}

fn send(file: &File, cache: &'static str, asked: &HeaderMap) -> Response {
    let is_packed = takes_gzip(asked);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    let mut response = (headers, if is_packed { file.packed } else { file.plain }).into_response();
    if is_packed {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
    }
    response
}

async fn page(headers: HeaderMap) -> Response {
    match FILES.iter().find(|file| file.path == "/index.html") {
        Some(file) => send(file, ASK_AGAIN, &headers),
        None => {
            let page = UNBUILT.as_bytes();
            let kind = "text/html; charset=utf-8";
            let file = File { path: "/", kind, plain: page, packed: page };
            send(&file, ASK_AGAIN, &HeaderMap::new())
        }
    }
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let path = format!("/assets/{name}");
    let file = FILES.iter().find(|file| file.path == path);
    file.map_or_else(
        || Problem::not_found("there is no such file").into_response(),
        |file| send(file, FOR_EVER, &headers),
    )
}

/// The page and its files.
pub fn routes() -> Router<App> {
    let pages = PAGES.iter().fold(Router::new(), |router, path| router.route(path, get(page)));
    pages.route("/assets/{name}", get(asset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_whoever_takes_it() {
        let told = |text: &'static str| {
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))])
        };
        assert!(!takes_gzip(&HeaderMap::new()));
        for (text, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1, GZIP;q=0.5", true),
            ("gzip;q=0, br", false),
            ("gzipped", false),
        ] {
            assert_eq!(takes_gzip(&told(text)), expected, "{text}");
        }
    }
}
