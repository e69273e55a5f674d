//! `GET /v1/export/{what}`: whole lists as files, streamed from one snapshot.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use edgetally_proto::time::{EARLIEST_MS, LATEST_MS};
use serde::Deserialize;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

use super::access::Reader;
use super::extract::Named;
use super::facts::{blocking, told_of_orders, told_of_sessions};
use super::openapi::{OfSite, shapes};
use super::problem::Problem;
use super::{App, list, now_ms};
use crate::export::rows::{self, Interval, Rows};
use crate::export::{ExportError, Format, Writer};
use crate::query::QueryError;
use crate::query::range::{self, DateRange};

/// Exports at the same time; each keeps a thread busy and a snapshot alive.
pub const EXPORTS_MAX: usize = 4;
/// Chunks that wait for a client who reads slowly.
const CHUNKS: usize = 2;
/// A chunk is sent when it has this many bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// Which rows, and how.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// A local date or an instant, in.
    from: Option<String>,
    /// A local date, in, or an instant, not in.
    to: Option<String>,
    /// `csv`, `ndjson` or `parquet`.
    format: Option<String>,
    /// Of time series: how long a row is.
    interval: Option<String>,
}

impl Asked {
    fn format(&self) -> Result<Format, Problem> {
        let name = self.format.as_deref().unwrap_or(Format::Csv.name());
        let detail = || format!("{name:?} is none of csv, ndjson, parquet");
        Format::parse(name).ok_or_else(|| Problem::invalid("format", detail()))
    }

    fn interval(&self, what: &str) -> Result<Interval, Problem> {
        let name = self.interval.as_deref();
        if what != "timeseries" && name.is_some() {
            return Err(Problem::invalid("interval", "only timeseries has intervals"));
        }
        let detail = "an interval is second, minute, hour, day, week or month";
        Interval::parse(name.unwrap_or("hour")).ok_or_else(|| Problem::invalid("interval", detail))
    }
}

/// The rows that were asked for.
fn rows_of(app: &App, reader: &Reader<Asked>, what: &str) -> Result<Rows, Problem> {
    let (asked, settings, zone) = (&reader.asked, &reader.site.settings, &reader.site.zone);
    let interval = asked.interval(what)?;
    let (from, to) = list::ends(asked.from.as_deref(), asked.to.as_deref(), zone)?;
    let all = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
    let site = reader.site.view(app);
    match what {
        "sessions" => Ok(rows::sessions(site, all, told_of_sessions(settings, false))),
        "orders" => Ok(rows::orders(site, all, told_of_orders(settings))),
        "rejects" => {
            let within = |ms: i64| ms.clamp(EARLIEST_MS, LATEST_MS);
            Ok(rows::rejected(site, (within(all.0), within(all.1))))
        }
        "timeseries" => {
            let now_ms = now_ms();
            let whole = range::resolve(&DateRange::Named("all".to_owned()), &site, now_ms)?;
            let range = (from.unwrap_or(whole.from_ms), to.unwrap_or(whole.to_ms));
            let (view, id) = (app.engine.shared.view.load_full(), reader.site.id.clone());
            Ok(rows::series(view, id, zone.clone(), range, interval, now_ms))
        }
        "daily" => Ok(rows::daily(&site, all, now_ms())),
        _ => {
            let detail = "sessions, orders, daily, rejects and timeseries can be exported";
            Err(Problem::not_found(detail))
        }
    }
}

/// A list as a file.
#[utoipa::path(
    get, path = "/v1/export/{what}", tag = "facts",
    params(
        OfSite, Asked,
        (
            "what" = String, Path,
            description = "`sessions`, `orders`, `daily`, `rejects` or `timeseries`",
        ),
    ),
    security(("read" = [])),
    responses(
        (
            status = 200, description = "the file",
            content(
                (String = "text/csv"),
                (String = "application/x-ndjson"),
                (Vec<u8> = "application/vnd.apache.parquet"),
            ),
        ),
        (
            status = 404,
            description = "`not_found`: nothing of that name is exported; `unknown_site`",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
        (
            status = 422, description = "`range_too_fine`: too many rows of time",
            body = shapes::Problem, content_type = "application/problem+json",
        ),
    ),
)]
pub async fn get(
    State(app): State<App>,
    reader: Reader<Asked>,
    Named(what): Named,
) -> Result<Response, Problem> {
    let (format, site) = (reader.asked.format()?, reader.site.id.clone());
    let Rows { columns, mut pages } = rows_of(&app, &reader, &what)?;
    let permit = app.exports.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{EXPORTS_MAX} exports are under way; ask again later");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
    })?;
    // What cannot be answered shows with the first page, when the status is still open.
    let (first, pages) = blocking(move || pages().map(|first| (first, pages))).await??;
    let (sender, receiver) = channel(CHUNKS);
    tokio::task::spawn_blocking(move || {
        let (mut first, mut rest) = (Some(first), pages);
        let pages = Box::new(move || first.take().map_or_else(&mut rest, Ok));
        produce(format, Rows { columns, pages }, &sender);
        drop(permit);
    });
    let name = format!("attachment; filename=\"{site}-{what}.{}\"", format.name());
    let headers =
        [(header::CONTENT_TYPE, format.media_type()), (header::CONTENT_DISPOSITION, name.as_str())];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// Writes page after page for as long as somebody reads. An error breaks the answer off, so that
/// nobody takes a part for the whole.
fn produce(format: Format, rows: Rows, reader: &Sender<io::Result<Bytes>>) {
    if let Err(error) = write(format, rows, reader) {
        tracing::error!(%error, "an export breaks off");
        // The reader may have gone as well.
        let _ = reader.blocking_send(Err(io::Error::other(error)));
    }
}

fn write(
    format: Format,
    mut rows: Rows,
    reader: &Sender<io::Result<Bytes>>,
) -> Result<(), ExportError> {
    let mut writer = Writer::new(format, rows.columns)?;
    let mut chunk = Vec::new();
    let read = |error: QueryError| ExportError::Read(error.to_string());
    while let Some(page) = (rows.pages)().map_err(read)? {
        chunk.append(&mut writer.write(&page)?);
        let is_due = chunk.len() >= CHUNK_BYTES;
        if is_due && reader.blocking_send(Ok(std::mem::take(&mut chunk).into())).is_err() {
            return Ok(());
        }
    }
    chunk.append(&mut writer.finish()?);
    // Whoever went away needs no end.
    let _ = reader.blocking_send(Ok(chunk.into()));
    Ok(())
}
