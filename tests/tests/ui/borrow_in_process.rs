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

// In one line, where rustc would propose to remove the braces of a block inside a block.
#[concurrent(process)]
fn plain(values: &mut Vec<u8>) { values.clear() }

#[concurrent(process)]
async fn future(values: &mut Vec<u8>) { values.clear() }

#[concurrent(process)]
async fn with_result(values: &mut Vec<u8>) -> usize { values.len() }

#[concurrent(process)]
fn opaque(values: &mut Vec<u8>) -> impl Sized { values.len() }

fn main() {}
