//! Some references have nothing that a worker could own.

use trine::concurrent;

#[concurrent(process)]
fn lent(value: &dyn std::fmt::Debug) {
    println!("{value:?}");
}

fn main() {}
