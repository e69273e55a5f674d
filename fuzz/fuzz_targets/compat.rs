//! Bodies of other systems' calls.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    edgetally_fuzz::compat(bytes);
});
