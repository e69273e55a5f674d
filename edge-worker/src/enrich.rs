//! Enrichment: what the request says of the visitor beside the event. Place, device, channel and
//! the mark of bots.

use std::sync::Arc;

use edgetally_proto::campaign::Campaign;
use edgetally_proto::channel::{ClickId, Grade, click_id_of};
use edgetally_proto::error::RejectCode;
use edgetally_proto::event::{Event, Platform};
use edgetally_proto::record::Flags;
use edgetally_proto::settings::{Bots, SiteSettings};
use edgetally_proto::validate::Reject;
use edgetally_proto::visitor::{Device, Kind, Place};

use crate::agent::Agent;
use crate::bots::{BOT_SCORE_MIN, Suspicion};
use crate::collect::Head;

/// Ways to the site that are remembered while a batch is enriched.
const GRADED_MAX: usize = 16;

/// What a request shows of its sender, worked out once for all of its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    place: Option<Arc<Place>>,
    device: Device,
    suspicion: Suspicion,
}

impl Seen {
    /// By headers and by what the platform knows.
    #[must_use]
    pub fn of(head: &Head) -> Self {
        let agent = Agent::of(&head.user_agent);
        Self {
            place: head.place.clone().map(Arc::new),
            device: head.hints.refine(agent.device),
            suspicion: Suspicion::of(head, &agent),
        }
    }

    /// Of the visitor of whom a server key speaks: its own request shows a server.
    fn of_named(event: &Event) -> Self {
        let agent = event.user_agent.as_deref().map(Agent::of).unwrap_or_default();
        let (place, device) = (event.place.clone(), agent.device);
        Self { place, device, suspicion: Suspicion::of_named(&agent) }
    }
}

/// Enriches the events of a batch, one after the other.
#[derive(Debug)]
pub struct Enricher<'a> {
    seen: &'a Seen,
    settings: &'a SiteSettings,
    server_key: bool,
    /// What was graded before: the events of a batch mostly came one of few ways.
    graded: Vec<(Origin, Option<Arc<Grade>>)>,
}

/// What a channel depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    campaign: Option<Campaign>,
    click_id: Option<ClickId>,
    referrer: Option<String>,
    page_host: Option<String>,
}

impl<'a> Enricher<'a> {
    /// For the events of a request to a site.
    #[must_use]
    pub fn new(seen: &'a Seen, settings: &'a SiteSettings, server_key: bool) -> Self {
        Self { seen, settings, server_key, graded: Vec::new() }
    }

    /// Fills in place, device and channel, and marks or refuses an event of a bot, as the site's
    /// settings say.
    ///
    /// # Errors
    /// `bot`, if the site refuses bots.
    pub fn enrich(&mut self, mut event: Event) -> Result<Event, Reject> {
        let named = self.server_key.then(|| Seen::of_named(&event));
        let seen = named.as_ref().unwrap_or(self.seen);
        let is_bot = self.settings.bots != Bots::Off
            && seen.suspicion.score(event.platform) >= BOT_SCORE_MIN;
        if is_bot && self.settings.bots == Bots::Reject {
            return Err(Reject {
                code: RejectCode::Bot,
                field: "user_agent".to_owned(),
                message: "this site takes no events of bots".to_owned(),
            });
        }
        event.flags = event.flags.with(Flags::BOT, is_bot);
        event.place.clone_from(&seen.place);
        event.device = Some(on_platform(seen.device, event.platform)).filter(|d| d.is_known());
        event.grade = self.grade(&event);
        Ok(event)
    }

    fn grade(&mut self, event: &Event) -> Option<Arc<Grade>> {
        if event.campaign.is_none() && event.referrer.is_none() {
            return None;
        }
        let click_id = click_id_of(event);
        let is_same = |origin: &Origin| {
            origin.campaign == event.campaign
                && origin.referrer == event.referrer
                && (origin.click_id, &origin.page_host) == (click_id, &event.page_host)
        };
        if let Some((_, grade)) = self.graded.iter().find(|(origin, _)| is_same(origin)) {
            return grade.clone();
        }
        let grade = Grade::of_event(event, self.settings).map(Arc::new);
        let origin = Origin {
            campaign: event.campaign.clone(),
            click_id,
            referrer: event.referrer.clone(),
            page_host: event.page_host.clone(),
        };
        if self.graded.len() < GRADED_MAX {
            self.graded.push((origin, grade.clone()));
        }
        grade
    }
}

/// A device put right by the platform of the event: an app knows its system for sure, whatever its
/// library calls itself.
fn on_platform(device: Device, platform: Platform) -> Device {
    let handheld = |system: &str| match device.kind {
        Kind::Other | Kind::Desktop => Device::of(Kind::Mobile, device.browser(), system),
        kind => Device::of(kind, device.browser(), system),
    };
    match (platform, device.system()) {
        (Platform::Android, "Android" | "Fire OS" | "HarmonyOS") | (Platform::Ios, "iOS") => device,
        (Platform::Android, _) => handheld("Android"),
        (Platform::Ios, _) => handheld("iOS"),
        (Platform::Mweb, system) if device.kind == Kind::Other => handheld(system),
        _ => device,
    }
}

#[cfg(test)]
mod tests {
    use edgetally_proto::ids::SiteId;
    use edgetally_proto::raw::RawBatch;
    use edgetally_proto::settings::ChannelRule;
    use edgetally_proto::validate::{Ids, Rules, Visitor, validate};
    use serde_json::{Value, json};

    use super::*;

    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \
        AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1";

    fn head() -> Head {
        Head {
            user_agent: IPHONE.to_owned(),
            place: Place::of(Some("VN"), Some("Hanoi"), Some("Hanoi")),
            ..Head::default()
        }
    }

    fn settings() -> SiteSettings {
        let rule = ChannelRule {
            source: "accesstrade".to_owned(),
            medium: "affiliate".to_owned(),
            channel: "Affiliates".to_owned(),
            click_id: "aff_sid".to_owned(),
        };
        SiteSettings { channel_rules: vec![rule], ..SiteSettings::default() }
    }

    /// The events of a batch, enriched as if they had come with this request.
    fn enriched(head: &Head, server_key: bool, ids: Ids, events: Value) -> Vec<Event> {
        let settings = settings();
        let batch = json!({"site": "demo", "client_id": "c", "events": events}).to_string();
        let batch = RawBatch::parse(batch.as_bytes()).unwrap();
        let rules = Rules {
            site: &SiteId::parse("demo").unwrap(),
            settings: &settings,
            server_key,
            received_at_ms: 1_772_420_400_000,
            sent_at_ms: None,
            ids,
            visitor: Visitor { address: "", user_agent: &head.user_agent, salt: b"" },
            nonce: 0,
        };
        let seen = Seen::of(head);
        let mut enricher = Enricher::new(&seen, &settings, server_key);
        let judged = (0..)
            .zip(batch.events())
            .map(|(at, raw)| enricher.enrich(validate(&raw, at, &rules).unwrap().0).unwrap());
        judged.collect()
    }

    fn view(url: &str, referrer: &str) -> Value {
        json!({"name": "page_view", "context": {"page_url": url, "referrer": referrer}})
    }

    fn device(event: &Event) -> [&str; 3] {
        let device = event.device.unwrap_or_default();
        [device.kind.as_str(), device.browser(), device.system()]
    }

    #[test]
    fn visitors_have_the_place_and_device_of_their_request() {
        let said = json!({"name": "page_view", "context": {"country": "Atlantis", "city": "X",
            "user_agent": "curl/8"}});
        let app = json!({"name": "app_open", "platform": "android"});
        let events = enriched(&head(), false, Ids::Cookieless, json!([said, app]));
        let place = events[0].place.clone().unwrap();
        assert_eq!([&place.country, &place.region, &place.city], ["VN", "Hanoi", "Hanoi"]);
        assert_eq!(device(&events[0]), ["mobile", "Safari", "iOS"]);
        assert_eq!(device(&events[1]), ["mobile", "Safari", "Android"]);
    }

    #[test]
    fn servers_speak_of_their_visitors() {
        let named = json!({"name": "page_view", "context": {"country": "sg", "city": " Singapore ",
            "user_agent": IPHONE}});
        let silent = json!({"name": "page_view"});
        let bot = json!({"name": "page_view", "context": {"user_agent": "Googlebot/2.1"}});
        let from = Head { user_agent: "curl/8".to_owned(), ..head() };
        let events = enriched(&from, true, Ids::Used, json!([named, silent, bot]));
        let place = events[0].place.clone().unwrap();
        assert_eq!([&place.country, &place.region, &place.city], ["SG", "", "Singapore"]);
        assert_eq!(device(&events[0]), ["mobile", "Safari", "iOS"]);
        assert_eq!((&events[1].place, events[1].device), (&None, None));
        let marked: Vec<bool> = events.iter().map(|e| e.flags.has(Flags::BOT)).collect();
        assert_eq!(marked, [false, false, true]);
    }

    #[test]
    fn a_country_is_two_letters() {
        let refused = |context: Value| {
            let event = json!({"name": "page_view", "client_id": "c", "context": context});
            let batch = json!({"site": "demo", "events": [event]}).to_string();
            let batch = RawBatch::parse(batch.as_bytes()).unwrap();
            let rules = Rules {
                site: &SiteId::parse("demo").unwrap(),
                settings: &settings(),
                server_key: true,
                received_at_ms: 1_772_420_400_000,
                sent_at_ms: None,
                ids: Ids::Used,
                visitor: Visitor { address: "", user_agent: "", salt: b"" },
                nonce: 0,
            };
            validate(&batch.events().next().unwrap(), 0, &rules)
                .map_err(|reject| (reject.code, reject.field))
        };
        let at = |field: &str| (RejectCode::ValueInvalid, format!("context.{field}"));
        assert_eq!(refused(json!({"country": "Vietnam"})).unwrap_err(), at("country"));
        assert_eq!(refused(json!({"city": 7})).unwrap_err(), at("city"));
        assert!(refused(json!({"country": "XX", "region": ""})).unwrap().0.place.is_none());
    }

    #[test]
    fn channels_follow_from_tags_click_ids_and_referrers() {
        let check = |url: &str, referrer: &str, expected: Option<(&str, &str)>| {
            let event = enriched(&head(), false, Ids::Used, json!([view(url, referrer)])).remove(0);
            let grade = event.grade.as_ref().map(|g| (g.channel.as_str(), g.source.as_str()));
            assert_eq!(grade, expected, "{url} from {referrer}");
        };
        let google = "https://www.google.com.vn/search?q=laptop";
        check("https://shop.vn/", "", None);
        check("https://shop.vn/", google, Some(("Organic Search", "google")));
        check("https://shop.vn/?gclid=A", google, Some(("Paid Search", "google")));
        check("https://shop.vn/?utm_source=google&gclid=A", "", Some(("Paid Search", "google")));
        check("https://shop.vn/?utm_source=google", "", Some(("Organic Search", "google")));
        check("https://shop.vn/?fbclid=B", "", Some(("Organic Social", "facebook")));
        check("https://shop.vn/?aff_sid=C", "", Some(("Affiliates", "")));
        check("https://shop.vn/", "https://m.shop.vn/cart", None);
        check("https://shop.vn/", "https://sandbox.vnpayment.vn/pay", None);
        check("https://shop.vn/", "https://blog.example/x", Some(("Referral", "")));
    }

    #[test]
    fn events_of_a_batch_keep_their_own_channels() {
        let google = view("https://shop.vn/", "https://www.google.com/");
        let inside = view("https://shop.vn/", "https://shop.vn/cart");
        let batch = json!([google, google, inside, google, view("https://shop.vn/", "")]);
        let channels: Vec<Option<String>> = enriched(&head(), false, Ids::Used, batch)
            .into_iter()
            .map(|event| event.grade.map(|grade| grade.channel.clone()))
            .collect();
        let search = Some("Organic Search".to_owned());
        assert_eq!(channels, [search.clone(), search.clone(), None, search, None]);
    }

    #[test]
    fn nothing_of_a_click_id_is_kept_without_cookies() {
        let view = view("https://shop.vn/?gclid=Ab1", "https://www.google.com/");
        let event = enriched(&head(), false, Ids::Cookieless, json!([view.clone()])).remove(0);
        assert_eq!((&event.fact, &event.campaign), (&None, &None));
        assert_eq!(event.grade.unwrap().channel, "Organic Search");
        assert!(event.place.is_some() && event.device.is_some());
        let event = enriched(&head(), false, Ids::Used, json!([view])).remove(0);
        let click = event.fact.unwrap().click.unwrap();
        assert_eq!((click.kind.as_str(), click.value.as_str()), ("gclid", "Ab1"));
    }
}
