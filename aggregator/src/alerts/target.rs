//! Who is told of alerts: webhooks of a site's settings, and mail addresses.

use edgetally_proto::settings::SiteSettings;
use serde::Deserialize;
use url::{Host, Url};

use super::rule::Fault;

/// Most webhooks of a site.
const WEBHOOKS_MAX: usize = 20;
/// Variables of the environment that may hold a secret begin like this, so that a setting cannot
/// make use of other ones.
pub const SECRET_PREFIX: &str = "EDGETALLY_HOOK_";
/// Where a cloud hands out credentials to whoever asks from within, as on link-local addresses.
const METADATA_HOST: &str = "metadata.google.internal";

/// The form of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Ours.
    #[default]
    Generic,
    /// Slack's incoming webhooks.
    Slack,
    /// Microsoft Teams' workflows: an adaptive card.
    Teams,
    /// Discord's webhooks.
    Discord,
}

/// A webhook, as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What rules call it.
    pub name: String,
    /// Where messages are posted.
    pub url: String,
    /// In which form.
    #[serde(default)]
    pub format: Format,
    /// Variable of the environment with the secret that signs them.
    #[serde(default)]
    pub secret_env: Option<String>,
}

/// The webhooks of settings.
///
/// # Errors
/// If one is wrong.
pub fn targets(settings: &SiteSettings) -> Result<Vec<Target>, Fault> {
    if settings.webhooks.len() > WEBHOOKS_MAX {
        return Err(Fault::new("webhooks", format!("at most {WEBHOOKS_MAX} webhooks")));
    }
    let mut targets: Vec<Target> = Vec::new();
    for (at, value) in settings.webhooks.iter().enumerate() {
        let path = |member: &str| match member {
            "." | "" => format!("webhooks[{at}]"),
            member => format!("webhooks[{at}].{member}"),
        };
        let read: Result<Target, _> = serde_path_to_error::deserialize(value);
        let target = read.map_err(|error| {
            Fault::new(path(&error.path().to_string()), error.inner().to_string())
        })?;
        let is_taken = targets.iter().any(|known| known.name == target.name);
        if target.name.trim().is_empty() || target.name.contains('@') || is_taken {
            let message = "a webhook has a name of its own, without @";
            return Err(Fault::new(path("name"), message));
        }
        check_url(&target.url).map_err(|message| Fault::new(path("url"), message))?;
        if target.secret_env.as_ref().is_some_and(|name| !name.starts_with(SECRET_PREFIX)) {
            let message = format!("the variable with the secret begins with {SECRET_PREFIX}");
            return Err(Fault::new(path("secret_env"), message));
        }
        targets.push(target);
    }
    Ok(targets)
}

/// Whether messages may be posted there: any host but those that hand out credentials to whoever
/// asks from within a cloud.
fn check_url(url: &str) -> Result<(), &'static str> {
    let wrong = "this is no URL such as https://hooks.example/...";
    let url = Url::parse(url).map_err(|_| wrong)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong);
    }
    // Whatever way an address is written in, it is read as browsers read it.
    let is_refused = match url.host().ok_or(wrong)? {
        Host::Ipv4(address) => address.is_link_local(),
        Host::Ipv6(address) => {
            let inner = address.to_ipv4_mapped();
            address.is_unicast_link_local() || inner.is_some_and(|inner| inner.is_link_local())
        }
        Host::Domain(name) => name == METADATA_HOST,
    };
    if is_refused { Err("link-local addresses are not posted to") } else { Ok(()) }
}

/// Whether a text is a mail address.
///
/// # Errors
/// If it is none.
pub fn check_address(text: &str) -> Result<(), String> {
    let wrong = || format!("{text:?} is no mail address");
    text.parse::<lettre::Address>().map(drop).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_webhooks_are_refused_by_their_member() {
        for (hook, expected) in [
            (json!({"name": "ops", "url": "https://hooks.example/a?b=c"}), "fine"),
            (json!({"name": "ops", "url": "http://127.0.0.1:9/", "format": "teams"}), "fine"),
            (json!({"name": "ops", "url": "ftp://a/"}), "webhooks[0].url"),
            (json!({"name": "ops", "url": "/a"}), "webhooks[0].url"),
            (json!({"name": "ops", "url": "http://169.254.169.254/x"}), "webhooks[0].url"),
            (json!({"name": "ops", "url": "http://[fe80::1]/x"}), "webhooks[0].url"),
            (json!({"name": "ops", "url": "http://0xa9fea9fe/x"}), "webhooks[0].url"),
            (json!({"name": "a@b", "url": "http://a/"}), "webhooks[0].name"),
            (json!({"name": "ops"}), "webhooks[0]"),
            (json!({"name": "ops", "url": "http://a/", "format": "fax"}), "webhooks[0].format"),
            (
                json!({"name": "ops", "url": "http://a/", "secret_env": "EDGETALLY_ADMIN_KEY"}),
                "webhooks[0].secret_env",
            ),
        ] {
            let settings: SiteSettings =
                serde_json::from_value(json!({"webhooks": [hook]})).unwrap();
            let field = targets(&settings).map_or_else(|fault| fault.field, |_| "fine".to_owned());
            assert_eq!(field, expected, "{hook}");
        }
        assert!(check_address("chủ@shop.vn").is_ok() && check_address("ops").is_err());
    }
}
