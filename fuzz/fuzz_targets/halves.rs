//! The parent's own half changes underneath: nothing that the parent does depends on it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trine::process::fuzzing::Halves;

fuzz_target!(|script: &[u8]| {
    Halves::new().play(script);
});
