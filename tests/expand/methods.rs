//! Methods: the body stays where `self` is what it was, and captures it.
use std::sync::Arc;

use trine::concurrent;

pub struct Server<T> {
    answer: T,
}

impl<T: Clone + Send + Sync + 'static> Server<T> {
    /// An associated function has the shape of a free one.
    #[concurrent(threads)]
    pub fn new(answer: T) -> Self {
        Self { answer }
    }

    #[concurrent(threads)]
    pub fn handle(self: Arc<Self>, mut request: String) -> (T, String) {
        request.push('!');
        (self.answer.clone(), request)
    }

    #[concurrent(threads, scoped)]
    pub fn peek<'a, 'b>(&'a self, prefix: &'b str) -> (&'a T, &'b str) {
        (&self.answer, prefix)
    }

    #[concurrent(async)]
    pub async fn convert<U: From<T> + Send + 'static>(mut self, other: T) -> U {
        self.answer = other;
        self.answer.into()
    }
}

#[concurrent(threads)]
fn outer(start: u32) -> u32 {
    #[concurrent(threads)]
    fn inner(value: u32) -> u32 {
        value + 1
    }
    inner(start).join().unwrap_or_default()
}
