//! A result has a type that can be named.

use trine::concurrent;

#[concurrent(threads)]
fn adder(first: u32) -> impl Fn(u32) -> u32 {
    move |second| first + second
}

fn caller() {
    let _ = adder(1).join();
}

fn main() {}
