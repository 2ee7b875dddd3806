//! A method of a trait impl has no room for its body beside it.

use trine::concurrent;

trait Service {
    fn handle(self, request: String) -> trine::Task<usize>;
}

struct Server;

impl Service for Server {
    #[concurrent(threads)]
    fn handle(self, request: String) -> usize {
        request.len()
    }
}

fn main() {}
