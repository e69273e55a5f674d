//! `GET /v1/live`: server-sent events. One task speaks for all readers of a site.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use edgetally_proto::ids::SiteId;
use futures_util::Stream as Events;
use futures_util::StreamExt;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio_stream::wrappers::BroadcastStream;

use super::access::Reader;
use super::problem::Problem;
use super::{App, now_ms};
use crate::apply::Changed;
use crate::directory::SiteEntry;
use crate::live::{Message, Stream};
use crate::view::{SiteView, View};

/// How often streams are asked for news.
const STEP: Duration = Duration::from_millis(50);
/// Messages that a reader may lag behind before it is dropped.
const LAG_MAX: usize = 1_024;
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
    /// Messages after `last_id` that are still kept, and those to come.
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
        let missed = last_id.map(|id| channel.stream.since(id).cloned().collect());
        Some((missed.unwrap_or_default(), channel.sender.subscribe()))
    }

    /// Ends every stream: with nobody speaking any more there is nothing to wait for.
    pub fn close(&self) {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn step(&self, view: &View, changed: &Changed, now_ms: i64) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|_, channel| {
            if channel.sender.receiver_count() > 0 {
                channel.watched_at_ms = now_ms;
            }
            now_ms - channel.watched_at_ms < FORGET_AFTER_MS
        });
        for (site, channel) in channels.iter_mut() {
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
        app.hub.step(&shared.view.load(), &changed, now_ms());
    }
}

/// Counts a reader for as long as it is there.
struct Listener(App);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.metrics.live_readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The stream of a site.
pub async fn get(
    State(app): State<App>,
    Reader { site, .. }: Reader,
    headers: HeaderMap,
) -> Result<Sse<impl Events<Item = Result<Event, Infallible>>>, Problem> {
    let last_id = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last_id = last_id.and_then(|value| value.parse().ok());
    let view = app.engine.shared.view.load_full();
    let (missed, receiver) =
        app.hub.watch(&site.id, &view, last_id).ok_or_else(Problem::unknown_site)?;
    app.metrics.live_readers.fetch_add(1, Ordering::Relaxed);
    let listener = Listener(app);
    let to_come = BroadcastStream::new(receiver).map(move |message| match message {
        Ok(message) => Some(message),
        Err(_) => {
            listener.0.metrics.live_dropped.fetch_add(1, Ordering::Relaxed);
            None
        }
    });
    // A reader that is too slow is dropped: it comes back with its last id, or asks anew.
    let messages = futures_util::stream::iter(missed.into_iter().map(Some)).chain(to_come);
    let open = messages.take_while(|message| std::future::ready(message.is_some()));
    let events = open.filter_map(|message| {
        std::future::ready(
            message
                .map(|message| Ok(Event::default().id(message.id.to_string()).data(message.data))),
        )
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
