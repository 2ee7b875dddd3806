//! The decoder of values, while the bytes change: what comes out is whole.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use trine::process::fuzzing::decode_unsteady;

type Value = (Vec<String>, BTreeMap<char, Result<Vec<u32>, String>>, Option<bool>);

fuzz_target!(|input: (Value, Vec<(u16, u8)>)| {
    decode_unsteady(&input.0, &input.1);
});
