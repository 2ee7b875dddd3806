//! With `scoped`, too, an argument goes to another thread.

use std::cell::Cell;

use trine::concurrent;

#[concurrent(threads, scoped)]
fn count(cell: &Cell<u32>) -> u32 {
    cell.get()
}

fn main() {}
