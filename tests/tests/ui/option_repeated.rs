//! An option is given once.

use trine::concurrent;

#[concurrent(threads, limit = 1, limit = 2)]
fn twice() {}

fn main() {}
