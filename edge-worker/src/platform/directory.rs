//! The directory object: keeps the last settings that the aggregator signed, refreshed about each
//! second while somebody asks, the names of all shards that any of them ever sent events to, and
//! the daily salts of cookieless clients.
//!
//! With the aggregator away it serves its last copy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use edgetally_proto::sign::{self, header};
use edgetally_proto::time::DAY_MS;
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use worker::{
    AbortSignal, Delay, DurableObject, Env, Fetch, Headers, Request, RequestInit, Response, Result,
    SqlStorageValue, State, durable_object,
};

use super::bindings;
use crate::config::{AGE_MS_MAX, FORCED_AGE_MS_MIN, Settings};
use crate::route::shards_of_site;

/// Header of the answer that carries the salt of the day.
pub const SALT: &str = "Edgetally-Salt";
/// The path of the names of shards.
pub const SHARDS: &str = "/shards";
/// How long the aggregator may take to answer before the last copy is served.
const TIMEOUT: Duration = Duration::from_millis(1_500);
/// A task that did not end by then was cut off by the platform.
const STUCK_MS: i64 = 10_000;
/// So long after a failure nobody waits for the next try: the last copy serves at once.
const PATIENCE_MS: i64 = 5_000;

/// A signed copy.
#[derive(Debug, Clone)]
struct Copy {
    body: String,
    signature: String,
    settings: Rc<Settings>,
}

/// The last signed copy, and how it is being refreshed.
struct Core {
    state: State,
    env: Env,
    copy: RefCell<Option<Copy>>,
    asked_at_ms: Cell<i64>,
    failed_at_ms: Cell<i64>,
    /// Who waits for the aggregator's answer; none if it is not being asked.
    waiting: RefCell<Option<Vec<oneshot::Sender<()>>>>,
}

/// The keeper of the settings.
#[durable_object(fetch)]
pub struct Directory(Rc<Core>);

impl DurableObject for Directory {
    fn new(state: State, env: Env) -> Self {
        let core = Core {
            state,
            env,
            copy: RefCell::default(),
            asked_at_ms: Cell::default(),
            failed_at_ms: Cell::default(),
            waiting: RefCell::default(),
        };
        if let Err(error) = core.load() {
            worker::console_error!("directory: its storage cannot be read: {error}");
        }
        Self(Rc::new(core))
    }

    /// `/` or `/?force=1`, `have=<version>`: 200 with the signed settings, 204 if they are still
    /// those, 503 if there were never any. [`SHARDS`]: a list of names.
    async fn fetch(&self, request: Request) -> Result<Response> {
        let url = request.url()?;
        let asked = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v);
        let force = asked("force").is_some();
        if let Some(refreshed) = Core::keep_fresh(&self.0, force) {
            // A task that was cut off is over, too.
            let _over = refreshed.await;
        }
        if url.path() == SHARDS {
            return Response::from_json(&self.0.shards()?);
        }
        let have = asked("have").and_then(|version| version.parse::<u64>().ok());
        self.0.answer(have)
    }
}

impl Core {
    /// Asks the aggregator if the copy is too old and nobody asks already. Gives what is to be
    /// waited for, if the copy does not serve as it is.
    fn keep_fresh(core: &Rc<Self>, force: bool) -> Option<oneshot::Receiver<()>> {
        let now_ms = bindings::now_ms();
        let age_max = if force { FORCED_AGE_MS_MIN } else { AGE_MS_MAX };
        let mut waiting = core.waiting.borrow_mut();
        if now_ms - core.asked_at_ms.get() >= STUCK_MS {
            *waiting = None;
        }
        if waiting.is_none() && now_ms - core.asked_at_ms.get() >= age_max {
            core.asked_at_ms.set(now_ms);
            *waiting = Some(Vec::new());
            // Not tied to the request that is the first to ask: it may go away, others wait too.
            let task = Rc::clone(core);
            core.state.wait_until(async move {
                match task.refresh().await {
                    Ok(()) => task.failed_at_ms.set(0),
                    Err(error) => {
                        worker::console_log!("directory: serving the last copy: {error}");
                        task.failed_at_ms.set(bindings::now_ms());
                    }
                }
                // Dropping their senders lets them go.
                *task.waiting.borrow_mut() = None;
            });
        }
        let failed = now_ms - core.failed_at_ms.get() < PATIENCE_MS;
        let serves = failed && !force && core.copy.borrow().is_some();
        let waiting = waiting.as_mut().filter(|_| !serves)?;
        let (sender, refreshed) = oneshot::channel();
        waiting.push(sender);
        Some(refreshed)
    }

    fn load(&self) -> Result<()> {
        let sql = self.state.storage().sql();
        sql.exec(
            "CREATE TABLE IF NOT EXISTS copy(k INTEGER PRIMARY KEY, body TEXT, signature TEXT)",
            None,
        )?;
        sql.exec("CREATE TABLE IF NOT EXISTS shards(name TEXT PRIMARY KEY) WITHOUT ROWID", None)?;
        sql.exec("CREATE TABLE IF NOT EXISTS salts(day INTEGER PRIMARY KEY, salt BLOB)", None)?;
        let row = sql.exec("SELECT body, signature FROM copy WHERE k = 1", None)?.raw().next();
        let Some(row) = row.transpose()? else {
            return Ok(());
        };
        if let [SqlStorageValue::String(body), SqlStorageValue::String(signature)] = row.as_slice()
        {
            self.keep(body.clone(), signature.clone())?;
        }
        Ok(())
    }

    async fn refresh(&self) -> Result<()> {
        let url = bindings::aggregator_url(&self.env, "/v1/edge/config")?;
        let secret = bindings::edge_secret(&self.env)?;
        let at_ms = bindings::now_ms();
        let headers = Headers::new();
        headers.set(header::AT, &at_ms.to_string())?;
        headers.set(header::SIGNATURE, &sign::config_request(&secret, at_ms))?;
        let mut init = RequestInit::new();
        init.with_headers(headers);
        let request = Request::new_with_init(&url, &init)?;
        let abort = worker::AbortController::default();
        let signal: AbortSignal = abort.signal();
        let fetch = Fetch::Request(request);
        let sent = Box::pin(async move {
            let mut answer = fetch.send_with_signal(&signal).await?;
            let signature = answer.headers().get(header::SIGNATURE)?.unwrap_or_default();
            Ok::<_, worker::Error>((answer.status_code(), answer.text().await?, signature))
        });
        let (status, body, signature) = match select(sent, Box::pin(Delay::from(TIMEOUT))).await {
            Either::Left((answer, _)) => answer?,
            Either::Right(_) => {
                abort.abort();
                return Err("the aggregator takes too long".into());
            }
        };
        if status != 200 {
            return Err(format!("the aggregator answered {status}").into());
        }
        self.keep(body, signature)
    }

    /// Takes settings over if their signature holds. The names of their shards are written down
    /// with them, before anyone can send events there, and never forgotten: a shard that a site
    /// has left may still hold frames.
    fn keep(&self, body: String, signature: String) -> Result<()> {
        if self.copy.borrow().as_ref().is_some_and(|old| old.body == body) {
            return Ok(());
        }
        let secret = bindings::edge_secret(&self.env)?;
        let settings = Settings::of_answer(&secret, body.as_bytes(), &signature);
        let settings = settings.ok_or("the settings are not signed with our secret")?;
        let sql = self.state.storage().sql();
        for name in settings.sites().flat_map(|(site, settings)| shards_of_site(site, settings)) {
            sql.exec("INSERT OR IGNORE INTO shards(name) VALUES (?)", vec![name.into()])?;
        }
        let row = vec![body.clone().into(), signature.clone().into()];
        let insert = "INSERT OR REPLACE INTO copy(k, body, signature) VALUES (1, ?, ?)";
        sql.exec(insert, row)?;
        *self.copy.borrow_mut() = Some(Copy { body, signature, settings: Rc::new(settings) });
        Ok(())
    }

    fn shards(&self) -> Result<Vec<String>> {
        let rows = self.state.storage().sql().exec("SELECT name FROM shards", None)?.raw();
        let mut names = Vec::new();
        for row in rows {
            if let Some(SqlStorageValue::String(name)) = row?.pop() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn answer(&self, have: Option<u64>) -> Result<Response> {
        let Some(copy) = self.copy.borrow().clone() else {
            return Response::error("no settings yet", 503);
        };
        let headers = Headers::new();
        headers.set(SALT, &self.salt()?)?;
        if have == Some(copy.settings.version()) {
            return Ok(Response::empty()?.with_status(204).with_headers(headers));
        }
        headers.set(header::SIGNATURE, &copy.signature)?;
        Ok(Response::ok(copy.body)?.with_headers(headers))
    }

    /// The salt of this UTC day as hex; those before yesterday are forgotten.
    fn salt(&self) -> Result<String> {
        let sql = self.state.storage().sql();
        let today = bindings::now_ms().div_euclid(DAY_MS);
        let select = "SELECT salt FROM salts WHERE day = ?";
        let row = sql.exec(select, vec![today.into()])?.raw().next().transpose()?;
        let salt = match row.as_deref() {
            Some([SqlStorageValue::Blob(salt)]) => salt.clone(),
            _ => {
                let salt = bindings::random::<16>()?.to_vec();
                sql.exec("DELETE FROM salts WHERE day < ?", vec![(today - 1).into()])?;
                let row = vec![today.into(), salt.clone().into()];
                sql.exec("INSERT INTO salts(day, salt) VALUES (?, ?)", row)?;
                salt
            }
        };
        Ok(salt.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
