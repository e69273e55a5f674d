//! Frames against literal bytes: value to bytes, bytes to value, on x86-64 and on wasm32 alike.
//! A fixture of every released version is kept for ever.

use edgetally_proto::error::DecodeError;
use edgetally_proto::frame::{HEAD_BYTES, VERSION, decode, encode, peek, sections};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::samples::{full, later, small};

const FULL_V1: &[u8] = include_bytes!("fixtures/v1/full.etf");
const LATER_V1: &[u8] = include_bytes!("fixtures/v1/later.etf");

#[test]
fn a_full_batch_has_these_bytes() {
    let bytes = encode(&full());
    // Written by hand once a version; then it stays.
    #[cfg(not(target_arch = "wasm32"))]
    if std::env::var_os("EDGETALLY_WRITE_FIXTURES").is_some() {
        std::fs::write("tests/fixtures/v1/full.etf", &bytes).unwrap();
    }
    assert_eq!(bytes, FULL_V1, "version {VERSION} must not change");
    assert_eq!(decode(FULL_V1), Ok(full()));
}

/// What came later has a part of its own at the end: the parts before it are those of a frame
/// without, so a reader that does not know it reads everything else.
#[test]
fn later_facts_have_a_part_of_their_own() {
    let bytes = encode(&later());
    #[cfg(not(target_arch = "wasm32"))]
    if std::env::var_os("EDGETALLY_WRITE_FIXTURES").is_some() {
        std::fs::write("tests/fixtures/v1/later.etf", &bytes).unwrap();
    }
    assert_eq!(bytes, LATER_V1, "version {VERSION} must not change");
    assert_eq!(decode(LATER_V1), Ok(later()));
    let facts = |batch| sections(&batch).into_iter().find(|(name, _)| *name == "facts");
    assert_eq!(facts(later()), facts(full()));
}

/// Seeds of the fuzzer, each wrong in one way; written together with the fixture.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn wrong_frames_are_refused() {
    let wrong = |change: fn(&mut edgetally_proto::batch::SiteBatch)| {
        let mut batch = full();
        batch.sites.iter_mut().for_each(change);
        encode(&batch)
    };
    let seeds = [
        ("broken-reference", wrong(|site| site.records[0].page = Some(9))),
        ("broken-fewer", wrong(|site| site.tables.clients.clear())),
        ("broken-fact", wrong(|site| site.facts[0].record = 2)),
        ("broken-facts", wrong(|site| site.facts = vec![site.facts[0].clone(); 3])),
        ("broken-name", wrong(|site| site.records[1].name = 2)),
        ("broken-place", wrong(|site| site.records[0].place = Some(2))),
        ("broken-cut", encode(&full())[..300].to_vec()),
    ];
    for (name, seed) in &seeds {
        assert!(decode(seed).is_err(), "{name}");
    }
    if std::env::var_os("EDGETALLY_WRITE_FIXTURES").is_some() {
        let good = [
            ("good-full", encode(&full())),
            ("good-later", encode(&later())),
            ("odd-small", encode(&small())),
        ];
        for (name, seed) in seeds.iter().chain(&good) {
            std::fs::write(format!("../fuzz/corpus/frame/{name}.etf"), seed).unwrap();
        }
    }
}

#[test]
fn a_small_batch_has_these_bytes() {
    let bytes = encode(&small());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, SMALL_V1);
    assert_eq!(decode(&bytes), Ok(small()));
}

const SMALL_V1: &str = "\
    455446010c00000023feac937789a4e7a2616100617381a161736173";

#[test]
fn damage_is_found_wherever_it_is() {
    let whole = encode(&full());
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        assert!(decode(&damaged).is_err(), "a flipped bit at {at} went unnoticed");
        assert!(decode(&whole[..at]).is_err(), "a cut at {at} went unnoticed");
    }
}

#[test]
fn frames_stand_back_to_back() {
    let mut bytes = encode(&full());
    let first = bytes.len();
    bytes.extend(encode(&small()));
    let head = peek(&bytes).unwrap();
    assert_eq!((head.version, head.bytes), (VERSION, first));
    assert_eq!(decode(&bytes), Ok(full()));
    assert_eq!(decode(&bytes[first..]), Ok(small()));
}

#[test]
fn a_later_version_is_named() {
    let mut bytes = encode(&small());
    bytes[3] = 9;
    assert_eq!(decode(&bytes), Err(DecodeError::UnsupportedVersion(9)));
    assert_eq!(decode(&bytes[..HEAD_BYTES - 1]), Err(DecodeError::Truncated));
    assert_eq!(decode(b"GET / HTTP/1.1\r\n"), Err(DecodeError::Magic));
}

/// A member that a later writer adds is skipped; the body is that of `small` and one member more.
#[test]
fn unknown_members_are_skipped() {
    let plain = encode(&small());
    let body = &plain[HEAD_BYTES..];
    // Map of two becomes a map of three with "zz": [1].
    let mut longer = vec![body[0] + 1];
    longer.extend_from_slice(&body[1..]);
    longer.extend_from_slice(&[0x62, b'z', b'z', 0x81, 0x01]);
    let mut frame = b"ETF\x01".to_vec();
    frame.extend_from_slice(&u32::try_from(longer.len()).unwrap().to_le_bytes());
    frame.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&longer).to_le_bytes());
    frame.extend_from_slice(&longer);
    assert_eq!(decode(&frame), Ok(small()));
}
