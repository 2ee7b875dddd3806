//! A worker process sees none of the caller's memory.

use trine::concurrent;

#[concurrent(process)]
fn change(values: &mut Vec<u8>) {
    values.clear();
}

#[concurrent(process)]
fn inside(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}

#[concurrent(process)]
fn result(text: &str) -> &str {
    text
}

fn main() {}
