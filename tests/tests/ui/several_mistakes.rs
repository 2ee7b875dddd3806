//! All that is wrong is said at once.

use trine::concurrent;

#[concurrent(threads, timeout = 5, limit = 0, colour = red)]
const fn several(text: &str, other: &str) -> impl Sized {
    text.len() + other.len()
}

fn main() {}
