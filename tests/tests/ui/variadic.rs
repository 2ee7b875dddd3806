//! Variadic arguments have no tuple.

use trine::concurrent;

#[concurrent(threads)]
unsafe extern "C" fn foreign(_: *const u8, _: ...) {}

fn main() {}
