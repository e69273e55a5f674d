//! What the simulator sends: events and batches in the wire form of `POST /v1/events`.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use serde::Serialize;
use serde_json::{Map, Value};

/// Longest run id: it fills the rest of the generator's seed.
pub const RUN_ID_BYTES_MAX: usize = 24;

/// Makes every id of a run from its seed and run id, apart from the visitors' behaviour: the same
/// seed plays the same visits, while another run id makes them other visitors and other events.
#[derive(Debug)]
pub struct Ids(ChaCha8Rng);

impl Ids {
    /// The ids of one run. Bytes of `run_id` beyond [`RUN_ID_BYTES_MAX`] are not used.
    #[must_use]
    pub fn new(seed: u64, run_id: &str) -> Self {
        let mut bytes = [0; 8 + RUN_ID_BYTES_MAX];
        let source = seed.to_le_bytes().into_iter().chain(run_id.bytes());
        for (slot, byte) in bytes.iter_mut().zip(source) {
            *slot = byte;
        }
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// A UUID, for events and clients.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// A user id.
    pub fn user(&mut self) -> String {
        format!("u-{:016x}", self.0.random::<u64>())
    }

    /// A transaction id.
    pub fn transaction(&mut self) -> String {
        format!("T-{:016x}", self.0.random::<u64>())
    }
}

/// What an event says about an order, kept beside the wire form for the count at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFact {
    /// The order.
    pub transaction_id: String,
    /// Its value in đồng.
    pub value: i64,
}

/// One event, ready to be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Idempotency key.
    pub id: String,
    /// Name of the event.
    pub name: &'static str,
    /// When it happened, epoch milliseconds.
    pub ts: i64,
    /// The browser or app install.
    pub client_id: String,
    /// The signed-in user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `web`, `mweb`, `android`, `ios`, or `server` for what the shop's back end reports.
    pub platform: &'static str,
    /// Where and on what it happened; the back end says nothing about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Parameters of the event.
    pub params: Map<String, Value>,
    /// The order it is about.
    #[serde(skip)]
    pub order: Option<OrderFact>,
}

/// Where and on what an event happened.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Context {
    /// Address of the page; apps have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_url: Option<String>,
    /// Title of the page or screen.
    pub page_title: String,
    /// Page before the visit, on its first event.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub referrer: &'static str,
    /// Campaign of an app's first event; pages carry it in their address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Campaign>,
    /// Language of the device.
    pub language: &'static str,
    /// Screen of the device.
    pub screen: &'static str,
    /// Address of the visitor, which a server key may state.
    pub ip: String,
    /// User agent of the visitor.
    pub user_agent: &'static str,
    /// Country of the visitor.
    pub country: &'static str,
    /// City of the visitor.
    pub city: &'static str,
}

/// A campaign, stated rather than read from an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Campaign {
    /// Where the visitor came from.
    pub source: &'static str,
    /// By which kind of link.
    pub medium: &'static str,
    /// In which campaign.
    pub name: &'static str,
}

/// A request body.
#[derive(Debug, Serialize)]
pub struct Batch<'a> {
    /// The site.
    pub site: &'a str,
    /// Clock at this very attempt, epoch milliseconds.
    pub sent_at: i64,
    /// The events.
    pub events: &'a [Event],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_ids(seed: u64, run_id: &str) -> (String, String, String) {
        let mut ids = Ids::new(seed, run_id);
        (ids.uuid(), ids.user(), ids.transaction())
    }

    #[test]
    fn ids_follow_from_seed_and_run_id() {
        assert_eq!(first_ids(1, "a"), first_ids(1, "a"));
        assert_ne!(first_ids(1, "a"), first_ids(2, "a"));
        assert_ne!(first_ids(1, "a"), first_ids(1, "b"));
        let (uuid, _, _) = first_ids(1, "a");
        assert_eq!(uuid::Uuid::parse_str(&uuid).map(|id| id.get_version_num()), Ok(4));
    }

    #[test]
    fn absent_members_are_left_out() {
        let event = Event {
            id: "e-1".into(),
            name: "payment_success",
            ts: 5,
            client_id: "c-1".into(),
            user_id: None,
            platform: "server",
            context: None,
            params: Map::new(),
            order: Some(OrderFact { transaction_id: "T-1".into(), value: 1 }),
        };
        let body = Batch { site: "demo", sent_at: 7, events: &[event] };
        assert_eq!(
            serde_json::to_string(&body).expect("serializes"),
            concat!(
                r#"{"site":"demo","sent_at":7,"events":[{"id":"e-1","name":"payment_success","#,
                r#""ts":5,"client_id":"c-1","platform":"server","params":{}}]}"#
            )
        );
    }
}
