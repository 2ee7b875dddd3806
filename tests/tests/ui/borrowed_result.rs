//! A result cannot borrow from a call that is over.

use trine::concurrent;

#[concurrent(threads)]
fn result<'a>(text: String) -> std::borrow::Cow<'a, str> {
    text.into()
}

fn main() {}
