//! In a worker process the body of a method is a method too, and the trait has to declare it.

use trine::concurrent;

trait Service {
    fn handle(self, request: String) -> trine::Task<usize>;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Server;

impl Service for Server {
    #[concurrent(process)]
    fn handle(self, request: String) -> usize {
        request.len()
    }
}

fn main() {}
