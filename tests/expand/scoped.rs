//! Scoped functions: callers pass the scope first, and every borrow lives as long as that.
use trine::concurrent;

#[concurrent(threads, scoped)]
pub fn count(text: &str, word: &str) -> usize {
    text.matches(word).count()
}

#[concurrent(threads, scoped)]
fn longest<'a>(
    texts: &'a [String],
    shown: &(dyn Fn(&str) -> usize + Sync),
    unused: u8,
) -> Option<&'a str> {
    let _ = unused;
    texts.iter().map(String::as_str).max_by_key(|text| shown(text))
}

#[concurrent(threads, scoped)]
fn fill(target: &mut [u8], value: u8) {
    target.fill(value);
}
