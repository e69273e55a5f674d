//! The streams of all sites that are watched, and those who read them.
//!
//! One task speaks for all readers of a site. What it says is kept once, however many read; a
//! reader holds its place among it, and one that falls too far behind is dropped.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edgetally_proto::ids::SiteId;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::apply::Changed;
use crate::directory::SiteEntry;
use crate::http::auth::Caller;
use crate::http::{App, now_ms};
use crate::live::{Message, Stream};
use crate::view::{SiteView, View};

/// How often streams are asked for news.
const STEP: Duration = Duration::from_millis(50);
/// Messages that a reader may lag behind before it is dropped.
pub const LAG_MAX: usize = 1_024;
/// A site that nobody watches is forgotten after this long.
const FORGET_AFTER_MS: i64 = 120_000;

struct Channel {
    stream: Stream,
    sender: Sender<Message>,
    watched_at_ms: i64,
}

/// The streams of all sites that are watched.
#[derive(Default)]
pub struct Hub {
    channels: Mutex<BTreeMap<SiteId, Channel>>,
}

fn site_of(view: &View, site: &SiteId) -> Arc<SiteView> {
    view.sites.get(site).cloned().unwrap_or_else(|| {
        let entry = view.directory.sites.get(site);
        let zone = entry.map(SiteEntry::calendar).unwrap_or_default();
        Arc::new(SiteView { zone, ..SiteView::default() })
    })
}

impl Hub {
    /// What was said after `last_id`, and where to hear what is said from now on: nothing falls
    /// between the two. If something after `last_id` is kept no more, a message says so instead.
    fn watch(
        &self,
        site: &SiteId,
        view: &View,
        last_id: Option<u64>,
    ) -> Option<(Vec<Message>, Receiver<Message>)> {
        let currency = view.directory.sites.get(site)?.settings.currency;
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry(site.clone()).or_insert_with(|| Channel {
            stream: Stream::new(currency, now_ms()),
            sender: broadcast::channel(LAG_MAX).0,
            watched_at_ms: now_ms(),
        });
        let stream = &channel.stream;
        let reset = || vec![stream.reset(&site_of(view, site))];
        let missed = last_id.map(|id| stream.since(id).unwrap_or_else(reset));
        Some((missed.unwrap_or_default(), channel.sender.subscribe()))
    }

    /// Ends every stream: with nobody speaking any more there is nothing to wait for.
    pub fn close(&self) {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn step(&self, view: &View, changed: &Changed, now_ms: i64) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|site, channel| {
            if channel.sender.receiver_count() > 0 {
                channel.watched_at_ms = now_ms;
            }
            let is_watched = now_ms - channel.watched_at_ms < FORGET_AFTER_MS;
            is_watched && view.directory.sites.contains_key(site)
        });
        for (site, channel) in channels.iter_mut() {
            if let Some(entry) = view.directory.sites.get(site) {
                channel.stream.set_currency(entry.settings.currency);
            }
            let effects = changed.sites.get(site);
            for message in channel.stream.step(&site_of(view, site), effects, now_ms) {
                // Nobody listening is no error: who comes back finds it in the ring.
                let _ = channel.sender.send(message);
            }
        }
    }
}

/// Speaks for as long as the program runs.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let shared = &app.engine.shared;
        let changed = {
            let mut changed = shared.changed.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *changed)
        };
        // The figures of a large day take a while, in which other requests go on.
        tokio::task::block_in_place(|| app.hub.step(&shared.view.load(), &changed, now_ms()));
    }
}

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The reader was too far behind.
    Slow,
    /// Its key opens this no more.
    Forbidden,
    /// The program ends, or the site is gone.
    Over,
}

/// Somebody who listens; counted for as long as he does.
pub struct Listener {
    app: App,
    missed: std::vec::IntoIter<Message>,
    to_come: Receiver<Message>,
    /// Who opened it.
    caller: Caller,
}

impl Listener {
    /// Begins to listen after the message with a number; none if there is no such site.
    pub fn open(app: &App, site: &SiteId, caller: &Caller, last_id: Option<u64>) -> Option<Self> {
        let view = app.engine.shared.view.load();
        let (missed, to_come) = app.hub.watch(site, &view, last_id)?;
        app.metrics.live_readers.fetch_add(1, Ordering::Relaxed);
        let (missed, caller) = (missed.into_iter(), caller.clone());
        Some(Self { app: app.clone(), missed, to_come, caller })
    }

    /// The next message.
    ///
    /// # Errors
    /// If there is none any more.
    pub async fn next(&mut self) -> Result<Message, End> {
        let message = match self.missed.next() {
            Some(message) => message,
            None => self.to_come.recv().await.map_err(|error| match error {
                RecvError::Closed => End::Over,
                RecvError::Lagged(_) => {
                    self.app.metrics.live_dropped.fetch_add(1, Ordering::Relaxed);
                    End::Slow
                }
            })?,
        };
        // A key that was deleted opens nothing, nor a login that ended; not even what they opened
        // before.
        if self.caller.is_admitted(&self.app) { Ok(message) } else { Err(End::Forbidden) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.app.metrics.live_readers.fetch_sub(1, Ordering::Relaxed);
    }
}
