//! Parameters that the routes of lists share.

use edgetally_proto::ids::SiteId;
use serde::Deserialize;

use super::problem::Problem;
use crate::calendar::Calendar;
use crate::query::range::{Range, end_of_range};

/// Which part of a list that knows nothing else to ask for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Rows of a page, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before.
    #[serde(alias = "cursor")]
    pub after: Option<String>,
}

const LIMIT_DEFAULT: usize = 100;
/// Most rows of a page.
pub const LIMIT_MAX: usize = 1_000;

/// The site that a list is of.
///
/// # Errors
/// If it is not said, or no name of a site.
pub fn site(text: Option<&str>) -> Result<SiteId, Problem> {
    let text = text.ok_or_else(|| Problem::invalid("site", "say whose, as site=..."))?;
    SiteId::parse(text).map_err(|error| Problem::invalid("site", error.to_string()))
}

/// How many rows a page has: 100 by default, 1,000 at most.
///
/// # Errors
/// If it is no such number.
pub fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let limit = text.map_or(Ok(LIMIT_DEFAULT), str::parse).ok();
    limit
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| Problem::invalid("limit", format!("the limit is 1 to {LIMIT_MAX}")))
}

/// The ends of a range, each a local date or an instant: epoch ms of the first instant in it and
/// of the first after it, where they are said.
///
/// # Errors
/// If one is neither, or nothing lies between them.
pub fn ends(
    from: Option<&str>,
    to: Option<&str>,
    zone: &Calendar,
) -> Result<(Option<i64>, Option<i64>), Problem> {
    let end = |field: &str, text: Option<&str>| -> Result<Option<Range>, Problem> {
        let range = text.map(|text| end_of_range(text, zone)).transpose();
        range.map_err(|detail| Problem::invalid(field, detail))
    };
    let from = end("from", from)?.map(|range| range.from_ms);
    let to = end("to", to)?.map(|range| range.to_ms);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::invalid("to", "nothing lies between from and to"));
    }
    Ok((from, to))
}
