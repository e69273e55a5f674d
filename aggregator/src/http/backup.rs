//! `POST /v1/backup` and the files that it made.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::channel;
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;

use super::access::{Admin, AdminSent};
use super::auth::noted;
use super::extract::Named;
use super::facts::blocking;
use super::openapi::shapes;
use super::problem::Problem;
use super::{App, now_ms};
use crate::audit::Act;
use crate::store::backup::{Failure, Wanted};
use crate::store::engine::Command;

const PREFIX: &str = "backup-";
const ENDING: &str = ".etb";
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS: usize = 2;

fn failed(error: &io::Error) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", error.to_string())
}

fn folder(app: &App) -> PathBuf {
    app.data.join("backups")
}

/// The file of a backup; only names that are given here lead to one.
fn path(app: &App, name: &str) -> Result<PathBuf, Problem> {
    let stamp = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(ENDING));
    let is_ours = stamp.is_some_and(|stamp| stamp.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let path = is_ours.then(|| folder(app).join(name)).filter(|path| path.is_file());
    path.ok_or_else(|| Problem::not_found("there is no such backup"))
}

fn file_json(path: &std::path::Path) -> io::Result<Value> {
    let meta = fs::metadata(path)?;
    let written = meta.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let ms = i64::try_from(written.as_millis()).unwrap_or(i64::MAX);
    Ok(json!({
        "name": path.file_name().unwrap_or_default().to_string_lossy(),
        "path": std::path::absolute(path)?.display().to_string(),
        "bytes": meta.len(),
        "taken_at": crate::zone::Zone::default().rfc3339(ms),
    }))
}

/// Takes a backup while everything goes on; answers when the file is whole and durable.
#[utoipa::path(
    post, path = "/v1/backup", tag = "administration",
    security(("admin" = [])),
    responses(
        (status = 201, description = "the file is whole", body = shapes::Backup),
        (
            status = 409, description = "`conflict`: another one is under way",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn post(
    State(app): State<App>,
    AdminSent { caller, .. }: AdminSent,
) -> Result<Response, Problem> {
    let stamp = jiff::Timestamp::from_millisecond(now_ms()).unwrap_or_default();
    let name = format!("{PREFIX}{}{ENDING}", stamp.strftime("%Y%m%dT%H%M%S%3fZ"));
    let path = folder(&app).join(&name);
    fs::create_dir_all(folder(&app)).map_err(|error| failed(&error))?;
    let (reply, written) = oneshot::channel();
    app.engine.send(Command::BackUp(Wanted { path: path.clone(), reply }))?;
    let written = written.await.map_err(|_| app.unanswered())?;
    written.map_err(|failure| match failure {
        Failure::UnderWay => {
            Problem::new(StatusCode::CONFLICT, "conflict", "another backup is under way")
        }
        Failure::Full => Problem::disk_full(),
        Failure::Broken(detail) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fatal", detail),
    })?;
    let made = file_json(&path).map_err(|error| failed(&error))?;
    noted(&app, caller.note(Act::BackUp, None, Some(name))).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// All backups in the data folder, the oldest first.
#[utoipa::path(
    get, path = "/v1/backups", tag = "administration",
    security(("admin" = [])),
    responses((status = 200, description = "all of them", body = shapes::Page<shapes::Backup>)),
)]
pub async fn list(State(app): State<App>, _: Admin) -> Result<Json<Value>, Problem> {
    let read = move || -> io::Result<Vec<Value>> {
        let Ok(entries) = fs::read_dir(folder(&app)) else { return Ok(Vec::new()) };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.retain(|path| path.to_string_lossy().ends_with(ENDING));
        paths.sort();
        paths.iter().map(|path| file_json(path)).collect()
    };
    let results = blocking(read).await?.map_err(|error| failed(&error))?;
    Ok(Json(json!({"results": results, "next": null})))
}

/// The file.
#[utoipa::path(
    get, path = "/v1/backups/{name}", tag = "administration",
    params(("name" = String, Path)),
    security(("admin" = [])),
    responses(
        (
            status = 200, description = "the file", body = Vec<u8>,
            content_type = "application/octet-stream",
        ),
        (
            status = 404, description = "`not_found`: there is no such backup",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn get(
    State(app): State<App>,
    Admin { caller, .. }: Admin,
    Named(name): Named,
) -> Result<Response, Problem> {
    let path = path(&app, &name)?;
    noted(&app, caller.note(Act::ReadBackup, None, Some(name.clone()))).await?;
    let mut file = File::open(&path).map_err(|error| failed(&error))?;
    let bytes = file.metadata().map_err(|error| failed(&error))?.len();
    let (sender, receiver) = channel::<io::Result<Bytes>>(CHUNKS);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = Vec::new();
            let read = file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
            let is_last = !matches!(read, Ok(1..));
            let part = read.map(|_| chunk.into());
            // Whoever went away needs no more of it.
            if sender.blocking_send(part).is_err() || is_last {
                return;
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// Deletes the file.
#[utoipa::path(
    delete, path = "/v1/backups/{name}", tag = "administration",
    params(("name" = String, Path)),
    security(("admin" = [])),
    responses(
        (status = 204, description = "it is gone"),
        (
            status = 404, description = "`not_found`: there is no such backup",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn delete(
    State(app): State<App>,
    Admin { caller, .. }: Admin,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    let path = path(&app, &name)?;
    noted(&app, caller.note(Act::DeleteBackup, None, Some(name))).await?;
    fs::remove_file(path).map_err(|error| failed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}
