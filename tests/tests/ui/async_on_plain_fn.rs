//! `async` runs an `async fn`.

use trine::concurrent;

#[concurrent(async)]
fn plain(a: u32) -> u32 {
    a
}

fn main() {}
