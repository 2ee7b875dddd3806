//! What a function that yields cannot have.

use trine::concurrent;

#[concurrent(threads, retries = 3)]
fn again() -> impl Iterator<Item = u32> {
    0..3
}

#[concurrent(threads, scoped)]
fn borrowed(text: &str) -> impl Iterator<Item = char> {
    text.chars()
}

#[concurrent(threads)]
async fn awaited() -> impl Iterator<Item = u32> {
    0..3
}

#[concurrent(async)]
fn iterator() -> impl Iterator<Item = u32> {
    0..3
}

#[concurrent(async)]
async fn future() -> impl Stream<Item = u32> {
    0..3
}

#[concurrent(threads, ahead = 16)]
fn plain() -> u32 {
    3
}

#[concurrent(threads, ahead = 0)]
fn none_ahead() -> impl Iterator<Item = u32> {
    0..3
}

#[concurrent(threads)]
fn not_send() -> impl Iterator<Item = std::rc::Rc<u32>> {
    (0..3).map(std::rc::Rc::new)
}

fn caller() {
    for item in again() {
        let _: u32 = item.unwrap();
    }
    let _ = (awaited().gather(), iterator().gather(), future().gather());
    let _ = (plain().join(), none_ahead().gather());
}

fn main() {}
