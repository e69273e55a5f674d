//! Signatures between edge and aggregator: HMAC-SHA256 with the edge secret, as lower-case hex.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::ids::{ClientId, SiteId};

/// Header names of a frames request, and of signed settings.
pub mod header {
    /// The shard's name.
    pub const SHARD: &str = "Edgetally-Shard";
    /// The shard's epoch, 32 hex digits.
    pub const EPOCH: &str = "Edgetally-Epoch";
    /// Number of the first frame of the body.
    pub const FIRST: &str = "Edgetally-First";
    /// Number of the last frame of the body.
    pub const LAST: &str = "Edgetally-Last";
    /// Number of the newest frame that the shard has committed.
    pub const HEAD: &str = "Edgetally-Head";
    /// Events in the frames that the shard has committed after the last one of the body.
    pub const LEFT: &str = "Edgetally-Left";
    /// Epoch milliseconds at which a request for settings or the archive was signed.
    pub const AT: &str = "Edgetally-At";
    /// The signature.
    pub const SIGNATURE: &str = "Edgetally-Signature";
}

/// How far the clock of whoever signed a request may be off, in milliseconds.
pub const CLOCK_SKEW_MS: u64 = 5 * 60 * 1_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

/// Each part goes in with its length before it, so that no two lists of parts read alike.
fn mac(secret: &str, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    Some(mac)
}

fn sign(secret: &str, parts: &[&[u8]]) -> String {
    mac(secret, parts).map_or_else(String::new, |mac| hex(&mac.finalize().into_bytes()))
}

/// Compares in constant time.
fn verify(secret: &str, parts: &[&[u8]], signature: &str) -> bool {
    let digits: Option<Vec<u8>> = signature
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()))
        .collect();
    match (mac(secret, parts), digits) {
        (Some(mac), Some(bytes)) => mac.verify_slice(&bytes).is_ok(),
        _ => false,
    }
}

/// A name that nobody who lacks the salt can lead back to the parts it was made of.
#[must_use]
pub fn veil(salt: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    let whole = mac(&hex(salt), parts).map(|mac| mac.finalize().into_bytes());
    let mut veiled = [0; 16];
    let bytes = whole.iter().flat_map(|bytes| bytes.iter());
    veiled.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    veiled
}

/// Signs a message to a webhook as receivers work it out anywhere: HMAC-SHA256 over the seconds
/// since 1970 as digits, a point, and the body.
#[must_use]
pub fn webhook(secret: &str, at_s: i64, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{at_s}.").as_bytes());
    mac.update(body);
    hex(&mac.finalize().into_bytes())
}

/// What a frames request says in its headers.
#[derive(Debug, Clone, Copy)]
pub struct FramesHead<'a> {
    /// The shard's name.
    pub shard: &'a str,
    /// The shard's epoch, 32 hex digits.
    pub epoch: &'a str,
    /// Number of the first frame.
    pub first: u64,
    /// Number of the last frame.
    pub last: u64,
    /// What stays behind, where the shard says so.
    pub backlog: Option<Backlog>,
}

/// What a shard holds beside the frames of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Number of its newest frame.
    pub head: u64,
    /// Events in its frames after the last one of the request.
    pub left: u64,
}

impl FramesHead<'_> {
    /// Calls `with` with the parts that are signed.
    fn parts<T>(&self, body: &[u8], with: impl FnOnce(&[&[u8]]) -> T) -> T {
        let Self { shard, epoch, first, last, backlog } = self;
        let numbers = [Some(*first), Some(*last), backlog.map(|b| b.head), backlog.map(|b| b.left)];
        let numbers: Vec<String> = numbers.iter().flatten().map(u64::to_string).collect();
        let mut parts: Vec<&[u8]> = vec![b"frames", shard.as_bytes(), epoch.as_bytes()];
        parts.extend(numbers.iter().map(|number| number.as_bytes()));
        parts.push(body);
        with(&parts)
    }
}

/// Signs `POST /v1/frames`: headers and body.
#[must_use]
pub fn frames(secret: &str, head: &FramesHead<'_>, body: &[u8]) -> String {
    head.parts(body, |parts| sign(secret, parts))
}

/// Whether a frames request bears the right signature.
#[must_use]
pub fn frames_verify(secret: &str, head: &FramesHead<'_>, body: &[u8], signature: &str) -> bool {
    head.parts(body, |parts| verify(secret, parts, signature))
}

/// Signs `GET /v1/edge/config`: the time at which it is asked.
#[must_use]
pub fn config_request(secret: &str, at_ms: i64) -> String {
    sign(secret, &[b"config?", at_ms.to_string().as_bytes()])
}

/// Whether a request for settings bears the right signature and is of now.
#[must_use]
pub fn config_request_verify(secret: &str, at_ms: i64, now_ms: i64, signature: &str) -> bool {
    now_ms.abs_diff(at_ms) <= CLOCK_SKEW_MS
        && verify(secret, &[b"config?", at_ms.to_string().as_bytes()], signature)
}

/// Signs the answer that carries settings.
#[must_use]
pub fn config_answer(secret: &str, body: &[u8]) -> String {
    sign(secret, &[b"config", body])
}

/// Whether settings bear the aggregator's signature.
#[must_use]
pub fn config_answer_verify(secret: &str, body: &[u8], signature: &str) -> bool {
    verify(secret, &[b"config", body], signature)
}

/// Signs a request of the aggregator for the worker's archive. `target` is path and query as they
/// are sent.
#[must_use]
pub fn archive_request(
    secret: &str,
    method: &str,
    target: &str,
    at_ms: i64,
    body: &[u8],
) -> String {
    let at = at_ms.to_string();
    sign(secret, &[b"archive?", method.as_bytes(), target.as_bytes(), at.as_bytes(), body])
}

/// Whether a request for the archive bears the right signature and is of now.
#[must_use]
pub fn archive_request_verify(
    secret: &str,
    (method, target): (&str, &str),
    (at_ms, now_ms): (i64, i64),
    body: &[u8],
    signature: &str,
) -> bool {
    let at = at_ms.to_string();
    let parts: [&[u8]; 5] =
        [b"archive?", method.as_bytes(), target.as_bytes(), at.as_bytes(), body];
    now_ms.abs_diff(at_ms) <= CLOCK_SKEW_MS && verify(secret, &parts, signature)
}

/// The client of a visitor without consent: a hash of site, address and user agent under a salt
/// that is random, of one day, and forgotten after two.
#[must_use]
pub fn daily_client(salt: &[u8], site: &SiteId, address: &str, user_agent: &str) -> ClientId {
    let parts: [&[u8]; 3] = [site.as_str().as_bytes(), address.as_bytes(), user_agent.as_bytes()];
    let mut hash = Sha256::new();
    for part in [salt].iter().chain(&parts) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hex(&hash.finalize());
    ClientId::from_hash(digest.get(..32).unwrap_or(&digest))
}

/// The form in which keys are stored and compared: SHA-256 as hex. Keys are random and long, so
/// a slow password hash would add nothing.
#[must_use]
pub fn key_hash(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: FramesHead<'_> =
        FramesHead { shard: "v1|apac|0", epoch: "00", first: 1, last: 2, backlog: None };

    #[test]
    fn a_signature_covers_headers_and_body() {
        let signature = frames("secret", &HEAD, b"body");
        assert!(frames_verify("secret", &HEAD, b"body", &signature));
        assert!(!frames_verify("secret", &HEAD, b"bodz", &signature));
        assert!(!frames_verify("other", &HEAD, b"body", &signature));
        assert!(!frames_verify("secret", &FramesHead { last: 3, ..HEAD }, b"body", &signature));
        let backlog = Some(Backlog { head: 3, left: 4 });
        assert!(!frames_verify("secret", &FramesHead { backlog, ..HEAD }, b"body", &signature));
        assert!(!frames_verify("secret", &HEAD, b"body", "not hex"));
        assert!(!frames_verify("secret", &HEAD, b"body", ""));
    }

    #[test]
    fn old_requests_for_settings_are_refused() {
        let signature = config_request("secret", 1_000_000);
        assert!(config_request_verify("secret", 1_000_000, 1_200_000, &signature));
        assert!(!config_request_verify("secret", 1_000_000, 2_000_000, &signature));
        // A stranger may say any time.
        for at_ms in [i64::MIN, i64::MAX] {
            assert!(!config_request_verify("secret", at_ms, 1_200_000, &signature));
        }
    }

    #[test]
    fn requests_for_the_archive_are_signed_whole_and_of_now() {
        let target = "/internal/archive?prefix=raw%2Fdemo%2F";
        let signature = archive_request("secret", "PUT", target, 1_000_000, b"body");
        let holds = |method, target, now_ms, body: &[u8]| {
            let when = (1_000_000, now_ms);
            archive_request_verify("secret", (method, target), when, body, &signature)
        };
        assert!(holds("PUT", target, 1_200_000, b"body"));
        assert!(!holds("DELETE", target, 1_200_000, b"body"));
        assert!(!holds("PUT", "/internal/archive?prefix=raw%2Fother%2F", 1_200_000, b"body"));
        assert!(!holds("PUT", target, 1_200_000, b"bodz"));
        assert!(!holds("PUT", target, 2_000_000, b"body"));
    }

    /// FIPS 180-4, example of SHA-256.
    #[test]
    fn keys_are_stored_as_sha_256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(key_hash("abc"), expected);
    }
}
