//! A snapshot of the demo site, asked at any instant, without a process.

use std::sync::Arc;

use aggregator::apply::{Changed, World};
use aggregator::columns::Store;
use aggregator::dedup::Source;
use aggregator::directory::AdminWrite;
use aggregator::query::{self, QueryError};
use aggregator::view::{SiteView, View};
use edgetally_proto::batch::{Batch, SiteBatch};
use edgetally_proto::ids::{Epoch, ShardName};
use serde_json::{Value, json};

use super::events::{Event, demo, share};

/// 2026-03-02T10:00:00+07:00
pub const START: i64 = 1_772_420_400_000;

/// An instant in RFC 3339, as epoch ms.
pub fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// The demo site with some settings and some events.
pub struct Snapshot {
    world: World,
    pub view: View,
}

impl Snapshot {
    pub fn new(events: &[Event]) -> Self {
        let settings = json!({"timezone": "Asia/Ho_Chi_Minh", "currency": "VND"});
        Self::with(settings, vec![share(events)])
    }

    pub fn with(settings: Value, shares: Vec<SiteBatch>) -> Self {
        let mut snapshot = Self { world: World::default(), view: View::default() };
        snapshot.set(settings);
        snapshot.add(shares);
        snapshot
    }

    /// Gives the site other settings.
    pub fn set(&mut self, settings: Value) {
        let settings = Box::new(serde_json::from_value(settings).unwrap());
        let write = AdminWrite::PutSite { site: demo(), settings, at_ms: 0 };
        self.world.write(&write, &mut Changed::default());
        self.view = self.world.view_all();
    }

    /// The same with another store of columns.
    pub fn with_columns(&self, columns: Store) -> View {
        let site = SiteView::clone(&self.view.sites[&demo()]);
        let mut view = self.view.clone();
        view.sites.insert(demo(), Arc::new(SiteView { columns: Arc::new(columns), ..site }));
        view
    }

    pub fn add(&mut self, shares: Vec<SiteBatch>) {
        let source = Source { shard: ShardName::parse("v1|a|0").unwrap(), epoch: Epoch([0; 16]) };
        let batch = Batch { committed_at_ms: START, sites: shares };
        self.world.apply(&source, Some(&batch), START, &mut Changed::default());
        self.view = self.world.view_all();
    }

    /// Lets time pass for the site: days are sealed, old rollups go.
    pub fn pass_to(&mut self, now: &str) {
        self.world.seal(at(now), &mut Changed::default());
        self.view = self.world.view_all();
    }

    /// Takes in more events.
    pub fn add_events(&mut self, events: Vec<edgetally_proto::event::Event>) {
        let mut window = edgetally_proto::window::Window::default();
        events.into_iter().for_each(|event| window.fold(&demo(), event));
        self.add(window.seal(START).sites);
    }

    /// Answers `/v1/query` as at an instant.
    pub fn ask(&self, now: &str, asked: Value) -> Result<Value, QueryError> {
        Self::answer(&self.view, now, asked)
    }

    /// The same of another view.
    pub fn answer(view: &View, now: &str, mut asked: Value) -> Result<Value, QueryError> {
        asked["site_id"] = json!("demo");
        let request = serde_json::from_value(asked).unwrap();
        query::answer(view, &request, at(now))
    }
}
