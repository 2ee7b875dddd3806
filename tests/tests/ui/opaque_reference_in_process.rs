//! What a worker owns has a type that can be written.

use trine::concurrent;

#[concurrent(process)]
fn lent(value: &impl std::fmt::Debug) {
    println!("{value:?}");
}

#[concurrent(process)]
fn object(value: &dyn std::fmt::Debug) {
    println!("{value:?}");
}

fn main() {}
