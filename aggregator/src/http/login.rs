//! `POST /v1/login` and `/v1/logout`: people in a browser, by password and cookie.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use axum::Json;
use axum::extract::{ConnectInfo, FromRequest, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use edgetally_proto::sign::key_hash;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::auth::{self, COOKIE, Caller, May, noted, random_hex};
use super::extract::{Body, drain};
use super::openapi::shapes;
use super::problem::Problem;
use super::tls::Peer;
use super::{App, now_ms, query};
use crate::audit::Act;
use crate::login::{Failures, LOGIN_MS};
use crate::zone::Zone;

/// How long a password waits until those before it are looked at.
const TURN: Duration = Duration::from_secs(5);

/// What logging in needs.
pub struct Door {
    /// The password's hash, as argon2 writes it down; without one nobody logs in.
    password: Option<Arc<str>>,
    failures: Mutex<Failures>,
    /// Hashing takes 19 MiB and some time: one after the other, so that many guesses do not take
    /// all of both, and none is judged before the one before it is counted.
    turn: Semaphore,
}

impl Door {
    /// A door with that lock.
    #[must_use]
    pub fn new(password_hash: Option<&str>) -> Self {
        let password = password_hash.map(Arc::from);
        Self { password, failures: Mutex::default(), turn: Semaphore::new(1) }
    }
}

/// What is written down of a password.
///
/// # Errors
/// If it is empty or longer than 1,024 bytes, or the system gives no randomness.
pub fn hash_password(password: &str) -> Result<String, String> {
    if !(1..=PASSWORD_BYTES_MAX).contains(&password.len()) {
        return Err(format!("a password has 1 to {PASSWORD_BYTES_MAX} bytes"));
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

const PASSWORD_BYTES_MAX: usize = 1_024;

/// What is asked.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    password: String,
}

/// A request that bears nothing but a cookie, from a page of this address if a browser says so.
pub struct Ours {
    parts: Parts,
    body: axum::body::Bytes,
}

impl FromRequest<App> for Ours {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let is_told =
            ["sec-fetch-site", "origin"].iter().any(|name| parts.headers.contains_key(*name));
        if is_told && let Err(problem) = auth::same_origin(&parts) {
            drain(body).await;
            return Err(problem);
        }
        let Body(body) = Body::read(body).await?;
        Ok(Self { parts, body })
    }
}

fn nobody() -> Caller {
    Caller { name: "nobody".to_owned(), may: May::All }
}

/// Whether the address in the browser begins with https: a proxy in front may say so, which at
/// most makes a cookie stricter.
pub fn is_secure(app: &App, headers: &HeaderMap) -> bool {
    let told = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    app.is_tls || told.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

fn set_cookie(app: &App, headers: &HeaderMap, value: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if is_secure(app, headers) { "; Secure" } else { "" };
    let text =
        format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether a password is the right one. Without a password set none is.
async fn is_right(app: &App, password: String) -> Result<bool, Problem> {
    let Some(known) = app.door.password.clone() else {
        let detail = "nobody can log in: EDGETALLY_PASSWORD_HASH is not set";
        return Err(Problem::new(StatusCode::FORBIDDEN, "login_off", detail));
    };
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    let verify = move || {
        let known = PasswordHash::new(&known)?;
        Argon2::default().verify_password(password.as_bytes(), &known)
    };
    let verified = tokio::task::spawn_blocking(verify).await.map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error.to_string())
    })?;
    Ok(verified.is_ok())
}

/// Logs in: the cookie that it sets opens what an admin key does, for twelve hours.
#[utoipa::path(
    post, path = "/v1/login", tag = "administration", request_body = Ask,
    responses(
        (
            status = 200, description = "logged in; `Set-Cookie` has what to send back",
            body = shapes::Login,
        ),
        (
            status = 401, description = "`password_invalid`", body = shapes::Problem,
            content_type = "application/problem+json",
        ),
        (
            status = 403,
            description = "`login_off`: no password is set; `origin_not_allowed`: a page of \
                another address",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 429,
            description = "`rate_limited`: too many wrong passwords from this address; \
                `Retry-After`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn login(
    State(app): State<App>,
    ConnectInfo(Peer(address)): ConnectInfo<Peer>,
    Ours { parts, body }: Ours,
) -> Result<Response, Problem> {
    let Ask { password } = query::json(&body)?;
    let address = address.ip();
    let busy = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "too many log in");
    let turn = tokio::time::timeout(TURN, app.door.turn.acquire()).await;
    let _turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    let failures = || app.door.failures.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(wait_ms) = failures().wait_ms(address, now_ms()) {
        return Err(Problem::rate_limited("too many wrong passwords", wait_ms));
    }
    if !is_right(&app, password).await? {
        let before = failures().fail(address, now_ms());
        if let Some(before) = before {
            let more = if before > 0 { format!(", after {before} more") } else { String::new() };
            let about = Some(format!("{address}{more}"));
            noted(&app, nobody().note(Act::LoginFailed, None, about)).await?;
        }
        let detail = "this is not the password";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "password_invalid", detail));
    }
    failures().succeed(address);
    let (token, id) = (random_hex(32)?, random_hex(8)?);
    let caller = Caller { name: format!("login:{id}"), may: May::All };
    noted(&app, caller.note(Act::Login, None, Some(address.to_string()))).await?;
    let now_ms = now_ms();
    let mut logins = app.logins.lock().unwrap_or_else(PoisonError::into_inner);
    logins.add(key_hash(&token), id.clone(), now_ms);
    let body = json!({"id": id, "expires_at": Zone::default().rfc3339(now_ms + LOGIN_MS)});
    let cookie = set_cookie(&app, &parts.headers, &token, LOGIN_MS / 1_000);
    Ok(with_cookie(Json(body).into_response(), cookie))
}

/// Logs out: the cookie opens nothing any more.
#[utoipa::path(
    post, path = "/v1/logout", tag = "administration",
    responses(
        (status = 204, description = "logged out, if not before"),
        (
            status = 400, description = "`invalid_query`: the body breaks off",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 403, description = "`origin_not_allowed`: a page of another address",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 413, description = "`body_too_large`: over 4 MiB", body = shapes::Problem,
            content_type = "application/problem+json",
        ),
    ),
)]
pub async fn logout(State(app): State<App>, Ours { parts, .. }: Ours) -> Result<Response, Problem> {
    if let Some(token) = auth::cookie(&parts.headers) {
        let hash = key_hash(token);
        let id = app.logins.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash);
        if let Some(id) = id {
            let caller = Caller { name: format!("login:{id}"), may: May::All };
            noted(&app, caller.note(Act::Logout, None, None)).await?;
        }
    }
    let cookie = set_cookie(&app, &parts.headers, "", 0);
    Ok(with_cookie(StatusCode::NO_CONTENT.into_response(), cookie))
}
