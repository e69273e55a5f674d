//! Enrichment: what the request says of the visitor beside the event. Today the mark of bots.

use edgetally_proto::error::RejectCode;
use edgetally_proto::event::Event;
use edgetally_proto::record::Flags;
use edgetally_proto::settings::Bots;
use edgetally_proto::validate::Reject;

/// Parts of user agents of crawlers, monitors and scripts, in lower case.
const BOT_PARTS: [&str; 16] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "headless",
    "phantomjs",
    "python-requests",
    "python-urllib",
    "curl/",
    "wget/",
    "go-http-client",
    "scrapy",
    "lighthouse",
    "pingdom",
    "facebookexternalhit",
    "httpclient",
];

/// Whether a user agent owns to being no person's browser.
#[must_use]
pub fn is_bot(user_agent: &str) -> bool {
    let user_agent = user_agent.to_lowercase();
    // "cubot" is a maker of telephones.
    let user_agent = user_agent.replace("cubot", "");
    BOT_PARTS.iter().any(|part| user_agent.contains(part))
}

/// Marks or refuses an event of a bot, as the site's settings say.
///
/// `is_bot_request` is what [`is_bot`] says of the request's user agent, judged once for all of
/// its events; events of server keys are judged by the one they name, if they name one.
///
/// # Errors
/// `bot`, if the site refuses bots.
pub fn enrich(
    mut event: Event,
    bots: Bots,
    server_key: bool,
    is_bot_request: bool,
) -> Result<Event, Reject> {
    let is_bot = match &event.user_agent {
        Some(named) => is_bot(named),
        None => is_bot_request && !server_key,
    };
    let bot = bots != Bots::Off && is_bot;
    if bot && bots == Bots::Reject {
        return Err(Reject {
            code: RejectCode::Bot,
            field: "user_agent".to_owned(),
            message: "this site takes no events of bots".to_owned(),
        });
    }
    event.flags = event.flags.with(Flags::BOT, bot);
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_are_bots_and_browsers_are_not() {
        for agent in ["Mozilla/5.0 (compatible; Googlebot/2.1)", "curl/8.5.0", "HeadlessChrome/156"]
        {
            assert!(is_bot(agent), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (Linux; Android 10; CUBOT P30) Chrome/130 Mobile Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "",
        ] {
            assert!(!is_bot(agent), "{agent}");
        }
    }
}
