//! The ring of replies: whatever a worker writes, no reply reaches outside it.
#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;
use trine::process::fuzzing::Rings;

thread_local! {
    static RINGS: OnceCell<Rings> = const { OnceCell::new() };
}

fuzz_target!(|input: (u32, u32, &[u8])| {
    let (start, length, bytes) = input;
    let start = start & !7;
    // Usually about as long as what was written, so that there are replies; now and then any
    // length.
    let length = if length % 8 == 0 { length } else { (bytes.len() as u32) & !7 };
    RINGS.with(|rings| {
        let rings = rings.get_or_init(Rings::new);
        rings.replies(start, start.wrapping_add(length), bytes);
    });
});
