//! The bot score: how sure it is that no person sent a request, from 0 to 100.
//!
//! | what | score |
//! |---|---|
//! | a user agent that owns to being a crawler; the platform says that it is one | 100 |
//! | a user agent of an HTTP library, where the event claims to come from a page | 100 |
//! | the platform thinks it likely automated | 70 |
//! | a network of a hosting company | 40 |
//! | no user agent, where the event claims to come from a page | 30 |
//! | a browser of the last years without `Accept-Language`; without `Sec-Fetch-*` | 25 each |
//! | the same without `Accept` | 10 |
//!
//! Parts add up. From [`BOT_SCORE_MIN`] on an event is marked. So neither missing headers alone
//! mark anybody (proxies and privacy tools take them away) nor a hosting network alone (people
//! reach the net through one), but both together do. docs/http-api.md shows the same table.

use edgetally_proto::event::Platform;

use crate::agent::{Agent, Claim};
use crate::collect::Head;

/// From this score on an event is marked.
pub const BOT_SCORE_MIN: u8 = 70;

/// Numbers of the networks of well-known hosting companies, sorted. Networks that carry people too
/// (private relays, companies' ways to the net) are not among them.
const HOSTING: [u32; 40] = [
    8_075, 8_100, 8_560, 9_009, 12_876, 14_061, 14_618, 16_276, 16_509, 20_473, 24_940, 26_496,
    28_753, 30_633, 31_898, 36_351, 36_352, 37_963, 40_021, 40_509, 40_676, 45_090, 45_102, 46_606,
    51_167, 53_667, 55_286, 55_990, 60_068, 60_781, 62_567, 63_949, 132_203, 135_377, 136_907,
    199_524, 202_425, 212_238, 213_230, 396_982,
];

/// What the platform says of the network that a request came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Network {
    /// Number of the autonomous system.
    pub number: Option<u32>,
    /// The platform's own score, 1 (a bot for sure) to 99; 0 where it has none.
    pub human_score: u32,
    /// Whether the platform knows it as a crawler of good name.
    pub is_verified_bot: bool,
}

impl Network {
    fn score(self) -> u8 {
        let is_hosting = self.number.is_some_and(|number| HOSTING.binary_search(&number).is_ok());
        match self.human_score {
            _ if self.is_verified_bot => 100,
            1 => 100,
            2..=29 => 70,
            _ => 40 * u8::from(is_hosting),
        }
    }
}

/// What a request shows of this, worked out once for all of its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suspicion {
    claim: Claim,
    network: u8,
    /// What only counts against pages.
    on_pages: u8,
}

impl Suspicion {
    /// By all that a request shows.
    #[must_use]
    pub fn of(head: &Head, agent: &Agent) -> Self {
        let lacks = |has: bool, score: u8| if has { 0 } else { score };
        let on_pages = match agent.is_modern && head.is_secure {
            _ if head.user_agent.trim().is_empty() => 30,
            true => {
                lacks(head.has_accept_language, 25)
                    + lacks(head.has_sec_fetch, 25)
                    + lacks(head.has_accept, 10)
            }
            false => 0,
        };
        Self { claim: agent.claim, network: head.network.score(), on_pages }
    }

    /// By the user agent alone that a server key names.
    #[must_use]
    pub fn of_named(agent: &Agent) -> Self {
        Self { claim: agent.claim, ..Self::default() }
    }

    /// The score of an event. Apps are made with HTTP libraries, and send no browser's headers.
    #[must_use]
    pub fn score(self, platform: Platform) -> u8 {
        let is_page = matches!(platform, Platform::Web | Platform::Mweb);
        match self.claim {
            Claim::Crawler => 100,
            Claim::Tool if is_page => 100,
            _ => {
                let on_pages = if is_page { self.on_pages } else { 0 };
                self.network.saturating_add(on_pages).min(100)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
        (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";

    fn browser() -> Head {
        Head {
            user_agent: CHROME.to_owned(),
            is_secure: true,
            has_accept: true,
            has_accept_language: true,
            has_sec_fetch: true,
            ..Head::default()
        }
    }

    fn check(head: &Head, platform: Platform, score: u8) {
        let agent = Agent::of(&head.user_agent);
        assert_eq!(Suspicion::of(head, &agent).score(platform), score, "{head:?}");
    }

    #[test]
    fn user_agents_weigh_most() {
        let agent = |text: &str| Head { user_agent: text.to_owned(), ..browser() };
        check(&agent("Mozilla/5.0 (compatible; bingbot/2.0)"), Platform::Ios, 100);
        check(&agent("okhttp/4.12.0"), Platform::Web, 100);
        check(&agent("okhttp/4.12.0"), Platform::Android, 0);
        check(&agent("ExampleShop/5.2 (iOS 18.6; iPhone16,2)"), Platform::Ios, 0);
        check(&agent(""), Platform::Web, 30);
        check(&agent(""), Platform::Ios, 0);
    }

    #[test]
    fn neither_headers_nor_a_network_mark_alone() {
        let bare = Head { has_accept_language: false, has_sec_fetch: false, ..browser() };
        let hosted = |head: Head| {
            let network = Network { number: Some(16_509), ..Network::default() };
            Head { network, ..head }
        };
        check(&browser(), Platform::Web, 0);
        check(&bare, Platform::Web, 50);
        check(&Head { has_accept: false, ..bare.clone() }, Platform::Web, 60);
        check(&Head { is_secure: false, ..bare.clone() }, Platform::Web, 0);
        check(&hosted(browser()), Platform::Web, 40);
        check(&hosted(bare.clone()), Platform::Web, 90);
        check(&hosted(bare), Platform::Android, 40);
        const { assert!(60 < BOT_SCORE_MIN && 40 + 30 >= BOT_SCORE_MIN) }
    }

    #[test]
    fn clients_that_claim_no_browser_owe_no_headers() {
        let client =
            |agent: &str| Head { user_agent: agent.to_owned(), is_secure: true, ..Head::default() };
        for agent in ["node", "ureq/3.1.2", "ExampleShop/5.2"] {
            check(&client(agent), Platform::Web, 0);
        }
    }

    #[test]
    fn the_platform_is_believed() {
        let with = |network| Head { network, ..browser() };
        let none = Network::default();
        check(&with(Network { is_verified_bot: true, ..none }), Platform::Web, 100);
        for (human_score, score) in [(0, 0), (1, 100), (2, 70), (29, 70), (30, 0), (99, 0)] {
            check(&with(Network { human_score, ..none }), Platform::Web, score);
        }
        assert!(HOSTING.is_sorted());
    }
}
