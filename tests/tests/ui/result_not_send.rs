//! A result comes from another thread.

use std::rc::Rc;

use trine::concurrent;

#[concurrent(threads)]
fn shared(text: String) -> Rc<String> {
    Rc::new(text)
}

#[concurrent(async)]
async fn shared_async(text: String) -> Rc<String> {
    Rc::new(text)
}

fn main() {}
