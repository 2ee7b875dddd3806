//! A result has a type that can be named.

use trine::concurrent;

#[concurrent(threads)]
fn numbers() -> impl Iterator<Item = u32> + Send {
    0..3
}

fn caller() {
    let _ = numbers().join();
}

fn main() {}
