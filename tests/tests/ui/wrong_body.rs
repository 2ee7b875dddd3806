//! A mistake in the body is reported as in any function.

use trine::concurrent;

#[concurrent(threads)]
fn tail(path: u32) -> String {
    path
}

#[concurrent(async)]
async fn early(path: u32) -> String {
    if path == 0 {
        return path;
    }
    String::new()
}

#[concurrent(threads)]
fn unit() {
    5
}

#[concurrent(threads)]
fn unknown() -> usize {
    missing
}

fn main() {}
