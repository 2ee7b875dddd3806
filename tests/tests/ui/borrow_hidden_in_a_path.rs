//! A lifetime that is left out in a path is found by the compiler.

use std::borrow::Cow;

use trine::concurrent;

#[concurrent(threads)]
fn hidden(text: Cow<str>) -> usize {
    text.len()
}

fn main() {}
