//! A trait method has no body to run.

use trine::concurrent;

trait Service {
    #[concurrent(threads)]
    fn handle(self, request: String) -> usize;
}

fn main() {}
