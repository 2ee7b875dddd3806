//! A borrowed `self` needs `scoped`.

use trine::concurrent;

struct Server;

impl Server {
    #[concurrent(threads)]
    fn handle(&self) {}

    #[concurrent(async)]
    async fn change(&mut self) {}

    #[concurrent(process)]
    fn remote(&mut self) {}
}

fn main() {}
