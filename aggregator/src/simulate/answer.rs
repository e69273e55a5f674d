//! What an answer of the worker means for the events sent, and how long to wait: pure.

use serde::Deserialize;

/// First wait after a failed attempt.
const BACKOFF_MS_MIN: u64 = 100;
/// Longest wait that we choose ourselves; the worker may ask for more.
const BACKOFF_MS_MAX: u64 = 3_000;
/// Longest wait that the worker may ask for.
const ASKED_MS_MAX: u64 = 60_000;

/// The members of a 202 that we count by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// Events stored by this attempt.
    pub accepted: usize,
    /// Events that the edge had already.
    pub duplicates: usize,
    /// Events refused, each with its place in the batch.
    pub rejected: Vec<Rejected>,
}

/// One refused event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rejected {
    /// Place in the batch.
    pub index: usize,
    /// Why.
    pub code: String,
}

/// What to do about a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is known to be durable, but for what was rejected.
    Stored(Answer),
    /// Unknown: send the same events again, not before `wait_ms` if the worker asked for that.
    Again {
        /// The wait that the worker asked for.
        wait_ms: Option<u64>,
        /// What the answer was.
        why: String,
    },
    /// The request itself is wrong; sending it again will hardly help.
    Refused {
        /// What the worker said.
        why: String,
    },
}

/// An answer as it came.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    /// Header `Retry-After`.
    pub retry_after: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Judges the answer to a batch of `sent` events.
#[must_use]
pub fn judge(reply: Reply<'_>, sent: usize) -> Verdict {
    match reply.status {
        202 => match serde_json::from_slice::<Answer>(reply.body) {
            Ok(answer) if adds_up(&answer, sent) => Verdict::Stored(answer),
            Ok(_) => again("202 whose counts do not add up to the events sent"),
            Err(_) => again("202 without a readable body"),
        },
        408 | 425 | 429 => Verdict::Again { wait_ms: asked_ms(reply), why: said(reply) },
        400..=499 => Verdict::Refused { why: said(reply) },
        _ => Verdict::Again { wait_ms: asked_ms(reply), why: said(reply) },
    }
}

/// How long to wait after so many failed attempts, with `jitter` between 0.0 and 1.0.
#[must_use]
pub fn backoff_ms(failed_attempts: u32, asked_ms: Option<u64>, jitter: f64) -> u64 {
    let doubled = BACKOFF_MS_MIN << failed_attempts.saturating_sub(1).min(16);
    let own = doubled.min(BACKOFF_MS_MAX) as f64 * (0.5 + jitter.clamp(0.0, 1.0) / 2.0);
    (own as u64).max(asked_ms.unwrap_or(0).min(ASKED_MS_MAX))
}

fn again(why: &str) -> Verdict {
    Verdict::Again { wait_ms: None, why: why.to_owned() }
}

fn adds_up(answer: &Answer, sent: usize) -> bool {
    let mut places: Vec<usize> = answer.rejected.iter().map(|one| one.index).collect();
    places.sort_unstable();
    places.dedup();
    let are_places = places.len() == answer.rejected.len() && places.iter().all(|at| *at < sent);
    let counts = [answer.accepted, answer.duplicates, places.len()];
    are_places && counts.iter().try_fold(0usize, |sum, n| sum.checked_add(*n)) == Some(sent)
}

#[derive(Deserialize, Default)]
struct Problem {
    code: Option<String>,
    detail: Option<String>,
    retry_after_ms: Option<u64>,
}

fn problem(reply: Reply<'_>) -> Problem {
    serde_json::from_slice(reply.body).unwrap_or_default()
}

/// The wait in the body is finer than the header's whole seconds.
fn asked_ms(reply: Reply<'_>) -> Option<u64> {
    let header = reply.retry_after.and_then(|text| text.trim().parse::<u64>().ok());
    problem(reply).retry_after_ms.or(header.map(|seconds| seconds.saturating_mul(1_000)))
}

fn said(reply: Reply<'_>) -> String {
    let problem = problem(reply);
    let parts = [Some(reply.status.to_string()), problem.code, problem.detail];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str) -> Verdict {
        judge(Reply { status, retry_after: Some("2"), body: body.as_bytes() }, 3)
    }

    #[test]
    fn a_readable_202_settles_the_batch() {
        let body = r#"{"accepted": 1, "duplicates": 1, "warnings": [],
            "rejected": [{"index": 2, "id": "x", "code": "name_not_allowed"}]}"#;
        let rejected = vec![Rejected { index: 2, code: "name_not_allowed".into() }];
        let answer = Answer { accepted: 1, duplicates: 1, rejected };
        assert_eq!(check(202, body), Verdict::Stored(answer));
    }

    #[test]
    fn anything_unclear_is_sent_again() {
        for (status, body) in [
            (202, ""),
            (202, "{\"accepted\": 3"),
            (202, r#"{"accepted": 2, "duplicates": 0, "rejected": []}"#),
            (202, r#"{"accepted": 2, "duplicates": 0, "rejected": [{"index": 3, "code": "x"}]}"#),
            (200, r#"{"accepted": 3, "duplicates": 0, "rejected": []}"#),
            (429, "{}"),
            (500, "oops"),
            (503, r#"{"code": "overloaded"}"#),
        ] {
            assert!(matches!(check(status, body), Verdict::Again { .. }), "{status} {body}");
        }
    }

    #[test]
    fn a_wrong_request_is_refused_in_the_workers_words() {
        let body = r#"{"code": "key_invalid", "detail": "no such key"}"#;
        assert_eq!(
            check(401, body),
            Verdict::Refused { why: "401 key_invalid no such key".to_owned() }
        );
    }

    #[test]
    fn the_body_says_the_wait_more_exactly_than_the_header() {
        let wait = |body: &str| match check(429, body) {
            Verdict::Again { wait_ms, .. } => wait_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(r#"{"retry_after_ms": 250}"#), Some(250));
        assert_eq!(wait("busy"), Some(2_000));
    }

    #[test]
    fn waits_double_up_to_a_bound_and_obey_the_worker() {
        assert_eq!(backoff_ms(1, None, 1.0), 100);
        assert_eq!(backoff_ms(1, None, 0.0), 50);
        assert_eq!(backoff_ms(3, None, 1.0), 400);
        assert_eq!(backoff_ms(60, None, 1.0), BACKOFF_MS_MAX);
        assert_eq!(backoff_ms(1, Some(1_500), 1.0), 1_500);
        assert_eq!(backoff_ms(1, Some(u64::MAX), 1.0), ASKED_MS_MAX);
    }
}
