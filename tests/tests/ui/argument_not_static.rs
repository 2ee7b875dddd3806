//! A type parameter may stand for a borrow.

use trine::concurrent;

#[concurrent(threads)]
fn generic<T: Send>(value: T) {
    drop(value);
}

fn main() {}
