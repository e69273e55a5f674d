//! Frames, and bodies under a true head.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    edgetally_fuzz::frame(bytes);
});
