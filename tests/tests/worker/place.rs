//! A worker, a peer, and a client that never gives up.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use edge_worker::route::shards_of_site;
use edgetally_proto::archive::Line;
use edgetally_proto::ids::SiteId;
use edgetally_proto::settings::SiteSettings;
use edgetally_tests::archive;
use edgetally_tests::dev::within;
use edgetally_tests::edge::{Edge, Options};
use edgetally_tests::http::Answer;
use edgetally_tests::peer::Peer;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The site that every place has.
pub const SITE: &str = "shop";
/// What was committed has arrived after this long, on a machine that also builds.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);
/// Events of one request.
pub const EVENTS: usize = 3;
/// Clients that send in turn: enough to reach both shards of the site.
const CLIENTS: usize = 4;

/// A worker on a folder of its own, beside a peer.
pub struct Place {
    pub peer: Peer,
    pub options: Options,
    /// None while the worker is down.
    pub edge: Option<Edge>,
    /// Events that were answered 202, by client, in the order in which they were sent.
    pub told: BTreeMap<String, Vec<String>>,
    settings: SiteSettings,
    requests: usize,
    _data: TempDir,
}

impl Place {
    /// A place whose worker knows its site. Its cron runs on command only.
    pub fn new() -> Self {
        Self::with(|_, _| ())
    }

    /// A place whose site has one shard.
    pub fn with_one_shard() -> Self {
        Self::with(|settings, _| settings.spread = 1)
    }

    /// A place with other settings or options.
    pub fn with(change: impl FnOnce(&mut SiteSettings, &mut Options)) -> Self {
        let data = tempfile::Builder::new().prefix("edgetally-").tempdir().expect("a folder");
        let peer = Peer::start().expect("a peer");
        let aggregator = peer.url().to_owned();
        let data_path = data.path().to_path_buf();
        let mut options = Options { data: data_path, aggregator, ..Options::default() };
        let mut settings = SiteSettings::default();
        change(&mut settings, &mut options);
        peer.put_site(SITE, settings.clone()).expect("a site");
        let edge = Some(Edge::start(&options).expect("the worker serves"));
        Self { peer, options, edge, told: BTreeMap::new(), settings, requests: 0, _data: data }
    }

    /// The running worker.
    pub fn edge(&mut self) -> &mut Edge {
        self.edge.as_mut().expect("the worker runs")
    }

    /// Starts the worker again on the same data.
    pub fn start(&mut self) {
        assert!(self.edge.is_none(), "it runs");
        self.edge = Some(Edge::start(&self.options).expect("the worker serves again"));
    }

    /// Sends one request of the next client; it must be taken.
    pub fn send(&mut self) {
        let answer = self.try_send().expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text());
    }

    /// The next client and the ids of the events that it sends.
    fn next(&mut self) -> (String, Vec<String>) {
        let number = self.requests;
        self.requests += 1;
        let ids = (0..EVENTS).map(|at| format!("e-{number:06}-{at}")).collect();
        (format!("client-{}", number % CLIENTS), ids)
    }

    /// Sends one request of the next client, and notes what was taken.
    pub fn try_send(&mut self) -> anyhow::Result<Answer> {
        let (client, ids) = self.next();
        let answer = self.edge().collect("sk_shop", &batch(SITE, &client, &ids))?;
        if answer.status == 202 {
            let body = answer.json()?;
            let counted = [&body["accepted"], &body["duplicates"], &body["rejected"]];
            assert_eq!(counted, [&json!(EVENTS), &json!(0), &json!([])], "{body}");
            self.told.entry(client).or_default().extend(ids);
        }
        Ok(answer)
    }

    /// Sends one request of the next client again and again until it is taken, as clients do;
    /// gives the number of times that it was not.
    pub fn send_until_taken(&mut self) -> usize {
        let (client, ids) = self.next();
        let batch = batch(SITE, &client, &ids);
        let mut refused = 0;
        within("a request to be taken", ARRIVAL_LIMIT, || {
            match self.edge().collect("sk_shop", &batch) {
                Ok(answer) if answer.status == 202 => return Ok(Some(())),
                Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
                // The connection was cut.
                Err(_) => {}
            }
            refused += 1;
            Ok(None)
        })
        .expect("taken in time");
        self.told.entry(client).or_default().extend(ids);
        refused
    }

    /// Sends requests for a while, without a pause.
    pub fn send_for(&mut self, time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time {
            self.send();
        }
    }

    /// Events that were answered 202.
    pub fn told_count(&self) -> usize {
        self.told.values().map(Vec::len).sum()
    }

    /// Events that arrived, whatever their number of copies.
    pub fn arrived(&self) -> usize {
        self.peer.books().events().len()
    }

    /// Waits until everything that was taken has arrived, and sees that each event came once, in
    /// the order of its client, and that the worker did nothing that it must not do.
    pub fn expect_all_once(&self) {
        let repeats = self.expect_all();
        assert_eq!(repeats, BTreeMap::new(), "events came more than once");
    }

    /// The same, but events may have come again, as they do under a new epoch; gives those.
    pub fn expect_all(&self) -> BTreeMap<String, usize> {
        let expected = self.told_count();
        let arrived = within("everything to arrive", ARRIVAL_LIMIT, || {
            Ok((self.arrived() >= expected).then_some(()))
        });
        assert!(arrived.is_ok(), "{} of {expected} arrived\n{}", self.arrived(), self.worker_log());
        // Whatever would come again comes now.
        thread::sleep(Duration::from_millis(1_500));
        let books = self.peer.books();
        assert_eq!(books.findings, Vec::<String>::new());
        let events = books.events();
        let told = self.told.iter().flat_map(|(client, ids)| {
            ids.iter().map(move |id| (SITE.to_owned(), client.clone(), id.clone()))
        });
        assert_eq!(events.keys().cloned().collect::<BTreeSet<_>>(), told.collect());
        for (client, ids) in &self.told {
            assert_eq!(&books.order(client), ids, "{client}'s events came in another order");
        }
        self.assert_no_panic();
        let again = events.into_iter().filter(|(_, count)| *count > 1);
        again.map(|((_, _, id), count)| (id, count)).collect()
    }

    /// Every shard goes on with the numbers that it began with.
    pub fn expect_one_epoch(&self) {
        let books = self.peer.books();
        for shard in self.shards() {
            assert_eq!(books.epochs(&shard), 1, "{shard}");
        }
    }

    /// Waits until the archive holds just what was taken, each event once.
    pub fn expect_archive(&self) {
        let edge = self.edge.as_ref().expect("the worker runs");
        let told: BTreeSet<_> = self.told.values().flatten().cloned().collect();
        let mut found = Vec::new();
        let archived = within("the archive to hold all", ARRIVAL_LIMIT * 3, || {
            let lines = archive::lines(|target| edge.archive(target), SITE)?;
            let id = |line: &String| Line::read(line).expect(line).1.id.to_string();
            found = lines.iter().map(id).collect();
            Ok((found.len() >= told.len()).then_some(()))
        });
        let count = (found.len(), told.len());
        assert!(archived.is_ok(), "{count:?}: {archived:?}\n{}", self.worker_log());
        assert_eq!(count.0, count.1, "an event is there twice");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), told);
    }

    /// The names of the shards of the site.
    pub fn shards(&self) -> Vec<String> {
        let site = SiteId::parse(SITE).expect("an id");
        shards_of_site(&site, &self.settings).collect()
    }

    fn worker_log(&self) -> String {
        self.edge.as_ref().and_then(|edge| edge.log().ok()).unwrap_or_default()
    }

    /// Nothing in the worker's log may speak of a panic.
    pub fn assert_no_panic(&self) {
        let log = self.worker_log();
        for word in ["panicked", "RuntimeError", "unreachable", "Uncaught"] {
            let line = log.lines().find(|line| line.contains(word));
            assert_eq!(line, None, "{log}");
        }
    }
}

/// Page views of a client.
pub fn batch(site: &str, client: &str, ids: &[String]) -> Value {
    let event = |id: &String| json!({"id": id, "name": "page_view"});
    let events: Vec<Value> = ids.iter().map(event).collect();
    json!({"site": site, "client_id": client, "events": events})
}
