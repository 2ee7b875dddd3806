//! What goes through a tube: whatever a worker sends, the parent reads what is there.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use trine::process::fuzzing::Tubes;

thread_local! {
    static TUBES: RefCell<Tubes> = RefCell::new(Tubes::new());
}

fuzz_target!(|script: &[u8]| {
    TUBES.with_borrow(|tubes| tubes.play(script));
});
