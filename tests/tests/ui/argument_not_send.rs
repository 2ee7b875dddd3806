//! An argument goes to another thread.

use std::rc::Rc;

use trine::concurrent;

#[concurrent(threads)]
fn shared(count: u32, text: Rc<String>) -> usize {
    text.len() + count as usize
}

#[concurrent(async)]
async fn shared_async(text: Rc<String>) -> usize {
    text.len()
}

#[concurrent(threads)]
fn generic<T: 'static>(value: T) {
    drop(value);
}

fn main() {}
