//! A query of Plausible's, put into ours.

use edgetally_proto::time::{DAY_MS, HOUR_MS, SECOND_MS};
use serde_json::Value as Json;

use super::Request;
use super::filters;
use super::names::{self, Kind};
use super::show::Shown;
use crate::query::buckets::ROWS_MAX;
use crate::query::range::{self, DateRange, Range};
use crate::query::request::{self, Direction};
use crate::query::{QueryError, metric};
use crate::view::SiteView;

/// A query in our names, and how its answer is told.
#[derive(Debug)]
pub struct Asked {
    /// The query that is planned.
    pub ours: request::Request,
    /// The metrics that were asked for.
    pub metrics: Vec<Shown>,
    /// The dimensions that were asked for: their places among ours.
    pub dimensions: Vec<(usize, Kind)>,
    /// Their names, `time` put into what it stands for.
    pub names: Vec<String>,
    /// The order of the rows.
    pub order_by: Vec<(String, Direction)>,
    /// Whose visitors shares are of.
    pub wholes: Vec<Whole>,
}

/// Visitors of whom shares are told.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole {
    /// The filters that hold for them, ours.
    pub filters: Vec<Json>,
    /// The dimensions by which they are told apart, by their places among ours.
    pub places: Vec<usize>,
}

/// Reads a query.
///
/// # Errors
/// If a name is unknown, or something is asked for that is not answered.
pub fn read(query: &Request, site: &SiteView, now_ms: i64) -> Result<Asked, QueryError> {
    let limit = query.pagination.limit;
    if limit == 0 || limit > ROWS_MAX {
        let detail = format!("the limit is 1 to {ROWS_MAX}");
        return Err(QueryError::invalid("pagination.limit", detail));
    }
    let date_range = date_range(&query.date_range, site, now_ms)?;
    let range = range::resolve(&date_range, site, now_ms)?;
    let mut reading = Reading::default();
    for (at, name) in query.dimensions.iter().enumerate() {
        reading.add_dimension(name, range, &format!("dimensions[{at}]"))?;
    }
    for (at, filter) in query.filters.iter().enumerate() {
        reading.add_filter(filter, &format!("filters[{at}]"))?;
    }
    for (at, name) in query.metrics.iter().enumerate() {
        let field = format!("metrics[{at}]");
        if query.metrics.iter().take(at).any(|known| known == name) {
            return Err(QueryError::invalid(field, format!("{name:?} is there twice")));
        }
        reading.add_metric(name, &field)?;
    }
    let order_by = reading.order(query)?;
    let translated = reading.order_of_ours(query, &order_by)?;
    let ours = request::Request {
        site_id: query.site_id.clone(),
        metrics: reading.ours_metrics,
        date_range,
        dimensions: reading.ours_dimensions,
        filters: reading.filters,
        order_by: Some(translated),
        pagination: request::Pagination::default(),
        measure: query.measure.clone(),
        include: request::Include::default(),
    };
    let ToldAs { metrics, dimensions, names, wholes } = reading.told;
    Ok(Asked { ours, metrics, dimensions, names, order_by, wholes })
}

/// What is read so far.
#[derive(Debug, Default)]
struct Reading {
    ours_metrics: Vec<String>,
    ours_dimensions: Vec<String>,
    filters: Vec<Json>,
    /// Those that speak of no goal.
    without_goals: Vec<Json>,
    /// Places of dimensions that are goals.
    goals: Vec<usize>,
    has_goal: bool,
    told: ToldAs,
}

/// How the answer is told.
#[derive(Debug, Default)]
struct ToldAs {
    metrics: Vec<Shown>,
    dimensions: Vec<(usize, Kind)>,
    names: Vec<String>,
    wholes: Vec<Whole>,
}

/// The place of a name in a list, where it is put if it is not there.
fn place(list: &mut Vec<String>, name: &str) -> usize {
    list.iter().position(|known| known == name).unwrap_or_else(|| {
        list.push(name.to_owned());
        list.len() - 1
    })
}

impl Reading {
    fn add_dimension(&mut self, name: &str, range: Range, field: &str) -> Result<(), QueryError> {
        let name = if name == "time" { time_of(range) } else { name };
        let (ours, kind) = names::dimension(name)?;
        metric::dimension(&ours, field)?;
        let at = place(&mut self.ours_dimensions, &ours);
        if self.told.names.iter().any(|known| known == name) {
            return Err(QueryError::invalid(field, format!("{name:?} is there twice")));
        }
        if name == "event:goal" {
            self.goals.push(at);
            self.has_goal = true;
        }
        self.told.dimensions.push((at, kind));
        self.told.names.push(name.to_owned());
        Ok(())
    }

    fn add_filter(&mut self, filter: &Json, field: &str) -> Result<(), QueryError> {
        let ours = filters::ours(filter, field, 0)?;
        if filters::is_of_goal(filter, field)? {
            self.has_goal = true;
        } else {
            self.without_goals.push(ours.clone());
        }
        self.filters.push(ours);
        Ok(())
    }

    fn whole(&mut self, filters: Vec<Json>, places: Vec<usize>) -> usize {
        let whole = Whole { filters, places };
        let wholes = &mut self.told.wholes;
        wholes.iter().position(|known| *known == whole).unwrap_or_else(|| {
            wholes.push(whole);
            wholes.len() - 1
        })
    }

    fn add_metric(&mut self, name: &str, field: &str) -> Result<(), QueryError> {
        let mut at = |name: &str| place(&mut self.ours_metrics, name);
        let shown = match name {
            "scroll_depth" | "time_on_page" => {
                let detail = format!("the metric {name} is not measured");
                return Err(QueryError::Unsupported { detail });
            }
            "bounce_rate" => Shown::Whole { at: at(name) },
            "visit_duration" => Shown::Seconds { at: at(name) },
            "views_per_visit" => Shown::Rate { at: at(name) },
            "conversion_rate" if !self.has_goal => Shown::Rate { at: at(name) },
            "total_revenue" => Shown::Revenue { at: at("revenue") },
            "average_revenue" => Shown::Revenue { at: at("aov") },
            "percentage" | "conversion_rate" | "group_conversion_rate" => {
                let at = at("visitors");
                Shown::Share { at, whole: self.whole_of(name, field)? }
            }
            _ => {
                let metric = metric::metric(name, field)?;
                Shown::Ours { at: at(name), metric }
            }
        };
        self.told.metrics.push(shown);
        Ok(())
    }

    /// The visitors of whom a metric is a share.
    fn whole_of(&mut self, name: &str, field: &str) -> Result<usize, QueryError> {
        match name {
            "percentage" if self.ours_dimensions.is_empty() => {
                Err(QueryError::invalid(field, "percentage needs dimensions"))
            }
            "percentage" => Ok(self.whole(self.filters.clone(), Vec::new())),
            _ if !self.has_goal => {
                let detail = format!("{name} needs event:goal as a filter or dimension");
                Err(QueryError::invalid(field, detail))
            }
            "conversion_rate" => Ok(self.whole(self.without_goals.clone(), Vec::new())),
            _ => {
                let all = 0..self.ours_dimensions.len();
                let places = all.filter(|at| !self.goals.contains(at)).collect();
                Ok(self.whole(self.without_goals.clone(), places))
            }
        }
    }

    /// The order that is said, else time forwards, then the first metric from the largest on.
    fn order(&self, query: &Request) -> Result<Vec<(String, Direction)>, QueryError> {
        let time = self.told.names.iter().find(|name| name.starts_with("time:"));
        let Some(said) = &query.order_by else {
            let time = time.map(|name| (name.clone(), Direction::Asc));
            let first = query.metrics.first().map(|name| (name.clone(), Direction::Desc));
            return Ok(time.into_iter().chain(first).collect());
        };
        let read = |(at, (name, direction)): (usize, &(String, Direction))| {
            let name = if name == "time" { time.unwrap_or(name) } else { name };
            let is_known = query.metrics.contains(name) || self.told.names.contains(name);
            let detail = || format!("{name:?} is neither among the metrics nor the dimensions");
            is_known
                .then(|| (name.clone(), *direction))
                .ok_or_else(|| QueryError::invalid(format!("order_by[{at}]"), detail()))
        };
        said.iter().enumerate().map(read).collect()
    }

    /// The same order in our names.
    fn order_of_ours(
        &self,
        query: &Request,
        order: &[(String, Direction)],
    ) -> Result<Vec<(String, Direction)>, QueryError> {
        let read = |(name, direction): &(String, Direction)| {
            let dimension = self.told.names.iter().position(|known| known == name);
            let dimension = dimension.and_then(|at| self.told.dimensions.get(at));
            if let Some(ours) = dimension.and_then(|(at, _)| self.ours_dimensions.get(*at)) {
                return Ok((ours.clone(), *direction));
            }
            let metric = query.metrics.iter().position(|known| known == name);
            let shown = metric.and_then(|at| self.told.metrics.get(at));
            if let Some(Shown::Share { whole, .. }) = shown
                && self.told.wholes.get(*whole).is_some_and(|whole| !whole.places.is_empty())
            {
                let detail = format!("rows cannot be ordered by {name}");
                return Err(QueryError::Unsupported { detail });
            }
            let ours = shown.and_then(|shown| self.ours_metrics.get(shown.place()));
            Ok((ours.cloned().unwrap_or_default(), *direction))
        };
        order.iter().map(read).collect()
    }
}

/// What `time` stands for, by the length of the range.
fn time_of(range: Range) -> &'static str {
    let length = range.to_ms - range.from_ms;
    if length <= 48 * HOUR_MS {
        "time:hour"
    } else if length <= 40 * DAY_MS {
        "time:day"
    } else if length <= 52 * 7 * DAY_MS {
        "time:week"
    } else {
        "time:month"
    }
}

/// Ranges that only Plausible has: `year`, and instants of which the last second is in.
fn date_range(said: &DateRange, site: &SiteView, now_ms: i64) -> Result<DateRange, QueryError> {
    match said {
        DateRange::Named(name) if name == "year" => {
            let today = site.zone.date_of(now_ms);
            let first = today.first_of_year().to_string();
            Ok(DateRange::Between([first, today.to_string()]))
        }
        DateRange::Between([from, to]) if !range::is_date(to) => {
            let instant = to.parse::<jiff::Timestamp>().ok().map(|to| to.as_millisecond());
            let last = instant.filter(|ms| ms.rem_euclid(60 * SECOND_MS) == 59 * SECOND_MS);
            let to = last.map_or_else(|| to.clone(), |ms| site.zone.rfc3339(ms + SECOND_MS));
            Ok(DateRange::Between([from.clone(), to]))
        }
        other => Ok(other.clone()),
    }
}
