//! `const`, `unsafe` and `extern` functions cannot be tasks.

use trine::concurrent;

#[concurrent(threads)]
const fn constant() {}

#[concurrent(threads)]
unsafe fn dangerous(a: u32) -> u32 {
    a
}

#[concurrent(threads)]
extern "C" fn foreign() {}

fn caller() {
    let _ = unsafe { dangerous(1) }.join();
}

fn main() {}
