//! A touch as reports show it: its campaign and its channel.

use edgetally_proto::channel::Grade;
use serde_json::{Value, json};

use crate::sessionize::Touch;
use crate::texts::text_of;
use crate::view::SiteView;

/// The channel of what nothing brought.
pub const DIRECT: &str = "Direct";

/// The campaign of a touch: the members of its key that are not empty, or the host that linked to
/// the shop; null is direct.
#[must_use]
pub fn campaign_json(site: &SiteView, touch: Option<Touch>) -> Value {
    let Some(record) = touch.and_then(|touch| site.record(touch.record)) else {
        return Value::Null;
    };
    match (record.campaign, record.referrer) {
        (Some(campaign), _) => {
            serde_json::from_str(text_of(&site.texts, campaign)).unwrap_or(Value::Null)
        }
        (None, Some(host)) => json!({"referrer": text_of(&site.texts, host)}),
        (None, None) => Value::Null,
    }
}

/// The channel of a touch, as the rules of its day graded it.
#[must_use]
pub fn channel_of(site: &SiteView, touch: Option<Touch>) -> String {
    let Some(record) = touch.and_then(|touch| site.record(touch.record)) else {
        return DIRECT.to_owned();
    };
    grade_of(text_of(&site.texts, record.grade))
        .map_or_else(|| DIRECT.to_owned(), |grade| grade.channel)
}

/// Reads a grade as it is kept.
#[must_use]
pub fn grade_of(text: &str) -> Option<Grade> {
    serde_json::from_str(text).ok()
}
