//! Bodies of `POST /v1/events`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    edgetally_fuzz::request(bytes);
});
