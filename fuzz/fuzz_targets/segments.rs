//! Large replies: whatever a worker sends and says of it, the parent reads what is there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trine::process::fuzzing::Segments;

fuzz_target!(|script: &[u8]| {
    Segments::new().play(script);
});
