//! The mode is one of three.

use trine::concurrent;

#[concurrent(thread)]
fn near(a: u32) -> u32 {
    a
}

#[concurrent(gpu)]
fn far() {}

#[concurrent(timeout = 5s)]
fn option_first() {}

#[concurrent(threads, process)]
fn two_modes() {}

fn caller() {
    let _ = near(1).join();
}

fn main() {}
