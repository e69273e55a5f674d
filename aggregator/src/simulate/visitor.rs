//! One visitor: the devices, the user behind them and what is left of the visit.

use std::collections::VecDeque;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::event::{Campaign, Context, Event, Ids};
use super::journey::{self, Kind, Setting, Step};
use super::shop::{CITIES, ENTRIES, Entry, ORIGIN, pick, pick_weighted};

/// A kind of device, with what its browser or app says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Model {
    platform: &'static str,
    user_agent: &'static str,
    screen: &'static str,
}

const MODELS: [(Model, u32); 6] = [
    (
        Model {
            platform: "mweb",
            user_agent: "Mozilla/5.0 (Linux; Android 15; SM-A556E) AppleWebKit/537.36 \
                         (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
            screen: "412x915",
        },
        34,
    ),
    (
        Model {
            platform: "mweb",
            user_agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \
                         AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 \
                         Safari/604.1",
            screen: "390x844",
        },
        18,
    ),
    (
        Model {
            platform: "web",
            user_agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
                         (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            screen: "1920x1080",
        },
        24,
    ),
    (
        Model {
            platform: "web",
            user_agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 \
                         (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
            screen: "1440x900",
        },
        6,
    ),
    (
        Model {
            platform: "android",
            user_agent: "ExampleShop/5.2 (Android 15; SM-A556E)",
            screen: "412x915",
        },
        11,
    ),
    (
        Model {
            platform: "ios",
            user_agent: "ExampleShop/5.2 (iOS 18.6; iPhone16,2)",
            screen: "390x844",
        },
        7,
    ),
];

/// Of a hundred visitors this many have a second device.
const TWO_DEVICES_PERCENT: u32 = 25;
const LANGUAGES: [&str; 4] = ["vi-VN", "vi-VN", "vi-VN", "en-US"];

#[derive(Debug, Clone)]
struct Device {
    client_id: String,
    ip: String,
    model: Model,
    /// Only the first event on a device says how its visitor came.
    has_arrived: bool,
}

/// Somebody on the way through the shop.
#[derive(Debug)]
pub struct Visitor {
    user_id: String,
    devices: Vec<Device>,
    city: &'static str,
    language: &'static str,
    entry: Entry,
    steps: VecDeque<Step>,
}

impl Visitor {
    /// Draws a visitor with a visit of this kind.
    pub fn draw(kind: Kind, rng: &mut ChaCha8Rng, ids: &mut Ids) -> Self {
        let device_count = if rng.random_ratio(TWO_DEVICES_PERCENT, 100) { 2 } else { 1 };
        let devices: Vec<Device> = (0..device_count).map(|_| device(rng, ids)).collect();
        let is_app: Vec<bool> = devices.iter().map(|device| is_app(device.model)).collect();
        let city = pick_weighted(rng, &CITIES);
        Self {
            user_id: ids.user(),
            city,
            language: pick(rng, &LANGUAGES),
            entry: pick_weighted(rng, &ENTRIES),
            steps: journey::plan(kind, Setting { is_app: &is_app, city }, rng, ids),
            devices,
        }
    }

    /// Whether the visit is over.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.steps.is_empty()
    }

    /// Does the next thing, at `at_ms`; nothing once the visit is over.
    pub fn act(&mut self, at_ms: i64, ids: &mut Ids) -> Option<Event> {
        let step = self.steps.pop_front()?;
        let context = if step.from_server { None } else { Some(self.context(&step)?) };
        let device = self.devices.get(step.device)?;
        Some(Event {
            id: ids.uuid(),
            name: step.name,
            ts: at_ms,
            client_id: device.client_id.clone(),
            user_id: step.signed_in.then(|| self.user_id.clone()),
            platform: if step.from_server { "server" } else { device.model.platform },
            context,
            params: step.params,
            order: step.order,
        })
    }

    fn context(&mut self, step: &Step) -> Option<Context> {
        let device = self.devices.get_mut(step.device)?;
        // How somebody came is how he came to the first device; the second was at hand.
        let is_landing = step.device == 0 && !device.has_arrived;
        device.has_arrived = true;
        let entry = is_landing.then_some(self.entry);
        let is_app = is_app(device.model);
        let query = entry.map_or("", |entry| entry.query);
        let mark = if query.is_empty() { "" } else { "?" };
        Some(Context {
            page_url: (!is_app).then(|| format!("{ORIGIN}{}{mark}{query}", step.path)),
            page_title: step.title.clone(),
            referrer: if is_app { "" } else { entry.map_or("", |entry| entry.referrer) },
            campaign: entry.filter(|_| is_app).and_then(|entry| entry.campaign).map(campaign),
            language: self.language,
            screen: device.model.screen,
            ip: device.ip.clone(),
            user_agent: device.model.user_agent,
            country: "VN",
            city: self.city,
        })
    }
}

fn is_app(model: Model) -> bool {
    matches!(model.platform, "android" | "ios")
}

fn campaign([source, medium, name]: [&'static str; 3]) -> Campaign {
    Campaign { source, medium, name }
}

/// Addresses come from 100.64.0.0/10, which belongs to no host on the internet.
fn device(rng: &mut ChaCha8Rng, ids: &mut Ids) -> Device {
    let host: u32 = rng.random_range(1..(1 << 22) - 1);
    let ip = std::net::Ipv4Addr::from_bits(0x6440_0000 | host);
    Device {
        client_id: ids.uuid(),
        ip: ip.to_string(),
        model: pick_weighted(rng, &MODELS),
        has_arrived: false,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn visit(kind: Kind, seed: u64) -> Vec<Event> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut ids = Ids::new(seed, "test");
        let mut visitor = Visitor::draw(kind, &mut rng, &mut ids);
        std::iter::from_fn(|| visitor.act(1, &mut ids)).collect()
    }

    #[test]
    fn only_the_first_event_says_how_the_visitor_came() {
        let (mut tagged, mut referred) = (0, 0);
        for seed in 0..200 {
            let events = visit(Kind::Browse, seed);
            let contexts = events.iter().map(|event| event.context.as_ref().expect("a context"));
            for (at, context) in contexts.enumerate() {
                let is_tagged = context.campaign.is_some()
                    || context.page_url.as_ref().is_some_and(|url| url.contains("utm_"));
                assert!(at == 0 || (!is_tagged && context.referrer.is_empty()));
                tagged += u32::from(is_tagged);
                referred += u32::from(!context.referrer.is_empty());
            }
        }
        assert!(tagged > 30 && referred > 30, "{tagged} tagged, {referred} referred");
    }

    #[test]
    fn apps_have_no_page_and_the_back_end_has_no_context() {
        for event in (0..100).flat_map(|seed| visit(Kind::Buy, seed)) {
            let page_url = event.context.as_ref().map(|context| context.page_url.is_some());
            let expected = match event.platform {
                "server" => None,
                "android" | "ios" => Some(false),
                _ => Some(true),
            };
            assert_eq!(page_url, expected, "{} on {}", event.name, event.platform);
        }
    }

    #[test]
    fn one_user_on_two_devices_keeps_the_user_id() {
        let events = (0..100)
            .map(|seed| visit(Kind::Buy, seed))
            .find(|events| {
                let last = events.last().map(|event| &event.client_id);
                events.iter().any(|event| Some(&event.client_id) != last)
            })
            .expect("a visit on two devices");
        let mut users: Vec<&String> =
            events.iter().filter_map(|event| event.user_id.as_ref()).collect();
        users.dedup();
        assert_eq!(users.len(), 1);
    }
}
