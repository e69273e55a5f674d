//! What changed of sessions since somebody looked last, for those who keep a copy of them.

use std::ops::Bound;

use serde_json::{Value, json};

use super::session;
use crate::people::{RowKey, SessionRow};
use crate::retractions::{Fate, Retraction};
use crate::view::SiteView;

/// Which changes.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// After this number.
    pub since: u64,
    /// Of sessions that begin from this instant on, epoch ms.
    pub from_ms: i64,
    /// And before this one.
    pub to_ms: i64,
    /// At most so many.
    pub limit: usize,
}

#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Told(&'a SessionRow),
    Retracted(&'a Retraction),
}

fn retraction_json(site: &SiteView, retraction: &Retraction) -> Value {
    let mut told = json!({
        "op": "retract",
        "session_id": retraction.session_id,
        "start": site.zone.rfc3339(retraction.start_ms),
        "rev": site.rev_base + retraction.rev,
    });
    let (reason, target) = match &retraction.fate {
        Fate::MergedInto(session) => ("merged_into", json!(session)),
        Fate::MovedTo(session) => ("moved_to", json!(session)),
        Fate::Split(sessions) => ("split", json!(sessions)),
        Fate::Erased => ("erased", json!(true)),
    };
    told[reason] = target;
    told
}

fn all<'a>(site: &'a SiteView, since: u64, ask: &Ask) -> Vec<(u64, Change<'a>)> {
    let range: (Bound<RowKey>, Bound<RowKey>) =
        (Bound::Included((ask.from_ms, 0)), Bound::Excluded((ask.to_ms, 0)));
    let rows = site.sessions.range(range).filter(|(_, row)| row.rev > since);
    let rows = rows.map(|(_, row)| (row.rev, Change::Told(row.as_ref())));
    let list = &site.retractions.list;
    let after = (Bound::Excluded(since), Bound::Unbounded);
    let is_within =
        |retraction: &&Retraction| (ask.from_ms..ask.to_ms).contains(&retraction.start_ms);
    let gone = list.range(after).map(|(_, retraction)| retraction.as_ref()).filter(is_within);
    rows.chain(gone.map(|gone| (gone.rev, Change::Retracted(gone)))).collect()
}

/// A page of what was told or retracted, in the order of the numbers. Where it is not known whole
/// any more what changed since, it says so, and whoever keeps a copy reads all sessions anew.
#[must_use]
pub fn changes(site: &SiteView, ask: &Ask, told: &session::Told) -> Value {
    let newest = site.rev_base + site.rev;
    let since = ask.since.checked_sub(site.rev_base);
    let since = since.filter(|since| (site.retractions.floor..=site.rev).contains(since));
    let Some(since) = since else {
        return json!({"results": [], "next": null, "reset": true, "rev": newest});
    };
    let mut all = if ask.from_ms < ask.to_ms { all(site, since, ask) } else { Vec::new() };
    let has_more = all.len() > ask.limit;
    if has_more {
        all.select_nth_unstable_by_key(ask.limit, |(rev, _)| *rev);
        all.truncate(ask.limit);
    }
    all.sort_unstable_by_key(|(rev, _)| *rev);
    let last = all.last().map(|(rev, _)| site.rev_base + rev).filter(|_| has_more);
    let row = |(_, change): &(u64, Change<'_>)| match change {
        Change::Retracted(retraction) => retraction_json(site, retraction),
        Change::Told(row) => {
            let mut row = session::session_json(site, row, told);
            row["op"] = "upsert".into();
            row
        }
    };
    let results: Vec<Value> = all.iter().map(row).collect();
    json!({
        "results": results,
        "next": last.map(|rev| rev.to_string()),
        "reset": false,
        "rev": last.unwrap_or(newest),
    })
}
