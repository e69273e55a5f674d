//! The job that rewrites the archive after erasures, while the aggregator serves.
//!
//! Shards may still put what they took before an erasure, and queues of apps come in for a week: so
//! a site is gone through again each day until that is over. The tombstones in the archive hold all
//! the while.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use edgetally_proto::ids::SiteId;
use edgetally_proto::time::DAY_MS;
use serde::{Deserialize, Serialize};

use super::rewrite::{Rewritten, rewrite};
use super::worker::Worker;
use crate::config::Config;
use crate::store::engine::{Shared, Stage};
use crate::store::files;
use crate::view::View;

/// How often the job looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long it waits after the bucket did not answer.
const PAUSE: Duration = Duration::from_mins(1);
/// A site is gone through again after this long,
const AGAIN_MS: i64 = DAY_MS;
/// until its newest erasure is this old.
const OVER_MS: i64 = 8 * DAY_MS;

/// How far a site has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Erasures that the archive obeys.
    pub erasures: usize,
    /// When it was gone through, epoch ms.
    pub at_ms: i64,
}

type AllDone = BTreeMap<SiteId, Done>;

/// Starts the job; it ends with the program.
///
/// # Errors
/// If the system gives no thread.
pub fn start(shared: Arc<Shared>, edge: &str, config: &Config) -> io::Result<()> {
    let bucket = Worker::new(edge, &config.edge_secret);
    // What is lost of it is done again.
    let file = config.data.join("rewritten.json");
    let named = std::thread::Builder::new().name("rewriter".to_owned());
    named.spawn(move || run(&shared, &bucket, &file)).map(drop)
}

#[expect(clippy::disallowed_methods, reason = "passes are due by the clock")]
fn now_ms() -> i64 {
    let elapsed = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// The sites that are to be gone through.
#[must_use]
pub fn due(view: &View, done: &AllDone, now_ms: i64) -> Vec<SiteId> {
    let is_due = |(site, erasures): &(&SiteId, &[Arc<crate::tombstones::Erasure>])| {
        let Some(newest) = erasures.iter().map(|erasure| erasure.erased_at_ms).max() else {
            return false;
        };
        let done = done.get(*site).copied().unwrap_or_default();
        let is_again = now_ms - done.at_ms >= AGAIN_MS && done.at_ms - newest < OVER_MS;
        done.erasures != erasures.len() || is_again
    };
    let sites = view.sites.iter().map(|(site, state)| (site, state.erasures.as_slice()));
    sites.filter(is_due).map(|(site, _)| site.clone()).collect()
}

fn run(shared: &Shared, bucket: &Worker, file: &PathBuf) {
    let read = std::fs::read(file).ok();
    let mut done: AllDone =
        read.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    loop {
        std::thread::sleep(LOOK_EVERY);
        match shared.stage() {
            Stage::Recovering => continue,
            Stage::Ready => {}
            Stage::Stopped => return,
        }
        let view = shared.view.load_full();
        for site in due(&view, &done, now_ms()) {
            let erasures = view.sites.get(&site).map(|state| state.erasures.clone());
            let erasures = erasures.unwrap_or_default();
            let (mut rewritten, at_ms) = (Rewritten::default(), now_ms());
            if let Err(error) = rewrite(bucket, &site, &erasures, &mut rewritten) {
                tracing::warn!(%site, %error, "the archive is not rewritten yet");
                std::thread::sleep(PAUSE);
                continue;
            }
            let Rewritten { parts, replaced, dropped, money, damaged } = rewritten;
            let damaged = damaged.join("; ");
            tracing::info!(%site, parts, replaced, dropped, money, damaged, "rewrote the archive");
            done.insert(site, Done { erasures: erasures.len(), at_ms });
            let json = serde_json::to_vec(&done).unwrap_or_default();
            if let Err(error) = files::write_whole(file, &json) {
                tracing::warn!(%error, "it is not written down that the archive was rewritten");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tombstones::Erasure;
    use crate::view::SiteView;

    #[test]
    fn a_site_is_due_for_each_erasure_and_daily_for_a_week() {
        let site = SiteId::parse("demo").unwrap();
        let erased_at_ms = 100 * DAY_MS;
        let erasure = Arc::new(Erasure::new([1; 16], erased_at_ms, Some("ann")));
        let state = SiteView { erasures: Arc::new(vec![erasure]), ..SiteView::default() };
        let mut view = View::default();
        view.sites.insert(site.clone(), Arc::new(state));
        let is_due = |erasures: usize, at_day: i64, now_day: i64| {
            let done = Done { erasures, at_ms: at_day * DAY_MS };
            let done = AllDone::from([(site.clone(), done)]);
            !due(&view, &done, now_day * DAY_MS).is_empty()
        };
        assert!(!due(&view, &AllDone::new(), erased_at_ms).is_empty());
        assert!(is_due(0, 100, 100), "an erasure is new");
        assert!(!is_due(1, 100, 100));
        assert!(is_due(1, 100, 101));
        assert!(is_due(1, 107, 108));
        assert!(!is_due(1, 108, 300), "all that was on its way has come");
        assert!(due(&View::default(), &AllDone::new(), erased_at_ms).is_empty());
    }
}
