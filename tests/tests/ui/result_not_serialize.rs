//! A result comes from a worker process as bytes.

use trine::concurrent;

struct Opaque;

#[concurrent(process)]
fn opaque(count: u32) -> Opaque {
    let _ = count;
    Opaque
}

#[concurrent(process)]
fn fallible(path: String) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

fn main() {}
