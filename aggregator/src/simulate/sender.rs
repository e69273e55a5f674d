//! Sends what the crowd does: several connections, the schedule's rate, and the same events again
//! until the worker has confirmed them. The only file of the simulator with a clock and I/O.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use indicatif::ProgressBar;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use ureq::http::Uri;

use super::answer::{Reply, Verdict, backoff_ms, judge};
use super::crowd::Crowd;
use super::event::{self, Event};
use super::pace::Pace;
use super::tally::Tally;

/// A batch that is not full goes out after this long.
const LINGER: Duration = Duration::from_millis(100);
/// How long one attempt may take; a worker that was killed answers nothing at all.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// How long a batch is sent again before its events count as unconfirmed.
const CONFIRM_MAX: Duration = Duration::from_secs(300);
/// A refusal may mean a key or site so new that the worker has not heard of it.
pub const REFUSAL_GRACE: Duration = Duration::from_secs(10);
/// Largest answer that is read: each of 500 events rejected with a message.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Where events go.
#[derive(Debug)]
pub struct Target {
    /// Address of `POST /v1/events`.
    pub endpoint: String,
    /// The site.
    pub site: String,
    /// A server key of the site.
    pub key: String,
}

impl Target {
    /// The proxy that the environment names, unless the worker runs on this machine.
    fn proxy(&self) -> Option<ureq::Proxy> {
        let uri: Option<Uri> = self.endpoint.parse().ok();
        let is_local = uri.as_ref().and_then(Uri::host).is_some_and(is_loopback);
        if is_local { None } else { ureq::Proxy::try_from_env() }
    }
}

/// One run and all that its threads share.
#[derive(Debug)]
pub struct Run<'a> {
    /// Where events go.
    pub target: Target,
    /// When they are due.
    pub pace: Pace,
    /// Most events of a request.
    pub batch_events: usize,
    /// What was confirmed.
    pub tally: &'a Mutex<Tally>,
    /// Set from outside to end the run early: what was generated gets one last attempt.
    pub stop: &'a AtomicBool,
    /// Shows what was confirmed.
    pub progress: &'a ProgressBar,
    /// Why the worker refuses this run, once it does.
    pub refusal: Mutex<Option<String>>,
    /// How long refusals are tried again: [`REFUSAL_GRACE`].
    pub refusal_grace: Duration,
}

/// Events on their way, since `due`.
struct Parcel {
    events: Vec<Event>,
    due: Instant,
}

/// Epoch milliseconds.
#[expect(clippy::disallowed_methods, reason = "the sender is where the simulator meets the clock")]
#[must_use]
pub fn epoch_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the sender is where the simulator meets the clock")]
fn now() -> Instant {
    Instant::now()
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run<'_> {
    /// Plays the crowd from `start_ms` on and waits until every event is settled.
    pub fn play(&self, crowd: &mut Crowd, start_ms: i64) {
        let (parcels, queue) = mpsc::channel();
        let queue = Mutex::new(queue);
        thread::scope(|scope| {
            for number in 0..self.pace.connection_count(self.batch_events) {
                let queue = &queue;
                scope.spawn(move || self.connection(queue, number as u64));
            }
            self.schedule(crowd, start_ms, &parcels);
            drop(parcels);
        });
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || lock(&self.refusal).is_some()
    }

    fn schedule(&self, crowd: &mut Crowd, start_ms: i64, parcels: &Sender<Parcel>) {
        let (start, event_count) = (now(), self.pace.event_count());
        let mut parcel = Parcel { events: Vec::new(), due: start };
        let mut place = 0;
        while place < event_count && !self.is_over() {
            let due_count = self.pace.due_count(start.elapsed());
            while place < due_count {
                let due_at = self.pace.due_at(place);
                if parcel.events.is_empty() {
                    parcel.due = start + due_at;
                }
                let offset_ms = i64::try_from(due_at.as_millis()).unwrap_or(i64::MAX);
                parcel.events.push(crowd.next(start_ms.saturating_add(offset_ms)));
                place += 1;
                if parcel.events.len() >= self.batch_events {
                    send(parcels, &mut parcel);
                }
            }
            if parcel.due.elapsed() >= LINGER {
                send(parcels, &mut parcel);
            }
            // Short naps keep the batches punctual and a stop prompt, whatever the rate.
            let until_due = self.pace.due_at(place).saturating_sub(start.elapsed());
            thread::sleep(until_due.clamp(Duration::from_millis(1), LINGER / 4));
        }
        send(parcels, &mut parcel);
    }

    fn connection(&self, queue: &Mutex<Receiver<Parcel>>, number: u64) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ATTEMPT_MAX))
            .proxy(self.target.proxy())
            .build()
            .into();
        let mut jitter = ChaCha8Rng::seed_from_u64(number);
        loop {
            // The lock is held while waiting: one connection waits for work, the others for it.
            let next = lock(queue).recv();
            let Ok(parcel) = next else { return };
            self.deliver(&agent, &parcel, &mut jitter);
        }
    }

    /// Sends one batch until it is settled one way or the other.
    fn deliver(&self, agent: &ureq::Agent, parcel: &Parcel, jitter: &mut ChaCha8Rng) {
        let first_attempt = now();
        for failed in 0u32.. {
            lock(self.tally).attempt(failed > 0);
            let (wait_ms, why, is_refusal) = match self.attempt(agent, &parcel.events) {
                Verdict::Stored(answer) => {
                    lock(self.tally).settle(&parcel.events, &answer, failed > 0);
                    self.progress.inc(parcel.events.len() as u64);
                    return;
                }
                Verdict::Again { wait_ms, why } => (wait_ms, why, false),
                Verdict::Refused { why } => (None, why, true),
            };
            if is_refusal && first_attempt.elapsed() >= self.refusal_grace {
                lock(&self.refusal).get_or_insert(why);
            } else {
                self.progress.set_message(why);
            }
            if self.is_over() || parcel.due.elapsed() >= CONFIRM_MAX {
                return lock(self.tally).give_up(parcel.events.len());
            }
            let wait_ms = backoff_ms(failed + 1, wait_ms, jitter.random());
            thread::sleep(Duration::from_millis(wait_ms));
        }
    }

    fn attempt(&self, agent: &ureq::Agent, events: &[Event]) -> Verdict {
        match self.post(agent, events) {
            Ok(verdict) => verdict,
            Err(error) => Verdict::Again { wait_ms: None, why: error.to_string() },
        }
    }

    fn post(&self, agent: &ureq::Agent, events: &[Event]) -> Result<Verdict, ureq::Error> {
        let batch = event::Batch { site: &self.target.site, sent_at: epoch_ms(), events };
        let body = serde_json::to_vec(&batch).map_err(|error| ureq::Error::Other(error.into()))?;
        let mut response = agent
            .post(&self.target.endpoint)
            .header("Authorization", format!("Bearer {}", self.target.key))
            .header("Content-Type", "application/json")
            .send(&body[..])?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        let retry_after = response.headers().get("Retry-After").and_then(|text| text.to_str().ok());
        let reply = Reply { status: response.status().as_u16(), retry_after, body: &body };
        Ok(judge(reply, events.len()))
    }
}

/// Hands the batch to the connections. They are gone only after the schedule.
fn send(parcels: &Sender<Parcel>, parcel: &mut Parcel) {
    let events = std::mem::take(&mut parcel.events);
    if !events.is_empty() {
        let _ = parcels.send(Parcel { events, due: parcel.due });
    }
}

#[cfg(test)]
mod tests;
