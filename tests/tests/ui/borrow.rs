//! A borrow needs `scoped`, unless it never ends.

use std::borrow::Cow;
use std::path::Path;

use trine::concurrent;

#[concurrent(threads)]
fn text(text: &str) -> usize {
    text.len()
}

#[concurrent(threads)]
fn slice(values: &[u8], path: &Path) -> usize {
    values.len() + path.as_os_str().len()
}

#[concurrent(async)]
async fn named<'a>(value: Cow<'a, str>) -> usize {
    value.len()
}

#[concurrent(threads)]
fn fixed(text: &'static str) -> usize {
    text.len()
}

fn caller() {
    let _ = text("a").join();
}

fn main() {}
