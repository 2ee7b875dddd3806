//! What is held across an `await` goes from thread to thread.

use std::rc::Rc;

use trine::concurrent;

#[concurrent(async)]
async fn held(text: String) -> usize {
    let shared = Rc::new(text);
    std::future::ready(()).await;
    shared.len()
}

fn main() {}
